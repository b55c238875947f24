from __future__ import annotations

from typing import Any

from streams.events.admission import Answer
from streams.events.event import Refusal
from streams.events.intake import Intake
from tests.feedback_log import LAYOUT, PARTITIONS, RIGHT_IDS, START, Record, event, record

R1 = RIGHT_IDS[0]


def judge(given: Record) -> Any:
    assert given.value is not None
    return Intake(LAYOUT).judge(given, given.value, given.timestamp / 1000, 0, PARTITIONS)


def test_of_a_field_given_twice_the_last_one_counts() -> None:
    """Of two `measures` the first has the wrong type: the second counts."""
    found = judge(record(1, R1).but(value=event(R1)[:-1] + b', "measures": {"csat": 4}}'))
    twice = event(R1)[:-1] + b', "measures": [], "measures": {"csat": 4}}'
    assert isinstance(found, Answer)
    assert found == judge(record(1, R1).but(value=twice))


def test_the_record_is_keyed_by_the_id() -> None:
    """A record with another key, or none, may stand anywhere, and so may its revisions."""
    assert isinstance(judge(record(1, R1)), Answer)
    for key in (b"another", None):
        found = judge(record(1, R1).but(key=key))
        assert isinstance(found, Refusal)
        assert found.reason == "misrouted"


def test_time_is_judged_by_the_records() -> None:
    """In future and late are no matter of the text."""
    kinds = [
        type(judge(record(n, R1, START + ahead, at=START))).__name__
        for n, ahead in enumerate((0, 0, 301, -1_201, 300), 1)
    ]
    assert kinds == ["Answer", "Answer", "Refusal", "Late", "Answer"]
