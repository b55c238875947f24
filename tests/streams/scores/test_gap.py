from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from streams.scores.gap import GapState, Line, gap_points, gap_state
from streams.scores.scores import NOBODY, Score
from streams.statistics.intervals import wilson

GREEN = Line(95)
RED = Line(75)


def percent(successes: int, answers: int) -> Score:
    """A share in percent with its 95 % interval."""
    lower, upper = wilson(successes, answers)
    return Score(answers, 100 * successes / answers, 100 * lower, 100 * upper)


SHARES = st.integers(1, 2_000).flatmap(lambda n: st.builds(percent, st.integers(0, n), st.just(n)))


class TestState:
    """What the two say of each other."""

    @pytest.mark.parametrize(
        ("delivered", "perceived", "expected"),
        [
            (percent(980, 1000), percent(600, 1000), "watermelon"),
            (percent(900, 1000), percent(600, 1000), "seen"),
            (percent(980, 1000), percent(740, 1000), "aligned"),
            (percent(900, 1000), percent(900, 1000), "aligned"),
            (percent(980, 1000), percent(5, 29), "unknown"),
            (percent(29, 29), percent(600, 1000), "unknown"),
            (NOBODY, NOBODY, "unknown"),
        ],
    )
    def test_each_is_reached(self, delivered: Score, perceived: Score, expected: GapState) -> None:
        """Below 75 but not by more than chance is not red; 29 answers of a side say nothing."""
        assert expected == gap_state(delivered, GREEN, perceived, RED, 30)

    def test_green_includes_its_line(self) -> None:
        """A promise kept exactly as often as aimed at is green, as it is on a board."""
        assert "watermelon" == gap_state(percent(950, 1000), GREEN, percent(6, 100), RED, 30)

    def test_lower_is_better(self) -> None:
        """Of a score that should be low, red is above its line and green below."""
        late, complaints = percent(20, 1000), percent(300, 1000)
        green, red = Line(5, lower_is_better=True), Line(20, lower_is_better=True)
        assert "watermelon" == gap_state(late, green, complaints, red, 30)
        assert "aligned" == gap_state(late, green, percent(100, 1000), red, 30)
        assert "seen" == gap_state(percent(100, 1000), green, complaints, red, 30)

    def test_nobody_is_never_judged(self) -> None:
        """Without answers nothing is known, even where the KPI file asks for none."""
        assert "unknown" == gap_state(percent(10, 10), GREEN, NOBODY, RED, 0)


class TestPoints:
    """How far apart they are."""

    @given(st.integers(1, 500), st.integers(1, 500), st.data())
    def test_agrees_with_statsmodels(self, first: int, second: int, data: st.DataObject) -> None:
        """For two shares it is Newcombe's hybrid score interval."""
        x, y = data.draw(st.integers(0, first)), data.draw(st.integers(0, second))
        expected = confint_proportions_2indep(x, first, y, second, method="newcomb", compare="diff")
        found = gap_points(percent(x, first), percent(y, second))
        assert found is not None
        assert [100 * bound for bound in expected] == pytest.approx(
            [found.lower, found.upper], abs=1e-6
        )

    @given(SHARES, SHARES)
    def test_positive_correlation_narrows(self, delivered: Score, perceived: Score) -> None:
        """The same customers behind both make the difference surer, never less sure."""
        apart, together = (gap_points(delivered, perceived, r) for r in (0.0, 0.5))
        assert apart is not None
        assert together is not None
        assert apart.value == together.value
        assert apart.lower <= together.lower <= together.upper <= apart.upper  # type: ignore[operator]

    def test_fewer_answers_count(self) -> None:
        """Behind a gap stand the answers of the side that has fewer."""
        found = gap_points(percent(90, 100), percent(30, 50))
        assert (50, 30.0) == ((found.answers, found.value) if found else None)

    def test_one_side_is_missing(self) -> None:
        """Without answers on one side there is no gap, which is not a gap of 0."""
        assert [None, None] == [
            gap_points(*s) for s in [(NOBODY, percent(1, 2)), (percent(1, 2), NOBODY)]
        ]
