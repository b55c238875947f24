"""The event that upstream apps publish: bytes in, a `FeedbackEvent` or a `Refusal` out.

`docs/event.schema.json` is generated from this module. Parsing follows JSON as strictly as the
schema says; of a key given twice, the last one counts, as in most parsers.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

EVENT_ID_LENGTH: Final = 128

EventId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=EVENT_ID_LENGTH,
        description="The identity of the answer, and the key of the Kafka record.",
    ),
]
Revision = Annotated[
    int,
    Meta(ge=0, le=2**31 - 1, description="A higher revision replaces the earlier answer."),
]
OccurredAt = Annotated[
    datetime,
    Meta(tz=True, description="When the customer answered: RFC 3339 with an offset."),
]
Answers = Annotated[
    dict[str, bool | int | float | None],
    Meta(description="Answers by measure of the KPI file; null means not answered, never 0."),
]
Dimensions = Annotated[
    dict[str, str | None],
    Meta(description="Values of the KPI file's dimensions; a missing one counts as `unknown`."),
]


class FeedbackEvent(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One answer of one customer, its correction, or its withdrawal."""

    event_id: EventId
    occurred_at: OccurredAt
    revision: Revision = 0
    measures: Answers = {}
    comment: Annotated[str | None, Meta(description="What the customer wrote.")] = None
    language: Annotated[str | None, Meta(description="BCP 47 tag of the comment.")] = None
    customer: Annotated[str | None, Meta(description="Stored only as a keyed hash.")] = None
    dimensions: Dimensions = {}
    withdrawn: Annotated[bool, Meta(description="Takes the answer out of every count.")] = False


class Refusal(msgspec.Struct, frozen=True):
    """Why an event is not counted: a stable code, and a sentence naming the field.

    The sentence never quotes what a customer wrote.
    """

    reason: str
    detail: str


# Every reason code there is: what cannot be read, and what `streams.events.admission` and
# `streams.events.intake` refuse. They are a public contract: tools and dashboards know them.
REASONS: Final = (
    "not_json",
    "not_an_object",
    "missing_field",
    "unknown_field",
    "wrong_type",
    "bad_event_id",
    "bad_time",
    "bad_revision",
    "misrouted",
    "in_future",
    "unknown_measure",
    "fraction",
    "off_scale",
    "bad_dimension",
    "reserved_value",
    "ids_not_kept",
)


