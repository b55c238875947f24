from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streams.scores.volume_hours import HOUR, WEEK_HOURS, Hours

WEEKS = 9
LAST = WEEKS * WEEK_HOURS


def office_hours(dispersed: float) -> Hours:
    """Nine weeks from 1970 on, 200 answers an hour from 8 to 20, each hour on its own."""
    chance = np.random.default_rng(1)
    counts = {
        hour * HOUR: int(chance.poisson(200 * chance.gamma(1 / dispersed, dispersed)))
        for hour in range(LAST)
        if 8 <= hour % 24 < 20
    }
    return Hours.of(ZoneInfo("UTC"), counts, 0, LAST)


def dispersions(at: int) -> dict[int, float]:
    """By length, how much the spans that end at an hour of the last day scatter."""
    spans = office_hours(0.1).spans(LAST - 24 + at)
    return {span: expected.dispersion for span, _, expected in spans}


def test_answers_of_a_span() -> None:
    """What the hours up to an end brought, beside the mean of the seven weeks before."""
    counts = {hour * HOUR: hour // WEEK_HOURS for hour in range(LAST)}
    hours = Hours.of(ZoneInfo("UTC"), counts, 0, LAST)
    found = [(span, answers, expected.mean) for span, answers, expected in hours.spans(LAST)]
    assert [(1, 8, 4.0), (6, 48, 24.0), (24, 192, 96.0)] == found


def test_six_busy_hours_even_out() -> None:
    """From 9 to 15 all hours bring answers, and their sum scatters a sixth as much."""
    found = dispersions(15)
    assert 0.12 == pytest.approx(found[1], rel=0.2)
    assert 0.12 / 6 == pytest.approx(found[6], rel=0.3)


def test_one_busy_hour_of_six_does_not() -> None:
    """From 3 to 9 only one hour brings answers: the six scatter as that one does."""
    found = dispersions(9)
    assert found[1] == pytest.approx(found[6], rel=0.01)


def test_too_few_weeks() -> None:
    """Two earlier weeks give no span."""
    counts = {hour * HOUR: 5 for hour in range(3 * WEEK_HOURS)}
    hours = Hours.of(ZoneInfo("UTC"), counts, 0, 3 * WEEK_HOURS)
    assert [] == list(hours.spans(3 * WEEK_HOURS - 1))
    assert [] == list(hours.spans(3 * WEEK_HOURS))
