"""Counting: batches of the log become counts in Redis, each exactly once."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from itertools import count as count_from
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiokafka.errors import KafkaError
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from agents.worker.readiness import Readiness
from agents.worker.reading import Reached
from streams.errors import ConfigurationError, Unavailable
from streams.ledger.folded import Folded
from streams.ledger.ledger import NOTHING_SWEPT, Applied, Known, Ledger, Moved, Swept, mismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from faust.types import TP

    from agents.metrics import WorkerMetrics
    from agents.worker.append_only_file import AppendOnlyFile
    from agents.worker.letters import DeadLetters
    from agents.worker.reading import Batch, Bounds, Reading
    from agents.worker.topic_guard import TopicGuard
    from streams.ledger.fold import Fold
    from streams.ledger.ledger import State

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A script holds Redis up while it runs: some 10 ms for so many events.
SLICE_EVENTS: Final = 4_000
# Comments take up to 20 ms each to score; between slices the process answers for its health.
SLICE_BYTES: Final = 512 * 1024
_FIRST_RETRY_SECONDS: Final = 0.1
_LONGEST_RETRY_SECONDS: Final = 2.0
_SWEEP_EVERY_SECONDS: Final = 1.0
_TRIM_EVERY_SECONDS: Final = 600.0
_SAME_WARNING_SECONDS: Final = 10.0

# Redis away, loading, a replica, full or re-sharding: the same call may succeed a moment later.
REDIS_AWAY: Final = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
    OSError,
)
# Replies of the same kind for which redis-py has no class.
_PASSING_REPLIES: Final = ("MISCONF", "BUSY", "NOREPLICAS")


class Counting:
    """Counts the readings of one worker."""

    def __init__(
        self,
        ledger: Ledger,
        fold: Fold,
        letters: DeadLetters,
        guard: TopicGuard,
        metrics: WorkerMetrics,
        fail: Callable[[BaseException], None],
        append_only_file: AppendOnlyFile,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`fail` ends the process with an error that no retry can mend."""
        self.ledger = ledger
        self.fold = fold
        self.letters = letters
        self.guard = guard
        self.metrics = metrics
        self.fail = fail
        self.append_only_file = append_only_file
        self.clock = clock
        self.readings: set[Reading] = set()
        self.readiness = Readiness()
        self._topic_checked = False
        self._reached: dict[int, Reached] = {}
        self._past_the_end: set[int] = set()
        self._swept_at: dict[int, float] = {}
        self._trimmed_at: dict[int, float] = {}
        self._warned_at: dict[str, float] = {}

    # Opening

    def on_assigned(self, assigned: Iterable[TP]) -> None:
        """A rebalance has ended: the topic may have changed with it."""
        self.readiness.assigned(assigned)
        self._topic_checked = False
        self.metrics.rebalances.inc()

    def distrust_topic(self) -> None:
        """Something unexpected was read: check the topic before it is read again."""
        self._topic_checked = False

    async def watch_topic(self) -> None:
        """Make sure that the topic is still the one that is counted, by a KPI file like ours."""
        if not self.readings:
            return  # it is checked before the first is opened
        try:
            await self.guard.check()
            await self._check_version()
        except ConfigurationError as error:
            self.fail(error)
        except (Unavailable, *REDIS_AWAY) as error:
            self.report_waiting(str(error))

    async def _check_version(self) -> None:
        """Find a newer KPI file at work on other partitions, which we may never be assigned."""
        layout = self.fold.layout
        for partition in range(self.guard.partitions):
            stored = await self.guard.layout_token(partition)
            if stored and int(stored.partition(":")[0]) > layout.version:
                raise mismatch(layout, stored)

    async def open(self, tp: TP, bounds: Bounds) -> State:
        """The ledger of a partition, ready to be read from; every loss of history is reported.

        1. Make sure that the topic is the one that was counted.
        2. Read the ledger; without one, begin at the log's start.
        3. A position past the log's end belongs to another log.
        4. A position before what had been reached, by us or by who committed to Kafka, in an epoch
           that has not ended since: Redis lost writes, so begin a new epoch.
        5. A position before the log's start: those offsets have expired.
        """
        # 1.
        if not self._topic_checked:
            await self.guard.check()
            self._topic_checked = True
        # 2.
        partition = tp.partition
        known = [r for r in (self._reached.get(partition), bounds.committed) if r is not None]
        epochs = [reached.epoch for reached in known]
        state = await self.ledger.open(partition, bounds.log_start, ended=epochs)
        self.readiness.redis_answered()
        if state.created:
            # What is stored of the topic may have been lost together with the ledger.
            await self.guard.compare(self.guard.facts)
            self._report_new(tp, bounds, known)
            await self.ledger.reported(partition)
        # 3.
        if state.position > bounds.log_end:
            self._doubt_past_the_end(tp, state.position, bounds.log_end)
        self._past_the_end.discard(partition)
        # 4. and 5.
        lost = [r for r in known if r.offset > state.position and r.epoch not in state.ended]
        if lost or state.position < bounds.log_start:
            state = await self._restart(tp, state, bounds, lost)
        self._reached[partition] = Reached(state.position, state.epoch)
        return state

    def _doubt_past_the_end(self, tp: TP, position: int, log_end: int) -> None:
        """Ask for the log's end once more: an owner before us may have counted on meanwhile."""
        if tp.partition in self._past_the_end:
            raise self.guard.past_the_end(tp, position, log_end)
        self._past_the_end.add(tp.partition)
        raise Unavailable(f"{tp}: the ledger is at {position}, the log ended at {log_end}")

    def _report_new(self, tp: TP, bounds: Bounds, known: Sequence[Reached]) -> None:
        counted_to = max([reached.offset for reached in known], default=0)
        if counted_to > bounds.log_start:
            self.metrics.history_lost.inc()
            logger.error(
                "%s[%d]: Redis has no ledger, but offsets up to %d had been counted: counting "
                "again from offset %d, the first that Kafka still has",
                tp.topic, tp.partition, counted_to, bounds.log_start,
            )  # fmt: skip

    async def _restart(
        self, tp: TP, state: State, bounds: Bounds, lost: Sequence[Reached]
    ) -> State:
        if state.position < bounds.log_start:
            self.metrics.history_lost.inc()
            logger.error(
                "%s[%d]: offsets %d to %d expired in Kafka before they were counted",
                tp.topic, tp.partition, state.position, bounds.log_start - 1,
            )  # fmt: skip
        else:
            logger.warning(
                "%s[%d]: Redis went back from offset %d to %d: counting again from there",
                tp.topic, tp.partition, max(reached.offset for reached in lost), state.position,
            )  # fmt: skip
        self.metrics.rewinds.inc()
        position = max(state.position, bounds.log_start)
        await self.ledger.restart(state, position, ended=[reached.epoch for reached in lost])
        return await self.ledger.open(tp.partition, bounds.log_start)

    def begin(self, reading: Reading) -> Reading:
        """Count the batches of this reading from now on, one after the other."""
        self.readings.add(reading)
        reading.task = asyncio.create_task(self._run(reading), name=f"count {reading.tp}")
        reading.task.add_done_callback(lambda _: self._end(reading))
        return reading

    def _end(self, reading: Reading) -> None:
        self.readings.discard(reading)
        self.readiness.closed(reading.tp)

    # Counting

    async def _run(self, reading: Reading) -> None:
        try:
            while not reading.closed:
                batch = await reading.queue.get()
                await self.count(batch)
                reading.done(asyncio.get_running_loop().time())
        except Exception as error:  # noqa: BLE001 - handed on: the process ends with it
            self.fail(error)

    async def count(self, batch: Batch) -> None:
        """Count a batch once, whatever else happens to its partition.

        1. Cut it into slices that Redis and the event loop can bear.
        2. Fold a slice as if all its ids were new.
        3. Send its dead letters, and wait until Kafka has them.
        4. Apply it, if the ledger is where the fold began.
        5. Where some ids were known, fold again with their entries, and apply that.
        6. Where the ledger has moved, close the reading: a new one begins at its position.
        """
        reading = batch.reading
        state = reading.state
        # 1.
        for records, end in slices(batch.records, batch.end):
            started = time.perf_counter()
            # 2.
            view = state.view(self.guard.partitions)
            now = self.clock()
            folded = self.fold(records, {}, view, now)
            # 3.
            if folded.refused:
                await self._deliver(folded)
            # 4.
            swept = await self._sweep(state, folded.recorded, now)
            result = await self._apply(reading, folded, end, swept, verified=False)
            # 5.
            if isinstance(result, Known) and not reading.closed:
                folded = self.fold(records, result.entries, view, now)
                result = await self._apply(reading, folded, end, swept, verified=True)
            # 6.
            if not isinstance(result, Applied):
                if not reading.closed:
                    logger.info("%s: the ledger has moved, reading again from it", reading.tp)
                reading.close()
                return
            self._reached[state.partition] = Reached(end, state.epoch)
            self._observe(folded, len(records), time.perf_counter() - started)
            if reading.closed:
                return

    async def _apply(
        self, reading: Reading, folded: Folded, end: int, swept: Swept, *, verified: bool
    ) -> Applied | Known | Moved:
        """Call the script until Redis answers; had a call worked whose reply was lost, it says so.

        So the events of that batch are in this worker's own counters too. A reading that is closed
        meanwhile waits for the reply, but calls no more.
        """
        started = time.perf_counter()
        call = secrets.token_hex(8)
        reading.applying = True
        try:
            result = await self._insist(
                lambda: self.ledger.apply(
                    reading.state, folded, end, verified=verified, swept=swept, call=call
                ),
                reading,
            )
        finally:
            reading.applying = False
        self.metrics.redis_seconds.observe(time.perf_counter() - started)
        return result

    async def _sweep(self, state: State, recorded: float | None, now: float) -> Swept:
        """Some entries to forget, by the log's time.

        A worker far behind still needs those by which it will tell duplicates to come.
        """
        if recorded is None or now - self._swept_at.get(state.partition, 0) < _SWEEP_EVERY_SECONDS:
            return NOTHING_SWEPT
        self._swept_at[state.partition] = now
        return await self._insist(lambda: self.ledger.sweep(state, min(recorded, now)))

    async def _insist(self, call: Callable[[], Awaitable[T]], reading: Reading | None = None) -> T:
        for attempt in count_from():
            try:
                result = await call()
            except (RedisError, OSError) as error:
                if not may_pass(error):
                    raise
                self.report_waiting(f"Redis: {error}")
                await asyncio.sleep(_pause(attempt))
                if reading is not None and reading.closed:
                    raise asyncio.CancelledError from error
            else:
                self.readiness.redis_answered()
                return result
        raise AssertionError  # pragma: no cover - the loop ends by returning

    async def _deliver(self, folded: Folded) -> None:
        """Send letters until Kafka has them: until then the partition waits, nothing is lost."""
        waiting = False
        try:
            for attempt in count_from():
                try:
                    await self.letters.send(folded.refused)
                except (KafkaError, OSError, TimeoutError) as error:
                    self.readiness.letters_wait(more=not waiting)
                    waiting = True
                    self.report_waiting(f"dead letters can't be sent: {error!r}")
                    await asyncio.sleep(_pause(attempt))
                else:
                    return
        finally:
            self.readiness.letters_wait(more=-waiting)

    def _observe(self, folded: Folded, events: int, seconds: float) -> None:
        metrics = self.metrics
        for outcome, number in folded.outcomes.items():
            if number:
                metrics.events.labels(outcome=outcome).inc(number)
        for refused in folded.refused:
            metrics.refused.labels(reason=refused.refusal.reason).inc()
        if folded.unknown_dimensions:
            metrics.unknown_dimensions.inc(folded.unknown_dimensions)
        metrics.batch_seconds.observe(seconds)
        metrics.batch_events.observe(events)

    # Health

    async def beat(self, *, log_is_seen: Callable[[Reading], bool]) -> None:
        """Write each partition's health; find a ledger that went back, even without events."""
        await self._renew_append_only_file()
        for reading in list(self.readings):
            if not reading.closed:
                await self._beat(reading, log_is_seen(reading))

    async def _renew_append_only_file(self) -> None:
        try:
            await self.append_only_file.renew()
            self.readiness.redis_answered()
        except (RedisError, OSError) as error:
            if not may_pass(error):
                raise
            self.report_waiting(f"Redis: {error}")

    async def _beat(self, reading: Reading, log_seen: bool) -> None:
        state = reading.state
        before = state.position
        log_end = reading.log_end if log_seen or reading.lag_events else None
        try:
            stored = await self.ledger.heartbeat(state, log_end)
            now = self.clock()
            if now - self._trimmed_at.get(state.partition, 0.0) > _TRIM_EVERY_SECONDS:
                self._trimmed_at[state.partition] = now
                await self.ledger.trim(state.partition, now)
        except (RedisError, OSError) as error:
            if not may_pass(error):
                raise
            self.report_waiting(f"Redis: {error}")
            return
        self.readiness.redis_answered()
        if stored is None or stored[0] < before or stored[1] != state.epoch:
            logger.warning("%s: Redis went back, reading again from the ledger", reading.tp)
            reading.close()

    def problems(self) -> list[str]:
        """Why this worker is not ready; empty when it is."""
        return list(self.readiness.problems(self.readings))

    def report_waiting(self, problem: str) -> None:
        """Log a problem that is waited for, once in a while."""
        now = time.monotonic()
        if now - self._warned_at.get(problem, -_SAME_WARNING_SECONDS) >= _SAME_WARNING_SECONDS:
            if len(self._warned_at) > 100:
                self._warned_at.clear()
            self._warned_at[problem] = now
            logger.warning("waiting: %s", problem)


def slices(records: Sequence[Any], end: int) -> Iterator[tuple[Sequence[Any], int]]:
    """Pieces of a batch with the offset at which each ends; together they end at `end`.

    A batch without records is one empty piece: control records that the position must pass.
    """
    first = 0
    size = 0
    for place, record in enumerate(records):
        size += len(record.value or b"")
        if place + 1 < len(records) and (place + 1 - first >= SLICE_EVENTS or size >= SLICE_BYTES):
            yield records[first : place + 1], record.offset + 1
            first, size = place + 1, 0
    yield records[first:], end


def may_pass(error: Exception) -> bool:
    """Whether Redis may take the same call a moment later, as when its disk is full."""
    return isinstance(error, REDIS_AWAY) or str(error).startswith(_PASSING_REPLIES)


def _pause(attempt: int) -> float:
    return min(_FIRST_RETRY_SECONDS * 2.0 ** min(attempt, 10), _LONGEST_RETRY_SECONDS)
