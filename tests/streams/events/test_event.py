from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events.event import FeedbackEvent, Refusal, decode_event, event_schema
from streams.events.schema import schema_text

DOCUMENTED = Path(__file__).parents[3] / "docs" / "event.schema.json"
WHOLE = {
    "event_id": "r-8f3a",
    "revision": 3,
    "occurred_at": "2026-11-23T10:00:00.123+01:00",
    "measures": {"csat": 4, "share": 42.5, "sla_met": True, "nps": None},
    "comment": "Quick reply, but the router still drops.",
    "language": "en",
    "customer": "c-771",
    "dimensions": {"product": "router", "region": None},
    "withdrawn": True,
}


def with_fields(fields: bytes) -> bytes:
    """Give the JSON of a good event with more fields, as bytes that JSON need not allow."""
    return b'{"event_id": "x", "occurred_at": "2026-11-23T10:00:00Z", %s}' % fields


def at(time: str) -> bytes:
    return json.dumps({"event_id": "x", "occurred_at": time}).encode()


def refused(value: bytes) -> Refusal:
    found = decode_event(value)
    assert isinstance(found, Refusal)
    return found


def test_a_whole_event_is_read() -> None:
    """Every field of the contract arrives, with null where the publisher said null."""
    expected = FeedbackEvent(
        event_id="r-8f3a",
        occurred_at=datetime(2026, 11, 23, 10, 0, 0, 123_000, timezone(timedelta(hours=1))),
        revision=3,
        measures={"csat": 4, "share": 42.5, "sla_met": True, "nps": None},
        comment="Quick reply, but the router still drops.",
        language="en",
        customer="c-771",
        dimensions={"product": "router", "region": None},
        withdrawn=True,
    )
    assert expected == decode_event(json.dumps(WHOLE).encode())


def test_two_fields_are_enough() -> None:
    """All but identity and time have a default."""
    expected = FeedbackEvent("x", datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert expected == decode_event(at("2026-11-23T10:00:00Z"))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"   ",
        b"{",
        b"hello",
        b"{'event_id': 'x'}",
        b"\xef\xbb\xbf" + at("2026-11-23T10:00:00Z"),
        at("2026-11-23T10:00:00Z") + b" {}",
        at("2026-11-23T10:00:00Z").decode().encode("utf-16"),
        with_fields(b'"comment": "\xff"'),
        with_fields(b'"comment": "\xed\xa0\x80"'),
        with_fields(b'"comment": "\\ud800"'),
        with_fields(b'"customer": "\\udc00"'),
        with_fields(b'"dimensions": {"product": "\\udc00"}'),
        with_fields(b'"measures": {"\\ud800": 1}'),
        with_fields(b'"measures": {"csat": NaN}'),
        with_fields(b'"measures": {"csat": Infinity}'),
        with_fields(b'"measures": {"csat": 04}'),
        b"\x00\x01\x02",
    ],
)
def test_what_is_not_json_is_refused(value: bytes) -> None:
    """Broken text, a byte order mark, NaN, and lone surrogates, which are no characters."""
    assert "not_json" == refused(value).reason


@pytest.mark.parametrize("value", [b"null", b"[]", b"3", b'"text"', b"true", b"[" * 100_000])
def test_what_is_no_object_is_refused(value: bytes) -> None:
    """However deep it may be nested."""
    assert Refusal("not_an_object", "The value must be a JSON object.") == refused(value)


@pytest.mark.parametrize("field", ["event_id", "occurred_at"])
def test_a_missing_field_is_named(field: str) -> None:
    """Identity and time can't be guessed."""
    event = {name: value for name, value in WHOLE.items() if name != field}
    expected = Refusal("missing_field", f"`{field}` is missing.")
    assert expected == refused(json.dumps(event).encode())


def test_an_unknown_field_is_named_if_it_looks_like_a_name() -> None:
    """A mistyped field would lose answers silently; but a text as a name is not repeated."""
    assert "`mesures` is not one." in refused(with_fields(b'"mesures": {}')).detail
    odd = refused(with_fields(b'"I was very unhappy": 1'))
    assert "unknown_field" == odd.reason
    assert "unhappy" not in odd.detail


