"""Kafka with SASL, TLS and ACLs, Redis with TLS and ACLs: what the settings say reaches both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]

from agents.cli import feedback
from tests.certificates import make_certificates
from tests.integration.harness import Pipeline
from tests.integration.secured import (
    CERTIFICATE_PRINCIPAL,
    PASSWORD,
    Permission,
    SecuredKafka,
    everything,
    secured_redis,
)
from tests.integration.test_least_privilege import allow
from tests.integration.traffic import Message, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from tests.certificates import Certificates

pytestmark = pytest.mark.kafka

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
WAYS = ("SASL_PLAINTEXT", "SASL_SSL", "SSL")
EVENTS = 500

# Each user of the table in docs/operations.md, and who that is here.
WHO: Final = {
    "workers": "worker",
    "upstream apps, `feedback publish`": "upstream",
    "`feedback topics create`": "operator",
    "`feedback audit`, `feedback dead-letters list` and `show`": "reader",
    "`feedback dead-letters replay`": "replayer",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def kafka(certificates: Certificates) -> Iterator[SecuredKafka]:
    with SecuredKafka(certificates) as broker:
        broker.add_users()
        yield broker


def test_every_way_in(kafka: SecuredKafka, certificates: Certificates, tmp_path: Path) -> None:
    """A worker counts, sends dead letters and is audited, whichever way it comes to Kafka.

    To Redis it comes over TLS with a user and a password.
    """
    kafka.allow(everything(["worker", CERTIFICATE_PRINCIPAL]))
    server, redis_connection = secured_redis(certificates)
    traffic = Traffic(60)
    with Pipeline(kafka, tmp_path, server=server) as pipeline:
        allow(pipeline.redis)
        for protocol in WAYS:
            connection = kafka.connection(protocol) | redis_connection
            before = pipeline.counted()
            worker = pipeline.worker(**connection, redis_username="feedback-worker")
            pipeline.publish(traffic.take(EVENTS))
            pipeline.settle()
            assert EVENTS == pipeline.counted() - before
            assert worker.metric("feedback_refused_total") > 0
            pipeline.wait_ready(worker)
            assert "" == pipeline.differences(**connection, redis_username="feedback-exporter")
            pipeline.stop(worker)
            assert PASSWORD not in worker.output()
    kafka.forbid_everything()


def test_who_is_refused(kafka: SecuredKafka, tmp_path: Path) -> None:
    """A login or a right that is missing ends a worker with status 2, and it says which.

    So it does at work: aiokafka itself would say nothing, and wait for ever.
    """
    scram, plain = kafka.connection("SASL_SSL"), kafka.connection("SASL_PLAINTEXT")
    may_read = [
        Permission(user, ResourceType.TOPIC, "*", operation)
        for user in ("worker", "reader")
        for operation in (AclOperation.READ, AclOperation.DESCRIBE)
    ]
    may_join = Permission("worker", ResourceType.GROUP, "*", AclOperation.READ)
    kafka.allow([*may_read, may_join])
    with Pipeline(kafka, tmp_path) as pipeline:
        at_work = pipeline.worker(**scram)
        pipeline.publish(Traffic(61, poison=0).take(EVENTS))
        pipeline.settle()
        pipeline.running.clear()
        wrong = {"kafka_password": "wrong"}
        refused = [
            (pipeline.worker(**{**scram, **wrong}), "SaslAuthenticationFailed"),
            (pipeline.worker(**{**plain, **wrong}), "SaslAuthenticationFailed"),
            (
                pipeline.worker(**{**scram, "kafka_sasl_mechanism": "PLAIN"}),
                "UnsupportedSaslMechanism",
            ),
            (pipeline.worker(**kafka.connection("SASL_SSL", "reader")), "GroupAuthorizationFailed"),
            (at_work, "GroupAuthorizationFailed"),
        ]
        pipeline.running.clear()
        kafka.forbid_everything()
        kafka.allow(may_read)
        for worker, error in refused:
            assert 2 == pipeline.ended(worker)
            assert f"refused us: {error}. Check FEEDBACK_KAFKA_" in worker.last_words
    kafka.forbid_everything()


def test_a_certificate_of_a_stranger(
    kafka: SecuredKafka, certificates: Certificates, tmp_path: Path
) -> None:
    """A server whose certificate is signed by nobody we know is waited for, and it says why."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    others = make_certificates(stranger).authority
    server, redis_connection = secured_redis(certificates)
    with Pipeline(kafka, tmp_path, server=server) as pipeline:
        to_kafka = pipeline.worker(**{**kafka.connection("SSL"), "kafka_ca_file": others})
        to_redis = pipeline.worker(**{**redis_connection, "redis_ca_file": others})
        for worker, name in ((to_kafka, "Kafka"), (to_redis, "Redis")):
            pipeline.says(worker, f"waiting for {name}")
            assert "certificate verify failed" in worker.output()
            assert pipeline.stop(worker).endswith("stopped: asked to by a signal")


