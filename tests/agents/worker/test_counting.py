from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError

from agents.metrics import WorkerMetrics
from agents.worker import counting
from agents.worker.counting import SLICE_BYTES, SLICE_EVENTS, Counting, slices
from agents.worker.readiness import Readiness
from agents.worker.reading import Bounds, Reached, Reading
from streams.errors import StorageMismatch, Unavailable
from streams.ledger.admitted import AdmittedValues
from streams.ledger.fold import Fold
from streams.ledger.folded import Folded
from streams.ledger.history import History
from streams.ledger.ledger import NOTHING_SWEPT, Applied, Known, Moved, State, Swept
from tests.feedback_log import CUSTOMER_KEY, LAYOUT, PARTITIONS, RIGHT_IDS, START, Record, record
from tests.memory_ledger import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from streams.ledger.folded import Refused

TP0 = TP("events", 0)
R1, R2, *_ = RIGHT_IDS
LOG = [record(n, i, measures={"csat": 3}) for n, i in enumerate(RIGHT_IDS)]
BAD = record(9, R1, measures={"csat": 9})


class FakeLedger:
    """The ledger in memory. `steps` says what was asked; `failures` are raised first."""

    def __init__(self, steps: list[str]) -> None:
        self.store = Store()
        self.store.layout = LAYOUT.token
        self.steps = steps
        self.failures: list[Exception] = []
        self.lost_reply = False
        self.last_call = ""
        self.created = False
        self.told = 0
        self.ended: tuple[str, ...] = ()
        self.before_reply: Callable[[], None] = lambda: None
        self.swept_at: list[float] = []
        self.restarted_at: list[int] = []
        self.health: list[int | None] = []
        self.trimmed = 0
        self.stored: tuple[int, str] | None = None

    async def open(self, partition: int, log_start: int, *, ended: Iterable[str] = ()) -> State:
        """Read the ledger."""
        self.steps.append("open")
        self._fail()
        if self.created:
            self.store = Store()
            self.store.position = log_start
            self.ended = tuple(ended)
        table = AdmittedValues(LAYOUT, dict(self.store.values))
        return State(
            partition, self.store.position, f"{self.store.epoch}", "0", table, History.of(LAYOUT),
            created=self.created, ended=self.ended,
        )  # fmt: skip

    async def reported(self, partition: int) -> None:
        """Note that it was."""
        del partition
        self.created = False
        self.told += 1

    async def restart(self, state: State, position: int, *, ended: Iterable[str]) -> None:
        """Begin a new epoch."""
        self.ended = (*self.ended, state.epoch, *ended)
        self.steps.append("restart")
        self.restarted_at.append(position)
        self.store.epoch += 1
        self.store.position = position

    async def apply(
        self, state: State, folded: Folded, end: int, *, verified: bool, swept: Swept, call: str
    ) -> Applied | Known | Moved:
        """Compare and set; a call sent again is told that it was applied."""
        del swept
        self.steps.append("apply verified" if verified else "apply")
        self.before_reply()
        if not self.lost_reply:
            self._fail()
        if call == self.last_call:
            state.position = end
            return Applied()
        if (state.position, state.epoch) != (self.store.position, f"{self.store.epoch}"):
            return Moved(f"{self.store.position}", f"{self.store.epoch}", LAYOUT.token)
        known = {i: self.store.entries[i] for i in folded.contributions if i in self.store.entries}
        if known and not verified:
            return Known(known)
        self.store.write(folded, end)
        self.last_call = call
        if self.lost_reply:
            self._fail()
        state.position = end
        assert folded.values is not None
        state.values.accept(folded.values)
        return Applied()

    async def sweep(self, state: State, now: float) -> Swept:
        """Note when."""
        del state
        self.swept_at.append(now)
        return NOTHING_SWEPT

    async def heartbeat(self, state: State, log_end: int | None) -> tuple[int, str] | None:
        """Note the log's end."""
        self._fail()
        self.health.append(log_end)
        return self.stored or (state.position, state.epoch)

    async def trim(self, partition: int, now: float) -> None:
        """Count the call."""
        del partition, now
        self.trimmed += 1

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class FakeLetters:
    """Dead letters that arrive, once `failures` are over."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.sent: list[Refused] = []
        self.failures: list[Exception] = []
        self.waiting: list[list[str]] = []
        self.counting: Counting | None = None

    async def send(self, refused: Iterable[Refused]) -> None:
        """Deliver, or fail."""
        self.steps.append("letters")
        if self.counting:
            self.waiting.append(self.counting.problems())
        if self.failures:
            raise self.failures.pop(0)
        self.sent += refused


class FakeGuard:
    """A topic that stays, or has changed."""

    partitions = PARTITIONS
    facts = None

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.error: Exception | None = None
        self.tokens = {0: LAYOUT.token}

    async def check(self) -> None:
        """Check the topic."""
        self.steps.append("check")
        if self.error:
            raise self.error

    async def layout_token(self, partition: int) -> str:
        """Give the layout that a partition is counted by."""
        return self.tokens.get(partition, "")

    async def compare(self, facts: None) -> None:
        """Compare what is stored."""
        del facts
        self.steps.append("compare")

    def past_the_end(self, tp: TP, position: int, log_end: int) -> StorageMismatch:
        """Give the error."""
        return StorageMismatch(f"{tp.partition} {position} {log_end}")


class Rig:
    """A `Counting` among fakes; its clock stands at START."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.ledger = FakeLedger(self.steps)
        self.letters = FakeLetters(self.steps)
        self.guard = FakeGuard(self.steps)
        self.registry = CollectorRegistry()
        self.errors: list[BaseException] = []
        self.file = AsyncMock()
        self.clock = float(START)
        parts: dict[str, Any] = {
            "ledger": self.ledger, "letters": self.letters, "guard": self.guard,
        }  # fmt: skip
        self.counting = Counting(
            fold=Fold(LAYOUT, customer_key=CUSTOMER_KEY),
            metrics=WorkerMetrics(self.registry),
            fail=self.errors.append,
            clock=lambda: self.clock,
            append_only_file=self.file,
            **parts,
        )
        self.letters.counting = self.counting

    async def reading(self, log_end: int = 100) -> Reading:
        """Open the partition for reading."""
        state = await self.counting.open(TP0, Bounds(0, log_end, None))
        return Reading(TP0, state, log_end)

    def metric(self, name: str, **labels: str) -> float:
        """Give a metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(counting, "_pause", lambda _: 0)
    return Rig()


def run(work: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def turns(number: int) -> None:
    """Let other tasks go on."""
    for _ in range(number):
        await asyncio.sleep(0)


# Slices


@given(st.lists(st.integers(0, SLICE_BYTES), max_size=12), st.integers(1, 5))
def test_slices_are_the_batch_in_pieces(sizes: list[int], gap: int) -> None:
    """In order, none lost, each ending after its last record and the last at the batch's end."""
    records = [Record(gap * n, 0, 1, b"k", bytes(size)) for n, size in enumerate(sizes)]
    end = gap * len(records) + 3
    found = list(slices(records, end))
    assert records == [r for piece, _ in found for r in piece]
    assert [piece[-1].offset + 1 for piece, _ in found[:-1]] == [at for _, at in found[:-1]]
    assert found[-1][1] == end
    for piece, _ in found:
        assert sum(len(r.value or b"") for r in piece[:-1]) < SLICE_BYTES


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, [0]), (1, [1]), (SLICE_EVENTS, [SLICE_EVENTS]), (SLICE_EVENTS + 1, [SLICE_EVENTS, 1])],
)
def test_a_slice_has_at_most_so_many_events(number: int, expected: list[int]) -> None:
    """So long is a script; a batch without records is one empty slice."""
    records = [Record(n, 0, 1, b"k", None) for n in range(number)]
    assert [len(piece) for piece, _ in slices(records, number)] == expected


