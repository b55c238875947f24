from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.combined import CompositeOf, Part, cells_of
from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, TopBox
from streams.ledger.cells import SEPARATOR
from streams.ledger.joints import joint_id, ordered_pair
from streams.ledger.layout import Measure
from streams.scores.composites import weights_used
from streams.scores.samples import by_measure
from streams.scores.scores import Score, below, score
from streams.statistics.intervals import normal_quantile

A = Measure("a", "rating", 1, 5)
B = Measure("b", "rating", 0, 10)
C = Measure("c", "flag")
WORDS = Measure("sentiment", "sentiment")

BOX = Part("box", 0.5, TopBox(measure="a", at_least=4), A)
NET = Part("net", 0.3, Net(measure="b"), B)
SHARE = Part("share", 0.2, Share(measure="c"), C)
WITHHOLD = CompositeOf((BOX, NET, SHARE), renormalise=False)
RENORMALISE = CompositeOf((BOX, NET, SHARE), renormalise=True)

Respondent = dict[Measure, str | None]


def tally(respondents: list[Respondent]) -> dict[str, int]:
    """The cells of these answers, worked out in the plainest way."""
    found: Counter[str] = Counter()
    for answers in respondents:
        given = {m: v for m, v in answers.items() if v is not None}
        for measure, value in given.items():
            found[f"{measure.cell_id}{SEPARATOR}{value}"] += 1
        for one, other in combinations(given, 2):
            first, second = ordered_pair(one, other)
            name = joint_id(first, second)
            found[f"{name}{SEPARATOR}{given[first]},{given[second]}"] += 1
    return found


def value_of(formula: CompositeOf, respondents: list[Respondent]) -> Score:
    return score(formula, A, tally(respondents))


answers_of_one = st.fixed_dictionaries(
    {
        A: st.sampled_from([None, *"12345"]),
        B: st.sampled_from([None, *map(str, range(11))]),
        C: st.sampled_from([None, "0", "1"]),
    }
)
crowds = st.lists(answers_of_one, max_size=30)


def test_a_composite_by_hand() -> None:
    """Half of 75 % satisfied, .3 of an NPS of 0, which is 50 of its range, .2 of 100 % yes."""
    respondents: list[Respondent] = [
        {A: "5", B: "10", C: "1"},
        {A: "4", B: "0", C: None},
        {A: "4", B: "8", C: "1"},
        {A: "1", B: None, C: "1"},
    ]
    found = value_of(WITHHOLD, respondents)
    assert found.value == pytest.approx(0.5 * 75 + 0.3 * 50 + 0.2 * 100)
    assert 3 == found.answers


def test_a_missing_part() -> None:
    """Withheld, there is no score, though there are answers; else the others share its weight."""
    respondents: list[Respondent] = [{A: "5", B: "10"}, {A: "1", B: "10"}]
    assert Score(2, None, None, None) == value_of(WITHHOLD, respondents)
    assert value_of(RENORMALISE, respondents).value == pytest.approx((0.5 * 50 + 0.3 * 100) / 0.8)
    assert Score(0, None, None, None) == value_of(RENORMALISE, [])
    assert below(WITHHOLD, A, tally(respondents), 50) == 0


def test_the_weights_that_were_used_are_told() -> None:
    """Those of the file, or of the parts that are there; all 0 where the score is withheld."""
    counts = by_measure(tally([{A: "5", B: "10"}]))
    assert {"box": 0, "net": 0, "share": 0} == weights_used(WITHHOLD, counts)
    assert {"box": 0.625, "net": 0.375, "share": 0} == pytest.approx(
        weights_used(RENORMALISE, counts)
    )
    full = by_measure(tally([{A: "5", B: "10", C: "0"}]))
    assert {"box": 0.5, "net": 0.3, "share": 0.2} == pytest.approx(weights_used(WITHHOLD, full))


def crowd(size: int, answer: Callable[[random.Random], Respondent]) -> list[Respondent]:
    chance = random.Random(7)  # noqa: S311 - no secret
    return [answer(chance) for _ in range(size)]


def alike(chance: random.Random) -> Respondent:
    """One mood decides all three answers."""
    good = chance.random() < 0.7
    return {A: "5" if good else "1", B: "10" if good else "0", C: "1" if good else "0"}


def test_the_interval_is_that_of_each_respondents_own_composite() -> None:
    """Where everybody answers everything, wᵀΣw is the variance of one mean over respondents."""
    respondents = crowd(2_000, alike)
    found = value_of(WITHHOLD, respondents)
    own = [float(r[A] == "5") for r in respondents]  # alike: all parts are 1, or all are 0
    mean = sum(own) / len(own)
    error = (mean * (1 - mean) / len(own)) ** 0.5
    assert found.lower is not None
    assert found.upper is not None
    assert found.upper - found.lower == pytest.approx(200 * normal_quantile(0.95) * error, rel=0.01)


