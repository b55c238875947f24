from __future__ import annotations

import copy
import time
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.crc import key_slot
from redis.exceptions import OutOfMemoryError

from streams.audit.comparison import Difference, Scope, differences
from streams.audit.plain_model import PlainModel
from streams.errors import StorageMismatch, Unavailable
from streams.ledger.cells import SEPARATOR
from streams.ledger.contribution import Contribution
from streams.ledger.folded import Folded
from streams.ledger.keys import EVENT_SHARDS, Bucket, PartitionKeys
from streams.ledger.layout import EXPIRY_GRACE_SECONDS, Dimension, Layout, Tier
from streams.ledger.ledger import NOTHING_SWEPT, Applied, Known, Ledger, Moved, Swept, shard_of
from tests.feedback_log import (
    CUSTOMER_KEY,
    LAYOUT,
    PARTITIONS,
    RIGHT_IDS,
    START,
    Record,
    logs,
    record,
)
from tests.redis_owner import TOPIC, Connection, RedisOwner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.embedded.redis import RedisServer

R1, R2, *_ = RIGHT_IDS
KEYS = PartitionKeys(TOPIC, 0)
NEWER = msgspec.structs.replace(
    LAYOUT,
    version=2,
    dimensions=(*LAYOUT.dimensions, Dimension("shop", 3)),
    breakdowns=(*LAYOUT.breakdowns, ("shop",)),
)
LOG = [record(n, i, START - n, measures={"csat": n % 5 + 1}) for n, i in enumerate(RIGHT_IDS)]


@pytest.fixture
def connection(any_redis: RedisServer) -> Iterator[Connection]:
    with Connection(any_redis.url) as opened:
        yield opened


def found_differences(
    connection: Connection,
    log: list[Record],
    layouts: dict[int, Layout] | None = None,
    topic: str = TOPIC,
) -> list[Difference]:
    """Hold everything stored against the plain model."""
    snapshot = connection.snapshot(topic)
    model = PlainModel(
        0, PARTITIONS, layouts or {0: LAYOUT}, snapshot.raised_at, customer_key=CUSTOMER_KEY
    )
    for each in log:
        if each.offset < snapshot.position:
            model.take(each, 0.0)
    scope = Scope(snapshot.now, tuple(snapshot.layouts.values()))
    return list(differences(model, snapshot.stored, scope, {}))


# Opening


def test_a_new_ledger_begins_at_the_logs_start(connection: Connection) -> None:
    """From offset 0 the counts will be complete; from a later one nothing is known to be."""
    first = RedisOwner(connection).state
    assert (0, "0", True) == (first.position, first.complete_from, first.created)
    later = RedisOwner(connection, topic="later", log_start=70).state
    assert (70, "unknown", True) == (later.position, later.complete_from, later.created)


def test_opening_again_changes_nothing(connection: Connection) -> None:
    """A second worker reads the same state, and writes nothing."""
    first = RedisOwner(connection)
    connection.run(first.ledger.reported(0))
    first.count(LOG)
    before = connection.everything()
    second = RedisOwner(connection).state
    assert before == connection.everything()
    assert (first.state.position, first.state.epoch, False) == (
        second.position, second.epoch, second.created,
    )  # fmt: skip


def test_a_new_ledger_is_told_until_somebody_has_reported_it(connection: Connection) -> None:
    """Also where the first reply was lost, or its reader died: no loss of history is silent."""
    ledger = RedisOwner(connection).ledger
    assert connection.run(ledger.open(0)).created
    connection.run(ledger.reported(0))
    assert not connection.run(ledger.open(0)).created
    connection.redis.flushall()
    connection.run(ledger.reported(0))
    assert {} == connection.everything()


