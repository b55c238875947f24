from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import admission
from streams.events.admission import LATE, Admission, Answer, Late
from streams.events.event import FeedbackEvent, Refusal
from streams.ledger.layout import Dimension, Layout, Measure
from tests.feedback_log import LAYOUT

NOW = 1_800_000_000.0
OFF = msgspec.structs.replace(LAYOUT, horizon_seconds=None)


def event(age: float = 0, **fields: Any) -> FeedbackEvent:
    """Give an event that occurred `age` seconds before now."""
    occurred = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=age)
    return FeedbackEvent("r-1", occurred, **fields)


def judged(given: FeedbackEvent, layout: Layout = LAYOUT) -> Answer | Refusal | Late:
    return Admission(layout).admit(given, NOW)


def answer(given: FeedbackEvent, layout: Layout = LAYOUT) -> Answer:
    found = judged(given, layout)
    assert isinstance(found, Answer)
    return found


def reason(given: FeedbackEvent, layout: Layout = LAYOUT) -> str:
    found = judged(given, layout)
    assert isinstance(found, Refusal)
    return found.reason


def test_an_answer_has_a_place_for_all_that_is_declared() -> None:
    """In the layout's order; None where nothing was given, and always for the sentiment."""
    expected = Answer(
        event_id="r-1", revision=2, withdrawn=False, occurred=int(NOW),
        values=("router", None, None), answers=(4, None, 1), comment="Good.", customer="c-1",
        unknown_dimensions=1,
    )  # fmt: skip
    given = event(
        revision=2, measures={"csat": 4, "sla": True}, comment="Good.", customer="c-1",
        dimensions={"colour": "red", "product": "router"},
    )  # fmt: skip
    assert expected == answer(given)


# Measures

EUROS = msgspec.structs.replace(
    LAYOUT, measures=(Measure("value", "amount", 0, 10**11, decimals=2, unit="EUR"),)
)


@given(st.integers(0, 10**11))
def test_an_amount_of_its_decimals_is_taken_exactly(cents: int) -> None:
    """As the double that every JSON parser makes of its text, and as a whole number."""
    written = float(f"{cents // 100}.{cents % 100:02}")
    assert (cents,) == answer(event(measures={"value": written}), EUROS).answers
    if cents % 100 == 0:
        assert (cents,) == answer(event(measures={"value": cents // 100}), EUROS).answers


@given(st.integers(0, 10**11), st.integers(1, 9), st.integers(3, 4))
def test_an_amount_with_more_decimals_is_refused(cents: int, digit: int, place: int) -> None:
    """Never rounded, not by a thousandth in a billion."""
    written = float(f"{cents // 100}.{cents % 100:02}{digit:0{place - 2}}")
    assert (reason(event(measures={"value": written}), EUROS)) in {"fraction", "off_scale"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-0.01, "off_scale"), (10**9 + 0.01, "off_scale"), (10**9 + 1, "off_scale"),
     (1e300, "off_scale"), (10**400, "off_scale"), (-(10**400), "off_scale"),
     (0.005, "fraction"), (1e-300, "fraction"), (True, "wrong_type")],
    ids=repr,
)  # fmt: skip
def test_a_wrong_amount_is_refused(value: Any, expected: str) -> None:
    """Negative, beyond the greatest, too fine, or no number."""
    found = judged(event(measures={"value": value}), EUROS)
    assert isinstance(found, Refusal)
    assert (expected, "`measures.value`") == (found.reason, found.detail[: len("`measures.value`")])


@pytest.mark.parametrize(("value", "expected"), [(1, 1), (5, 5), (4.0, 4), (None, None)], ids=repr)
def test_a_rating_on_its_scale_is_taken(value: Any, expected: int | None) -> None:
    """4.0 is 4, as JSON says; null is not answered."""
    assert expected == answer(event(measures={"csat": value})).answers[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "off_scale"), (6, "off_scale"), (-1, "off_scale"), (10**30, "off_scale"),
        (-(10**30), "off_scale"), (6.0, "off_scale"), (1e300, "off_scale"), (4.5, "fraction"),
        (5.0000001, "fraction"), (True, "wrong_type"), (False, "wrong_type"),
    ],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_refused(value: Any, expected: str) -> None:
    """Nothing is clamped and nothing rounded, and true is not 1."""
    found = judged(event(measures={"csat": value}))
    assert isinstance(found, Refusal)
    assert (expected, "`measures.csat`") == (found.reason, found.detail[: len("`measures.csat`")])


