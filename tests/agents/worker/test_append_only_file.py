from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
import redis
from redis.asyncio import Redis

from agents.embedded.process import wait_until
from agents.embedded.redis import RedisServer
from agents.worker.append_only_file import AppendOnlyFile
from tests.redis_owner import Connection, RedisOwner
from tests.streams.ledger.test_ledger import LOG, found_differences

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "of-nothing"  # noqa: S105 - of a server that lives for this test


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(append_only=True) as started:
        yield started


def renew(server: RedisServer, times: int = 1, username: str | None = None) -> None:
    """Look after the file so often, as one worker."""

    async def work() -> None:
        password = PASSWORD if username else None
        async with Redis(port=server.port, username=username, password=password) as client:
            file = AppendOnlyFile(client)
            for _ in range(times):
                await file.renew()

    asyncio.run(work())


def rewrites(server: RedisServer) -> int:
    """How often the server has written its file anew since its start, once it is done with it."""

    def done() -> bool:
        info = client.info("persistence")
        return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

    with redis.Redis(port=server.port) as client:
        wait_until(done, 20, "the file to be written")
        return int(client.info("persistence")["aof_rewrites"])


def tear(server: RedisServer, lost_bytes: int) -> None:
    """Crash, with the end of the file lost."""
    server.kill()
    (file,) = (server.directory / "appendonlydir").glob("*.incr.aof")
    with file.open("r+b") as written:
        written.truncate(file.stat().st_size - lost_bytes)
    server.start()


@pytest.mark.redis
@pytest.mark.parametrize("lost_bytes", [1, 300])
def test_a_torn_file_counts_nothing_twice_after_the_next_restart(
    server: RedisServer, lost_bytes: int
) -> None:
    """Without this Redis 7.0 runs a part of a batch again when it is started once more."""
    with Connection(server.url) as connection:
        owner = RedisOwner(connection)
        owner.count(LOG, 3)
        owner.count(LOG, 2)
    tear(server, lost_bytes)
    renew(server)
    assert 1 == rewrites(server)
    with Connection(server.url) as connection:
        owner = RedisOwner(connection)
        assert 3 == owner.state.position
        owner.count(LOG)
    server.kill()
    server.start()
    with Connection(server.url) as connection:
        assert [] == found_differences(connection, LOG)


@pytest.mark.redis
def test_redis_is_asked_once_after_each_start(server: RedisServer) -> None:
    """Whoever comes later finds that the file is already of this start."""
    renew(server, times=3)
    assert 1 == rewrites(server)
    renew(server)
    assert 1 == rewrites(server)
    server.stop()
    server.start()
    assert 0 == rewrites(server)
    renew(server)
    assert 1 == rewrites(server)


@pytest.mark.redis
def test_without_a_file_there_is_nothing_to_write() -> None:
    """BGREWRITEAOF would make one."""
    with RedisServer() as server:
        renew(server)
        assert 0 == rewrites(server)


@pytest.mark.redis
@pytest.mark.parametrize("command", ["bgrewriteaof", "info"])
def test_a_user_who_may_not_ask_is_told_once(
    server: RedisServer, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker goes on: one line says what is left to do by hand."""
    caplog.set_level(logging.INFO)
    with redis.Redis(port=server.port) as client:
        rules = ("on", f">{PASSWORD}", "~*", "+@all", f"-{command}")
        client.execute_command("ACL", "SETUSER", "worker", *rules)
    renew(server, times=3, username="worker")
    assert 0 == rewrites(server)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "agents.worker.append_only_file"]
    assert "BGREWRITEAOF by hand" in line