def test_a_ledger_remembers_the_epochs_that_have_ended(connection: Connection) -> None:
    """Those of ledgers before it, its own, and those that the copy in Redis knew nothing of."""
    owner = RedisOwner(connection)
    connection.redis.flushall()
    first = connection.run(owner.ledger.open(0, ended=["a", "b"]))
    assert ("a", "b") == first.ended
    connection.run(owner.ledger.restart(first, 0, ended=["b", "c"]))
    state = owner.read()
    assert ("a", "b", first.epoch, "c") == state.ended
    for n in range(30):
        connection.run(owner.ledger.restart(state, 0, ended=[f"{n}"]))
        state = owner.read()
    assert 20 == len(state.ended)
    assert "29" == state.ended[-1]


def test_each_empty_start_has_its_own_epoch(connection: Connection) -> None:
    """After a loss of everything a former owner must not go on as if nothing had happened."""
    first = RedisOwner(connection)
    connection.redis.flushall()
    assert first.state.epoch != RedisOwner(connection).state.epoch


def test_leftovers_of_a_lost_ledger_are_not_taken_over(connection: Connection) -> None:
    """Admitted values without a position are of another life: numbering begins anew."""
    connection.redis.hset(KEYS.values, f"product{SEPARATOR}old", "7")
    assert {} == RedisOwner(connection).state.values.numbers


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            msgspec.structs.replace(LAYOUT, version=1),
            (
                "the counts in Redis are of version 2, the KPI file has version 1; "
                "start this worker with the newer KPI file."
            ),
        ),
        (
            msgspec.structs.replace(NEWER, late_after_seconds=5),
            (
                "what is stored has changed, but the KPI file still has version 2; "
                "raise `version` to 3."
            ),
        ),
    ],
    ids=["lower", "same"],
)
def test_another_layout_that_is_not_newer_is_refused(
    connection: Connection, layout: Layout, message: str
) -> None:
    """A lower version, or the same version with another hash: nothing is written."""
    RedisOwner(connection, NEWER)
    before = connection.everything()
    with pytest.raises(StorageMismatch) as caught:
        RedisOwner(connection, layout)
    assert message == str(caught.value)
    assert before == connection.everything()


def test_an_upgrade_fences_workers_of_the_old_layout(connection: Connection) -> None:
    """Once the layout is raised, the old worker's batch is refused, and the position stays."""
    old = RedisOwner(connection)
    old.count(LOG, 3)
    new = RedisOwner(connection, NEWER)
    assert Moved("3", new.state.epoch, NEWER.token) == old.count(LOG, 1)
    assert Applied() == new.count(LOG)
    assert {1: LAYOUT, 2: NEWER} == dict(new.state.history.layouts)
    assert [] == found_differences(connection, LOG, {0: LAYOUT, 3: NEWER})


LONGER = msgspec.structs.replace(
    LAYOUT, version=2, tiers=(Tier(10, 600), Tier(60, 600), Tier(300, 2_400))
)


def test_a_tier_that_is_kept_longer_prolongs_what_is_there(connection: Connection) -> None:
    """Nothing may touch those buckets again before their old time is over."""
    RedisOwner(connection).count([record(1, R1, START, measures={"csat": 1})])
    before = time.time()
    owner = RedisOwner(connection, LONGER)
    expected = {
        KEYS.cells(Bucket(t.seconds, START)): START + t.seconds + t.retention_seconds + 7_200
        for t in LONGER.tiers
    }
    assert expected == {key: connection.redis.expiretime(key) for key in expected}
    first, second = owner.state.history.eras
    assert (0.0, 2) == (first.raised_at, second.begins)
    assert before - 1 <= second.raised_at <= time.time() + 2


def test_a_tier_that_is_kept_shorter_drops_nothing_at_once(connection: Connection) -> None:
    """Who shortens by mistake can lengthen again; what is touched expires by the new rule."""
    shorter = msgspec.structs.replace(LAYOUT, version=2, tiers=(Tier(10, 60), Tier(300, 1_200)))
    RedisOwner(connection).count([record(1, R1, START, measures={"csat": 1})])
    before = connection.redis.expiretime(KEYS.cells(Bucket(10, START)))
    owner = RedisOwner(connection, shorter)
    assert before == connection.redis.expiretime(KEYS.cells(Bucket(10, START)))
    owner.count([record(2, R2, START, measures={"csat": 1})])
    assert before - 60 == connection.redis.expiretime(KEYS.cells(Bucket(10, START)))