# The protocol


def test_a_batch_is_counted(rig: Rig) -> None:
    """Once; ledger and metrics say so."""

    async def work() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch(LOG, 20))
        assert not reading.closed
        assert reading.state.position == 20

    run(work())
    assert rig.steps == ["check", "open", "apply"]
    assert rig.ledger.store.position == 20
    assert rig.metric("feedback_events_total", outcome="applied") == len(LOG)


def test_control_records_move_the_position(rig: Rig) -> None:
    """A batch without records is applied too."""

    async def work() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch([], 7))

    run(work())
    assert rig.ledger.store.position == 7


def test_known_ids_are_folded_again_with_their_entries(rig: Rig) -> None:
    """A duplicate across batches counts once, a revision replaces."""
    more = [record(8, R1, measures={"csat": 3}), record(9, R2, revision=1, measures={"csat": 5})]

    async def work() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch(LOG, 8))
        await rig.counting.count(reading.batch(more, 10))

    run(work())
    assert rig.steps == ["check", "open", "apply", "apply", "apply verified"]
    assert +rig.ledger.store.outcomes == {"applied": len(LOG) + 1, "duplicate": 1}
    assert rig.metric("feedback_events_total", outcome="duplicate") == 1


def test_letters_are_delivered_before_the_batch_is_applied(rig: Rig) -> None:
    """A refused event is never lost: its letter is awaited first."""

    async def work() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch([*LOG, BAD], 10))

    run(work())
    assert rig.steps == ["check", "open", "letters", "apply"]
    assert [r.refusal.reason for r in rig.letters.sent] == ["off_scale"]
    assert rig.metric("feedback_refused_total", reason="off_scale") == 1