class Envelope(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A `FeedbackEvent` with its measures and dimensions left as they are written.

    Every reader opens the envelope first, so that of a key given twice the last one counts for
    all, whatever the first one holds.
    """

    event_id: EventId
    occurred_at: OccurredAt
    revision: Revision = 0
    measures: msgspec.Raw = msgspec.Raw(b"{}")
    comment: str | None = None
    language: str | None = None
    customer: str | None = None
    dimensions: msgspec.Raw = msgspec.Raw(b"{}")
    withdrawn: bool = False


decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_measures = msgspec.json.Decoder(dict[str, bool | int | float | None]).decode
_decode_dimensions = msgspec.json.Decoder(dict[str, str | None]).decode

# What decoding raises. msgspec leaves a text that is not UTF-8, and deep nesting, to Python.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# The place at the end of a msgspec message: "... - at `$.revision`".
_PLACE = re.compile(r" - at `\$\.?(?P<path>\w*)[^`]*`\Z")
_MISSING: Final = "Object missing required field `"
_UNKNOWN: Final = "Object contains unknown field `"
_SIMPLE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def decode_event(value: bytes) -> FeedbackEvent | Refusal:
    """The event in a record's value (UTF-8 JSON), or why it cannot be read."""
    try:
        envelope = decode_envelope(value)
    except UNREADABLE as error:
        return _explain(error)
    try:
        measures = _decode_measures(envelope.measures)
    except UNREADABLE as error:
        return _explain_part(error, "measures", envelope.measures)
    try:
        dimensions = _decode_dimensions(envelope.dimensions)
    except UNREADABLE as error:
        return _explain_part(error, "dimensions", envelope.dimensions)
    return FeedbackEvent(
        envelope.event_id,
        envelope.occurred_at,
        envelope.revision,
        measures,
        envelope.comment,
        envelope.language,
        envelope.customer,
        dimensions,
        envelope.withdrawn,
    )


def _explain(error: Exception) -> Refusal:
    """Turn an error into a code and a sentence; of the event only field names are repeated."""
    if not isinstance(error, msgspec.ValidationError):
        return _not_json(error)
    message = str(error)
    if message.startswith(_MISSING):
        return Refusal(
            "missing_field", f"`{message.removeprefix(_MISSING).rstrip('`')}` is missing."
        )
    if message.startswith(_UNKNOWN):
        name = _named(message.removeprefix(_UNKNOWN).rstrip("`"))
        return Refusal("unknown_field", f"{_known_fields()} {name} is not one.")
    place = _PLACE.search(message)
    if place is None:
        return Refusal("not_an_object", "The value must be a JSON object.")
    expectation = message[: place.start()].replace("`", "")
    match place["path"]:
        case "event_id":
            sentence = f"`event_id` must be a text of 1 to {EVENT_ID_LENGTH} characters"
            return Refusal("bad_event_id", f"{sentence}: {expectation}.")
        case "occurred_at":
            sentence = "`occurred_at` must be RFC 3339 with an offset, such as 2026-11-23T10:00:00Z"
            return Refusal("bad_time", f"{sentence}: {expectation}.")
        case "revision":
            sentence = "`revision` must be a whole number from 0 to 2147483647"
            return Refusal("bad_revision", f"{sentence}: {expectation}.")
        case field:
            return Refusal("wrong_type", f"`{field}`: {expectation}.")


def _explain_part(error: Exception, field: str, part: msgspec.Raw) -> Refusal:
    """Why `measures` or `dimensions` can't be read."""
    if not isinstance(error, msgspec.ValidationError):
        return _not_json(error)
    place = _PLACE.search(str(error))
    expectation = (str(error)[: place.start()] if place else str(error)).replace("`", "")
    return Refusal("wrong_type", f"{_wrong_entry(field, part)}: {expectation}.")


def _not_json(error: Exception) -> Refusal:
    if isinstance(error, UnicodeDecodeError):
        return Refusal("not_json", f"The value is not UTF-8 (near byte {error.start} of a text).")
    if isinstance(error, RecursionError):
        return Refusal("not_json", "The value is nested too deeply.")
    reason = str(error).removeprefix("JSON is malformed: ").rstrip(".")
    return Refusal("not_json", f"The value is not JSON: {reason}.")


def _known_fields() -> str:
    return f"The fields of an event are {', '.join(FeedbackEvent.__struct_fields__)};"


def _named(name: str) -> str:
    """A name for a sentence: only what looks like a name is repeated, a text never is."""
    return f"`{name}`" if _SIMPLE_NAME.match(name) else "another"


def _wrong_entry(field: str, part: msgspec.Raw) -> str:
    """Which entry of a part has the wrong type: msgspec does not say."""
    try:
        entries = msgspec.json.decode(part)
    except UNREADABLE:
        return f"`{field}`"
    if not isinstance(entries, dict):
        return f"`{field}`"
    allowed = (bool, int, float) if field == "measures" else (str,)
    for name, entry in entries.items():
        if entry is not None and not isinstance(entry, allowed):
            return f"`{field}.{name}`" if _SIMPLE_NAME.match(name) else f"an entry of `{field}`"
    return f"`{field}`"


def event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the event."""
    schema = msgspec.json.schema(FeedbackEvent)
    definition = schema["$defs"]["FeedbackEvent"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://feedback-streams.example/event.schema.json",
        **definition,
        "title": "Feedback event",
    }