def test_what_was_prepared_before_others_counted_is_prepared_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its two calls the former owner makes a bucket that must live on too."""
    old = RedisOwner(connection)
    old.count([record(1, R1, START - 100)])
    ledger = Ledger(connection.client, TOPIC, LONGER)
    prepare = ledger._prepare
    later = [record(2, R2, START, measures={"csat": 1})]

    async def slow(*arguments: Any) -> Any:
        found = await prepare(*arguments)
        while later:
            await old.ledger.apply(old.state, old.folded([later.pop()]), 3, verified=False)
        return found

    monkeypatch.setattr(ledger, "_prepare", slow)
    state = connection.run(ledger.open(0))
    assert [0, 3] == [era.begins for era in state.history.eras]
    expiry = connection.redis.expiretime(KEYS.cells(Bucket(10, START)))
    assert START + 10 + 600 + EXPIRY_GRACE_SECONDS == expiry


def test_an_owner_that_never_rests_is_waited_for(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer worker tries again later, and has changed nothing."""
    old = RedisOwner(connection)
    ledger = Ledger(connection.client, TOPIC, LONGER)
    prepare = ledger._prepare

    async def overtaken(*arguments: Any) -> Any:
        found = await prepare(*arguments)
        await old.ledger.apply(old.state, Folded(), old.state.position + 1, verified=False)
        return found

    monkeypatch.setattr(ledger, "_prepare", overtaken)
    with pytest.raises(Unavailable):
        connection.run(ledger.open(0))
    assert {1} == old.read().history.layouts.keys()


def test_the_ledger_says_from_which_offset_a_layout_holds(connection: Connection) -> None:
    """An audit replays each record by the layout that it was counted by."""
    RedisOwner(connection).count(LOG, 4)
    RedisOwner(connection, NEWER)
    assert {0: LAYOUT, 4: NEWER} == connection.snapshot().layouts


# Applying


def test_a_batch_is_counted_and_the_position_moves(connection: Connection) -> None:
    """Cells, entries, values and totals are what the model says."""
    owner = RedisOwner(connection)
    assert Applied() == owner.count(LOG)
    assert len(LOG) == owner.state.position == connection.snapshot().position
    assert [] == found_differences(connection, LOG)


def test_known_ids_are_answered_and_nothing_is_written(connection: Connection) -> None:
    """A fold that took a known id for new learns its entry instead of counting twice."""
    owner = RedisOwner(connection)
    owner.count(LOG[:2])
    again = [record(10, R1, revision=1, measures={"csat": 5}), record(11, "r-new")]
    before = connection.everything()
    reply = owner.apply(owner.folded(again), 12)
    assert before == connection.everything()
    assert isinstance(reply, Known)
    entry = connection.redis.hget(KEYS.events(shard_of(R1.encode())), R1)
    assert {R1: entry} == reply.entries


def test_a_call_repeated_after_a_lost_reply_counts_nothing(connection: Connection) -> None:
    """The client sends again what was applied: it is told that the ledger is ahead."""
    owner = RedisOwner(connection)
    owner.count(LOG, reply_is_lost=True)
    before = connection.everything()
    reply = owner.count(LOG)
    assert Moved(str(len(LOG)), owner.state.epoch, LAYOUT.token) == reply
    assert before == connection.everything()
    owner.open()
    assert Applied() == owner.count(LOG)
    assert [] == found_differences(connection, LOG)


def test_a_call_sent_again_learns_that_it_was_applied(connection: Connection) -> None:
    """By its token: what it changed stays as it is, and its caller knows what it has counted."""
    owner = RedisOwner(connection)
    folded = owner.folded(LOG)
    unheard = copy.deepcopy(owner.state)
    assert Applied() == owner.apply(folded, 20, state=unheard, call="one")
    before = connection.everything()
    assert Applied() == owner.apply(folded, 20, call="one")
    assert before == connection.everything()
    assert 20 == owner.state.position
    assert [] == found_differences(connection, LOG)


