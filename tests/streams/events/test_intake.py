from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.events.intake
from streams.events.admission import Answer
from streams.events.event import Refusal
from streams.events.intake import Intake
from tests.feedback_log import LAYOUT, PARTITIONS, RIGHT_IDS, START, Record, event, logs, record

R1 = RIGHT_IDS[0]
OFF = msgspec.structs.replace(LAYOUT, horizon_seconds=None)


def judge(intake: Intake, given: Record) -> Any:
    assert given.value is not None
    return intake.judge(given, given.value, given.timestamp / 1000, 0, PARTITIONS)


@pytest.mark.parametrize("layout", [LAYOUT, OFF], ids=["ids", "no-ids"])
@given(log=logs())
def test_what_was_seen_before_changes_no_judgement(layout: Any, log: list[Record]) -> None:
    """An intake that remembers everything judges as one that has seen nothing."""
    experienced = Intake(layout)
    valued = [each for each in log if each.value is not None]
    for each in valued:
        judge(experienced, each)
    for each in valued:
        assert judge(Intake(layout), each) == judge(experienced, each)


_field = st.sampled_from([
    b'"measures": {"csat": 4}', b'"measures": {"csat": "4"}', b'"measures": []',
    b'"measures": {"csat": 9}', b'"dimensions": {"product": "p1"}', b'"dimensions": {"product": 1}',
    b'"dimensions": {"product": "all"}', b'"me\\u0061sures": {"csat": 4}', b'"revision": 1',
    b'"withdrawn": true', b'"comment": "\xff"', b'"comment": "Good."', b'"measures": {"csat": 4',
    b'"zz": 1', b'"revision": -1', b'"dimensions": {"product": "\\ud800"}',
])  # fmt: skip


@given(st.lists(_field, max_size=4))
def test_also_where_fields_are_wrong_broken_or_given_twice(fields: list[bytes]) -> None:
    """The fast way must not let pass what the long way refuses."""
    start = event(R1)[:-1]
    value = b", ".join([start, *fields]) + b"}"
    given = record(1, R1).but(value=value)
    experienced = Intake(LAYOUT)
    for measures in ({"csat": 4}, {}):
        for dimensions in ({"product": "p1"}, {}):
            judge(experienced, record(1, R1, measures=measures, dimensions=dimensions))
    judge(experienced, record(1, R1))
    assert judge(Intake(LAYOUT), given) == judge(experienced, given)


def test_of_a_field_given_twice_the_last_one_counts_whatever_came_before() -> None:
    """Of two `measures` the first has the wrong type: the second counts, known or not."""
    value = event(R1)[:-1] + b', "measures": [], "measures": {"csat": 4}}'
    intake = Intake(LAYOUT)
    twice = record(1, R1).but(value=value)
    first = judge(intake, twice)
    judge(intake, record(2, R1, measures={"csat": 4}, dimensions={}))
    judge(intake, record(3, R1).but(value=event(R1)[:-1] + b', "measures": {"csat": 4}}'))
    assert isinstance(first, Answer)
    assert first == judge(intake, twice)


def test_memory_of_long_texts_is_bounded() -> None:
    """Undeclared dimensions of a kilobyte each, all different, leave little behind."""
    intake = Intake(LAYOUT)
    for n in range(100):
        found = judge(intake, record(1, R1, dimensions={"session": f"{n:01000}"}))
        assert isinstance(found, Answer)
    kept = [*intake._values, *intake._answers]
    assert sum(sys.getsizeof(text) for text in kept) < 10_000


def test_a_key_must_be_the_identity() -> None:
    """Also for an event whose texts are known."""
    intake = Intake(LAYOUT)
    assert isinstance(judge(intake, record(1, R1)), Answer)
    found = judge(intake, record(2, R1).but(key=b"another"))
    assert isinstance(found, Refusal)
    assert found.reason == "misrouted"


def test_time_is_judged_also_of_what_is_known() -> None:
    """In future and late are no matter of the text."""
    intake = Intake(LAYOUT)
    kinds = [
        type(judge(intake, record(n, R1, START + ahead, at=START))).__name__
        for n, ahead in enumerate((0, 0, 301, -1_201, 300), 1)
    ]
    assert kinds == ["Answer", "Answer", "Refusal", "Late", "Answer"]


def test_memory_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a flood of new texts, events are judged as ever."""
    monkeypatch.setattr(streams.events.intake, "_REMEMBERED", 3)
    intake = Intake(LAYOUT)
    for n in range(10):
        found = judge(intake, record(1, R1, measures={"csat": n % 5 + 1}, dimensions={"x": f"{n}"}))
        assert isinstance(found, Answer)
        assert found.answers[0] == n % 5 + 1
    assert len(intake._values) <= 3
    assert len(intake._answers) <= 3
