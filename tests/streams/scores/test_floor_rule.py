from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.formulas import Net, TopBox
from streams.ledger.layout import Measure
from streams.scores.floor_rule import CLEAR_AT, QUIET, RAISE_AT, FloorRule, Step, Verdict, replay
from streams.scores.scores import below, score

CSAT = Measure("csat", "rating", 1, 5)
RULE = FloorRule(TopBox(measure="csat", at_least=4), CSAT, floor=75, min_answers=30)

# Of 100 answers at a floor of 75: z is 3.46 at 60, 3.23 at 61, -.92 at 79, -1.15 at 80.
BREACHING, JUST_NOT, NOT_BACK, BACK = 60, 61, 79, 80


def tally(satisfied: int, answers: int = 100) -> dict[str, int]:
    return {"5": satisfied, "2": answers - satisfied}


def steps(*tallies: dict[str, int]) -> list[Step]:
    """Successive windows that end 10, 20, 30 ... seconds after the start."""
    return [Step(10.0 * number, t) for number, t in enumerate(tallies, 1)]


def evidence(satisfied: int) -> float:
    return below(RULE.formula, RULE.measure, tally(satisfied), RULE.floor)


windows = st.integers(0, 120).flatmap(
    lambda answers: st.integers(0, answers).map(lambda satisfied: tally(satisfied, answers))
)
histories = st.lists(windows, max_size=12).map(lambda tallies: steps(*tallies))
too_few = st.integers(0, 29).flatmap(
    lambda answers: st.integers(0, answers).map(lambda satisfied: tally(satisfied, answers))
)


class TestRaise:
    """When the alert is raised."""

    def test_raises_at_the_limit(self) -> None:
        """Evidence of 3.3 raises, from the end of the window that showed it."""
        expected = Verdict(raised=True, evidence=evidence(BREACHING), limit=3.3, since=20.0)

        assert expected == replay(RULE, steps(tally(90), tally(BREACHING)))
        assert evidence(BREACHING) >= RAISE_AT

    def test_not_below_the_limit(self) -> None:
        """Just less is shown as evidence, and raises nothing."""
        expected = Verdict(raised=False, evidence=evidence(JUST_NOT), limit=3.3, since=None)

        assert expected == replay(RULE, steps(tally(JUST_NOT)))
        assert evidence(JUST_NOT) < RAISE_AT

    def test_too_few_answers(self) -> None:
        """29 answers raise nothing, however bad; 30 do."""
        assert QUIET == replay(RULE, steps(tally(0, 29)))
        assert replay(RULE, steps(tally(0, 30))).raised

    def test_needs_an_answer(self) -> None:
        """Even a rule that asks for no answers says nothing without one, its evidence included."""
        rule, start = RULE._replace(min_answers=0), replay(RULE, steps(tally(BREACHING)))

        assert start == replay(rule, steps({}), start)

    def test_no_steps(self) -> None:
        """Without history the rule is quiet."""
        assert QUIET == replay(RULE, [])


class TestClear:
    """When a raised alert is cleared."""

    def test_clears_one_error_above_the_floor(self) -> None:
        """Evidence of 1 for at or above the floor clears, from the end of that window."""
        expected = Verdict(raised=False, evidence=evidence(BACK), limit=3.3, since=20.0)

        assert expected == replay(RULE, steps(tally(BREACHING), tally(BACK)))
        assert evidence(BACK) <= CLEAR_AT

    @pytest.mark.parametrize("satisfied", [JUST_NOT, 75, NOT_BACK])
    def test_not_before(self, satisfied: int) -> None:
        """A score that came back to the floor, but not clearly, stays raised since it began."""
        verdict = replay(RULE, steps(tally(BREACHING), tally(satisfied)))

        assert Verdict(True, evidence(satisfied), 3.3, since=10.0) == verdict

    def test_raises_again(self) -> None:
        """After clearing, the rule starts from quiet."""
        verdict = replay(RULE, steps(tally(BREACHING), tally(BACK), tally(BREACHING)))

        assert (True, 30.0) == (verdict.raised, verdict.since)

    def test_not_by_added_answers_alone(self) -> None:
        """A score below the floor never clears, where the test's added answers outweigh two."""
        rule = FloorRule(Net(measure="nps"), Measure("nps", "rating", 0, 10), -90, min_answers=1)
        raised = Verdict(raised=True, evidence=4.0, limit=3.3, since=1.0)
        two_detractors = {"0": 2}

        assert below(rule.formula, rule.measure, two_detractors, rule.floor) <= CLEAR_AT
        assert replay(rule, steps(two_detractors), raised).raised

    @given(histories)
    def test_cleared_at_or_above_the_floor(self, history: list[Step]) -> None:
        """Wherever a verdict turns from raised to quiet, the score is at or above the floor."""
        verdict = QUIET
        for step in history:
            after = replay(RULE, [step], verdict)
            if verdict.raised and not after.raised:
                value = score(RULE.formula, RULE.measure, step.tally).value
                assert value is not None
                assert value >= RULE.floor
            verdict = after


class TestReplay:
    """The verdict is a fold over steps and nothing else."""

    @given(histories, st.lists(too_few, max_size=5))
    def test_no_data_changes_nothing(
        self, history: list[Step], silence: Sequence[dict[str, int]]
    ) -> None:
        """Windows that are idle or insufficient keep the verdict, raised or not."""
        before = replay(RULE, history)
        later = [Step(1_000.0 + number, t) for number, t in enumerate(silence)]

        assert before == replay(RULE, [*history, *later])

    @given(histories, st.integers(0, 12))
    def test_continues(self, history: list[Step], split: int) -> None:
        """Replayed in two parts, or at once, the verdict is the same."""
        first = replay(RULE, history[:split])

        assert replay(RULE, history) == replay(RULE, history[split:], first)

    @given(histories)
    def test_equal_steps_may_be_left_out(self, history: list[Step]) -> None:
        """A window that shows the same as the one before it adds nothing."""
        repeated = [Step(step.end + t, step.tally) for step in history for t in (0.0, 5.0)]

        assert replay(RULE, history) == replay(RULE, repeated)

    @given(histories)
    def test_deterministic(self, history: list[Step]) -> None:
        """The same steps give the same verdict, from a list as from an iterator."""
        assert replay(RULE, history) == replay(RULE, iter(history))

    @given(histories)
    def test_since_is_a_step(self, history: list[Step]) -> None:
        """`since` is the end of a step, and a raised verdict always has one."""
        verdict = replay(RULE, history)

        assert verdict.since in {None, *(step.end for step in history)}
        assert not (verdict.raised and verdict.since is None)
