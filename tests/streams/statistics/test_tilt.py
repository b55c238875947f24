from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from streams.statistics.tilt import (
    Line,
    Reference,
    Unreachable,
    moved,
    ratio,
    recovery_ratio,
    smoothed,
    three_point,
    tilted,
)

CSAT = Reference((0, 1), (0.15, 0.85))
NPS = Reference((-1, 0, 1), (0.2, 0.3, 0.5))
RATING = Reference((1, 2, 3, 4, 5), (0.04, 0.06, 0.10, 0.35, 0.45))


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """Two to eleven possible answers, each given now and then."""
    low = draw(st.integers(-1, 1))
    x = tuple(range(low, low + draw(st.integers(2, 11))))
    counts = [draw(st.integers(0, 1000)) for _ in x]
    return smoothed(x, counts)


class TestTilted:
    """Answers whose score fell."""

    @given(references(), st.floats(0.02, 0.98))
    def test_has_the_score_asked_for(self, reference: Reference, part: float) -> None:
        """Shares that sum to 1 with the very score, wherever between the ends it lies."""
        low, high = min(reference.x), max(reference.x)
        score = low + part * (high - low)
        found = moved(reference, score)
        assert math.isclose(1, sum(found.shares), rel_tol=1e-12)
        assert math.isclose(score, found.score, abs_tol=1e-8)

    def test_a_share_falls_to_what_it_falls_to(self) -> None:
        """With two possible answers a score leaves no choice."""
        np.testing.assert_allclose([[0.25, 0.75]], tilted(CSAT, np.array([0.75])), atol=1e-12)

    def test_is_the_nearest_of_all_that_have_the_score(self) -> None:
        """No other shares with that score have a smaller Kullback-Leibler divergence."""
        x, shares = np.array(RATING.x), np.array(RATING.shares)
        found = minimize(
            lambda q: float(np.sum(q * np.log(q / shares))),
            np.full(5, 0.2),
            method="SLSQP",
            bounds=[(1e-9, 1)] * 5,
            constraints=[
                {"type": "eq", "fun": lambda q: q.sum() - 1},
                {"type": "eq", "fun": lambda q: q @ x - (RATING.score - 0.4)},
            ],
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(found.x, moved(RATING, RATING.score - 0.4).shares, atol=1e-5)

    @pytest.mark.parametrize("score", [-0.1, 0.0, 1.0, 1.1])
    def test_an_end_is_out_of_reach(self, score: float) -> None:
        """No tilt puts all answers on one value."""
        with pytest.raises(Unreachable, match="from 0 to 1"):
            moved(CSAT, score)


class TestRatio:
    """What answers weigh."""

    def test_of_a_share_is_the_textbook_s(self) -> None:
        """log(p₁/p₀) of a yes and of a no."""
        line = ratio(CSAT, 0, 0.15)
        assert math.isclose(math.log(0.70 / 0.85), line.weight(1, 1), abs_tol=1e-10)
        assert math.isclose(math.log(0.30 / 0.15), line.weight(1, 0), abs_tol=1e-10)

    @given(references(), st.floats(0, 0.6))
    def test_is_the_log_of_the_two_shares(self, reference: Reference, band: float) -> None:
        """A straight line in x is exactly the log-likelihood ratio of the two tilts."""
        drop = (reference.score - min(reference.x)) / 2
        line = ratio(reference, band * drop, drop)
        bad = moved(reference, reference.score - drop)
        good = moved(reference, reference.score - band * drop)
        expected = [math.log(b / g) for b, g in zip(bad.shares, good.shares, strict=True)]
        np.testing.assert_allclose([line.weight(1, x) for x in reference.x], expected, atol=1e-7)

    @pytest.mark.parametrize("reference", [CSAT, NPS, RATING])
    def test_good_answers_speak_against_a_fall(self, reference: Reference) -> None:
        """Answers as expected weigh less than nothing on average, those of a fall more."""
        line = ratio(reference, 0.02, 0.1)
        assert line.weight(1, reference.score) < 0 < line.weight(1, reference.score - 0.1)

    def test_recovery_tests_half_the_drop_against_none(self) -> None:
        """It weighs nothing between the two, so a score half the drop down does not flap."""
        line = recovery_ratio(CSAT, 0.1)
        assert line == -ratio(CSAT, 0, 0.05)
        assert line.weight(1, 0.80) < 0 < line.weight(1, 0.85)

    def test_every_way_of_falling_weighs_the_same(self) -> None:
        """A promoter lost to passive and a passive lost to detractor are equal evidence."""
        line = ratio(NPS, 0, 0.2)
        steps = np.diff([line.weight(1, x) for x in NPS.x])
        assert math.isclose(steps[0], steps[1], rel_tol=1e-12)


def test_half_an_answer_is_added_to_each() -> None:
    """So nothing has a probability of 0, and no answer an infinite weight."""
    assert Reference((0, 1), (0.5 / 11, 10.5 / 11)) == smoothed((0, 1), (0, 10))


def test_three_points_have_the_moments() -> None:
    """Mean and variance of what only moments are known of."""
    found = three_point(4, 2.0, 1.5)
    assert math.isclose(0.5, found.score)
    assert math.isclose(1.5 / 4 - 0.25, found.variance)


@given(st.lists(st.integers(1, 5), max_size=50), st.integers(0, 50))
def test_a_weight_needs_number_and_sum_alone(answers: list[int], at: int) -> None:
    """However answers are parted, the weights of the parts sum to that of the whole."""
    line = Line(-1.25, 0.5)  # exact in binary
    parts = answers[:at], answers[at:]
    whole = line.weight(len(answers), sum(answers))
    assert whole == sum(line.weight(len(part), sum(part)) for part in parts)