def test_without_the_dead_letter_topic_the_partition_waits(rig: Rig) -> None:
    """Nothing is applied until Kafka has the letters, and the worker says that it waits."""
    rig.letters.failures = [KafkaConnectionError(), TimeoutError(), OSError()]

    async def work() -> None:
        rig.counting.on_assigned([])
        reading = await rig.reading()
        await rig.counting.count(reading.batch([BAD], 10))
        assert rig.counting.problems() == []

    run(work())
    assert rig.steps == ["check", "open", *["letters"] * 4, "apply"]
    assert rig.letters.waiting == [[], *[["dead letters can't be sent"]] * 3]


@pytest.mark.parametrize(
    "reply",
    [
        "LOADING Redis is loading the dataset in memory",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "BUSY Redis is busy running a script.",
        "NOREPLICAS Not enough good replicas to write.",
        None,
    ],
    ids=lambda reply: str(reply).split(" ", maxsplit=1)[0],
)
def test_redis_away_is_waited_for(rig: Rig, reply: str | None) -> None:
    """Whatever it replies, or where it does not: the same call is made again, and counts once."""
    error: Exception = RedisConnectionError("gone")
    if reply is not None:
        error = BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]

    async def work() -> None:
        reading = await rig.reading()
        rig.ledger.failures = [error] * 3
        await rig.counting.count(reading.batch(LOG, 20))

    run(work())
    assert rig.steps == ["check", "open", *["apply"] * 4]
    assert rig.ledger.store.outcomes.total() == len(LOG)


def test_a_batch_whose_reply_was_lost_is_among_the_counted(rig: Rig) -> None:
    """The call had worked: it is not made twice, and the worker's own counters have its events."""
    rig.ledger.lost_reply = True

    async def work() -> None:
        reading = await rig.reading()
        rig.ledger.failures = [RedisConnectionError("no reply")]
        await rig.counting.count(reading.batch(LOG, 20))
        assert not reading.closed

    run(work())
    assert rig.ledger.store.outcomes.total() == len(LOG)
    assert rig.ledger.store.position == 20
    assert rig.metric("feedback_events_total", outcome="applied") == len(LOG)


