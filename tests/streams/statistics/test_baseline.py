from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.statistics.baseline import NoBaseline, Spread, assumed, baseline, spread
from streams.statistics.false_alarms import Wobble, answers_a_day
from streams.statistics.tilt import Reference, smoothed

if TYPE_CHECKING:
    from streams.statistics.run_length import Floats

FOUR_WEEKS = [day % 7 >= 5 for day in range(28)]


class Share:
    """Columns: noes and yeses."""

    answers = (1.0, 1.0)
    totals = (0.0, 1.0)

    def reference(self, counts: Floats) -> Reference:
        """As `Weighed`."""
        return smoothed((0, 1), counts.tolist())


def days(scores: Floats, numbers: tuple[int, ...], seed: int = 1) -> Floats:
    """Counts of as many days as there are scores, each with its half of the week.

    `numbers` are answers by kind of hour.
    """
    source = np.random.default_rng(seed)
    counts = np.zeros((len(scores), 4, 2))
    for day, score in enumerate(scores):
        for kind in (2, 3) if FOUR_WEEKS[day % 28] else (0, 1):
            yes = source.binomial(numbers[kind], score[kind] if np.ndim(score) else score)
            counts[day, kind] = numbers[kind] - yes, yes
    return counts


STEADY = np.full(28, 0.85)


def test_each_kind_of_hour_has_its_own_level() -> None:
    """Night 77, day 87: half an answer is added to each, and the mean is that of all answers."""
    scores = np.tile([0.77, 0.87, 0.77, 0.87], (28, 1))
    found = baseline(days(scores, (100, 500, 100, 500)), FOUR_WEEKS, Share())
    levels = [reference.score for reference in found.references]
    np.testing.assert_allclose(levels, [0.77, 0.87, 0.77, 0.87], atol=0.03)
    assert math.isclose(0.853, found.score, abs_tol=0.01)
    assert 4 == len(set(found.references))


@pytest.mark.parametrize(
    ("numbers", "pools"),
    [
        ((100, 500, 100, 500), [(0,), (1,), (2,), (3,)]),
        ((6, 500, 2, 500), [(0,), (1,), (0, 2), (3,)]),
        ((4, 500, 4, 500), [(0, 2), (1,), (0, 2), (3,)]),
        ((1, 500, 1, 500), [(0, 1, 2, 3), (1,), (0, 1, 2, 3), (3,)]),
        ((1, 4, 1, 2), [(0, 1, 2, 3)] * 4),
    ],
)
def test_too_few_answers_share_a_level(
    numbers: tuple[int, ...], pools: list[tuple[int, ...]]
) -> None:
    """A kind with some hundred answers stands alone, else with the same hours, else with all."""
    counts = days(STEADY, numbers)
    by_kind = counts.sum(axis=0)
    expected = [Share().reference(by_kind[list(pool)].sum(axis=0)) for pool in pools]
    assert expected == list(baseline(counts, FOUR_WEEKS, Share()).references)


def test_answers_an_hour_are_of_the_days_that_have_such_hours() -> None:
    """Nights have ten hours, and a weekend two days of seven."""
    found = baseline(days(STEADY, (20, 140, 10, 70)), FOUR_WEEKS, Share())
    assert (2.0, 10.0, 1.0, 5.0) == found.answers_an_hour
    assert math.isclose((5 * 160 + 2 * 80) / 7, found.answers_a_day)
    assert math.isclose(found.answers_a_day, answers_a_day(found.week(300)))
    assert math.isclose(found.answers_a_day, answers_a_day(found.week(3600)))


def test_a_past_without_weekends_takes_them_for_weekdays() -> None:
    """A week or so of history must do."""
    counts = days(np.full(7, 0.85), (20, 140, 20, 140))[:7]
    counts[5:] = counts[:2]
    found = baseline(counts, [False] * 7, Share())
    assert found.answers_an_hour[:2] == found.answers_an_hour[2:]


