"""The ACLs of docs/operations.md are enough, and no more than that is given away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from click.testing import CliRunner

from agents.commands import audit, top
from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
PASSWORD = "of-nothing"  # noqa: S105 - of a server that lives for this test
USERS = dict(re.findall(r"^user (feedback-\w+) +on >… (.+)$", OPERATIONS.read_text(), re.MULTILINE))


def allow(client: redis.Redis) -> None:
    """Make the documented users."""
    for name, rules in USERS.items():
        client.execute_command(  # type: ignore[no-untyped-call]
            "ACL", "SETUSER", name, "on", f">{PASSWORD}", *rules.split()
        )


def test_the_documented_users_of_redis(
    kafka_broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker counts as its user; exporter, `top` and `audit` read as theirs, and can't write."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        allow(pipeline.redis)
        reader = {"redis_username": "feedback-exporter", "redis_password": PASSWORD}
        worker = pipeline.worker(redis_username="feedback-worker", redis_password=PASSWORD)
        pipeline.publish(Traffic(70).take(2_000))
        assert "" == pipeline.differences()
        pipeline.wait(lambda: [] == worker.problems, "the worker to be ready")

        for name, value in pipeline.environment(**reader).items():
            monkeypatch.setenv(name, value)
        for command, arguments in ((top.command, ["--once"]), (audit.command, [])):
            result = CliRunner().invoke(command, arguments)
            assert (result.exit_code, result.exception) == (0, None), result.output
        assert "maxmemory-policy" not in worker.output()  # it could be read

        port = pipeline.server.port
        client = redis.Redis(port=port, username="feedback-exporter", password=PASSWORD)
        with client, pytest.raises(redis.exceptions.NoPermissionError):
            client.set("{fb:x:0}", 1)
        client = redis.Redis(port=port, username="feedback-worker", password=PASSWORD)
        with client, pytest.raises(redis.exceptions.NoPermissionError):
            client.set("another's", 1)
        with client, pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