def documented(pipeline: Pipeline) -> Iterator[Permission]:
    """The rows of the table of ACLs, for the topics and the group of this pipeline."""
    table = OPERATIONS.partition("Least privilege (ACLs):")[2].partition("\n\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)[1:]
    events = (ResourceType.TOPIC, pipeline.topic)
    letters = (ResourceType.TOPIC, pipeline.dead_letter_topic)
    named = {
        "events topic": [events],
        "dead-letter topic": [letters],
        "both topics": [events, letters],
        "group `feedback`": [(ResourceType.GROUP, pipeline.topic)],
    }
    for who, resource, operations in rows:
        for kind, name in named[resource]:
            for operation in operations.split(", "):
                in_capitals = re.sub("(?<!^)(?=[A-Z])", "_", operation).upper()
                yield Permission(WHO[who], kind, name, AclOperation[in_capitals])


def test_the_documented_users_of_kafka(
    kafka: SecuredKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each user does its own work with the ACLs of docs/operations.md, and not another's."""
    with Pipeline(kafka, tmp_path) as pipeline:
        allowed = set(documented(pipeline))
        assert set(WHO.values()) == {permission.principal for permission in allowed}
        kafka.allow(allowed)
        for topic in (pipeline.topic, pipeline.dead_letter_topic):
            kafka.delete_topic(topic)
        file = tmp_path / "events.jsonl"
        file.write_bytes(Traffic(62).answer().value or b"")

        def run(user: str, *arguments: str) -> Result:
            settings = pipeline.environment(**kafka.connection("SASL_SSL", user))
            for name, value in settings.items():
                monkeypatch.setenv(name, value)
            return CliRunner().invoke(feedback, arguments)

        def answers(*arguments: str) -> dict[str, bool]:
            """Whether the command succeeds, for each user."""
            return {user: 0 == run(user, *arguments).exit_code for user in WHO.values()}

        create = run("operator", "topics", "create", f"--partitions={pipeline.partitions}")
        assert 0 == create.exit_code, create.output
        worker = pipeline.worker(**kafka.connection("SASL_SSL"))
        assert who("upstream", "replayer") == answers("publish", str(file))
        pipeline.publish([Message(b"x", b"poison")])
        pipeline.settle()
        assert who("reader", "worker") == answers("audit")
        assert who("reader", "replayer") == answers("dead-letters", "list")
        assert who("replayer") == answers("dead-letters", "replay")
        assert who() == answers("topics", "create", "--topic=another")
        pipeline.settle()
        pipeline.wait_ready(worker)
        assert {"applied": 1, "duplicate": 1, "refused": 2} == nonzero(pipeline.outcomes())
    kafka.forbid_everything()


def who(*users: str) -> dict[str, bool]:
    """That these users may, and the others may not."""
    return {user: user in users for user in WHO.values()}


def nonzero(outcomes: dict[str, int]) -> dict[str, int]:
    """The outcomes that happened."""
    return {name: number for name, number in outcomes.items() if number}
