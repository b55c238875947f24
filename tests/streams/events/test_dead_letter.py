from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events.dead_letter import (
    DETAIL,
    KEY,
    REASON,
    SOURCE,
    TRUNCATED,
    DeadLetter,
    Headers,
    NotADeadLetter,
    Source,
    dead_letter,
    original,
)
from streams.events.event import Refusal

MIB = 1024 * 1024
REFUSAL = Refusal("off_scale", "`measures.csat` is off its scale: 1 to 5.")


class Refused(NamedTuple):
    """A record as a consumer hands it out."""

    topic: str = "feedback.events"
    partition: int = 3
    offset: int = 42
    key: bytes | None = b"r-1"
    value: bytes | None = b'{"event_id": "r-1"}'
    headers: Headers = (("trace", b"\x00\x01"), ("empty", None))


names = st.text(max_size=12).filter(lambda name: not name.startswith("feedback-"))
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=40)), max_size=4)
records = st.builds(
    Refused,
    topic=st.just("feedback.events"),
    partition=st.integers(0, 999),
    offset=st.integers(0, 2**63 - 1),
    key=st.none() | st.binary(max_size=300),
    value=st.none() | st.binary(max_size=600),
    headers=headers.map(tuple),
)


def test_format() -> None:
    """The letter has the place as key, the bytes as they were, and our headers after its own."""
    letter = dead_letter(Refused(), REFUSAL, MIB)

    assert (
        DeadLetter(
            b"feedback.events:3:42",
            b'{"event_id": "r-1"}',
            (
                ("trace", b"\x00\x01"),
                ("empty", None),
                (KEY, b"r-1"),
                (REASON, b"off_scale"),
                (DETAIL, b"`measures.csat` is off its scale: 1 to 5."),
                (SOURCE, b"feedback.events:3:42"),
            ),
        )
        == letter
    )


@given(records)
def test_original_is_the_inverse(record: Refused) -> None:
    """What was refused comes back byte for byte: key, value, headers, place and reason."""
    found = original(dead_letter(record, REFUSAL, MIB))

    assert (record.key, record.value, record.headers) == (found.key, found.value, found.headers)
    assert Source(record.topic, record.partition, record.offset) == found.source
    assert (REFUSAL.reason, REFUSAL.detail, None) == (found.reason, found.detail, found.truncated)


@given(records, st.integers(min_value=400, max_value=1500))
def test_never_larger_than_the_topic_takes(record: Refused, limit_bytes: int) -> None:
    """A letter fits; it is cut only where the whole would not, and then says what size it had."""
    letter = dead_letter(record, REFUSAL, limit_bytes)
    found = original(letter)

    assert letter.size <= limit_bytes
    fits = dead_letter(record, REFUSAL, MIB).size <= limit_bytes
    assert (None if fits else len(record.value or b"")) == found.truncated
    assert (record.value or b"").startswith(found.value or b"")


def test_truncation_cuts_the_value_first() -> None:
    """A large value loses its end; key and headers stay, so the sender can be found."""
    letter = dead_letter(Refused(value=b"x" * 5000), REFUSAL, 1000)
    found = original(letter)

    assert letter.size == 1000
    assert (b"r-1", Refused().headers, 5000) == (found.key, found.headers, found.truncated)


def test_large_headers_are_left_out() -> None:
    """Headers or a key larger than the topic takes never keep a letter from being written."""
    record = Refused(key=b"k" * 2000, value=b"v" * 10, headers=(("big", b"h" * 2000),))
    found = original(dead_letter(record, REFUSAL, 1000))

    assert (found.key, found.headers, found.value, found.truncated) == (None, (), b"v" * 10, 10)


def test_headers_of_ours_are_not_carried_over() -> None:
    """A producer cannot forge a reason, and a letter of a replayed letter holds one reason."""
    forged = Refused(headers=((REASON, b"forged"), (TRUNCATED, b"1"), ("trace", b"t")))
    found = original(dead_letter(forged, REFUSAL, MIB))

    assert (found.reason, found.truncated, found.headers) == ("off_scale", None, (("trace", b"t"),))


@pytest.mark.parametrize(
    "strange",
    [
        (),
        ((REASON, b"off_scale"),),
        ((REASON, b"off_scale"), (SOURCE, b"nowhere")),
        ((REASON, b"\xff"), (SOURCE, b"t:0:1")),
        ((REASON, b"off_scale"), (SOURCE, b"t:0:1"), (TRUNCATED, b"much")),
    ],
)
def test_other_records_are_told(strange: Headers) -> None:
    """A record without a letter's headers is named as such, not mistaken for one."""
    with pytest.raises(NotADeadLetter):
        original(DeadLetter(b"k", b"v", strange))


@pytest.mark.parametrize("text", ["", "t", "t:0", "t:0:", ":0:1", "t:x:1", "t:0:-1", "t:0:1:2"])
def test_source_must_be_whole(text: str) -> None:
    """A source is topic:partition:offset, nothing less and nothing more."""
    with pytest.raises(ValueError, match="topic:partition:offset"):
        Source.parse(text)
