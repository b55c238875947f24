from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agents.commands import top
from streams.kpis.load import load_kpis
from streams.ledger.keys import PartitionKeys, topic_key

if TYPE_CHECKING:
    from pathlib import Path

    import redis as redis_module

    from agents.embedded.redis import RedisServer

KPI_FILE = """
measures: {csat: {kind: rating, scale: [1, 5]}}
windows: [1h]
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    owner: support
"""
TOPIC = "feedback.events"
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture
def kpi_file(tmp_path: Path) -> Path:
    """Give a KPI file."""
    path = tmp_path / "kpis.yaml"
    path.write_text(KPI_FILE)
    return path


def test_redis_that_is_away_is_shown_and_is_exit_status_1(kpi_file: Path) -> None:
    """The board says why; a script sees it by the status."""
    environment = {"FEEDBACK_REDIS_URL": "redis://127.0.0.1:1/0"}
    options = ["--kpis", str(kpi_file), "--once"]
    result = CliRunner().invoke(top.command, options, env=environment)
    assert 1 == result.exit_code
    assert "Redis down" in result.stdout
    as_json = CliRunner().invoke(top.command, [*options, "--format", "json"], env=environment)
    assert 1 == as_json.exit_code
    assert "Redis can't be read" in json.loads(as_json.stdout)["pipeline"]["problem"]


def _counted(client: redis_module.Redis, layout: str) -> None:
    """A ledger of one partition that has read ten records, two of them refused."""
    keys = PartitionKeys(TOPIC, 0)
    now = client.time()[0]
    client.hset(topic_key(TOPIC), "partitions", "1")
    client.hset(keys.ledger, mapping={
        "position": 10, "epoch": "e", "layout": layout, "complete_from": "0",
        "outcome:applied": 8, "outcome:refused": 2,
    })  # fmt: skip
    client.hset(keys.health, mapping={"log_end": 12, "position": 10, "time": now,
                                      "last_record_time": now - 3})  # fmt: skip


def test_explaining_what_can_t_be_read_is_exit_status_1(kpi_file: Path) -> None:
    """It says that it is stale, and why."""
    environment = {"FEEDBACK_REDIS_URL": "redis://127.0.0.1:1/0"}
    options = ["--kpis", str(kpi_file), "--explain", "csat"]
    result = CliRunner().invoke(top.command, options, env=environment)
    assert 1 == result.exit_code
    assert "State: stale" in result.stdout
    assert "Redis can't be read" in result.stderr


@pytest.mark.redis
class TestRunning:
    """Against a real Redis."""

    def test_explains_the_moment(self, redis_server: RedisServer, kpi_file: Path) -> None:
        """A score that nobody answered is idle, and each question before that is told."""
        import redis

        with redis.from_url(redis_server.url) as client:
            _counted(client, load_kpis(kpi_file).layout.token)
        result = CliRunner().invoke(
            top.command,
            ["--kpis", str(kpi_file), "--explain", "csat"],
            env={"FEEDBACK_REDIS_URL": redis_server.url},
        )
        assert 0 == result.exit_code
        assert "idle, nobody answered (0 answers): yes" in result.stdout

    def test_once_as_json_is_what_redis_holds(
        self, redis_server: RedisServer, kpi_file: Path
    ) -> None:
        """Lag, refusals and states, for a script."""
        import redis

        with redis.from_url(redis_server.url) as client:
            _counted(client, load_kpis(kpi_file).layout.token)
        result = CliRunner().invoke(
            top.command,
            ["--kpis", str(kpi_file), "--format", "json"],
            env={"FEEDBACK_REDIS_URL": redis_server.url},
        )
        assert 0 == result.exit_code
        found = json.loads(result.stdout)
        pipeline = found["pipeline"]
        assert [1, 2, 3.0, 10, 2, 0.2] == [
            pipeline[name]
            for name in (
                "partitions", "lag_events", "lag_seconds", "read", "refused", "refused_share"
            )
        ]  # fmt: skip
        assert [("csat", "1h", "idle")] == [
            (row["kpi"], row["window"], row["state"]) for row in found["rows"]
        ]
        assert [] == found["alerts"]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_leaves_a_clean_terminal(
        self, redis_server: RedisServer, kpi_file: Path, number: signal.Signals
    ) -> None:
        """The board is drawn on the other screen, which is left; the exit status is 0."""
        terminal, ours = pty.openpty()
        command = [sys.executable, "-m", "agents.cli", "top", "--kpis", str(kpi_file)]
        environment = {**os.environ, "FEEDBACK_REDIS_URL": redis_server.url, "TERM": "xterm"}
        with subprocess.Popen(
            command, stdin=ours, stdout=ours, stderr=ours, env=environment
        ) as top:
            os.close(ours)
            seen = _read_until(terminal, b"raised alerts")
            top.send_signal(number)
            seen += _read_until(terminal, LEAVE)
            assert 0 == top.wait(10)
        os.close(terminal)
        assert seen.count(ENTER) == seen.count(LEAVE) == 1
        assert b"Traceback" not in seen


def _read_until(terminal: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        seen += os.read(terminal, 65_536)
    return seen