@pytest.mark.parametrize(
    "name", ["zebra missing required field", "zebra - at `$.revision", "field `zebra`"]
)
def test_no_name_can_pose_as_part_of_the_message(name: str) -> None:
    """The reason is that of an unknown field, and the name is not repeated."""
    found = refused(json.dumps({**WHOLE, name: 1}).encode())
    assert found.reason == "unknown_field"
    assert "zebra" not in found.detail


@pytest.mark.parametrize("event_id", ["", "x" * 129, 7, None, ["x"], {}])
def test_an_identity_is_a_text_of_1_to_128_characters(event_id: Any) -> None:
    """Anything else is refused; longest and shortest are taken."""
    value = json.dumps({**WHOLE, "event_id": event_id}).encode()
    assert "bad_event_id" == refused(value).reason
    for good in ("x", "x" * 128, "ж" * 128, "a b"):
        found = decode_event(json.dumps({**WHOLE, "event_id": good}).encode())
        assert isinstance(found, FeedbackEvent)


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-23T10:00:00",
        "2026-11-23",
        "1700000000",
        "",
        "yesterday",
        "2026-02-30T10:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:00:60Z",
        "2026-11-23T10:00:00+24:00",
        "+12026-11-23T10:00:00Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_a_time_needs_an_offset_and_must_exist(time: str) -> None:
    """Local times are ambiguous twice a year; nobody guesses a zone."""
    assert "bad_time" == refused(at(time)).reason


@pytest.mark.parametrize("time", [1_700_000_000, 1.5, None, [], True])
def test_a_time_is_a_text(time: Any) -> None:
    """A number could be seconds or milliseconds."""
    assert "bad_time" == refused(json.dumps({**WHOLE, "occurred_at": time}).encode()).reason


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_times_at_the_ends_of_the_calendar_are_read(time: str) -> None:
    """They are refused, or late, once there is a clock to hold them against: no overflow."""
    found = decode_event(at(time))
    assert isinstance(found, FeedbackEvent)
    assert found.occurred_at.timestamp()


@pytest.mark.parametrize("revision", [-1, 2**31, 10**40, 1.0, 1.5, True, "1", None])
def test_a_revision_is_a_whole_number(revision: Any) -> None:
    """From 0 to the largest of 31 bits; nothing is converted."""
    value = json.dumps({**WHOLE, "revision": revision}).encode()
    assert "bad_revision" == refused(value).reason


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (b'"measures": null', "`measures`"),
        (b'"measures": []', "`measures`"),
        (b'"measures": {"csat": "4"}', "`measures.csat`"),
        (b'"measures": {"csat": [4]}', "`measures.csat`"),
        (b'"measures": {"csat": {}}', "`measures.csat`"),
        (b'"measures": {"it was bad": "4"}', "an entry of `measures`"),
        (b'"measures": {"csat": 1e999}', "`measures`"),
        (b'"measures": {"csat": ' + b"9" * 5_000 + b"}", "`measures`"),
        (b'"dimensions": 3', "`dimensions`"),
        (b'"dimensions": {"product": 3}', "`dimensions.product`"),
        (b'"comment": 3', "`comment`"),
        (b'"language": []', "`language`"),
        (b'"customer": 771', "`customer`"),
        (b'"withdrawn": 1', "`withdrawn`"),
        (b'"withdrawn": "true"', "`withdrawn`"),
        (b'"withdrawn": null', "`withdrawn`"),
    ],
)
def test_a_wrong_type_names_its_place(fields: bytes, place: str) -> None:
    """The sentence begins with the field; what stood there is never repeated."""
    found = refused(with_fields(fields))
    assert ("wrong_type", place) == (found.reason, found.detail.partition(":")[0])


def test_a_wrong_type_before_broken_text_is_refused_all_the_same() -> None:
    """Two mistakes in one event: one is named, and none stops the partition."""
    value = with_fields(b'"measures": {"csat": "4"}, "comment": "\xff"')
    assert "not_json" == refused(value).reason


