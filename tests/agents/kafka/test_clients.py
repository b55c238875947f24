from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest
from kafka.errors import KafkaTimeoutError

from agents.kafka import clients as kafka_clients
from agents.settings import Settings, load_settings
from streams.errors import Unavailable

CLIENTS = {"KafkaProducer": "producer", "KafkaConsumer": "consumer", "KafkaAdminClient": "admin"}


def configuration(kind: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What kafka-python's class `kind` is constructed with."""
    client = Mock()
    monkeypatch.setattr(kafka_clients, kind, client)
    built = getattr(kafka_clients, CLIENTS[kind])(settings)
    with built if kind == "KafkaProducer" else nullcontext():
        return dict(client.call_args.kwargs)


@pytest.mark.parametrize("kind", CLIENTS)
def test_sasl_and_tls_reach_every_client(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers, protocol, credentials and TLS are the settings', for all three clients."""
    settings = load_settings(
        kafka_brokers="a:9092, b:9093",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_username="publisher",
        kafka_password="secret",  # noqa: S106 - of nothing
    )
    found = configuration(kind, settings, monkeypatch)

    names = ("bootstrap_servers", "security_protocol", "sasl_mechanism", "sasl_plain_username")
    expected = [["a:9092", "b:9093"], "SASL_SSL", "SCRAM-SHA-512", "publisher"]
    assert [found[name] for name in names] == expected
    assert found["sasl_plain_password"] == "secret"  # noqa: S105 - of nothing
    assert found["ssl_context"].check_hostname


@pytest.mark.parametrize("kind", CLIENTS)
def test_plain_connection(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SASL no credentials are passed, given or not; nor is a given version asked for."""
    settings = load_settings(
        kafka_api_version="2.0",
        kafka_username="publisher",
        kafka_password="secret",  # noqa: S106 - of nothing
    )
    found = configuration(kind, settings, monkeypatch)

    assert [name for name in found if name.startswith("sasl")] == []
    assert (found["ssl_context"], found["api_version"]) == (None, (2, 0))


def test_records_survive_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record counts as delivered only when all in-sync replicas have it."""
    assert configuration("KafkaProducer", load_settings(), monkeypatch)["acks"] == "all"


def test_readers_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading dead letters joins no group, commits nothing and skips aborted records."""
    found = configuration("KafkaConsumer", load_settings(), monkeypatch)
    names = ("group_id", "enable_auto_commit", "isolation_level")
    assert [found[name] for name in names] == [None, False, "read_committed"]


def test_client_never_logs_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python's debug log has keys, values and passwords: it stays off at every level."""
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    configuration("KafkaProducer", load_settings(log_level="debug"), monkeypatch)
    assert not logging.getLogger("kafka.producer.kafka").isEnabledFor(logging.INFO)


def test_missing_topic() -> None:
    """A topic that is not there is told as such, with the command that creates it."""

    class Client:
        """Knows no topic."""

        def partitions_for(self, topic: str) -> set[int]:
            """Give up."""
            raise KafkaTimeoutError(topic)

    with pytest.raises(Unavailable, match=r"has no topic feedback\.events .* topics create"):
        kafka_clients.partition_count(Client(), load_settings(), "feedback.events")


def test_producer_closes_though_the_brokers_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that no broker will take do not keep the process from ending."""
    client = Mock()
    client.close.side_effect = [KafkaTimeoutError, None]
    monkeypatch.setattr(kafka_clients, "KafkaProducer", lambda **_: client)
    with kafka_clients.producer(load_settings()):
        pass
    assert [call[0] for call in client.mock_calls] == ["close", "_sender.force_close", "close"]
