from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streams.audit import snapshot
from streams.audit.snapshot import read_snapshot, stored_layout
from streams.errors import Unavailable
from streams.ledger.layout import Tier
from tests.feedback_log import LAYOUT, RIGHT_IDS, START, record
from tests.redis_owner import TOPIC, Connection, RedisOwner

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.embedded.redis import RedisServer

R1, R2, *_ = RIGHT_IDS
NEWER = msgspec.structs.replace(LAYOUT, version=2, tiers=(Tier(10, 60), Tier(300, 1_200)))
LOG = [record(n, i, measures={"csat": 3}) for n, i in enumerate(RIGHT_IDS)]
REVISED = [record(20 + n, i, revision=1, measures={"csat": 5}) for n, i in enumerate(RIGHT_IDS)]


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[Connection]:
    with Connection(redis_server.url) as opened:
        yield opened


def during_entries(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[int], object]
) -> Callable[[], int]:
    """Let something happen each time when the ids have been read, and the buckets not yet."""
    real = snapshot._entries
    times = 0

    def entries(*arguments: Any) -> Iterator[Any]:
        nonlocal times
        times += 1
        yield from real(*arguments)
        happens(times)

    monkeypatch.setattr(snapshot, "_entries", entries)
    return lambda: times


def test_everything_is_read(connection: Connection) -> None:
    """Position, totals, values, cells and ids; nothing is written by reading."""
    RedisOwner(connection).count(LOG)
    before = connection.everything()
    found = connection.snapshot()
    assert before == connection.everything()
    assert (found.began, found.position) == (6, 6)
    assert found.stored.outcomes["applied"] == 6
    assert found.stored.entries.keys() == set(RIGHT_IDS)
    assert {bucket.seconds for bucket, _ in found.stored.cells} == {10, 60, 300}
    assert found.layouts == {0: LAYOUT}


def test_without_a_ledger_there_is_nothing(connection: Connection) -> None:
    """None, and no layout."""
    assert read_snapshot(connection.redis, TOPIC, 0) is None
    assert stored_layout(connection.redis, TOPIC, 8) is None


def test_what_is_counted_meanwhile_is_in_the_buckets(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids may be of before; `began` says since when that can be."""
    owner = RedisOwner(connection)
    owner.count(LOG)
    during_entries(monkeypatch, lambda _: owner.count(REVISED, 2))
    found = connection.snapshot()
    assert (found.began, found.position) == (6, 22)
    values = {cell.value for bucket, cell in found.stored.cells if bucket.seconds == 300}
    assert values == {"3", "5"}
    assert {entry.revision for entry in found.stored.entries.values()} == {0}


def test_a_new_epoch_meanwhile_means_reading_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis went back: ids of one life and buckets of another do not fit."""
    owner = RedisOwner(connection)
    owner.count(LOG)

    def restart_once(times: int) -> None:
        if times == 1:
            connection.run(owner.ledger.restart(owner.state, owner.state.position))

    times = during_entries(monkeypatch, restart_once)
    assert connection.snapshot().position == 6
    assert times() == 2


def test_a_partition_that_is_emptied_again_and_again_is_given_up(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a way out for the person who asked."""
    monkeypatch.setattr(snapshot, "_MOST_TRIES", 3)

    def begin_anew(_: int) -> None:
        connection.redis.flushall()
        RedisOwner(connection).count(LOG)

    begin_anew(0)
    during_entries(monkeypatch, begin_anew)
    with pytest.raises(Unavailable, match="partition 0 never stood still"):
        connection.snapshot()


def test_a_ledger_that_goes_away_meanwhile_is_none(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptied between ids and buckets."""
    RedisOwner(connection).count(LOG)
    during_entries(monkeypatch, lambda _: connection.redis.flushall())
    assert read_snapshot(connection.redis, TOPIC, 0) is None


def test_a_partition_that_moves_on_while_it_is_read_is_read_on(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets, totals and values are of one position, however often it moves."""
    owner = RedisOwner(connection)
    owner.count(LOG)
    real = snapshot._ledger
    moves = iter(range(3))

    def ledger(*arguments: Any) -> Any:
        if next(moves, None) is not None:
            owner.count(REVISED, 1)
        return real(*arguments)

    monkeypatch.setattr(snapshot, "_ledger", ledger)
    found = connection.snapshot()
    assert found.position == 23
    assert found.stored.outcomes["applied"] == 9


def test_the_newest_layout_of_any_partition_is_found(connection: Connection) -> None:
    """An upgrade reaches partitions one after the other."""
    RedisOwner(connection)
    assert stored_layout(connection.redis, TOPIC, 2) == LAYOUT
    owner = RedisOwner(connection, NEWER)
    connection.run(owner.ledger.open(1))
    assert stored_layout(connection.redis, TOPIC, 2) == NEWER


def test_each_layout_has_its_first_offset(connection: Connection) -> None:
    """Of two that begin at the same one, only the later can have counted."""
    RedisOwner(connection)
    RedisOwner(connection, NEWER).count(LOG, 2)
    third = msgspec.structs.replace(NEWER, version=3)
    RedisOwner(connection, third).count([record(30, R1, START, revision=1)])
    assert connection.snapshot().layouts == {0: NEWER, 2: third}
