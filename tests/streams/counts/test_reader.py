from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
import redis

from streams.counts import partition_reader
from streams.counts.counts import Counts
from streams.counts.partition_reader import PartitionReader
from streams.counts.projection import Group
from streams.counts.reader import CountsReader
from streams.counts.windows import Span
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket, PartitionKeys, topic_key
from streams.ledger.layout import Layout, Measure, Tier

if TYPE_CHECKING:
    from agents.embedded.redis import RedisServer

pytestmark = pytest.mark.redis

TOPIC = "answers"
SLA = Measure("sla", "flag")
LAYOUT = Layout(
    version=1,
    measures=(SLA,),
    dimensions=(),
    breakdowns=((),),
    tiers=(Tier(10, 3_600),),
    horizon_seconds=None,
    late_after_seconds=3_600,
)
TOTAL = Group(SLA.cell_id, ())
Fields = Mapping[Any, Any]
YES = encode_cell(Cell((), (), SLA.cell_id, "1"))


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.from_url(redis_server.url, socket_timeout=5) as client:
        yield client


class Owner:
    """Writes as the ledger does: counts, touched set and position at one moment."""

    def __init__(self, client: redis.Redis, partition: int = 0, partitions: int = 1) -> None:
        self.client = client
        self.keys = PartitionKeys(TOPIC, partition)
        self.now = int(client.time()[0])
        client.hset(topic_key(TOPIC), "partitions", str(partitions))
        ledger: Fields = {"position": 0, "epoch": "a", "layout": LAYOUT.token, "complete_from": "0"}
        client.hset(self.keys.ledger, mapping=ledger)
        self.beat()

    def count(self, increments: Mapping[int, int]) -> None:
        """Add yes answers; a key is how many buckets before now."""
        pipeline = self.client.pipeline(transaction=True)
        position = int(self.client.hget(self.keys.ledger, "position") or 0) + 1
        for age, increment in increments.items():
            bucket = Bucket(10, (self.now // 10 - age) * 10)
            pipeline.hincrby(self.keys.cells(bucket), YES.decode(), increment)
            pipeline.zadd(self.keys.touched, {bucket.member: position})
        pipeline.hset(self.keys.ledger, "position", position)
        pipeline.execute()

    def beat(self) -> None:
        """Report health, everything being counted."""
        seconds = self.client.time()[0]
        health: Fields = {"log_end": 0, "position": 0, "last_record_time": "", "time": seconds + 30}
        self.client.hset(self.keys.health, mapping=health)


def reader_of(client: redis.Redis) -> tuple[Counts, CountsReader]:
    counts = Counts(LAYOUT, {"1h": Span(3_600, 10)}, [TOTAL])
    return counts, CountsReader(client, TOPIC, counts)


def calls(client: redis.Redis) -> dict[str, int]:
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}


def yes(counts: Counts) -> int:
    return counts.tallies("1h", TOTAL)[()].get("1", 0)


def test_first_read_takes_everything_and_later_ones_what_changed(client: redis.Redis) -> None:
    """Counts equal Redis after each refresh; an unchanged bucket is not read again."""
    owner = Owner(client)
    owner.count(dict.fromkeys(range(200), 1))
    counts, reader = reader_of(client)
    reader.refresh()
    assert 200 == yes(counts)

    owner.count({0: 2, 7: -1})
    before = calls(client)
    reader.refresh()
    after = calls(client)
    assert 201 == yes(counts)
    assert 4 == after["hgetall"] - before["hgetall"]  # two buckets, and the health twice
    assert 2 == after["exec"] - before["exec"]  # each round is one transaction


def test_answers_that_move_are_never_seen_twice_or_not_at_all(client: redis.Redis) -> None:
    """A partition is read at one moment: while answers move between buckets their sum holds."""
    owner = Owner(client)
    owner.count(dict.fromkeys(range(12), 100))
    counts, reader = reader_of(client)
    stopped = threading.Event()

    def move() -> None:
        choice = random.Random(5)  # noqa: S311 - no secret
        while not stopped.is_set():
            origin, target = choice.sample(range(12), 2)
            owner.count({origin: -1, target: 1})

    mover = threading.Thread(target=move)
    mover.start()
    try:
        sums = set()
        for _ in range(60):
            if all(p.settled for p in reader.refresh().partitions):
                sums.add(yes(counts))
    finally:
        stopped.set()
        mover.join()
    assert {1_200} == sums


def test_bucket_touched_between_look_and_transaction_is_read_too(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What grew between the two phases is read in another round, within the same refresh."""
    owner = Owner(client)
    owner.count({3: 1})
    reader = PartitionReader(client, TOPIC, 0)
    transaction = reader._transaction
    rounds = []

    def with_traffic(*arguments: object) -> object:
        seen = transaction(*arguments)  # type: ignore[arg-type]
        rounds.append(seen)
        if len(rounds) == 1:
            owner.count({3: -1, 4: 1})
        return seen

    monkeypatch.setattr(reader, "_transaction", with_traffic)
    change = reader.read()
    assert change is not None
    assert change.settled
    assert 3 == len(rounds)
    assert [b"0", b"1"] == sorted(fields[YES] for fields in change.buckets.values())


def test_more_buckets_than_fit_one_transaction_are_read_in_pieces(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes while the pieces are read is read after them, in the transaction."""
    owner = Owner(client)
    owner.count(dict.fromkeys(range(300), 1))
    counts, reader = reader_of(client)
    in_pieces = PartitionReader._in_pieces

    def with_traffic(self: PartitionReader, members: frozenset[bytes]) -> object:
        found = in_pieces(self, members)
        owner.count({0: 1, 299: -1, 301: 5})
        return found

    monkeypatch.setattr(PartitionReader, "_in_pieces", with_traffic)
    report = reader.refresh()
    assert [True] == [p.settled for p in report.partitions]
    assert 305 == yes(counts)


def test_partition_that_never_rests_is_reported_unsettled(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets that change faster than they can be read are shown, and said to be unsettled."""
    owner = Owner(client)
    owner.count(dict.fromkeys(range(100), 1))
    counts, reader = reader_of(client)
    with monkeypatch.context() as patched:
        in_pieces = PartitionReader._in_pieces

        def with_traffic(self: PartitionReader, members: frozenset[bytes]) -> object:
            found = in_pieces(self, members)
            owner.count(dict.fromkeys(range(100), 1))
            return found

        patched.setattr(PartitionReader, "_in_pieces", with_traffic)
        report = reader.refresh()
    assert [False] == [p.settled for p in report.partitions]
    assert 100 * partition_reader.MOST_ROUNDS == yes(counts)
    assert [True] == [p.settled for p in reader.refresh().partitions]
    assert 100 * (partition_reader.MOST_ROUNDS + 1) == yes(counts)


@pytest.mark.parametrize("ledger", [{"epoch": "b"}, {"position": 1}], ids=["epoch", "position"])
def test_ledger_that_went_back_is_read_anew(
    client: redis.Redis, ledger: dict[str, str | int]
) -> None:
    """After a new epoch, or a position that went back, nothing of what was known stays."""
    owner = Owner(client)
    owner.count({5: 3})
    owner.count({6: 1})
    owner.count({7: 1})
    counts, reader = reader_of(client)
    reader.refresh()
    client.delete(owner.keys.cells(Bucket(10, (owner.now // 10 - 5) * 10)))
    client.zrem(owner.keys.touched, Bucket(10, (owner.now // 10 - 5) * 10).member)
    client.hset(owner.keys.ledger, mapping=ledger)  # type: ignore[arg-type]
    reader.refresh()
    assert 2 == yes(counts)


def test_restarted_redis_is_read_anew(redis_server: RedisServer) -> None:
    """Another run of Redis may have lost writes without any trace in the ledger."""
    with redis.from_url(redis_server.url) as client:
        owner = Owner(client)
        owner.count({5: 3})
        counts, reader = reader_of(client)
        reader.refresh()
        client.hset(owner.keys.cells(Bucket(10, (owner.now // 10 - 5) * 10)), YES.decode(), "2")
        reader.refresh()
        assert 3 == yes(counts)
        redis_server.kill()
        redis_server.start()
        reader.refresh()
        assert 2 == yes(counts)


def test_flushed_redis_counts_nothing(client: redis.Redis) -> None:
    """Without a ledger there is nothing to show, and no partition to expect."""
    owner = Owner(client, partitions=2)
    owner.count({5: 3})
    counts, reader = reader_of(client)
    report = reader.refresh()
    assert (2, [0]) == (report.expected_partitions, [p.partition for p in report.partitions])
    client.flushall()
    report = reader.refresh()
    assert (0, ()) == (report.expected_partitions, report.partitions)
    assert 0 == yes(counts)


def test_redis_away_keeps_counts_and_lets_them_age(redis_server: RedisServer) -> None:
    """While Redis is away counts stay, `now` goes on (monotonic clock), and a reason is given."""
    moment = 100.0
    with redis.from_url(redis_server.url, socket_timeout=1) as client:
        owner = Owner(client)
        owner.count({5: 3})
        counts = Counts(LAYOUT, {"1h": Span(3_600, 10)}, [TOTAL])
        reader = CountsReader(client, TOPIC, counts, monotonic=lambda: moment)
        before = reader.refresh()
        assert before.problem is None
        redis_server.kill()
        try:
            moment = 140.0
            report = reader.refresh()
        finally:
            redis_server.start()
    assert report.problem is not None
    assert report.problem.startswith("Redis can't be read: ")
    assert before.now + 40 == report.now
    assert before.partitions == report.partitions
    assert 3 == yes(counts)


def test_report_tells_ledger_and_health(client: redis.Redis) -> None:
    """Outcomes, layout, completeness and health come as the ledger has them; times are Redis's."""
    owner = Owner(client)
    owner.count({0: 1})
    client.hset(owner.keys.ledger, mapping={"outcome:applied": 7, "complete_from": "unknown"})
    health: Fields = {"log_end": 9, "position": 1, "last_record_time": "12.5", "time": "13.25"}
    client.hset(owner.keys.health, mapping=health)
    _, reader = reader_of(client)
    report = reader.refresh()
    (partition,) = report.partitions
    assert (1, LAYOUT.token, None, 7) == (
        partition.position,
        partition.layout,
        partition.complete_from,
        partition.outcomes["applied"],
    )
    found = partition.health
    assert found is not None
    assert (9, 1, 12.5, 13.25) == (
        found.log_end,
        found.position,
        found.last_record_time,
        found.time,
    )
    assert abs(report.now - owner.now) < 60
    assert report.memory_bytes > 0