def test_after_a_move_no_further_slice_is_counted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows belongs to whoever has the ledger."""
    monkeypatch.setattr(counting, "SLICE_EVENTS", 2)

    async def work() -> None:
        reading = await rig.reading()
        rig.ledger.store.position = 3
        await rig.counting.count(reading.batch(LOG, 20))
        assert reading.closed

    run(work())
    assert rig.steps.count("apply") == 1
    assert rig.ledger.store.outcomes.total() == 0


def test_ids_are_forgotten_by_the_time_that_judges(rig: Rig) -> None:
    """A worker far behind must not sweep what a duplicate in the log is still told by."""
    rig.clock = START + 10_000_000.0

    async def work() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch(LOG, 20))

    run(work())
    assert [at <= START + 1 for at in rig.ledger.swept_at] == [True]


def test_entries_are_swept_once_a_second(rig: Rig) -> None:
    """Not with every batch."""

    async def work() -> None:
        reading = await rig.reading()
        for n, each in enumerate(LOG):
            await rig.counting.count(reading.batch([each], n + 1))
        rig.clock += 1
        await rig.counting.count(reading.batch([record(30, "r-x", at=START + 1)], 31))

    run(work())
    assert len(rig.ledger.swept_at) == 2


def test_a_reading_counts_its_batches_in_order_until_it_is_closed(rig: Rig) -> None:
    """What is queued when it is closed is dropped."""

    async def work() -> None:
        reading = rig.counting.begin(await rig.reading())
        reading.queue.put_nowait(reading.batch(LOG[:2], 2))
        reading.queue.put_nowait(reading.batch(LOG[2:4], 4))
        await turns(20)
        reading.queue.put_nowait(reading.batch(LOG[4:], 6))
        reading.close()
        await turns(2)
        assert rig.counting.readings == set()

    run(work())
    assert rig.ledger.store.position == 4
    assert rig.errors == []


def test_a_closed_reading_waits_for_the_reply_under_way(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events were counted, so they are in the worker's own counters; no slice follows."""
    monkeypatch.setattr(counting, "SLICE_EVENTS", 2)

    async def work() -> None:
        reading = rig.counting.begin(await rig.reading())
        rig.ledger.before_reply = reading.close
        reading.queue.put_nowait(reading.batch(LOG, 20))
        await turns(20)
        assert rig.counting.readings == set()

    run(work())
    assert rig.ledger.store.position == 2
    assert rig.metric("feedback_events_total", outcome="applied") == 2
    assert rig.errors == []


def test_a_closed_reading_does_not_call_again(rig: Rig) -> None:
    """While Redis is away it lets go of its batch, which belongs to the next reading."""

    async def work() -> None:
        reading = rig.counting.begin(await rig.reading())
        rig.ledger.failures = [RedisConnectionError("gone")] * 5
        rig.ledger.before_reply = reading.close
        reading.queue.put_nowait(reading.batch(LOG, 20))
        await turns(20)
        assert rig.counting.readings == set()

    run(work())
    assert rig.steps == ["check", "open", "apply"]
    assert rig.errors == []


def test_an_unexpected_error_ends_the_process(rig: Rig) -> None:
    """It is handed on, never swallowed: the partition would stand still in silence."""
    error = ValueError("a bug")

    async def work() -> None:
        reading = rig.counting.begin(await rig.reading())
        rig.ledger.failures = [error]
        reading.queue.put_nowait(reading.batch(LOG, 20))
        await turns(20)

    run(work())
    assert rig.errors == [error]


# Opening


def opened(rig: Rig, bounds: Bounds) -> State:
    return asyncio.run(rig.counting.open(TP0, bounds))


def test_the_topic_is_checked_once_after_each_rebalance(rig: Rig) -> None:
    """Not for every partition."""
    opened(rig, Bounds(0, 10, None))
    opened(rig, Bounds(0, 10, None))
    rig.counting.on_assigned([])
    opened(rig, Bounds(0, 10, None))
    assert rig.steps == ["check", "open", "open", "check", "open"]


def test_a_changed_topic_is_not_counted(rig: Rig) -> None:
    """The error ends the process before the ledger is read."""
    rig.guard.error = StorageMismatch("another topic")
    with pytest.raises(StorageMismatch, match="another topic"):
        opened(rig, Bounds(0, 10, None))
    assert rig.steps == ["check"]


def test_a_ledger_past_the_logs_end_is_of_another_log(rig: Rig) -> None:
    """A topic that was created again has other answers at these offsets.

    The log's end is asked for once more first: an owner before us may have counted on meanwhile.
    """
    rig.ledger.store.position = 11
    with pytest.raises(Unavailable):
        opened(rig, Bounds(0, 10, None))
    assert opened(rig, Bounds(0, 11, None)).position == 11
    with pytest.raises(Unavailable):
        opened(rig, Bounds(0, 10, None))
    with pytest.raises(StorageMismatch):
        opened(rig, Bounds(0, 10, None))
    rig.ledger.store.position = 10
    assert opened(rig, Bounds(0, 10, None)).position == 10


