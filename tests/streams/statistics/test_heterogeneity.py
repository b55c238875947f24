from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency

from streams.statistics.heterogeneity import (
    SegmentScore,
    Spread,
    g_test,
    simultaneous_confidence,
    spread,
)
from streams.statistics.intervals import wilson

VECTORS = json.loads((Path(__file__).parents[2] / "data/survey_vectors.json").read_text())

TABLES = st.integers(1, 5).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(0, 500), min_size=columns, max_size=columns), min_size=1, max_size=8
    )
)

SHARES = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def wilson_scores(counts: list[tuple[int, int]], confidence: float = 0.95) -> list[SegmentScore]:
    """A segment for each pair of satisfied and answers, with intervals that hold together."""
    each = simultaneous_confidence(confidence, len(counts))
    return [
        SegmentScore(str(place), x / n, *wilson(x, n, each)) for place, (x, n) in enumerate(counts)
    ]


class TestGTest:
    """Whether all segments could have one distribution."""

    @pytest.mark.parametrize(
        "vector", [pytest.param(v, id=v["name"]) for v in VECTORS if v["kind"] == "g_test_table"]
    )
    def test_published_numbers(self, vector: dict[str, Any]) -> None:
        """Statistic and degrees of freedom are those of scipy's documentation."""
        found = g_test(vector["inputs"]["table"])
        expected = vector["expected"]
        assert (expected["g"], expected["df"]) == pytest.approx(
            (found.statistic, found.degrees_of_freedom), abs=1e-9
        )

    def test_answers_worth_fewer_are_weaker_evidence(self) -> None:
        """Divided by the design effect: the chi-square of half the statistic."""
        found = g_test([[90, 10], [80, 20]])
        half = found.divided(2)
        assert (found.statistic / 2, 1) == (half.statistic, half.degrees_of_freedom)
        assert half.p_value == pytest.approx(chi2.sf(found.statistic / 2, 1))
        assert found == found.divided(1)
        nothing = g_test([[90, 10]])
        assert nothing == nothing.divided(2)

    @given(TABLES)
    def test_agrees_with_scipy(self, table: list[list[int]]) -> None:
        """The statistic is scipy's for the table without its empty rows and columns."""
        rows = [row for row in table if any(row)]
        columns = [column for column in zip(*rows, strict=True) if any(column)]
        found = g_test(table)
        if len(rows) < 2 or len(columns) < 2:
            assert (0.0, 0, 1.0) == found
        else:
            expected = chi2_contingency(columns, correction=False, lambda_="log-likelihood")
            assert (expected.statistic, expected.dof) == pytest.approx(
                (found.statistic, found.degrees_of_freedom), abs=1e-6
            )
            assert found.p_value >= expected.pvalue - 1e-9  # Williams's correction is never bolder

    def test_williams_correction(self) -> None:
        """By hand for rows of 20 and 40, columns of 30: q = 1 + (4.5 - 1)(4 - 1) / (6 * 60)."""
        found = g_test([[12, 8], [18, 22]])
        corrected = found.statistic / (1 + 3.5 * 3 / 360)
        assert chi2.sf(corrected, 1) == pytest.approx(found.p_value, rel=1e-9)

    def test_chance_is_rarely_called_inconsistency(self) -> None:
        """Of ten channels of 30 answers, all at 95 %, about one set in twenty is called different.

        Without Williams's correction it is one in fourteen.
        """
        chance = np.random.default_rng(4)
        found = 0
        for _ in range(1_000):
            satisfied = [int(x) for x in chance.binomial(30, 0.95, 10)]
            found += g_test([[x, 30 - x] for x in satisfied]).more_than_chance
        assert found <= 60  # 50 expected at most; the standard error is 7

    def test_a_real_difference_is_found(self) -> None:
        """80 of 100 beside 60 of 100 is more than chance; beside 78 of 100 it is not."""
        assert g_test([[80, 20], [60, 40]]).more_than_chance
        assert not g_test([[80, 20], [78, 22]]).more_than_chance


class TestSpread:
    """How far the best lies above the worst."""

    def test_names_both_ends(self) -> None:
        """The highest and the lowest are named, and the value is their distance."""
        found = spread(
            [
                SegmentScore("chat", 80, 70, 88),
                SegmentScore("mail", 60, 50, 69),
                SegmentScore("shop", 70, 60, 78),
            ]
        )
        assert found is not None
        assert ("chat", "mail", 20) == (found.highest, found.lowest, found.value)

    def test_two_segments_have_newcombe_s_interval(self) -> None:
        """For two shares it is Newcombe's hybrid score interval: 56/70 - 48/80, .0524 to .3339."""
        found = spread(wilson_scores([(56, 70), (48, 80)]))
        assert found is not None
        assert (0.0524, 0.3339) == pytest.approx((found.lower, found.upper), abs=5.1e-5)

    def test_fewer_than_two(self) -> None:
        """One segment is never inconsistent with itself: there is nothing to say."""
        assert [None, None] == [spread([]), spread(wilson_scores([(5, 10)]))]

    def test_equal_scores(self) -> None:
        """Where all are equal the spread is 0, and two different segments are named."""
        found = spread([SegmentScore("a", 1, 0, 2), SegmentScore("b", 1, 0, 2)])
        assert ("a", "b", 0) == (found or Spread("", "", -1, 0, 0))[:3]

    @given(st.lists(SHARES, min_size=2, max_size=8))
    def test_interval_holds_the_spread(self, counts: list[tuple[int, int]]) -> None:
        """The interval holds what was seen, begins at 0 or above, and ends on the scale's width."""
        found = spread(wilson_scores(counts))
        assert found is not None
        assert 0 <= found.lower <= found.value + 1e-12
        assert found.value <= found.upper + 1e-12 <= 1 + 1e-9

    def test_covers_the_true_spread(self) -> None:
        """Of five channels from 60 to 80 % it holds the true spread 95 times of 100, or more."""
        chance = np.random.default_rng(7)
        shares = [0.6, 0.65, 0.7, 0.75, 0.8]
        held = 0
        for _ in range(400):
            counts = [(int(x), 60) for x in chance.binomial(60, shares)]
            found = spread(wilson_scores(counts))
            assert found is not None
            held += found.lower <= 0.2 <= found.upper
        assert held >= 380 - 9  # two standard errors below 95 %

    def test_more_segments_need_surer_intervals(self) -> None:
        """Each further segment brings pairs, and every one of them must hold."""
        needed = [simultaneous_confidence(0.95, segments) for segments in range(1, 12)]
        assert [0.95, 0.95] == pytest.approx(needed[:2])
        assert all(a < b for a, b in pairwise(needed[1:]))
