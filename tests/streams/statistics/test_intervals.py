from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from streams.statistics.intervals import (
    Interval,
    moments_below,
    moments_interval,
    normal_quantile,
    probability,
    proportion_below,
    standardised,
    wilson,
)

VECTORS = json.loads((Path(__file__).parents[2] / "data/survey_vectors.json").read_text())

CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


def vectors(kind: str) -> list[Any]:
    """The published or reference numbers of one kind, each named in the test's id."""
    found = [pytest.param(v, id=v["name"]) for v in VECTORS if v["kind"] == kind]
    assert found
    return found


@st.composite
def shares(draw: st.DrawFn) -> tuple[int, int]:
    """Successes and answers, at least one answer."""
    answers = draw(st.integers(1, 10_000))
    return draw(st.integers(0, answers)), answers


@st.composite
def nets(draw: st.DrawFn) -> tuple[int, int, int]:
    """Promoters, detractors and answers, at least one answer."""
    promoters, passives, detractors = (draw(st.integers(0, 1_000)) for _ in range(3))
    return promoters, detractors, max(promoters + passives + detractors, 1)


class TestNormalQuantile:
    """The z of a confidence."""

    def test_two_sided(self) -> None:
        """95 % leaves 2.5 % on each side, so its z is 1.96."""
        assert 1.959964 == pytest.approx(normal_quantile(0.95), abs=1e-6)

    def test_undoes_probability(self) -> None:
        """The normal distribution function at a confidence's z is (1 + confidence) / 2."""
        assert 0.995 == pytest.approx(probability(normal_quantile(0.99)))

    @pytest.mark.parametrize("confidence", [0, 1, -0.1, 1.5, 95, math.nan])
    def test_refuses_what_is_no_confidence(self, confidence: float) -> None:
        """A confidence outside 0 to 1, such as 95, is an error that says so."""
        with pytest.raises(ValueError, match="a confidence lies between 0 and 1"):
            normal_quantile(confidence)


class TestWilson:
    """The interval of a proportion."""

    @pytest.mark.parametrize("vector", vectors("wilson"))
    def test_published(self, vector: dict[str, Any]) -> None:
        """Newcombe's table and R's prop.test are met to all printed digits."""
        inputs, expected = vector["inputs"], vector["expected"]

        interval = wilson(inputs["x"], inputs["n"], inputs["conf"])

        assert (expected["low"], expected["high"]) == pytest.approx(
            interval, abs=vector["tolerance"]
        )

    @given(share=shares(), confidence=CONFIDENCES)
    def test_equals_statsmodels(self, share: tuple[int, int], confidence: float) -> None:
        """It is statsmodels' Wilson interval, at any count and confidence."""
        expected = proportion_confint(*share, alpha=1 - confidence, method="wilson")

        assert expected == pytest.approx(wilson(*share, confidence), abs=1e-12)

    @pytest.mark.parametrize(("successes", "answers"), [(0, 1), (1, 1), (3, 10), (81, 263)])
    def test_equals_scipy(self, successes: int, answers: int) -> None:
        """It is scipy's Wilson interval without continuity correction."""
        expected = binomtest(successes, answers).proportion_ci(0.95, method="wilson")

        assert (expected.low, expected.high) == pytest.approx(wilson(successes, answers), abs=1e-12)

    @given(share=shares(), confidence=CONFIDENCES)
    def test_holds_the_share_and_stays_on_the_scale(
        self, share: tuple[int, int], confidence: float
    ) -> None:
        """0 <= lower <= share <= upper <= 1, and never of width 0."""
        lower, upper = wilson(*share, confidence)

        assert 0 <= lower <= share[0] / share[1] <= upper <= 1
        assert lower < upper

    @given(share=shares())
    def test_mirror(self, share: tuple[int, int]) -> None:
        """Swapping yes and no turns the interval around."""
        successes, answers = share
        lower, upper = wilson(successes, answers)

        assert (1 - upper, 1 - lower) == pytest.approx(wilson(answers - successes, answers))

    @given(share=shares(), factor=st.integers(2, 9))
    def test_narrower_with_more_answers(self, share: tuple[int, int], factor: int) -> None:
        """The same share of more answers is known better."""
        few, many = wilson(*share), wilson(share[0] * factor, share[1] * factor)

        assert few.lower <= many.lower
        assert many.upper <= few.upper
        assert many.upper - many.lower < few.upper - few.lower

    def test_exact_at_the_ends(self) -> None:
        """Nobody and everybody give bounds of exactly 0 and 1, without a rest from rounding."""
        for answers in range(1, 300):
            assert 0.0 == wilson(0, answers).lower
            assert 1.0 == wilson(answers, answers).upper

    def test_nobody(self) -> None:
        """Without answers every share is possible, and nothing speaks against any floor."""
        assert Interval(0, 1) == wilson(0, 0)
        assert 0.0 == proportion_below(0, 0, 0.75)