@pytest.mark.parametrize(("value", "expected"), [(True, 1), (False, 0), (None, None)], ids=repr)
def test_a_flag_is_true_or_false(value: Any, expected: int | None) -> None:
    """Counted as 1 and 0."""
    assert expected == answer(event(measures={"sla": value})).answers[2]


@pytest.mark.parametrize("value", [0, 1, 1.0, 0.0, 7])
def test_a_flag_is_no_number(value: Any) -> None:
    """1 may mean true or one of something."""
    assert "wrong_type" == reason(event(measures={"sla": value}))


@pytest.mark.parametrize("name", ["cast", "CSAT", "sentiment", "", "it was bad", "ж" * 70])
@pytest.mark.parametrize("value", [4, None])
def test_an_undeclared_measure_refuses_the_event(name: str, value: int | None) -> None:
    """A typing error would lose answers; sentiment is computed, never given."""
    found = judged(event(measures={"csat": 4, name: value}))
    assert isinstance(found, Refusal)
    assert "unknown_measure" == found.reason
    assert "csat, sla" in found.detail
    assert "it was bad" not in found.detail


def test_an_event_may_answer_nothing() -> None:
    """A comment alone, or a withdrawal, has no measures."""
    assert (None, None, None) == answer(event()).answers


# Dimensions


@pytest.mark.parametrize("value", ["x", "x" * 64, "ж" * 64, "a b", "EU/West", "👍", "all-in"])
def test_a_value_has_up_to_64_characters(value: str) -> None:
    """Characters, not bytes."""
    assert value == answer(event(dimensions={"product": value})).values[0]


@pytest.mark.parametrize("value", ["", "x" * 65, "a\nb", "a\x1fb", "\x00", "\x85", "\ud800"])
def test_a_value_without_sense_is_refused(value: str) -> None:
    """Empty, too long, or with control characters, among them the one between parts of a cell."""
    assert "bad_dimension" == reason(event(dimensions={"product": value}))


@pytest.mark.parametrize("value", ["all", "other", "unknown"])
def test_reserved_values_are_refused(value: str) -> None:
    """They have a meaning of their own on boards; another case is another value."""
    assert "reserved_value" == reason(event(dimensions={"product": value}))
    assert value.title() == answer(event(dimensions={"product": value.title()})).values[0]


def test_values_are_normalised() -> None:
    """One way of writing an accent, so that it is one segment; length counts after that."""
    assert "é" == answer(event(dimensions={"product": "e\u0301"})).values[0]
    assert "é" * 64 == answer(event(dimensions={"product": "e\u0301" * 64})).values[0]


def test_null_is_as_good_as_missing() -> None:
    """Both count under `unknown`."""
    assert answer(event(dimensions={"product": None})).values == answer(event()).values


def test_unknown_dimensions_are_counted_and_not_looked_at() -> None:
    """Ten thousand of them, with whatever value."""
    many: dict[str, str | None] = {f"d{n}": "x" * 1_000 for n in range(10_000)}
    assert 10_000 == answer(event(dimensions=many)).unknown_dimensions


def test_a_layout_without_dimensions_has_one_segment() -> None:
    """Then everything that is given is unknown."""
    layout = msgspec.structs.replace(LAYOUT, dimensions=(), breakdowns=((),))
    found = answer(event(dimensions={"product": "x"}), layout)
    assert ((), 1) == (found.values, found.unknown_dimensions)


def test_a_judgement_repeated_is_the_same() -> None:
    """Recurring values are remembered, good and bad ones."""
    admit = Admission(LAYOUT).admit
    for dimensions in ({"product": "e\u0301"}, {"product": "all"}, {"product": ""}):
        first = admit(event(dimensions=dimensions), NOW)
        assert first == admit(event(dimensions=dimensions), NOW)


