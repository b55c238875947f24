from __future__ import annotations

import numpy as np
import pytest

from streams.kpis.formulas import Share
from streams.ledger.layout import Measure, Tier
from streams.scores.planning import (
    Past,
    Plan,
    Replayed,
    Task,
    Terms,
    Unjudged,
    planned,
    raises_of,
    replayed,
)
from streams.scores.weighing import weighing

FLAG = weighing(Share(measure="ok"), Measure("ok", "flag"), lower_is_better=False)
assert FLAG is not None
TERMS = Terms(FLAG, floor=0.75, drop=0.1, raises=1.0, window_seconds=86_400)
DAY = 86_400
TIERS = (Tier(10, 7200), Tier(300, 8 * DAY), Tier(3600, 62 * DAY))
WEEK = Replayed(300, 7 * DAY)
NO_PAST = Past(np.zeros((0, 4, 2)), [])


def past(a_day: int, score: float = 0.85, days: int = 28) -> Past:
    """Days that are all alike, of which a tenth is night."""
    weekend = [day % 7 >= 5 for day in range(days)]
    counts = np.zeros((days, 4, 2))
    for day, ends in enumerate(weekend):
        for kind, part in ((2 * ends, 0.1), (2 * ends + 1, 0.9)):
            counts[day, kind] = round(a_day * part * (1 - score)), round(a_day * part * score)
    return Past(counts, weekend)


class TestBudget:
    """Who may be wrong how often."""

    def test_is_shared_by_segments_and_rules(self) -> None:
        """All raises of all segments and both rules add up to what is declared."""
        each = [raises_of(TERMS, rule, 6) for rule in ("floor", "drop") for _ in range(6)]
        assert 1.0 == pytest.approx(sum(each))
        assert 0.125 == raises_of(TERMS, "drop", 6)

    def test_is_the_drop_s_alone_without_a_floor(self) -> None:
        """What the other rule can't use is not lost."""
        assert 0.5 == raises_of(TERMS._replace(floor=None), "drop", 2)


class TestReplayed:
    """Which buckets."""

    @pytest.mark.parametrize(
        ("window_seconds", "a_day", "expected"),
        [
            (DAY, 5_000, WEEK),
            (DAY, 99, Replayed(3600, 28 * DAY)),
            (3600, 99, Replayed(3600, 28 * DAY)),
            (3600, 5_000, WEEK),
            (3600, 100_000, Replayed(10, 7200)),
        ],
    )
    def test_fit_the_window_and_the_answers(
        self, window_seconds: int, a_day: int, expected: Replayed
    ) -> None:
        """5 minutes; hours for few answers; 10 s for short windows that have answers enough."""
        terms = TERMS._replace(window_seconds=window_seconds)
        assert expected == replayed(TIERS, terms, past(a_day))

    def test_are_five_minutes_before_there_is_a_past(self) -> None:
        """How many answers come is not known yet."""
        assert WEEK == replayed(TIERS, TERMS, NO_PAST)
        assert WEEK == replayed(TIERS, TERMS, past(20, days=6))

    def test_are_what_is_stored(self) -> None:
        """A file with buckets of its own has those."""
        assert Replayed(2, 1800) == replayed((Tier(2, 1800),), TERMS, NO_PAST)
        hours = (Tier(3600, 10 * DAY),)
        assert Replayed(3600, 7 * DAY) == replayed(hours, TERMS, past(500))
        assert Replayed(3600, 10 * DAY) == replayed(hours, TERMS, past(50))


class TestPlanned:
    """A day's plan."""

    def test_has_both_rules_from_their_own_reference(self) -> None:
        """The floor as declared, the drop from what 28 days show; each keeps its part."""
        found = planned(Task(TERMS, past(500), 1, WEEK))
        floor, drop = found["floor"], found["drop"]
        assert isinstance(floor, Plan)
        assert isinstance(drop, Plan)
        assert 0.75 == pytest.approx(floor.reference, abs=1e-6)
        assert 0.85 == pytest.approx(drop.reference, abs=0.01)
        assert (0.25, 0.75) == (floor.raises, drop.raises)
        assert 500 == pytest.approx(drop.answers_a_day, rel=0.02)
        assert 0.3 < drop.delay_days < 0.6

    def test_the_floor_needs_no_past(self) -> None:
        """It is tested from the first answer on, with a limit for any number of answers."""
        found = planned(Task(TERMS, NO_PAST, 1, WEEK))
        assert Unjudged("no_baseline", "0 days of history; a baseline needs 7") == found["drop"]
        assert isinstance(found["floor"], Plan)
        known = planned(Task(TERMS, past(500), 1, WEEK))["floor"]
        assert isinstance(known, Plan)
        assert known.limit < found["floor"].limit

    def test_too_slow_is_refused(self) -> None:
        """What would not be seen in time, or before the replay forgets it."""
        within = TERMS._replace(detect_within_seconds=DAY // 8)
        unjudged = planned(Task(within, past(500), 1, WEEK))["drop"]
        assert isinstance(unjudged, Unjudged)
        assert "too_slow" == unjudged.reason
        assert "days to be seen, of 500 answers each" in unjudged.sentence
        assert isinstance(planned(Task(TERMS, past(10), 1, WEEK))["drop"], Unjudged)
        assert isinstance(planned(Task(TERMS, past(10), 1, Replayed(3600, 28 * DAY)))["drop"], Plan)

    def test_what_cannot_fall_so_far_is_refused(self) -> None:
        """A drop of 10 from a share of 8."""
        unjudged = planned(Task(TERMS._replace(floor=None), past(500, 0.08), 1, WEEK))["drop"]
        assert isinstance(unjudged, Unjudged)
        assert "no_limit" == unjudged.reason

    def test_a_design_effect_counts_answers_for_less(self) -> None:
        """Every answer twice, with an effect of 2, is evidence of half as many."""
        plain = planned(Task(TERMS, past(500), 1, WEEK))["drop"]
        doubled = planned(Task(TERMS._replace(design_effect=2), past(1000), 1, WEEK))["drop"]
        assert isinstance(plain, Plan)
        assert isinstance(doubled, Plan)
        assert plain.limit == pytest.approx(doubled.limit, abs=0.05)
        assert plain.tests[1].fall.per_x == pytest.approx(2 * doubled.tests[1].fall.per_x, rel=0.02)
        assert 2 * plain.delay_answers == pytest.approx(doubled.delay_answers, rel=0.02)