def test_a_call_sent_again_after_redis_went_on_or_back_is_told(connection: Connection) -> None:
    """Its token is worth nothing once others have counted, or a new epoch has begun."""
    owner, other = RedisOwner(connection), RedisOwner(connection)
    unheard = copy.deepcopy(owner.state)
    folded = owner.folded(LOG[:2])
    owner.apply(folded, 2, call="one")
    owner.count(LOG[2:3])
    assert isinstance(other.apply(folded, 2, state=unheard, call="one"), Moved)
    third = RedisOwner(connection)
    folded = owner.folded(LOG[3:])
    unheard = copy.deepcopy(owner.state)
    owner.apply(folded, 20, call="two")
    third.open()
    connection.run(third.ledger.restart(third.state, 20))
    assert isinstance(other.apply(folded, 20, state=unheard, call="two"), Moved)


@pytest.mark.parametrize("field", ["position", "epoch"])
def test_a_zombie_changes_nothing(connection: Connection, field: str) -> None:
    """A former owner has an older position, or an epoch from before Redis went back."""
    zombie = RedisOwner(connection)
    owner = RedisOwner(connection)
    if field == "position":
        owner.count(LOG, 2)
    else:
        connection.run(owner.ledger.restart(owner.state, 0))
    before = connection.everything()
    assert isinstance(zombie.count(LOG), Moved)
    assert before == connection.everything()


def test_a_ledger_that_is_gone_is_told(connection: Connection) -> None:
    """After FLUSHALL a batch is not counted into nothing: the reply is empty."""
    owner = RedisOwner(connection)
    connection.redis.flushall()
    assert Moved("", "", "") == owner.count(LOG)
    assert {} == connection.everything()


def test_control_records_only_move_the_position(connection: Connection) -> None:
    """A batch without records passes offsets and counts nothing."""
    owner = RedisOwner(connection)
    assert Applied() == owner.apply(Folded(), 5)
    assert 5 == owner.state.position
    assert [] == found_differences(connection, [])


def test_complete_from_is_the_time_of_the_first_applied_record(connection: Connection) -> None:
    """Where history is unknown, the counts are complete from then on; later batches keep it."""
    owner = RedisOwner(connection, log_start=7)
    owner.apply(Folded(), 8)
    assert "unknown" == owner.read().complete_from
    owner.count([record(8, R1, at=START + 1.5)])
    assert str(START + 1.5) == owner.read().complete_from
    owner.count([record(9, R2, at=START + 60)])
    assert str(START + 1.5) == owner.read().complete_from


def test_more_ids_than_lua_can_unpack_are_read_written_and_swept(connection: Connection) -> None:
    """5,000 ids of one shard take several commands, each way."""
    ids = [i for i in (f"r-{n}" for n in range(90_000)) if shard_of(i.encode()) == 3][:5_000]
    entry = Contribution(0, False, 1, START, START, (0, 0, 0), (1, None, None))
    folded = Folded(contributions={i: msgspec.msgpack.encode(entry) for i in ids})
    owner = RedisOwner(connection)
    assert Applied() == owner.apply(folded, 1)
    assert len(ids) == connection.redis.hlen(KEYS.events(3))
    reply = owner.apply(folded, 2)
    assert isinstance(reply, Known)
    assert folded.contributions == reply.entries
    owner.apply(Folded(), 2, swept=Swept({3: [i.encode() for i in ids]}))
    assert 0 == connection.redis.hlen(KEYS.events(3))


def test_a_shard_goes_by_the_id_alone() -> None:
    """Another process, and another version of Python, find an id where it was put."""
    assert [crc32(b"r-%d" % n) % EVENT_SHARDS for n in range(40)] == [
        shard_of(b"r-%d" % n) for n in range(40)
    ]