def test_shared_respondents_widen_it() -> None:
    """The same answers from three times as many people, one each, look surer than they are."""
    shared = crowd(300, alike)
    apart: list[Respondent] = [{measure: each[measure]} for each in shared for measure in each]
    wide, narrow = (value_of(WITHHOLD, people) for people in (shared, apart))
    assert wide.value == narrow.value
    assert _width(wide) == pytest.approx(
        _width(narrow) / (0.5**2 + 0.3**2 + 0.2**2) ** 0.5, rel=0.02
    )


def test_two_parts_of_one_measure_share_all_of_its_respondents() -> None:
    """A composite of a score with itself has that score's interval."""
    twice = CompositeOf((BOX, BOX._replace(name="again")), renormalise=False)
    people: list[Respondent] = [{A: "5"}, {A: "1"}]
    respondents = 700 * people[:1] + 300 * people[1:]
    found = value_of(twice, respondents)
    alone = score(BOX.formula, A, {"5": 700, "1": 300})
    assert (found.lower, found.upper) == pytest.approx((alone.lower, alone.upper), abs=0.02)


def test_a_composite_may_be_a_part() -> None:
    """What an inner one renormalises stays within its own weight."""
    inner = CompositeOf((NET, SHARE), renormalise=True)
    outer = CompositeOf((BOX, Part("inner", 0.5, inner, None)), renormalise=False)
    respondents: list[Respondent] = [{A: "5", B: "0"}]
    assert value_of(outer, respondents).value == pytest.approx(0.5 * 100 + 0.5 * 0)
    assert {"box": 0.5, "inner": 0.5} == weights_used(outer, by_measure(tally(respondents)))
    assert value_of(outer, [{A: "5"}]).value is None
    assert {A.cell_id, B.cell_id, C.cell_id} < set(cells_of(outer, A))


@pytest.mark.parametrize(
    ("formula", "measure", "values", "expected"),
    [
        (Mean(measure="a"), A, {"1": 1, "5": 3}, 75),
        (Net(measure="b"), B, {"0": 1, "9": 3}, 75),
        (Sentiment(statistic="net"), WORDS, {"negative": 1, "positive": 3}, 75),
    ],
)
def test_parts_are_percents_of_their_range(
    formula: Formula, measure: Measure, values: dict[str, int], expected: float
) -> None:
    """A mean of 4 on 1 to 5, an NPS of 50 and a net sentiment of 50 are all 75."""
    alone = CompositeOf((Part("part", 1.0, formula, measure),), renormalise=False)
    counts = {f"{measure.cell_id}{SEPARATOR}{value}": n for value, n in values.items()}
    assert score(alone, measure, counts).value == pytest.approx(expected)


@given(crowds)
def test_the_score_lies_in_its_interval_and_that_on_the_scale(people: list[Respondent]) -> None:
    """Whoever answered what; and it has a width."""
    found = value_of(RENORMALISE, people)
    if found.value is not None:
        assert found.lower is not None
        assert found.upper is not None
        assert 0 <= found.lower <= found.value <= found.upper <= 100
        assert found.lower < found.upper


@given(crowds)
def test_reversed_scales_reverse_the_interval(people: list[Respondent]) -> None:
    """Symmetric: what is counted from the other end lies as far from the other end."""
    ends = {A: 6, B: 10, C: 1}
    turned: list[Respondent] = [
        {m: None if v is None else str(ends[m] - int(v)) for m, v in answers.items()}
        for answers in people
    ]
    parts = (
        Part("a", 0.6, Mean(measure="a"), A),
        Part("b", 0.3, Mean(measure="b"), B),
        Part("c", 0.1, Share(measure="c"), C),
    )
    found, other = (value_of(CompositeOf(parts, renormalise=True), p) for p in (people, turned))
    if found.value is not None:
        assert found.lower is not None
        assert found.upper is not None
        assert (100 - found.upper, 100 - found.lower) == pytest.approx((other.lower, other.upper))


@given(crowds.filter(bool), st.integers(2, 20))
def test_more_of_the_same_narrows(people: list[Respondent], times: int) -> None:
    """With a hundred thousand respondents like these it is all but a point."""
    few, many = value_of(RENORMALISE, people), value_of(RENORMALISE, people * times)
    if few.value is not None:
        assert _width(many) <= _width(few) + 1e-9


def _width(found: Score) -> float:
    assert found.lower is not None
    assert found.upper is not None
    return found.upper - found.lower
