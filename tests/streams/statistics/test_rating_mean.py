from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize

from streams.statistics.intervals import Interval, normal_quantile, proportion_below, wilson
from streams.statistics.rating_mean import mean_below, mean_interval

Z = normal_quantile(0.95)
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.95, 0.999])

# Scales of 2 to 11 ratings, as rating scales are, from shy to very many answers.
scales = st.integers(-1, 1).flatmap(
    lambda low: st.integers(low + 1, low + 10).map(lambda high: (low, high))
)


@st.composite
def ratings(draw: st.DrawFn) -> tuple[dict[int, int], int, int]:
    """Counts by rating, at least one answer, with the scale's ends."""
    low, high = draw(scales)
    count = st.one_of(st.integers(0, 5), st.integers(0, 1_000_000))
    counts = {rating: draw(count) for rating in range(low, high + 1)}
    assume(any(counts.values()))
    return counts, low, high


def observed_mean(counts: Mapping[int, int]) -> float:
    return sum(rating * count for rating, count in counts.items()) / sum(counts.values())


def slow_z(counts: Mapping[int, int], mean: float) -> float:
    """The same test by general optimisation.

    Maximises the likelihood among all distributions on the scale with this mean, then divides by
    the standard error that the winner has.
    """
    values, seen = np.array(list(counts)), np.array(list(counts.values()))
    answers = seen.sum()

    def unlikelihood(p: np.ndarray) -> float:
        return float(-np.sum(seen[seen > 0] / answers * np.log(p[seen > 0])))

    best = minimize(
        unlikelihood,
        np.full(len(values), 1 / len(values)),
        method="SLSQP",
        bounds=[(1e-12, 1)] * len(values),
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "eq", "fun": lambda p: p @ values - mean},
        ],
        options={"maxiter": 500, "ftol": 1e-13},
    )
    assert best.success
    variance = best.x @ (values - mean) ** 2
    return float((mean - observed_mean(counts)) / math.sqrt(variance / answers))


class TestMeanInterval:
    """The interval: known special cases, a slow oracle, and what always holds."""

    @pytest.mark.parametrize(("no", "yes"), [(7, 3), (0, 10), (10, 0), (182, 81), (1, 0)])
    def test_wilson_on_two_values(self, no: int, yes: int) -> None:
        """On a scale of two values it is Wilson's interval."""
        expected = wilson(yes, no + yes)

        assert expected == pytest.approx(mean_interval({0: no, 1: yes}, 0, 1), abs=1e-9)

    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            ({-1: 20, 0: 30, 1: 50}, (0.139551412672, 0.443393051624)),
            ({-1: 0, 0: 0, 1: 10}, (0.444934368134, 1.0)),
        ],
    )
    def test_tango_on_three_values(
        self, counts: dict[int, int], expected: tuple[float, float]
    ) -> None:
        """On -1, 0, 1 it is Tango's: R package NPS, test "iterative", to its tolerance of 1e-5."""
        assert expected == pytest.approx(mean_interval(counts, -1, 1), abs=1e-5)

    @pytest.mark.parametrize(
        "counts",
        [
            {1: 1, 2: 0, 3: 1, 4: 3, 5: 5},
            {1: 0, 2: 0, 3: 1, 4: 3, 5: 6},
            {1: 0, 2: 2, 3: 5, 4: 3, 5: 0},
            {1: 4, 2: 0, 3: 0, 4: 0, 5: 6},
            {0: 3, 1: 1, 2: 2, 3: 2, 4: 3, 5: 5, 6: 7, 7: 12, 8: 20, 9: 20, 10: 25},
        ],
    )
    def test_slow_oracle(self, counts: dict[int, int]) -> None:
        """Both bounds lie 1.96 standard errors away by the most likely distribution there."""
        low, high = min(counts), max(counts)
        lower, upper = mean_interval(counts, low, high)

        assert -Z == pytest.approx(slow_z(counts, lower), abs=2e-3)
        assert Z == pytest.approx(slow_z(counts, upper), abs=2e-3)

    @given(ratings(), CONFIDENCES)
    def test_holds_the_mean_and_stays_on_the_scale(
        self, answers: tuple[dict[int, int], int, int], confidence: float
    ) -> None:
        """The scale holds the interval, the interval the mean, and its width is never 0."""
        counts, low, high = answers
        lower, upper = mean_interval(counts, low, high, confidence)
        rounding = 1e-9 * (high - low)

        assert low - rounding <= lower <= observed_mean(counts) + rounding
        assert observed_mean(counts) - rounding <= upper <= high + rounding
        assert lower < upper

    @given(ratings(), CONFIDENCES)
    def test_mirror(self, answers: tuple[dict[int, int], int, int], confidence: float) -> None:
        """Turning the scale around turns the interval around."""
        counts, low, high = answers
        lower, upper = mean_interval(counts, low, high, confidence)

        mirrored = {low + high - rating: count for rating, count in counts.items()}

        assert (low + high - upper, low + high - lower) == pytest.approx(
            mean_interval(mirrored, low, high, confidence), abs=1e-8
        )

    @given(ratings(), st.integers(2, 9))
    def test_narrower_with_more_answers(
        self, answers: tuple[dict[int, int], int, int], factor: int
    ) -> None:
        """The same mix of more answers is known better."""
        counts, low, high = answers
        few = mean_interval(counts, low, high)
        many = mean_interval({r: factor * c for r, c in counts.items()}, low, high)

        assert few.lower <= many.lower + 1e-9
        assert many.upper <= few.upper + 1e-9
        assert many.upper - many.lower < few.upper - few.lower

    @given(ratings())
    def test_percent_of_range(self, answers: tuple[dict[int, int], int, int]) -> None:
        """Another scale of as many ratings gives the same interval, moved with it."""
        counts, low, high = answers
        moved = {rating + 7: count for rating, count in counts.items()}
        lower, upper = mean_interval(counts, low, high)

        assert (lower + 7, upper + 7) == pytest.approx(
            mean_interval(moved, low + 7, high + 7), abs=1e-8
        )

    @pytest.mark.parametrize("answers", [1, 2, 10, 1_000])
    def test_equal_answers(self, answers: int) -> None:
        """Answers that are all the same leave room for the unseen, less with their number."""
        lower, upper = mean_interval({5: answers}, 1, 5)

        assert 1 + 4 * wilson(answers, answers).lower == pytest.approx(lower)
        assert upper == 5

    def test_nobody(self) -> None:
        """Without answers every mean is possible, and nothing speaks against any floor."""
        assert Interval(1, 5) == mean_interval({}, 1, 5)
        assert mean_below({3: 0}, 1, 5, 4) == 0