def test_a_ledger_that_went_back_begins_a_new_epoch(rig: Rig) -> None:
    """So that nobody of before can go on writing; the log still has what was lost."""

    async def count_all() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch(LOG, 20))

    run(count_all())
    rig.ledger.store.position = 5
    assert (opened(rig, Bounds(0, 30, None)).position, rig.ledger.restarted_at) == (5, [5])
    assert rig.metric("feedback_rewinds_total") == 1
    assert rig.metric("feedback_history_lost_total") == 0
    opened(rig, Bounds(0, 30, None))
    assert rig.ledger.restarted_at == [5]


def test_expired_offsets_are_skipped_and_reported(rig: Rig) -> None:
    """The counts go on from the log's start; the loss is counted."""
    rig.ledger.store.position = 5
    assert opened(rig, Bounds(8, 30, None)).position == 8
    assert rig.ledger.restarted_at == [8]
    assert rig.metric("feedback_history_lost_total") == 1


@pytest.mark.parametrize(("committed", "expected"), [(None, 0), (3, 0), (4, 1)])
def test_an_empty_redis_where_offsets_were_counted_is_a_loss_of_history(
    rig: Rig, committed: int | None, expected: int
) -> None:
    """Kafka's committed offset remembers that they were."""
    rig.ledger.created = True
    bounds = Bounds(3, 30, None if committed is None else Reached(committed, "before"))
    assert opened(rig, bounds).position == 3
    assert rig.metric("feedback_history_lost_total") == expected
    opened(rig, bounds)
    assert rig.metric("feedback_history_lost_total") == expected
    assert (rig.ledger.told, rig.ledger.restarted_at) == (1, [])


def test_one_rollback_begins_one_epoch(rig: Rig) -> None:
    """Whoever opens the ledger next still finds the old committed offset: it is of an ended epoch.

    A later rollback, found by an offset of the new epoch, begins another.
    """
    rig.ledger.store.position = 5
    bounds = Bounds(0, 30, Reached(20, "0"))
    epoch = opened(rig, bounds).epoch
    other = Rig()
    other.ledger.store, other.ledger.ended = rig.ledger.store, rig.ledger.ended
    assert opened(other, bounds).epoch == epoch
    assert other.metric("feedback_rewinds_total") == 0
    rig.ledger.store.position = 4
    opened(other, Bounds(0, 30, Reached(5, epoch)))
    assert other.ledger.restarted_at == [4]


def test_an_epoch_that_redis_lost_is_ended_too(rig: Rig) -> None:
    """A copy from before the last rollback knows neither that epoch nor what it counted."""
    rig.ledger.store.position = 3
    bounds = Bounds(0, 30, Reached(20, "of which the copy knows nothing"))
    opened(rig, bounds)
    opened(rig, bounds)
    assert rig.ledger.restarted_at == [3]


def test_what_another_owner_has_dealt_with_is_not_found_again(rig: Rig) -> None:
    """A worker that gets a partition back remembers what Redis lost meanwhile."""

    async def count_all() -> None:
        reading = await rig.reading()
        await rig.counting.count(reading.batch(LOG, 20))

    run(count_all())
    rig.ledger.store.position, rig.ledger.store.epoch, rig.ledger.ended = 9, 1, ("0",)
    assert opened(rig, Bounds(0, 30, None)).position == 9
    assert rig.ledger.restarted_at == []


def test_a_distrusted_topic_is_checked_again(rig: Rig) -> None:
    """When something unexpected was read, before more is."""
    opened(rig, Bounds(0, 10, None))
    rig.counting.distrust_topic()
    opened(rig, Bounds(0, 10, None))
    assert rig.steps == ["check", "open", "check", "open"]


@pytest.mark.parametrize(
    ("error", "fatal"),
    [(None, False), (StorageMismatch("changed"), True), (Unavailable("away"), False),
     (RedisConnectionError("gone"), False)],
    ids=["same", "changed", "kafka-away", "redis-away"],
)  # fmt: skip
def test_a_topic_that_changes_while_it_is_read_ends_the_process(
    rig: Rig, error: Exception | None, fatal: bool
) -> None:
    """A server that is away says nothing of the topic: it is asked again later."""

    async def work() -> None:
        await rig.counting.watch_topic()
        assert rig.steps == []
        rig.counting.readings = {await rig.reading()}
        rig.guard.error = error
        await rig.counting.watch_topic()

    run(work())
    assert rig.errors == ([error] if fatal else [])


