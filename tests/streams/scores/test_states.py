from __future__ import annotations

import math
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.scores.states import (
    STATES,
    PartitionHealth,
    State,
    counted_up_to,
    lag_limit_seconds,
    lag_seconds,
    staleness,
    state,
    window_end,
)

NOW = 1_800_000_000.0
DAY = 86_400.0


def health(partition: int = 0, **changes: object) -> PartitionHealth:
    """A healthy partition that counted all of its 100 records; the last came an hour ago."""
    healthy = PartitionHealth(
        partition=partition,
        log_end=100,
        position=100,
        last_record_time=NOW - 3_600,
        time=NOW - 1,
        complete_from=0.0,
    )
    return msgspec.structs.replace(healthy, **changes)


def behind(seconds: float, partition: int = 0, **changes: object) -> PartitionHealth:
    """A partition whose last counted record is this much older than its report."""
    return health(partition, position=90, last_record_time=NOW - 1 - seconds, **changes)


class TestState:
    """One state, by what is known."""

    @pytest.mark.parametrize(
        ("expected", "answers", "probability", "raised", "stale"),
        [
            ("ok", 30, 0.8, False, False),
            ("ok", 30, None, False, False),
            ("watch", 30, 0.81, False, False),
            ("insufficient", 29, 0.99, False, False),
            ("insufficient", 1, None, False, False),
            ("idle", 0, 0.5, False, False),
            ("breach", 30, 0.99, True, False),
            ("stale", 30, 0.5, False, True),
        ],
    )
    def test_each(
        self, expected: State, answers: int, probability: float | None, raised: bool, stale: bool
    ) -> None:
        """Each of the six is reached by what its name says, limits included."""
        assert expected == state(
            answers, 30, probability_below=probability, raised=raised, stale=stale
        )

    @pytest.mark.parametrize("answers", [0, 1, 29, 30])
    def test_silence_is_no_recovery(self, answers: int) -> None:
        """A raised alert stays a breach when answers become few or none."""
        assert state(answers, 30, probability_below=0.1, raised=True, stale=False) == "breach"

    @pytest.mark.parametrize("answers", [0, 1, 30])
    @pytest.mark.parametrize("raised", [False, True])
    def test_stale_hides_all_else(self, answers: int, raised: bool) -> None:
        """Where the counts can't be trusted nothing else is said, a raised alert included."""
        assert state(answers, 30, probability_below=0.99, raised=raised, stale=True) == "stale"

    def test_without_a_minimum(self) -> None:
        """No answers are idle even where one answer would be enough, or none."""
        for min_answers in (0, 1):
            assert (
                state(0, min_answers, probability_below=None, raised=False, stale=False) == "idle"
            )

    def test_total(self) -> None:
        """Every reading has a state, and every state has a reading."""
        readings = product((0, 1, 30), (None, 0.5, 0.9), (False, True), (False, True))

        reached = {
            state(answers, 30, probability_below=probability, raised=raised, stale=stale)
            for answers, probability, raised, stale in readings
        }

        assert set(STATES) == reached


class TestCountedUpTo:
    """How far a partition's counts reach."""

    def test_all_counted(self) -> None:
        """Where nothing waits, everything up to the report is counted: nights are quiet."""
        assert NOW - 1 == counted_up_to(health(last_record_time=NOW - 8 * 3_600))

    def test_empty_partition(self) -> None:
        """A partition without any record is counted up to its report."""
        assert NOW - 1 == counted_up_to(health(log_end=0, position=0, last_record_time=None))

    def test_behind(self) -> None:
        """Where records wait, the last counted one says how far."""
        assert NOW - 41 == counted_up_to(behind(40))

    def test_first_event_after_a_quiet_night(self) -> None:
        """An owner that was level two seconds ago is two seconds behind, not a night."""
        waking = behind(8 * 3_600, caught_up_at=NOW - 3)

        assert NOW - 3 == counted_up_to(waking)
        assert lag_seconds(waking) == 2

    def test_nothing_counted(self) -> None:
        """Before the first record is counted there is no such time, and the lag has no end."""
        starting = health(position=0, last_record_time=None)

        assert counted_up_to(starting) is None
        assert lag_seconds(starting) == math.inf

    def test_no_negative_lag(self) -> None:
        """A producer's clock that runs ahead does not make a lag negative."""
        assert lag_seconds(behind(-30)) == 0