# Expiry


def test_buckets_expire_after_their_retention_and_a_grace(connection: Connection) -> None:
    """By event time, with two hours for readers; the ledger and the ids never expire."""
    RedisOwner(connection).count([record(1, R1, START, measures={"csat": 1})])
    expected = {
        KEYS.cells(Bucket(t.seconds, START)): START + t.seconds + t.retention_seconds + 7_200
        for t in LAYOUT.tiers
    }
    redis = connection.redis
    assert expected == {key: redis.expiretime(key) for key in expected}
    others = {KEYS.ledger, KEYS.touched, KEYS.events(shard_of(R1.encode()))}
    assert {-1} == {redis.expiretime(key) for key in others}


def test_buckets_that_are_already_past_their_time_are_dropped(connection: Connection) -> None:
    """A worker far behind counts what nobody may read any more, and harms nothing."""
    past = 1_600_000_000
    owner = RedisOwner(connection)
    log = [record(1, R1, past, at=past, measures={"csat": 1})]
    assert Applied() == owner.count(log)
    cells = [key for key in connection.everything() if ":cells:" in key]
    assert [] == cells
    assert R1 in connection.snapshot().stored.entries
    assert 2 == owner.state.position


def test_names_of_expired_buckets_are_trimmed(connection: Connection) -> None:
    """Of buckets that can't be there any more not even the name is kept; of others it is."""
    owner = RedisOwner(connection)
    owner.count([record(1, R1, START, measures={"csat": 1})])
    names = cast("list[bytes]", connection.redis.zrange(KEYS.touched, 0, -1))
    assert {b"10:%d" % START, b"60:%d" % START, b"300:%d" % START} == set(names)
    connection.run(owner.ledger.trim(0, START))
    assert 3 == connection.redis.zcard(KEYS.touched)
    connection.run(owner.ledger.trim(0, START + 200 + 2 * EXPIRY_GRACE_SECONDS))
    assert {b"60:%d" % START, b"300:%d" % START} == set(
        cast("list[bytes]", connection.redis.zrange(KEYS.touched, 0, -1))
    )


# A new epoch


def test_a_restart_at_the_position_keeps_what_is_known_to_be_complete(
    connection: Connection,
) -> None:
    """Redis went back: nothing is lost, since the log still has what follows."""
    owner = RedisOwner(connection)
    owner.count(LOG, 2)
    epoch = owner.state.epoch
    connection.run(owner.ledger.restart(owner.state, 2))
    owner.open()
    assert (2, "0") == (owner.state.position, owner.state.complete_from)
    assert epoch != owner.state.epoch


def test_a_restart_past_expired_offsets_says_that_history_is_incomplete(
    connection: Connection,
) -> None:
    """The counts go on from the log's start, complete from its first record on."""
    owner = RedisOwner(connection)
    owner.count(LOG, 2)
    connection.run(owner.ledger.restart(owner.state, 100))
    owner.open()
    assert (100, "unknown") == (owner.state.position, owner.state.complete_from)


def test_a_restart_of_a_ledger_that_has_moved_changes_nothing(connection: Connection) -> None:
    """Two workers that both found Redis gone back begin one new epoch, not two."""
    first, second = RedisOwner(connection), RedisOwner(connection)
    connection.run(first.ledger.restart(first.state, 0))
    before = connection.everything()
    connection.run(second.ledger.restart(second.state, 50))
    assert before == connection.everything()


# Health


def health(connection: Connection) -> dict[str, str]:
    found = cast("dict[bytes, bytes]", connection.redis.hgetall(KEYS.health))
    return {name.decode(): value.decode() for name, value in found.items()}


def test_the_owner_writes_where_it_stands(connection: Connection) -> None:
    """Log end, position, time of the last record, and the clock of Redis."""
    owner = RedisOwner(connection)
    owner.count([record(1, R1, at=START + 0.25)])
    before = time.time()
    reply = connection.run(owner.ledger.heartbeat(owner.state, 9))
    assert (2, owner.state.epoch) == reply
    found = health(connection)
    assert ("9", "2", str(START + 0.25)) == (
        found["log_end"], found["position"], found["last_record_time"],
    )  # fmt: skip
    assert before - 1 <= float(found["time"]) <= time.time() + 1