class TestProportionBelow:
    """The score test that Wilson's interval inverts."""

    def test_standard_error_at_the_floor(self) -> None:
        """The score test takes its standard error from the floor, not from what was seen."""
        assert (0.75 - 0.6) / math.sqrt(0.75 * 0.25 / 100) == pytest.approx(
            proportion_below(60, 100, 0.75)
        )

    @given(share=shares(), confidence=CONFIDENCES)
    def test_matches_the_interval(self, share: tuple[int, int], confidence: float) -> None:
        """At a bound of the interval the evidence is exactly the confidence's z."""
        lower, upper = wilson(*share, confidence)
        z = normal_quantile(confidence)

        if upper < 1:
            assert z == pytest.approx(proportion_below(*share, upper))
        if lower > 0:
            assert -z == pytest.approx(proportion_below(*share, lower))

    @pytest.mark.parametrize(
        ("successes", "floor", "evidence"),
        [(9, 1, math.inf), (10, 1, 0), (0, 0, 0), (1, 0, -math.inf)],
    )
    def test_floor_at_the_end(self, successes: int, floor: float, evidence: float) -> None:
        """One no disproves 100 %, and nothing can lie below 0."""
        assert evidence == proportion_below(successes, 10, floor)


class TestMomentsInterval:
    """The adjusted Wald interval: nets, and means of what lies between -1 and 1."""

    @pytest.mark.parametrize("vector", vectors("nps_ci_adjusted_wald"))
    def test_rocks(self, vector: dict[str, Any]) -> None:
        """On promoters and detractors it is the adjusted Wald interval of the R package NPS."""
        counts, expected = vector["inputs"], vector["expected"]
        promoters, detractors = counts["promoters"], counts["detractors"]
        answers = promoters + detractors + counts["passives"]

        interval = moments_interval(
            answers, promoters - detractors, promoters + detractors, counts["conf"]
        )

        assert (expected["low"], expected["high"]) == pytest.approx(
            interval, abs=vector["tolerance"]
        )

    def test_not_clipped(self) -> None:
        """10 promoters of 10 give .475 to 1.063; the scale ends at 1 only once it is clipped."""
        interval = moments_interval(10, 10, 10)

        assert (0.475, 1.063) == pytest.approx(interval, abs=5e-4)
        assert 1.0 == interval.clipped(-1, 1).upper

    @given(net=nets(), confidence=CONFIDENCES)
    def test_mirror(self, net: tuple[int, int, int], confidence: float) -> None:
        """Swapping promoters and detractors turns the interval around."""
        promoters, detractors, answers = net
        difference, outspoken = promoters - detractors, promoters + detractors
        lower, upper = moments_interval(answers, difference, outspoken, confidence)

        mirrored = moments_interval(answers, -difference, outspoken, confidence)

        assert (-upper, -lower) == mirrored

    @given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=60), st.integers(2, 9))
    def test_narrower_with_more_answers(self, compounds: list[int], factor: int) -> None:
        """The same comments several times over are known better."""
        total = math.fsum(c / 1e4 for c in compounds)
        squares = math.fsum((c / 1e4) ** 2 for c in compounds)

        few = moments_interval(len(compounds), total, squares)
        many = moments_interval(factor * len(compounds), factor * total, factor * squares)

        assert 0 < many.upper - many.lower < few.upper - few.lower

    @given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=60), CONFIDENCES)
    def test_matches_the_evidence(self, compounds: list[int], confidence: float) -> None:
        """At a bound of the interval the evidence is exactly the confidence's z."""
        total = math.fsum(c / 1e4 for c in compounds)
        squares = math.fsum((c / 1e4) ** 2 for c in compounds)
        lower, upper = moments_interval(len(compounds), total, squares, confidence)
        z = normal_quantile(confidence)

        assert z == pytest.approx(moments_below(len(compounds), total, squares, upper))
        assert -z == pytest.approx(moments_below(len(compounds), total, squares, lower))

    def test_equal_answers(self) -> None:
        """One comment, or ten of the same tone, do not pretend to be exact."""
        one, ten = moments_interval(1, 0.5, 0.25), moments_interval(10, 5, 2.5)

        assert one.upper - one.lower == pytest.approx(1.27, abs=0.01)
        assert ten.upper - ten.lower == pytest.approx(0.43, abs=0.01)

    def test_nobody(self) -> None:
        """Without answers every mean is possible, and nothing speaks against any floor."""
        assert Interval(-1, 1) == moments_interval(0, 0, 0)
        assert 0.0 == moments_below(0, 0, 0, 0.2)


def test_clipped() -> None:
    """Each bound is moved to the scale, also where all of the interval lies beyond an end."""
    assert Interval(-1, 0.5) == Interval(-1.2, 0.5).clipped(-1, 1)
    assert Interval(1, 1) == Interval(1.1, 1.3).clipped(-1, 1)


def test_standardised_without_variance() -> None:
    """Without variance any difference is certain, and none is no evidence."""
    assert [math.inf, 0.0, -math.inf] == [standardised(d, 0) for d in (0.1, 0.0, -0.1)]
