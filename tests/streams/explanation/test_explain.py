from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.counts.projection import Segment
from streams.explanation.explain import Moment, explain
from streams.explanation.steps import Calculation, Step
from streams.kpis.formulas import PERCENT
from streams.kpis.load import parse_kpis
from streams.ledger.cells import SEPARATOR
from streams.scores.drivers import attribute
from streams.scores.floor_rule import Verdict
from streams.scores.moments import Moments
from streams.scores.movements import Movement
from streams.scores.rows import Place, make_row, scored
from streams.scores.scoreboard import Subject
from tests.streams.explanation.calculator import computed, precision

FILE = parse_kpis(
    """
measures:
  csat: {kind: rating, scale: [1, 5]}
  nps: {kind: rating, scale: [0, 10]}
  kept: {kind: flag}
  order: {kind: amount, unit: EUR, decimals: 2, max: 1000}
  back: {kind: amount, unit: EUR, decimals: 2, max: 1000}
windows: [24h]
kpis:
  csat:
    title: CSAT
    formula: {top_box: {measure: csat, at_least: 4}}
    target: {at_least: 85, from: 82, start: 2026-10-01, by: 2027-03-31}
    floor: 75
    alert: {window: 24h}
    owner: support
  nps: {title: NPS, formula: {net: {measure: nps}}, target: 40, floor: 10, owner: support}
  mean: {title: Mean, formula: {mean: {measure: csat}}, target: 4, owner: support}
  percent:
    title: Percent
    formula: {mean: {measure: nps, as_percent: true}}
    target: 80
    design_effect: 2
    owner: support
  kept:
    title: Kept
    formula: {share: {measure: kept}}
    target: {at_most: 5}
    floor: 10
    design_effect: 1.5
    owner: support
  net: {title: Net, formula: {sentiment: net}, target: 20, owner: support}
  tone: {title: Tone, formula: {sentiment: mean}, target: 0.2, design_effect: 3, owner: support}
  value: {title: Value, formula: {mean: {measure: order}}, target: 50, owner: support}
  sold: {title: Sold, formula: {sum: {measure: order}}, target: 50, design_effect: 2, owner: shop}
  rate:
    title: Rate
    formula: {ratio: {of: back, to: order, as_percent: true}}
    target: {at_most: 5}
    design_effect: 2
    owner: shop
  both:
    title: Both
    formula: {composite: {parts: {csat: 0.7, nps: 0.3}}}
    target: 70
    design_effect: 2
    owner: support
"""
)
BEGIN = 1_790_000_000
DAY = dt.date(2026, 11, 24)

counts = st.integers(0, 400)
ratings = st.dictionaries(st.sampled_from("12345"), counts, min_size=1)
answers_0_to_10 = st.dictionaries(st.integers(0, 10).map(str), counts, min_size=1)
flags = st.dictionaries(st.sampled_from("01"), counts, min_size=1)


@st.composite
def sentiments(draw: st.DrawFn) -> dict[str, int]:
    given = {name: draw(counts) for name in ("positive", "neutral", "negative")}
    scores = [draw(st.integers(-9_900, 9_900)) for _ in range(3)]
    sums = list(zip(given.values(), scores, strict=True))
    return given | {
        "sum": sum(n * score for n, score in sums),
        "sum_squares": sum(n * score**2 for n, score in sums),
    }


@st.composite
def amounts(draw: st.DrawFn) -> dict[str, int]:
    cents = draw(st.lists(st.integers(0, 100_000), max_size=8))
    return _amount_cells(cents)


def _amount_cells(cents: list[int]) -> dict[str, int]:
    high, low = divmod(sum(c * c for c in cents), 100_001)
    return {"count": len(cents), "sum": sum(cents), "squares_high": high, "squares_low": low}


def subject(name: str, tally: Mapping[str, int], *, raised: bool | None = None) -> Subject:
    """The whole of a KPI on a day in November."""
    kpi = FILE.kpis[name]
    place = Place(kpi, kpi.measure, "24h", ())
    verdict = None if raised is None else Verdict(raised, 4.0, 3.3, BEGIN + 100.0)
    row = make_row(
        place, (), scored(kpi, kpi.measure, tally), verdict=verdict, target=kpi.target.on(DAY)
    )
    return Subject(place, row, tally, BEGIN, BEGIN + 86_400)


def explained(found: Subject, movement: Movement | None = None) -> list[Step]:
    return explain(Moment(FILE, [found.row], DAY), found.row, found, movement)


def steps(name: str, tally: Mapping[str, int], *, raised: bool | None = None) -> list[Step]:
    return explained(subject(name, tally, raised=raised))