def test_a_log_end_is_never_shown_before_the_position(connection: Connection) -> None:
    """What was counted was in the log, whenever the log was last asked."""
    owner = RedisOwner(connection)
    owner.count(LOG)
    connection.run(owner.ledger.heartbeat(owner.state, 1))
    assert str(len(LOG)) == health(connection)["log_end"]


def test_without_a_log_end_nothing_is_written(connection: Connection) -> None:
    """While the brokers are away a partition's health ages, but the ledger is looked at."""
    owner = RedisOwner(connection)
    assert (0, owner.state.epoch) == connection.run(owner.ledger.heartbeat(owner.state, None))
    assert {} == health(connection)


def test_a_heartbeat_of_a_lost_ledger_is_told(connection: Connection) -> None:
    """None: there is no ledger any more, and none is made up."""
    owner = RedisOwner(connection)
    connection.redis.flushall()
    assert connection.run(owner.ledger.heartbeat(owner.state, 3)) is None
    assert {} == connection.everything()


def test_an_owner_of_an_older_epoch_cannot_look_healthy(connection: Connection) -> None:
    """Nor one that knows a position that Redis has lost; both learn what is stored."""
    zombie = RedisOwner(connection)
    owner = RedisOwner(connection)
    connection.run(owner.ledger.restart(owner.state, 0))
    owner.open()
    assert (0, owner.state.epoch) == connection.run(zombie.ledger.heartbeat(zombie.state, 3))
    owner.state.position = 5
    assert (0, owner.state.epoch) == connection.run(owner.ledger.heartbeat(owner.state, 9))
    assert {} == health(connection)


def test_a_batch_on_its_way_does_not_silence_its_owner(connection: Connection) -> None:
    """A stored position ahead of the known one is what an owner sees while its batch is applied."""
    owner = RedisOwner(connection)
    owner.count(LOG, reply_is_lost=True)
    connection.run(owner.ledger.heartbeat(owner.state, 9))
    assert str(len(LOG)) == health(connection)["position"]


# Sweeping


def sweep_round(owner: RedisOwner, now: float) -> list[Swept]:
    """Look at every shard once."""
    return [
        found
        for _ in range(EVENT_SHARDS)
        if (found := owner.connection.run(owner.ledger.sweep(owner.state, now))).ids
    ]


def test_only_forgotten_entries_are_swept(connection: Connection) -> None:
    """Event and arrival past the horizon, and an hour later: gone; all else stays."""
    owner = RedisOwner(connection)
    young = record(21, "young", START + 900, at=START + 900, measures={"csat": 2})
    owner.count([*LOG, young])
    assert [] == sweep_round(owner, START + 1_200 + 3_600)
    for swept in sweep_round(owner, START + 1_200 + 3_600 + 1):
        owner.apply(Folded(), owner.state.position, swept=swept)
    assert {"young"} == connection.snapshot().stored.entries.keys()


def test_an_entry_renewed_in_the_same_batch_is_not_swept(connection: Connection) -> None:
    """What the batch writes is younger than what the sweep saw."""
    owner = RedisOwner(connection)
    owner.count(LOG[:1])
    later = START + 10_000
    (swept,) = sweep_round(owner, later)
    folded = owner.folded([record(5, R1, later, at=later, measures={"csat": 5})])
    reply = owner.apply(folded, 6, verified=True, swept=swept)
    assert Applied() == reply
    assert later == connection.snapshot().stored.entries[R1].recorded