@pytest.mark.parametrize(("stored", "fatal"), [("1:other", False), ("2:newer", True), ("", False)])
def test_a_newer_kpi_file_on_another_partition_ends_the_process(
    rig: Rig, stored: str, fatal: bool
) -> None:
    """The upgrade has begun: this worker would never be assigned what tells it so."""

    async def work() -> None:
        rig.counting.readings = {await rig.reading()}
        rig.guard.tokens[1] = stored
        await rig.counting.watch_topic()

    run(work())
    assert [type(error) for error in rig.errors] == [StorageMismatch] * fatal


# Health


def beaten(rig: Rig, *, log_is_seen: bool = True, log_end: int = 100, **ledger: Any) -> Reading:
    """Let a reading's heart beat once."""

    async def work() -> Reading:
        reading = await rig.reading(log_end)
        rig.counting.readings = {reading}
        for name, value in ledger.items():
            setattr(rig.ledger, name, value)
        await rig.counting.beat(log_is_seen=lambda _: log_is_seen)
        return reading

    return asyncio.run(work())


def test_health_is_written_while_the_log_is_seen(rig: Rig) -> None:
    """With the log's end; a log that nobody has seen lately has none, unless we lag behind it."""
    assert not beaten(rig).closed
    beaten(rig, log_is_seen=False, log_end=0)
    beaten(rig, log_is_seen=False, log_end=7)
    assert rig.ledger.health == [100, None, 7]


@pytest.mark.parametrize("stored", [(0, "another epoch"), (-1, "0")])
def test_a_heartbeat_finds_a_ledger_that_went_back(rig: Rig, stored: tuple[int, str]) -> None:
    """Also without events."""
    assert beaten(rig, stored=stored).closed


def test_a_heartbeat_waits_for_redis(rig: Rig) -> None:
    """Redis away is no reason to read again."""
    assert not beaten(rig, failures=[RedisConnectionError("gone")]).closed


def test_each_beat_looks_whether_redis_was_started(rig: Rig) -> None:
    """Its append-only file may be torn; while Redis is away there is nothing to ask."""
    rig.file.renew.side_effect = [None, RedisConnectionError("gone")]
    beaten(rig)
    assert not beaten(rig).closed
    assert rig.file.renew.await_count == 2


def test_names_of_buckets_are_trimmed_now_and_then(rig: Rig) -> None:
    """Every ten minutes."""
    beaten(rig)
    beaten(rig)
    rig.clock += 601
    beaten(rig)
    assert rig.ledger.trimmed == 2


def test_a_partition_whose_reading_has_ended_must_be_read_again(rig: Rig) -> None:
    """Else the worker is not ready: it is no standby."""
    now = time.monotonic()
    rig.counting.readiness = Readiness(lambda: now)

    async def work() -> None:
        nonlocal now
        rig.counting.on_assigned([TP0])
        now += 100
        reading = rig.counting.begin(await rig.reading())
        await turns(3)
        reading.close()
        await turns(3)
        assert rig.counting.readings == set()
        rig.counting.readiness.group_seen()
        assert rig.counting.problems() == []
        now += 11
        rig.counting.readiness.group_seen()
        rig.counting.readiness.redis_answered()
        assert rig.counting.problems() == ["partition 0 is not being read"]

    run(work())


def test_a_standby_asks_redis_too(rig: Rig) -> None:
    """Each beat hears of Redis, with no partition to write of."""
    now = time.monotonic()
    rig.counting.readiness = Readiness(lambda: now)
    rig.counting.on_assigned([])
    now += 11
    rig.counting.readiness.group_seen()
    assert rig.counting.problems() == ["Redis does not answer"]
    run(rig.counting.beat(log_is_seen=lambda _: True))
    assert rig.counting.problems() == []
    now += 11
    rig.counting.readiness.group_seen()
    rig.file.renew.side_effect = RedisConnectionError("gone")
    run(rig.counting.beat(log_is_seen=lambda _: True))
    assert rig.counting.problems() == ["Redis does not answer"]


def test_a_warning_is_not_repeated_all_the_time(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Each problem once in ten seconds, whatever else is wrong."""
    for n in range(150):
        rig.counting.report_waiting("Redis: gone")
        rig.counting.report_waiting(f"other {n}")
    assert caplog.text.count("Redis: gone") <= 2
