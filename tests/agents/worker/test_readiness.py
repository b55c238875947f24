from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from faust.types import TP

from agents.worker.readiness import SILENT_SECONDS, STUCK_SECONDS, Readiness
from agents.worker.reading import Reading
from streams.ledger.admitted import AdmittedValues
from streams.ledger.history import History
from streams.ledger.ledger import State
from tests.feedback_log import LAYOUT

ASSIGNED = [TP("events", number) for number in range(2)]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Give what it was set to."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readiness(clock: Clock) -> Readiness:
    """Give that of a worker which has just joined, as a standby."""
    found = Readiness(clock)
    found.assigned([])
    return found


def reading(tp: TP, clock: Clock, *, position: int = 5, log_end: int = 5) -> Reading:
    """A reading that begins now."""

    async def made() -> Reading:
        state = State(
            tp.partition, position, "e", "0", AdmittedValues(LAYOUT, {}), History.of(LAYOUT)
        )
        return Reading(tp, state, log_end)

    one = asyncio.run(made())
    one.progressed_at = one.log_seen_at = clock.now
    return one


def at_work(readiness: Readiness, clock: Clock) -> list[Reading]:
    """Assign two partitions, and read both."""
    readiness.assigned(ASSIGNED)
    return [reading(tp, clock) for tp in ASSIGNED]


def pass_time(
    clock: Clock, seconds: float, heard: Iterable[Callable[[], None]], readings: Iterable[Reading]
) -> None:
    """Let time pass, hearing of these all the while, and of the log of these readings."""
    clock.now += seconds
    for hear in heard:
        hear()
    for one in readings:
        one.see(one.log_end, clock.now)


def test_before_joining(clock: Clock) -> None:
    """A worker that has not joined its group is not ready, and says just that."""
    assert ["has not joined the consumer group yet"] == list(Readiness(clock).problems([]))


def test_a_standby_is_ready_while_its_servers_answer(readiness: Readiness, clock: Clock) -> None:
    """It has no partition by which to know of them, and must know all the same."""
    assert [] == list(readiness.problems([]))
    pass_time(clock, SILENT_SECONDS + 1, [readiness.group_seen], [])
    assert ["Redis does not answer"] == list(readiness.problems([]))
    readiness.redis_answered()
    assert [] == list(readiness.problems([]))
    pass_time(clock, SILENT_SECONDS + 1, [readiness.redis_answered], [])
    assert ["Kafka does not answer"] == list(readiness.problems([]))


def test_a_silent_log(readiness: Readiness, clock: Clock) -> None:
    """Kafka is away where a partition's log is not heard of, whatever the group thinks.

    Where there is no room for another batch nothing is fetched, which says nothing of Kafka.
    """
    readings = at_work(readiness, clock)
    heard = [readiness.group_seen, readiness.redis_answered]
    pass_time(clock, SILENT_SECONDS + 1, heard, readings[:1])
    assert ["Kafka does not answer"] == list(readiness.problems(readings))
    readings[1].pending = 2
    assert [] == list(readiness.problems(readings))


def test_a_partition_that_nobody_reads(readiness: Readiness, clock: Clock) -> None:
    """Assigned and not read is no standby: as when the ledger can't be opened."""
    first, second = at_work(readiness, clock)
    heard = [readiness.group_seen, readiness.redis_answered]
    pass_time(clock, 100, heard, [first, second])
    assert [] == list(readiness.problems([first, second]))

    second.close()
    readiness.closed(second.tp)
    pass_time(clock, SILENT_SECONDS - 1, heard, [first])
    assert [] == list(readiness.problems([first, second]))
    pass_time(clock, 2, heard, [first])
    assert ["partition 1 is not being read"] == list(readiness.problems([first]))
    readiness.revoked([second.tp])
    assert [] == list(readiness.problems([first]))


def test_a_partition_whose_reading_never_began(readiness: Readiness, clock: Clock) -> None:
    """Time counts from the assignment where there was no reading yet."""
    readiness.assigned(ASSIGNED[:1])
    heard = [readiness.group_seen, readiness.redis_answered]
    pass_time(clock, SILENT_SECONDS - 1, heard, [])
    assert [] == list(readiness.problems([]))
    pass_time(clock, 2, heard, [])
    assert ["partition 0 is not being read"] == list(readiness.problems([]))


def test_a_lag_without_progress(readiness: Readiness, clock: Clock) -> None:
    """Half a minute of lag in which no batch was counted; without a lag there is none to make."""
    readings = at_work(readiness, clock)
    heard = [readiness.group_seen, readiness.redis_answered]
    pass_time(clock, STUCK_SECONDS + 1, heard, readings)
    assert [] == list(readiness.problems(readings))

    readings[0].see(6, clock.now)
    assert [] == list(readiness.problems(readings)), "the lag has only begun"
    pass_time(clock, STUCK_SECONDS, heard, readings)
    readings[0].see(7, clock.now)
    pass_time(clock, 1, heard, readings)
    assert ["partition 0 makes no progress"] == list(readiness.problems(readings))
    readings[0].done(clock.now)
    assert [] == list(readiness.problems(readings))


def test_letters_that_wait(readiness: Readiness) -> None:
    """As long as one partition's letters are not taken."""
    readiness.letters_wait(more=1)
    readiness.letters_wait(more=1)
    readiness.letters_wait(more=-1)
    assert ["dead letters can't be sent"] == list(readiness.problems([]))
    readiness.letters_wait(more=-1)
    assert [] == list(readiness.problems([]))