def test_an_entry_renewed_by_another_owner_is_not_swept(connection: Connection) -> None:
    """The sweep is applied by compare-and-set, as everything is."""
    owner, other = RedisOwner(connection), RedisOwner(connection)
    owner.count(LOG[:1])
    other.open()
    later = START + 10_000
    (swept,) = sweep_round(owner, later)
    other.count([record(5, R1, later, at=later, measures={"csat": 5})])
    assert isinstance(owner.apply(Folded(), 6, swept=swept), Moved)
    assert later == connection.snapshot().stored.entries[R1].recorded


def test_sweeping_goes_on_where_it_stopped(connection: Connection) -> None:
    """Large shards are looked at in pieces, and every entry is met."""
    ids = [i for i in (f"r-{n}" for n in range(60_000)) if shard_of(i.encode()) == 0][:3_000]
    entry = Contribution(0, False, 1, 0, 0, (), ())
    owner = RedisOwner(connection)
    owner.apply(Folded(contributions={i: msgspec.msgpack.encode(entry) for i in ids}), 1)
    met: set[bytes] = set()
    for _ in range(100):
        found = connection.run(owner.ledger.sweep(owner.state, START)).ids
        met |= {i for some in found.values() for i in some}
        if owner.state.sweep_shard != 0:
            break
    assert {i.encode() for i in ids} == met


def test_without_ids_there_is_nothing_to_sweep(connection: Connection) -> None:
    """With `dedupe: off` Redis is not even asked."""
    owner = RedisOwner(connection, msgspec.structs.replace(LAYOUT, horizon_seconds=None))
    assert NOTHING_SWEPT == connection.run(owner.ledger.sweep(owner.state, START))


# Redis itself


@pytest.mark.parametrize("room_bytes", [0, 20_000, 200_000])
def test_a_full_redis_takes_a_batch_whole_or_not_at_all(
    connection: Connection, room_bytes: int
) -> None:
    """Where memory runs out in the middle, nothing is left half-written; later it is counted."""
    owner = RedisOwner(connection)
    owner.count(LOG)
    redis = connection.redis
    ids = (f"x{n}" for n in count())
    more = [record(n, next(ids), measures={"csat": 1}) for n in range(17, 3_000) if n % 16]
    before = connection.everything()
    used = redis.info("memory")["used_memory"]
    redis.config_set("maxmemory", used + room_bytes)
    try:
        try:
            owner.count(more, len(more))
        except OutOfMemoryError:
            assert before == connection.everything()
    finally:
        redis.config_set("maxmemory", 0)
    owner.open()
    owner.count(more, len(more))
    assert [] == found_differences(connection, LOG + more)


def test_every_key_of_a_script_is_declared_and_in_one_slot(connection: Connection) -> None:
    """Cluster places a script by its declared keys; here every command's key is among them."""
    with connection.redis.monitor() as monitor:  # type: ignore[no-untyped-call]
        owner = RedisOwner(connection)
        owner.count(LOG)
        owner.count([record(50, R1, revision=1, comment="Good.", dimensions={"product": "p"})])
        owner.apply(Folded(), 60, swept=Swept({shard_of(R1.encode()): [R1.encode()]}))
        connection.run(owner.ledger.heartbeat(owner.state, 70))
        connection.run(owner.ledger.restart(owner.state, 80))
        owner.open()
        owner.count([record(80, R2, measures={"csat": 1})])
        RedisOwner(connection, LONGER)
        connection.redis.echo("the end")
        calls = list(_until_the_end(monitor))
    declared: set[str] = set()
    seen = 0
    for from_script, words in calls:
        if not from_script:
            declared = set(words[3 : 3 + int(words[2])]) if words[0] == "EVALSHA" else declared
            continue
        keys = words[1:] if words[0] == "DEL" else words[1:2] if words[0] != "TIME" else []
        seen += len(keys)
        assert declared >= set(keys)
        assert 1 == len({key_slot(key.encode()) for key in declared})
    assert seen > 40


def _until_the_end(monitor: Any) -> Iterator[tuple[bool, list[str]]]:
    """Commands as Redis saw them: whether a script made them, and their words."""
    for command in monitor.listen():
        words = command["command"].split(" ")
        if words[0] == "ECHO":
            return
        words[0] = words[0].upper()
        yield command["client_type"] == "lua", words