class TestWindowEnd:
    """Where windows end."""

    def test_the_slowest_partition(self) -> None:
        """A window ends where the partition that is farthest behind has counted to."""
        assert NOW - 301 == window_end([health(0), behind(300, 1), behind(20, 2)], NOW)

    def test_never_after_now(self) -> None:
        """A report from a clock ahead does not move the end beyond now."""
        assert NOW == window_end([health(time=NOW + 5)], NOW)

    def test_silent_owner(self) -> None:
        """Where the owner is gone the end stays, and the window keeps its answers."""
        gone = [health(time=NOW - 600)]

        assert NOW - 600 == window_end(gone, NOW) == window_end(gone, NOW + 3_600)

    def test_partition_that_counted_nothing(self) -> None:
        """It does not pull the end of all others to the beginning of time."""
        starting = health(1, position=0, last_record_time=None)

        assert NOW - 1 == window_end([health(0), starting], NOW)

    def test_without_partitions(self) -> None:
        """Without any report windows end now."""
        assert NOW == window_end([], NOW)

    @given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5), st.floats(0, 1e6))
    def test_a_lag_never_drains_a_window(self, lags: list[float], later: float) -> None:
        """While reports stay the same, time passing moves the end nowhere."""
        healths = [behind(lag, number) for number, lag in enumerate(lags)]

        assert window_end(healths, NOW) == window_end(healths, NOW + later)


class TestStaleness:
    """Why a window can't be trusted, in words."""

    def test_healthy(self) -> None:
        """A partition that reports, is level and complete gives no reason, however quiet it is."""
        quiet = health(last_record_time=NOW - 30 * DAY)

        assert staleness([quiet], 1, DAY, NOW) is None

    def test_unknown_topic(self) -> None:
        """Without any worker nothing is known."""
        assert staleness([], 0, DAY, NOW) == "no worker has counted this topic yet"

    def test_missing_partition(self) -> None:
        """Each partition of the topic must report."""
        found = staleness([health(0), health(2)], 4, DAY, NOW)

        assert found == "partitions 1, 3: no health report"

    @pytest.mark.parametrize(
        ("age", "expected"), [(15, None), (16, "partition 0: last health report 16 s ago")]
    )
    def test_old_report(self, age: float, expected: str | None) -> None:
        """A report may be 15 s old, not more."""
        assert expected == staleness([health(time=NOW - age)], 1, DAY, NOW)

    @pytest.mark.parametrize(
        ("window", "lag", "expected"),
        [
            (DAY, 60, None),
            (DAY, 61, "partition 0: 10 events and 61 s behind (limit 60 s)"),
            (60, 6, None),
            (60, 7, "partition 0: 10 events and 7 s behind (limit 6 s)"),
        ],
    )
    def test_lag(self, window: float, lag: float, expected: str | None) -> None:
        """A lag may be a tenth of the window, at most a minute."""
        assert expected == staleness([behind(lag)], 1, window, NOW)

    def test_nothing_counted(self) -> None:
        """A partition that has counted nothing of what waits is behind without end."""
        starting = health(position=0, last_record_time=None)

        assert staleness([starting], 1, DAY, NOW) == ("partition 0: 100 events behind (limit 60 s)")

    def test_first_event_after_a_quiet_night(self) -> None:
        """One waiting event does not make a board stale, where the owner was level just now."""
        waking = behind(8 * 3_600, caught_up_at=NOW - 3)

        assert staleness([waking], 1, DAY, NOW) is None

    def test_history(self) -> None:
        """A window that begins before the counts are complete says how much is missing."""
        restored = health(complete_from=NOW - 3_601)

        assert staleness([restored], 1, 3_600, NOW) is None
        assert staleness([restored], 1, 7_200, NOW) == (
            "partition 0: first 3600 s of the window incomplete"
        )

    def test_unknown_history(self) -> None:
        """Where nothing is known to be complete every window is stale."""
        found = staleness([health(complete_from=None)], 1, 60, NOW)

        assert found == "partition 0: first 61 s of the window incomplete"

    def test_worst_comes_first(self) -> None:
        """Of several reasons the one that hides the others is given."""
        lagging, silent = behind(90, 0), health(1, time=NOW - 40, complete_from=None)

        assert staleness([lagging, silent], 3, DAY, NOW) == "partition 2: no health report"
        assert staleness([lagging, silent], 2, DAY, NOW) == (
            "partition 1: last health report 40 s ago"
        )

    def test_many_partitions(self) -> None:
        """A sentence names three partitions and counts the rest."""
        found = staleness([], 100, DAY, NOW)

        assert found == "partitions 0, 1, 2 and 97 more: no health report"

    @given(
        st.floats(0, 30),
        st.floats(0, 100),
        st.floats(0, 2 * DAY),
        st.sampled_from([60.0, 3_600.0, DAY]),
    )
    def test_exactly_the_three_reasons(
        self, age: float, lag: float, history: float, window: float
    ) -> None:
        """A reason is given where one of the contract's limits is passed, and nowhere else."""
        one = health(
            time=NOW - age,
            position=90,
            last_record_time=NOW - age - lag,
            complete_from=NOW - history,
        )
        expected = age > 15 or lag_seconds(one) > lag_limit_seconds(window)
        expected = expected or NOW - history > window_end([one], NOW) - window

        assert expected == (staleness([one], 1, window, NOW) is not None)