@pytest.mark.parametrize("field", [b'"measures": %s', b'"measures": {"a": %s}'])
def test_too_deep_nesting_is_refused(field: bytes) -> None:
    """However deep a field may be nested, it is no crash."""
    deep = b"[" * 100_000 + b"]" * 100_000
    assert "not_json" == refused(with_fields(field % deep)).reason


def test_too_deep_nesting_within_ignored_text_is_no_crash() -> None:
    """What is skipped is not descended into without bound."""
    deep = b"[" * 100_000 + b"]" * 100_000
    assert "unknown_field" == refused(with_fields(b'"zz": ' + deep)).reason


def test_of_a_key_given_twice_the_last_one_counts() -> None:
    """As in every common parser."""
    value = with_fields(b'"event_id": "y", "measures": {"csat": 1, "csat": 5}')
    found = decode_event(value)
    assert isinstance(found, FeedbackEvent)
    assert ("y", {"csat": 5}) == (found.event_id, found.measures)


def test_a_comment_of_a_megabyte_is_read() -> None:
    """Kafka's own limit decides how long a comment may be."""
    found = decode_event(with_fields(b'"comment": "%s"' % (b"word " * 200_000)))
    assert isinstance(found, FeedbackEvent)


def test_ten_thousand_dimensions_are_read() -> None:
    """Only declared ones will be looked at."""
    many = json.dumps({f"d{n}": "v" for n in range(10_000)}).encode()
    found = decode_event(with_fields(b'"dimensions": ' + many))
    assert isinstance(found, FeedbackEvent)
    assert 10_000 == len(found.dimensions)


def test_huge_integers_are_read_whole() -> None:
    """Admission will say that they are off the scale."""
    found = decode_event(with_fields(b'"measures": {"csat": %d}' % 10**30))
    assert isinstance(found, FeedbackEvent)
    assert 10**30 == found.measures["csat"]


@given(st.binary(max_size=200))
def test_no_bytes_raise(value: bytes) -> None:
    """Whatever is published, there is an event or a refusal."""
    assert isinstance(decode_event(value), FeedbackEvent | Refusal)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*WHOLE, "else"]), _json))
def test_no_json_raises(fields: dict[str, Any]) -> None:
    """Nor does any JSON under the names that are known."""
    value = json.dumps({**WHOLE, **fields}).encode()
    assert isinstance(decode_event(value), FeedbackEvent | Refusal)


@given(
    st.dictionaries(st.sampled_from([*WHOLE, "a"]), _json),
    st.binary(max_size=6),
    st.integers(0, 200),
)
def test_no_broken_json_raises(fields: dict[str, Any], noise: bytes, place: int) -> None:
    """Nor do other bytes in its middle."""
    value = json.dumps({**WHOLE, **fields}).encode()
    broken = value[:place] + noise + value[place:]
    assert isinstance(decode_event(broken), FeedbackEvent | Refusal)


# The schema


def test_the_documented_schema_is_that_of_the_code() -> None:
    """`python -m streams.events.schema > docs/event.schema.json` writes it."""
    assert schema_text() == DOCUMENTED.read_text(encoding="utf-8")


def test_the_schema_is_a_schema() -> None:
    """By the rules of its own dialect."""
    jsonschema.Draft202012Validator.check_schema(event_schema())


def _conforms(event: Any) -> bool:
    validator = jsonschema.Draft202012Validator(event_schema())
    return bool(validator.is_valid(event))


def test_schema_and_decoder_agree_on_good_events() -> None:
    """What a publisher's own validation lets pass is read."""
    assert _conforms(WHOLE)
    assert _conforms({"event_id": "x", "occurred_at": "2026-11-23T10:00:00Z"})


@given(st.dictionaries(st.sampled_from([*WHOLE, "else"]), _json, max_size=2))
def test_what_is_read_conforms_to_the_schema(fields: dict[str, Any]) -> None:
    """Whatever the decoder takes, the schema allows."""
    event = {**WHOLE, **fields}
    if isinstance(decode_event(json.dumps(event).encode()), FeedbackEvent):
        assert _conforms(event)