class TestMeanBelow:
    """The one-sided test."""

    @given(ratings(), CONFIDENCES)
    def test_matches_the_interval(
        self, answers: tuple[dict[int, int], int, int], confidence: float
    ) -> None:
        """At a bound of the interval the evidence is exactly the confidence's z."""
        counts, low, high = answers
        lower, upper = mean_interval(counts, low, high, confidence)
        z = normal_quantile(confidence)
        rounding = 1e-9 * (high - low)

        if upper < high - rounding:
            assert z == pytest.approx(mean_below(counts, low, high, upper), rel=1e-5)
        if lower > low + rounding:
            assert -z == pytest.approx(mean_below(counts, low, high, lower), rel=1e-5)

    @given(ratings(), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
    def test_grows_with_the_floor(
        self, answers: tuple[dict[int, int], int, int], one: float, other: float
    ) -> None:
        """The higher the floor, the more the same answers speak for being below it.

        Up to a z of 10 on both sides: beyond, nothing hangs on how much.
        """
        counts, low, high = answers
        lower_floor, higher_floor = (low + (high - low) * f for f in sorted((one, other)))

        lesser, greater = (
            max(min(mean_below(counts, low, high, floor), 10), -10)
            for floor in (lower_floor, higher_floor)
        )

        assert lesser <= greater + 1e-6

    def test_none_at_the_mean(self) -> None:
        """A floor at the observed mean has no evidence on either side."""
        assert mean_below({1: 2, 3: 4, 5: 2}, 1, 5, 3) == 0

    @pytest.mark.parametrize(
        ("counts", "floor", "evidence"),
        [
            ({5: 9, 4: 1}, 5, math.inf),
            ({5: 10}, 5, 0),
            ({1: 10}, 1, 0),
            ({1: 9, 2: 1}, 1, -math.inf),
        ],
    )
    def test_floor_at_the_end(self, counts: dict[int, int], floor: float, evidence: float) -> None:
        """One lower answer disproves a mean at the top, and nothing can lie below the bottom."""
        assert evidence == mean_below(counts, 1, 5, floor)

    @given(st.integers(0, 1_000), st.integers(0, 1_000), st.floats(0.001, 0.999))
    def test_agrees_with_proportions(self, no: int, yes: int, floor: float) -> None:
        """On two values it is the score test of a proportion, however far the floor."""
        assert proportion_below(yes, no + yes, floor) == pytest.approx(
            mean_below({0: no, 1: yes}, 0, 1, floor), rel=1e-6, abs=1e-9
        )
