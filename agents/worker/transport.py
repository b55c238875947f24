"""A Faust transport that hands over one batch per partition and poll, read from the ledger on.

Faust spends about 100 µs on each message (four asyncio tasks), so a message here is a batch.
Kafka's committed offsets are advice: where a partition is read from is decided by the ledger.
Overridden are parts of Faust 0.15.3 and aiokafka 0.14.0 that are not public: `getmany`,
`perform_seek`, `force_commit`, `_thread`, `_create_worker_consumer`, `_coordinator`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import faust
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service

from agents.worker.counting import REDIS_AWAY
from agents.worker.reading import Batch, Bounds, Reached, Reading
from streams.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from agents.worker.counting import Counting

DENIED: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
COMMIT_SECONDS: Final = 5.0
# While a partition waits for room, the others are polled this briefly, so that it is soon asked.
_SHORT_POLL_SECONDS: Final = 0.05
_RETRY_SECONDS: Final = 0.5
# aiokafka's coordinator waits until somebody asks what hinders it.
_GROUP_SECONDS: Final = 2.0
# A log end older than this says nothing of the log now: the broker may be away.
_LOG_SEEN_SECONDS: Final = 10.0


class _Fetched(NamedTuple):
    """What one poll brought of a partition; `position` is where the next one goes on."""

    records: list[Any]
    position: int | None
    log_end: int | None
    seen_ago: float | None


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, reading committed records only."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        # Faust reads uncommitted records unless it runs transactions itself (in_transaction,
        # which also changes how it commits); aborted events must never count.
        consumer = self.consumer
        consumer.in_transaction = True
        try:
            return super()._create_worker_consumer(transport)
        finally:
            consumer.in_transaction = False

    async def fetch(self, partitions: set[TP], seconds: float) -> dict[TP, _Fetched]:
        """Poll these partitions; to be called in this thread."""
        consumer = self._ensure_consumer()
        records = await self._fetch_records(
            consumer,
            partitions,
            timeout=seconds,
            max_records=consumer._max_poll_records,  # noqa: SLF001 - as Faust's own fetch does
        )
        subscription = consumer._subscription.subscription  # noqa: SLF001 - has the positions
        assignment = subscription.assignment
        fetched = {}
        for tp in partitions:
            state = assignment.state_value(tp) if assignment else None
            if state is None or not state.has_valid_position:
                continue
            # `timestamp` is when the broker last answered a fetch of this partition, in ms.
            seen_ago = time.time() - state.timestamp / 1000 if state.timestamp else None
            fetched[tp] = _Fetched(records.get(tp, []), state.position, state.highwater, seen_ago)
        return fetched

    async def bounds(self, partitions: Iterable[TP]) -> dict[TP, Bounds]:
        """First, next and committed offsets; to be called in this thread."""
        consumer = self._ensure_consumer()
        wanted = [TopicPartition(*tp) for tp in partitions]
        first = await consumer.beginning_offsets(wanted)
        last = await consumer.end_offsets(wanted)
        # `consumer.committed` asks for one partition at a time and gives no metadata.
        committed = await consumer._coordinator.fetch_committed_offsets(wanted)  # noqa: SLF001
        return {TP(*tp): Bounds(first[tp], last[tp], _reached(committed.get(tp))) for tp in wanted}

    async def check_group(self) -> bool:
        """Whether the group's coordinator is known; raise what keeps this worker from its group.

        aiokafka's coordinator stands still until somebody has asked for its error, which Faust,
        reading past aiokafka's own `getmany`, never does. `Unavailable` where it tries no more.
        To be called in this thread.
        """
        if self._consumer is None:
            return False
        coordinator = self._consumer._coordinator  # noqa: SLF001 - it has no public name
        has_ended = coordinator._coordination_task.done()  # noqa: SLF001 - nor has its task
        try:
            coordinator.check_errors()
        except KafkaError as error:
            if has_ended:
                raise Unavailable(f"the group's coordination has ended: {error}") from error
            raise
        return coordinator.coordinator_id is not None

    async def advise(self, offsets: Mapping[TP, Reached]) -> None:
        """Commit `offsets`, for tools that show lag; to be called in this thread."""
        now = time.monotonic()
        self.tp_last_committed_at.update(dict.fromkeys(offsets, now))
        await self._ensure_consumer().commit(
            {TopicPartition(*tp): OffsetAndMetadata(*reached) for tp, reached in offsets.items()}
        )


def _reached(committed: OffsetAndMetadata | None) -> Reached | None:
    if committed is None or committed.offset < 0:
        return None
    return Reached(committed.offset, committed.metadata)


class Consumer(driver.Consumer):
    """Faust's consumer, reading by `Reading`s. Only `getmany` seeks, with no fetch under way."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.readings: dict[TP, Reading] = {}
        self._advised: dict[TP, Reached] = {}

    @property
    def counting(self) -> Counting:
        """Who opens ledgers and counts batches."""
        return cast("Any", self.app).counting  # type: ignore[no-any-return]

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _watch_group(self) -> None:
        """Report what keeps this worker from its group; end it where no waiting mends that."""
        while not self.should_stop:
            await self.sleep(_GROUP_SECONDS)
            try:
                if await self._thread.call_thread(self._thread.check_group):
                    self.counting.readiness.group_seen()
            except DENIED as error:
                self.counting.fail(self.counting.guard.denied(error))
            except Unavailable as error:
                self.counting.fail(error)
            except KafkaError as error:
                self.counting.report_waiting(f"can't join the group: {error}")

    # Closing readings: cheap, at any time, and always safe.

    def close_readings(self, partitions: Iterable[TP]) -> None:
        """Drop what is queued for these partitions; `getmany` then begins new readings."""
        for tp in list(partitions):
            if (reading := self.readings.pop(tp, None)) is not None:
                reading.close()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Close first: nothing of a revoked partition shall be handed over any more."""
        self.close_readings(revoked)
        self.counting.readiness.revoked(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Close first: a worker that had no partition is not stopped, so it fetches at once."""
        self.close_readings(self.readings)
        self.counting.on_assigned(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Called by Faust after each rebalance; the seek itself is left to `getmany`."""
        self.close_readings(self.readings)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called by Faust where it would go back to the committed offsets."""
        await self.perform_seek()
        return {}

    # Fetching

    async def getmany(  # Faust names the argument
        self,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message for each partition that has records, carrying all of them.

        1. Wait until Faust lets messages flow.
        2. Begin a reading of each assigned partition that has none.
        3. Poll the partitions whose readings have room.
        4. Throw everything away if there was a rebalance meanwhile.
        5. Hand over what belongs to readings that are still open.
        """
        # 1.
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # Faust does so too
        # 2.
        generation = self.app.consumer_generation_id
        assigned = self._get_active_partitions()
        open_readings = self._open_readings(assigned)
        if missing := assigned - open_readings.keys():
            await self._begin_readings(missing)
            open_readings = self._open_readings(assigned)
        # 3.
        wanted = {tp for tp, reading in open_readings.items() if reading.has_room}
        if not wanted:
            await self.sleep(_SHORT_POLL_SECONDS / 10 if open_readings else _RETRY_SECONDS)
            return
        if len(wanted) < len(assigned):
            timeout = _SHORT_POLL_SECONDS
        fetched = await self._fetched(wanted, timeout)
        # 4.
        if self.should_stop:
            return
        if not self.flow_active or generation != self.app.consumer_generation_id:
            await self.perform_seek()
            return
        # 5.
        for tp, found in fetched.items():
            reading = open_readings[tp]
            if self._note(reading, found) and not reading.closed:
                yield tp, self._message(reading, found, generation)

    async def _fetched(self, wanted: set[TP], seconds: float) -> dict[TP, _Fetched]:
        """Poll; where the log no longer has the next offset, end the reading.

        Opening the ledger again finds out what happened: expired, truncated or created anew.
        """
        try:
            found: dict[TP, _Fetched] = await self._thread.call_thread(
                self._thread.fetch, wanted, seconds
            )
        except OffsetOutOfRangeError as error:
            self.counting.distrust_topic()
            self.close_readings(TP(*tp) for tp in error.args[0])
            return {}
        except DENIED as error:
            self.counting.fail(self.counting.guard.denied(error))
            return {}
        except NoOffsetForPartitionError:
            # A new partition, asked for before our seek; there is no committed offset yet.
            return {}
        return found

    def _open_readings(self, assigned: set[TP]) -> dict[TP, Reading]:
        return {
            tp: reading
            for tp, reading in self.readings.items()
            if tp in assigned and not reading.closed
        }

    def _note(self, reading: Reading, found: _Fetched) -> bool:
        """Take note of the log's end; whether there is anything to hand over.

        A position that moved without records has passed control records or compacted offsets.
        """
        if found.log_end is not None and found.seen_ago is not None:
            reading.see(found.log_end, self.loop.time() - found.seen_ago)
        return found.position is not None and found.position > reading.fetched

    def _message(self, reading: Reading, found: _Fetched, generation: int) -> ConsumerMessage:
        tp = reading.tp
        batch = reading.batch(found.records, cast("int", found.position))
        stamp = found.records[-1].timestamp / 1000 if found.records else 0.0
        value = cast("Any", batch)  # bytes to Faust; `BatchSchema` hands it on as it is
        return ConsumerMessage(
            tp.topic, tp.partition, batch.end - 1, stamp, 0, [], None, value, None, 0, 0, tp,
            generation_id=generation,
        )  # fmt: skip

    async def _begin_readings(self, partitions: set[TP]) -> None:
        """Open the ledgers of `partitions`, seek there, and begin readings."""
        try:
            bounds = await self._thread.call_thread(self._thread.bounds, partitions)
            states = {tp: await self.counting.open(tp, b) for tp, b in bounds.items()}
            positions = {tp: state.position for tp, state in states.items()}
            # In the consumer's thread; Consumer.seek is not safe to call from here.
            await self._thread.seek_wait(positions)
        except ConfigurationError as error:
            self.counting.fail(error)
            return
        except DENIED as error:
            self.counting.fail(self.counting.guard.denied(error))
            return
        except (KafkaError, *REDIS_AWAY, TimeoutError, ValueError, Unavailable) as error:
            # Revoked meanwhile, or a server does not answer: try again at the next poll.
            self.counting.report_waiting(f"cannot begin to read: {error!r}")
            await self.sleep(_RETRY_SECONDS)
            return
        for tp, state in states.items():
            self._read_offset[tp] = None  # switches off Faust's own dropping of offsets
            self.readings[tp] = self.counting.begin(Reading(tp, state, bounds[tp].log_end))

    def log_is_seen(self, reading: Reading) -> bool:
        """Whether the log's end is known as of now."""
        return self.loop.time() - reading.log_seen_at < _LOG_SEEN_SECONDS

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own check of progress knows nothing of batches; readiness has ours."""

    # Committing: advice for lag tools only, so a failure is never an error.

    async def force_commit(
        self,
        topics: Any = None,  # noqa: ARG002 - Faust's signature
        start_new_transaction: bool = True,  # noqa: ARG002
    ) -> bool:
        """Commit the ledger's positions, if Kafka takes them within some seconds."""
        reached = {
            tp: Reached(reading.state.position, reading.state.epoch)
            for tp, reading in self.readings.items()
        }
        offsets = {tp: found for tp, found in reached.items() if self._advised.get(tp) != found}
        if not offsets:
            return False
        try:
            await asyncio.wait_for(
                self._thread.call_thread(self._thread.advise, offsets), COMMIT_SECONDS
            )
        except (KafkaError, TimeoutError, OSError, RuntimeError) as error:
            self.log.debug("advisory commit failed: %r", error)
            return False
        self._advised.update(offsets)
        return True


class Transport(driver.Transport):
    """The transport of `ledger://` brokers."""

    Consumer = Consumer


class BatchSchema(faust.Schema[Any, Any]):
    """Hands a batch to the agent untouched."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """Batches have no key."""
        del app, message

    def loads_value(self, app: Any, message: Any, **_: Any) -> Batch:
        """The batch that the message carries."""
        del app
        return cast("Batch", message.value)