def test_ledgers_of_partitions_are_apart(connection: Connection) -> None:
    """What one partition counts is nowhere in another."""
    owner = RedisOwner(connection)
    owner.count(LOG)
    ledger = Ledger(connection.client, TOPIC, LAYOUT)
    other = connection.run(ledger.open(1))
    assert (0, True) == (other.position, other.created)
    slots = {key_slot(PartitionKeys(TOPIC, p).ledger.encode()) for p in range(8)}
    assert 8 == len(slots)


class OwnersOfRedis(RuleBasedStateMachine):
    """Two owners, lost replies, upgrades and restored backups on a real server."""

    connection: Connection
    topics = count()

    def __init__(self) -> None:
        super().__init__()
        self.topic = f"machine-{next(self.topics)}"
        self.layout = LAYOUT
        self.log: list[Record] = []
        self.owners = [RedisOwner(self.connection, topic=self.topic) for _ in range(2)]
        self.backup = self.connection.backup(self.topic)

    @rule(more=logs(max_size=12))
    def answers_arrive(self, more: list[Record]) -> None:
        """The log grows; its time goes on."""
        base = self.log[-1].offset + 1 if self.log else 0
        later = self.log[-1].timestamp - START * 1000 if self.log else 0
        self.log += [r.but(offset=base + r.offset, timestamp=r.timestamp + later) for r in more]

    @rule(who=st.integers(0, 1), size=st.integers(1, 10), reply_is_lost=st.booleans())
    def batch(self, who: int, size: int, reply_is_lost: bool) -> None:
        """Either owner counts from where it believes the ledger to be; one that is told reopens."""
        owner = self.owners[who]
        reply = owner.count(self.log, size, reply_is_lost=reply_is_lost)
        if isinstance(reply, Moved):
            self.reopen(who)

    @precondition(lambda self: self.layout.version < 4)
    @rule(who=st.integers(0, 1), kept=st.sampled_from([60, 120, 600]))
    def upgrade(self, who: int, kept: int) -> None:
        """An owner is started anew with a newer KPI file, the other still has the older one."""
        tiers = (Tier(10, kept), *LAYOUT.tiers[1:])
        version = self.layout.version + 1
        self.layout = msgspec.structs.replace(LAYOUT, version=version, tiers=tiers)
        self.owners[who] = RedisOwner(self.connection, self.layout, topic=self.topic)

    @rule()
    def back_up(self) -> None:
        """Somebody copies Redis."""
        self.backup = self.connection.backup(self.topic)

    @precondition(lambda self: any(o.state.position for o in self.owners))
    @rule(finder=st.integers(0, 1))
    def restore(self, finder: int) -> None:
        """Redis goes back to the copy; the owner that finds out begins a new epoch."""
        self.connection.restore(self.topic, self.backup)
        self.reopen(finder)
        owner = self.owners[finder]
        self.connection.run(owner.ledger.restart(owner.state, owner.state.position))
        owner.open()

    def reopen(self, who: int) -> None:
        """Read the ledger again; one whose file is older than the counts is started anew."""
        try:
            self.owners[who].open()
        except StorageMismatch:
            self.owners[who] = RedisOwner(self.connection, self.layout, topic=self.topic)

    @invariant()
    def equals_the_model(self) -> None:
        """At every moment Redis holds what the model counts up to the stored position."""
        layouts = dict(self.connection.snapshot(self.topic).layouts)
        found = found_differences(self.connection, self.log, layouts, topic=self.topic)
        assert [] == found


@pytest.mark.redis
def test_owners_of_a_real_redis_agree_with_the_model(redis_server: RedisServer) -> None:
    """Random interleavings of two owners, lost replies, upgrades and restores, never wrong."""
    with Connection(redis_server.url) as opened:
        machine = type("Machine", (OwnersOfRedis,), {"connection": opened})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=15,
                stateful_step_count=15,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
