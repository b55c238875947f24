"""The event that upstream apps publish: bytes in, a `FeedbackEvent` or a `Refusal` out.

`docs/event.schema.json` is generated from this module. Parsing follows JSON as strictly as the
schema says; of a key given twice, the last one counts, as in every common parser.
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


# Every reason code there is: what cannot be read, and what `streams.admission` and
# `streams.intake` refuse. They are a public contract: tools and dashboards know them.
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

_decode = msgspec.json.Decoder(FeedbackEvent).decode

# The place at the end of a msgspec message: "... - at `$.measures[...]`".
_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_FIELD = re.compile(r"field `(?P<field>[^`]*)`")
_SIMPLE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def decode_event(value: bytes) -> FeedbackEvent | Refusal:
    """The event in a record's value (UTF-8 JSON), or why it cannot be read."""
    try:
        return _decode(value)
    except msgspec.ValidationError as error:
        return _explain(str(error), value)
    except msgspec.DecodeError as error:
        return Refusal("not_json", f"The value is not JSON: {_reason(error)}.")
    except UnicodeDecodeError as error:
        return Refusal("not_json", f"The value is not UTF-8 (near byte {error.start} of a text).")
    except RecursionError:
        return Refusal("not_json", "The value is nested too deeply.")


def _reason(error: msgspec.DecodeError) -> str:
    return str(error).removeprefix("JSON is malformed: ").rstrip(".")


def _explain(message: str, value: bytes) -> Refusal:
    """Turn msgspec's message into a code and a sentence; only field names are repeated."""
    place = _PLACE.search(message)
    path = place["path"] if place else ""
    what = message[: place.start()] if place else message
    field = _FIELD.search(what)
    if "missing required field" in what and field:
        return Refusal("missing_field", f"`{field['field']}` is missing.")
    if "unknown field" in what and field:
        return Refusal("unknown_field", f"{_known_fields()} {_named(field['field'])} is not one.")
    if not path:
        return Refusal("not_an_object", "The value must be a JSON object.")
    top = path.split("[", 1)[0].split(".", 1)[0]
    expectation = what.replace("`", "")
    match top:
        case "event_id":
            sentence = f"`event_id` must be a text of 1 to {EVENT_ID_LENGTH} characters"
            return Refusal("bad_event_id", f"{sentence}: {expectation}.")
        case "occurred_at":
            sentence = "`occurred_at` must be RFC 3339 with an offset, such as 2026-11-23T10:00:00Z"
            return Refusal("bad_time", f"{sentence}: {expectation}.")
        case "revision":
            sentence = "`revision` must be a whole number from 0 to 2147483647"
            return Refusal("bad_revision", f"{sentence}: {expectation}.")
        case "measures" | "dimensions":
            where = _wrong_entry(value, top) or f"`{top}`"
            return Refusal("wrong_type", f"{where}: {expectation}.")
    return Refusal("wrong_type", f"`{top}`: {expectation}.")


def _known_fields() -> str:
    return f"The fields of an event are {', '.join(FeedbackEvent.__struct_fields__)};"


def _named(name: str) -> str:
    """A name for a sentence: only what looks like a name is repeated, a text never is."""
    return f"`{name}`" if _SIMPLE_NAME.match(name) else "another"


def _wrong_entry(value: bytes, field: str) -> str | None:
    """Which entry of `measures` or `dimensions` has the wrong type (msgspec does not say)."""
    try:
        entries = msgspec.json.decode(value)[field]
    except (msgspec.DecodeError, RecursionError, KeyError):
        return None
    if not isinstance(entries, dict):
        return None
    allowed = (bool, int, float) if field == "measures" else (str,)
    for name, entry in entries.items():
        if entry is not None and not isinstance(entry, allowed):
            return f"`{field}.{name}`" if _SIMPLE_NAME.match(name) else f"an entry of `{field}`"
    return None


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