def calculations(found: list[Step]) -> list[Calculation]:
    return [line for step in found for line in step.lines if isinstance(line, Calculation)]


def results(found: list[Step]) -> dict[str, float]:
    """The last result of each name."""
    return {line.name: line.result for line in calculations(found)}


def texts(found: list[Step], title: str) -> list[str]:
    (step,) = [step for step in found if step.title.startswith(title)]
    return [line.text if isinstance(line, Calculation) else line for line in step.lines]


def assert_adds_up(name: str, tally: Mapping[str, int]) -> None:
    """Each line can be typed and gives its result, and the results are those of the row."""
    found = subject(name, tally)
    lines = calculations(explained(found))
    for line in lines:
        off = precision(line.expression)
        assert line.result == pytest.approx(computed(line.expression), rel=1e-4, abs=off), line
    shown = {line.name: line.result for line in lines}
    row = found.row
    if row.score is not None and "score" in shown:
        assert row.score == pytest.approx(shown["score"])
    for name_of, bound in (("lower", row.lower), ("upper", row.upper)):
        if name_of in shown and bound is not None:
            assert bound == pytest.approx(_kept(name_of, shown, bound), abs=1e-9)


def _kept(name: str, shown: dict[str, float], bound: float) -> float:
    """What is shown of a bound that leaves the scale, or that the score itself lies beyond."""
    off_scale = abs(bound) in {1, 100, 1000} or bound in {0, shown.get("score")}
    return bound if off_scale else shown[name]


TALLIES = {
    "csat": ratings,
    "nps": answers_0_to_10,
    "mean": ratings,
    "percent": answers_0_to_10,
    "kept": flags,
    "net": sentiments(),
    "tone": sentiments(),
    "value": amounts(),
    "sold": amounts(),
}