def test_memory_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of new values is judged as ever."""
    monkeypatch.setattr(admission, "_REMEMBERED_SEGMENTS", 3)
    judge = Admission(LAYOUT)
    for n in range(10):
        found = judge.admit(event(dimensions={"product": f"p{n}"}), NOW)
        assert isinstance(found, Answer)
        assert f"p{n}" == found.values[0]
    assert len(judge._segments) <= 3


def test_memory_of_long_values_is_bounded() -> None:
    """A flood of refused values of a kilobyte each leaves nothing behind."""
    judge = Admission(LAYOUT)
    for n in range(100):
        judge.admit(event(dimensions={"product": f"{n:01000}"}), NOW)
    assert sum(sys.getsizeof(v) for raw in judge._segments for v in raw if v) < 10_000


# Time


@pytest.mark.parametrize(
    ("age", "expected"),
    [(-300, Answer), (-300.001, Refusal), (0, Answer), (1_200, Answer), (1_200.001, Late)],
)
def test_time_has_two_ends(age: float, expected: type) -> None:
    """Five minutes ahead is a clock, more a mistake; older than the horizon is late."""
    assert expected is type(judged(event(age)))


def test_in_future_says_by_how_much() -> None:
    """So that somebody can look for the clock."""
    found = judged(event(-400))
    sentence = "400 seconds after the record's time; at most 300 are accepted"
    assert Refusal("in_future", f"`occurred_at` is {sentence}.") == found


@pytest.mark.parametrize("year", [1, 1900, 1969, 2400, 9999])
def test_times_far_from_now_are_late_or_refused(year: int) -> None:
    """No overflow at either end of the calendar."""
    found = Admission(LAYOUT).admit(FeedbackEvent("r", datetime(year, 1, 1, tzinfo=UTC)), NOW)
    assert (LATE if year < 2000 else "in_future") == (
        found.reason if isinstance(found, Refusal) else found
    )


@given(st.floats(0, 1_000))
def test_time_is_kept_in_whole_seconds(age: float) -> None:
    """Rounded down: a bucket begins with its first second."""
    given = event(age)
    assert given.occurred_at.timestamp() // 1 == answer(given).occurred


def test_what_is_wrong_is_refused_before_it_is_late() -> None:
    """A mistake is a mistake at any age."""
    assert "off_scale" == reason(event(99_999, measures={"csat": 9}))
    assert "bad_dimension" == reason(event(99_999, dimensions={"product": ""}))


# Identity and words


@pytest.mark.parametrize("fields", [{"revision": 1}, {"withdrawn": True}])
def test_corrections_need_ids(fields: dict[str, Any]) -> None:
    """With `dedupe: off` they are refused, since nothing could be taken back."""
    assert "ids_not_kept" == reason(event(**fields), OFF)
    assert answer(event(**fields)).event_id == "r-1"


@pytest.mark.parametrize(
    ("language", "expected"),
    [(None, "Gut."), ("en", "Gut."), ("en-GB", "Gut."), ("EN", "Gut."), ("de", None),
     ("", None), ("eng", None), ("e", None)],
)  # fmt: skip
def test_only_english_is_scored(language: str | None, expected: str | None) -> None:
    """A declared other language has no sentiment; none declared is taken for English."""
    assert expected == answer(event(comment="Gut.", language=language)).comment


def test_ten_thousand_measures_are_refused_at_once() -> None:
    """By the first that is unknown."""
    assert "unknown_measure" == reason(event(measures=dict.fromkeys(map(str, range(10_000)), 1)))


def test_a_wide_layout_is_judged_by_its_own_dimensions() -> None:
    """Each value stands at its dimension's place."""
    names = [f"d{n}" for n in range(20)]
    layout = msgspec.structs.replace(
        LAYOUT, dimensions=tuple(Dimension(n, 1) for n in names), breakdowns=(tuple(names),)
    )
    found = answer(event(dimensions={"d7": "seven"}), layout)
    assert {7: "seven"} == {n: v for n, v in enumerate(found.values) if v}