@pytest.mark.parametrize("true", [0.02, 0.03])
def test_the_spread_between_days_is_found(true: float) -> None:
    """On average it is what was put in, and a tenth: of 28 days it is known to some 13 %."""
    found = []
    for seed in range(60):
        scores = np.random.default_rng(1000 + seed).normal(0.85, true, 28)
        counts = days(scores, (200, 1_800, 200, 1_800), seed)
        found.append(baseline(counts, FOUR_WEEKS, Share()).wobble.daily)
    assert 1.1 * true == pytest.approx(np.mean(found), rel=0.06)
    assert 0.14 == pytest.approx(np.std(found) / np.mean(found), abs=0.04)


def test_chance_is_no_spread() -> None:
    """Where nothing but chance moves the days, next to none is found, and the level is sure."""
    counts = days(STEADY, (50, 450, 50, 450))
    found = baseline(counts, FOUR_WEEKS, Share()).wobble
    assert found.daily < 0.012
    assert (0.1275 / 14_000) ** 0.5 == pytest.approx(found.level, rel=0.3)


def test_hours_of_other_levels_are_no_spread_between_days() -> None:
    """Weekends that score lower every week are usual, not news."""
    scores = np.array([[0.85] * 4 if not weekend else [0.75] * 4 for weekend in FOUR_WEEKS])
    found = baseline(days(scores, (500, 4_500, 500, 4_500)), FOUR_WEEKS, Share()).wobble
    assert found.daily < 0.006


def test_what_few_answers_cannot_tell_those_that_are_alike_do() -> None:
    """Twenty segments of 40 answers a day that move together: known as well as of 800 a day."""
    shifts = np.random.default_rng(7).normal(0.85, 0.04, 28)
    segments = [days(shifts, (4, 36, 4, 36), seed) for seed in range(20)]
    alike = Spread()
    for counts in segments:
        alike = alike.plus(spread(counts, Share()))
    alone = [baseline(counts, FOUR_WEEKS, Share()).wobble.daily for counts in segments]
    together = [baseline(counts, FOUR_WEEKS, Share(), alike).wobble.daily for counts in segments]
    assert 0 == min(alone)
    assert 0.055 < max(alone)
    assert all(abs(daily - np.std(shifts)) < 0.01 for daily in together)


def test_a_segment_that_surely_moves_more_than_its_like_says_so() -> None:
    """Half of them stand still; one that moves by 6 points has a spread of its own."""
    still = spread(days(STEADY, (200, 1_800, 200, 1_800)), Share())
    alike = Spread(still.excess * 9, still.effective * 9, still.noise * 9)
    moving = days(np.random.default_rng(3).normal(0.8, 0.06, 28), (200, 1_800, 200, 1_800))
    alike = alike.plus(spread(moving, Share()))
    found = baseline(moving, FOUR_WEEKS, Share(), alike).wobble.daily
    assert alike.variance**0.5 < 0.025
    assert 0.06 == pytest.approx(found, abs=0.015)


def test_too_short_a_past_is_refused() -> None:
    """With its reason, in words."""
    with pytest.raises(NoBaseline, match="6 days of history; a baseline needs 7"):
        baseline(days(STEADY[:6], (9, 99, 9, 99)), FOUR_WEEKS[:6], Share())
    with pytest.raises(NoBaseline, match="28 answers in 28 days; a baseline needs 100"):
        baseline(days(STEADY, (0, 1, 0, 1)), FOUR_WEEKS, Share())


def test_standing_elsewhere_keeps_the_hours_apart() -> None:
    """For the floor: every hour moves by as much, the spread stays, and the level is known."""
    scores = np.tile([0.77, 0.87, 0.77, 0.87], (28, 1))
    found = baseline(days(scores, (100, 500, 100, 500)), FOUR_WEEKS, Share())
    moved = found.standing_at(0.75)
    distances = {
        round(a.score - b.score, 6) for a, b in zip(found.references, moved.references, strict=True)
    }
    assert {round(found.score - 0.75, 6)} == distances
    assert Wobble(found.wobble.daily, 0.0) == moved.wobble


def test_before_there_is_a_past_all_hours_are_alike() -> None:
    """A known floor can be tested from the first answer on."""
    found = assumed(Reference((0, 1), (0.25, 0.75)), 240)
    assert (10.0,) * 4 == found.answers_an_hour
    assert 1 == len(found.week(300))
    assert math.isclose(240, answers_a_day(found.week(300)))
