from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.combined import ConsistencyOf, Part
from streams.kpis.formulas import Mean, Net, TopBox
from streams.ledger.cells import SEPARATOR
from streams.ledger.layout import Measure
from streams.scores.consistency import by_segment, segment_spread
from streams.scores.samples import sample
from streams.scores.scores import NOBODY, Score, below, score

CSAT = Measure("csat", "rating", 1, 5)
NPS = Measure("nps", "rating", 0, 10)
SATISFIED = ConsistencyOf(Part("csat", 1, TopBox(measure="csat", at_least=4), CSAT), "channel", 30)

Segments = dict[str, tuple[int, int]]


def tally(segments: Segments) -> dict[str, int]:
    """Of each channel this many satisfied answers, and as many others."""
    return {
        f"{name}{SEPARATOR}{value}": count
        for name, counts in segments.items()
        for value, count in zip(("5", "1"), counts, strict=True)
    }


def spread(segments: Segments, formula: ConsistencyOf = SATISFIED, effect: float = 1) -> Score:
    return score(formula, CSAT, tally(segments), design_effect=effect)


crowds = st.dictionaries(
    st.sampled_from(["chat", "mail", "phone", "shop"]),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
)


def test_the_spread_is_from_the_worst_to_the_best() -> None:
    """Phone 90 %, chat 60 %: thirty points, of the answers of both and of mail between them."""
    found = spread({"phone": (90, 10), "chat": (60, 40), "mail": (80, 20)})
    assert 300 == found.answers
    assert pytest.approx(30) == found.value


def test_what_is_no_segment_of_its_own_or_has_few_answers_is_not_compared() -> None:
    """`other` and `unknown` are none, and 29 answers say nothing."""
    answered = {"phone": (90, 10), "chat": (80, 20), "mail": (0, 29)}
    lost = {"other": (0, 100), "unknown": (0, 100)}
    assert spread({"phone": (90, 10), "chat": (80, 20)}) == spread(answered | lost)


@pytest.mark.parametrize("segments", [{"phone": (90, 10)}, {"phone": (90, 10), "chat": (9, 20)}])
def test_one_segment_has_no_spread(segments: Segments) -> None:
    """There are answers, but nothing to compare them with: no score, and never a spread of 0."""
    answers = sum(map(sum, segments.values()))
    assert Score(answers, None, None, None) == spread(segments)
    assert NOBODY == spread({})


@given(crowds)
def test_the_interval_lies_on_the_scale_and_holds_the_score(segments: Segments) -> None:
    """A spread is 0 to 100 points."""
    found = spread(segments)
    if found.value is not None:
        assert found.lower is not None
        assert found.upper is not None
        assert 0 <= found.lower <= found.value <= found.upper <= 100


@given(crowds, st.floats(1, 99))
def test_evidence_and_interval_agree(segments: Segments, floor: float) -> None:
    """All of the interval below the floor is evidence of more than 1.96, and the other way."""
    found = spread(segments)
    evidence = below(SATISFIED, CSAT, tally(segments), floor)
    if found.upper is not None and abs(found.upper - floor) > 0.1:
        assert (evidence > 1.96) == (found.upper < floor)


def test_more_than_chance_is_needed_to_say_that_it_is_too_far() -> None:
    """Of ten channels that are alike the best and the worst are far apart, and that is no news."""
    source = random.Random(4)  # noqa: S311 - a simulation
    answers = {f"channel {n}": sum(source.random() < 0.8 for _ in range(50)) for n in range(10)}
    alike = {name: (count, 50 - count) for name, count in answers.items()}
    unlike = {**alike, "channel 9": (10, 40)}
    value = spread(alike).value
    assert value is not None
    assert value > 10
    assert 0 == below(SATISFIED, CSAT, tally(alike), 5)
    assert -4 > below(SATISFIED, CSAT, tally(unlike), 5)


def test_two_segments_within_chance_are_not_too_far_apart() -> None:
    """90 and 84 of 100: p = .2, so nothing speaks for a spread, though it is above the floor."""
    assert 0 == below(SATISFIED, CSAT, tally({"phone": (90, 10), "chat": (84, 16)}), 1)
    assert 0 > below(SATISFIED, CSAT, tally({"phone": (90, 10), "chat": (70, 30)}), 1)


def test_the_interval_holds_for_all_pairs_at_once() -> None:
    """One more segment between the others changes no spread, but any pair may be furthest apart."""
    two = {"phone": (90, 10), "chat": (60, 40)}
    of_two, of_three = spread(two), spread(two | {"mail": (75, 25)})
    assert of_two.value == of_three.value
    assert of_two.lower is not None
    assert of_three.lower is not None
    assert of_two.lower - of_three.lower > 1


def test_a_design_effect_widens_each_segment_and_weakens_the_test() -> None:
    """Answers worth half as many: a wider interval of the same spread, and more often chance."""
    segments = {"phone": (90, 10), "chat": (80, 20)}
    whole, halved = spread(segments), spread(segments, effect=2)
    assert whole.value == halved.value
    assert whole.upper is not None
    assert halved.upper is not None
    assert halved.upper > whole.upper
    found = segment_spread(SATISFIED, CSAT, tally(segments), sample)
    assert found.thinned(2).test.p_value > 0.1 > found.test.p_value > 0.01


@pytest.mark.parametrize(
    ("formula", "measure", "counts", "expected"),
    [
        (Net(measure="nps"), NPS, {"a": {"10": 40}, "b": {"0": 20, "10": 20}}, 100),
        (Mean(measure="csat"), CSAT, {"a": {"5": 40}, "b": {"1": 20, "5": 20}}, 2),
    ],
)
def test_any_formula_over_one_measure_can_be_compared(
    formula: Net | Mean, measure: Measure, counts: Mapping[str, Mapping[str, int]], expected: float
) -> None:
    """In the unit of the compared KPI."""
    cells = {f"{s}{SEPARATOR}{v}": n for s, values in counts.items() for v, n in values.items()}
    compared = ConsistencyOf(Part("x", 1, formula, measure), "channel", 30)
    assert expected == pytest.approx(score(compared, measure, cells).value)


def test_a_tally_is_taken_apart_by_its_segments() -> None:
    """What stands before the separator is the segment."""
    assert {"a": {"1": 2, "5": 3}, "b": {"5": 4}} == by_segment(
        {f"a{SEPARATOR}1": 2, f"b{SEPARATOR}5": 4, f"a{SEPARATOR}5": 3}
    )