@pytest.mark.parametrize("name", TALLIES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_line_adds_up(name: str, data: st.DataObject) -> None:
    """Whatever was answered, a calculator gives each result, and the row its bounds."""
    assert_adds_up(name, data.draw(TALLIES[name]))


def joined(**tallies: Mapping[str, int]) -> dict[str, int]:
    """The tally of several measures, by the names of their cells."""
    return {
        f"{cell}{SEPARATOR}{value}": count
        for cell, tally in tallies.items()
        for value, count in tally.items()
    }


def test_a_ratio_adds_up() -> None:
    """Twenty orders of 30 to 125 EUR, of which two came back in part."""
    back, order, joint = subject_cells("rate")
    cents = list(range(3_000, 13_000, 500))
    high, low = divmod(2_000 * cents[0] + 1_500 * cents[9], 100_001)
    tally = joined(
        **{
            back: _amount_cells([2_000, 1_500]),
            order: _amount_cells(cents),
            joint: {"products_high": high, "products_low": low},
        }
    )
    assert_adds_up("rate", tally)
    assert 100 * 3_500 / sum(cents) == pytest.approx(results(steps("rate", tally))["score"])


def subject_cells(name: str) -> tuple[str, ...]:
    kpi = FILE.kpis[name]
    group = Place(kpi, kpi.measure, "24h", ()).group
    return group.joined or (group.measure,)


def test_a_composite_adds_up() -> None:
    """Two parts, answered together by ten."""
    csat, nps, joint = subject_cells("both")
    pairs = {"5,9": 6, "2,3": 4}
    tally = joined(**{csat: {"5": 6, "2": 4}, nps: {"9": 6, "3": 4}, joint: pairs})
    assert_adds_up("both", tally)
    assert 60 == pytest.approx(results(steps("both", tally))["score"])


def test_csat_by_hand() -> None:
    """719 of 912: the score, and Wilson's interval as any textbook has it."""
    found = steps("csat", {"5": 400, "4": 319, "3": 100, "1": 93}, raised=False)
    assert ["Answers", "Score", "Interval", "State: ok", "Target"] == [s.title for s in found[:5]]
    assert ["score = 100 × 719 ÷ 912 = 78.8377 %"] == texts(found, "Score")
    shown = results(found)
    assert (76.07, 81.36) == (round(shown["lower"], 2), round(shown["upper"], 2))
    assert "1: 93; 2: 0; 3: 100; 4: 319; 5: 400" in texts(found, "Answers")
    assert "satisfied: 719 (those of 4 or more)" in texts(found, "Answers")


def test_nps_by_hand() -> None:
    """41 promoters and 9 detractors of 80 are 40 points."""
    found = steps("nps", {"9": 40, "10": 1, "7": 30, "0": 9})
    assert ["good − bad = 41 − 9 = 32", "score = 100 × 32 ÷ 80 = 40"] == texts(found, "Score")
    assert "detractor: 9 (those of 6 or less)" in texts(found, "Answers")


def test_the_path_to_the_target() -> None:
    """Day 54 of 181: 82 + 3 × 54 ÷ 181."""
    line = texts(steps("csat", {"5": 1}), "Target")[-1]
    assert "target = 82 + (85 − 82) × 54 ÷ 181 = 82.895" == line


class TestState:
    """The questions that give the state."""

    def test_the_first_yes_ends_them(self) -> None:
        """With 29 answers it is insufficient, and nothing is asked of the floor."""
        lines = texts(steps("csat", {"5": 29}), "State")
        assert (
            "insufficient, too few answers for the score (29 answers, 30 are needed): yes"
            == lines[-1]
        )
        assert not any("watch" in line for line in lines)

    def test_a_raised_alert_is_breach(self) -> None:
        """Whatever the answers say now; and the alert says since when."""
        found = steps("csat", {"5": 100}, raised=True)
        assert "breach, an alert has raised and no answers have cleared it: yes" in texts(
            found, "State: breach"
        )
        (alert,) = [step for step in found if step.title.startswith("Alert")]
        assert "Alert: rule floor, raised since 2026-09-21 14:15:00 UTC" == alert.title
        assert "evidence = 4; it raises at 3.3" == alert.lines[0]

    def test_the_probability_is_told(self) -> None:
        """21 of 30 below a floor of 75: z = .05 ÷ √(.75 × .25 ÷ 30), P = .74, which is no watch."""
        lines = texts(steps("csat", {"5": 21, "1": 9}), "State: ok")
        assert "z = (0.75 − 21 ÷ 30) ÷ √(0.75 × (1 − 0.75) ÷ 30) = 0.632456" in lines
        assert "P = 0.7365, from a table of the normal distribution at z" in lines
        assert lines[-2].endswith("(more than 0.8): no")

    def test_where_lower_is_better(self) -> None:
        """Too much is what is asked about."""
        lines = texts(steps("kept", {"1": 20, "0": 80}), "State: watch")
        assert (
            "watch, the true score is probably above the floor of 10 (more than 0.8): yes"
            == lines[-1]
        )

    def test_nobody_answered(self) -> None:
        """Then there is no score to explain, and the state is idle."""
        assert ["Answers", "State: idle", "Target"] == [s.title for s in steps("csat", {})]


class TestMovement:
    """What moved a score."""

    def attributed(self) -> Movement:
        """The router fell from 85 to 60, and more answers came from the phone."""
        before: dict[Segment, Moments] = {
            ("router",): satisfied(425, 500),
            ("phone",): satisfied(180, 200),
        }
        now: dict[Segment, Moments] = {
            ("router",): satisfied(180, 300),
            ("phone",): satisfied(270, 300),
        }
        found = attribute(before, now, scale=PERCENT, min_answers=30)
        assert found is not None
        return Movement("csat", "24h", found.now, {((), ()): found.before}, {("product",): found})

    def test_every_line_adds_up(self) -> None:
        """Rate and mix of each segment, and their sum."""
        found = explained(subject("csat", {"5": 450, "1": 150}), self.attributed())
        lines = calculations(found)
        for line in lines:
            off = precision(line.expression)
            assert line.result == pytest.approx(computed(line.expression), rel=1e-4, abs=off), line
        assert "named + rest + mix" in [line.name for line in lines]

    def test_names_who_stands_out(self) -> None:
        """As the alert does."""
        found = explained(subject("csat", {"5": 450, "1": 150}), self.attributed())
        lines = texts(found, "What moved it, by product")
        assert "Moved otherwise than the rest, by more than chance: router." in lines
        assert "router: 500 of 700 answers, now 300 of 600; score 85, now 60" in lines

    def test_only_of_the_whole_in_the_alert_window(self) -> None:
        """Another window moved from elsewhere."""
        other = self.attributed()._replace(window="1h")
        titles = [step.title for step in explained(subject("csat", {"5": 450}), other)]
        assert "Baseline" not in titles

    def test_without_enough_answers(self) -> None:
        """It says so, and attributes nothing."""
        movement = Movement("csat", "24h", None, {}, {})
        found = explained(subject("csat", {"5": 3}), movement)
        assert "too few answers" in texts(found, "Baseline")[0]


def satisfied(count: int, answers: int) -> Moments:
    return Moments(answers, 100 * count, 10_000 * count)
