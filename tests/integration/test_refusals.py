"""Upstream apps that publish with their own Kafka clients, and are refused in every way."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from streams.events.event import REASONS
from tests.integration.harness import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

NOW = datetime.now(UTC)
ANSWERS = 20


def event(event_id: str, **fields: Any) -> bytes:
    """An answer of now, `fields` being added to it."""
    return json.dumps({"event_id": event_id, "occurred_at": NOW.isoformat()} | fields).encode()


# For each reason code but two an event that is refused for it, and that alone.
REFUSED = {
    "not_json": b'{"event_id": "x", "measures": {"csat": NaN}}',
    "not_an_object": b"[1, 2]",
    "missing_field": b'{"event_id": "x"}',
    "unknown_field": event("x", score=4),
    "wrong_type": event("x", measures={"csat": "four"}),
    "bad_event_id": event("x" * 129),
    "bad_time": event("x", occurred_at="2026-11-23T10:00:00"),
    "bad_revision": event("x", revision=-1),
    "in_future": event("x", occurred_at=(NOW + timedelta(hours=1)).isoformat()),
    "unknown_measure": event("x", measures={"ces": 4}),
    "fraction": event("x", measures={"csat": 4.5}),
    "off_scale": event("x", measures={"csat": 6}),
    "bad_dimension": event("x", dimensions={"product": "p" * 65}),
    "reserved_value": event("x", dimensions={"product": "other"}),
}
NOT_HERE = {"misrouted", "ids_not_kept"}  # about the key and the KPI file, in tests of their own


def test_every_way_of_being_refused(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """What kafka-python sends is refused with the code of its fault; good events go on."""
    assert set(REASONS) == REFUSED.keys() | NOT_HERE
    with (
        Pipeline(kafka_broker, tmp_path) as pipeline,
        closing(KafkaProducer(bootstrap_servers=kafka_broker.bootstrap)) as client,
    ):
        worker = pipeline.worker()
        for reason, value in REFUSED.items():
            expected = [("expected", reason.encode())]
            client.send(pipeline.topic, key=b"x", value=value, headers=expected)
        for number in range(ANSWERS):
            name = f"good-{number}"
            client.send(pipeline.topic, key=name.encode(), value=event(name, measures={"csat": 4}))
        client.flush()
        assert "" == pipeline.differences()
        assert ANSWERS == pipeline.outcomes()["applied"]
        letters = pipeline.letters()
        assert {reason.encode(): reason for reason in REFUSED} == {
            dict(letter.headers)["expected"]: letter.reason for letter in letters
        }
        assert set(REFUSED.values()) == {letter.value for letter in letters}
        for reason in REFUSED:
            assert 1.0 == worker.metric(f'feedback_refused_total{{reason="{reason}"}}')


def test_the_partitioner_of_librdkafka(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Edits by librdkafka's own partitioner are refused and say what to set; with that they count.

    Of 40 ids each of four partitions gets some by either partitioner, so some edits go astray.
    """
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        pipeline.worker()
        for prefix, options in (("own", {}), ("murmur", {"partitioner": "murmur2_random"})):
            client = Producer({"bootstrap.servers": kafka_broker.bootstrap} | options)
            for name in (f"{prefix}-{number}" for number in range(40)):
                client.produce(
                    pipeline.topic, key=name, value=event(name, revision=1, measures={"csat": 2})
                )
            client.flush()
        assert "" == pipeline.differences()
        letters = pipeline.letters()
        assert {"misrouted"} == {letter.reason for letter in letters}
        assert all((letter.key or b"").startswith(b"own-") for letter in letters)
        assert all("partitioner=murmur2_random" in letter.detail for letter in letters)
        assert 80 - len(letters) == pipeline.outcomes()["applied"]


def test_edits_where_no_ids_are_kept(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """With `dedupe: off` edits and withdrawals are refused as such, and first answers count."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        text = pipeline.kpi_file.read_text()
        pipeline.kpi_file.write_text(text.replace("{horizon: 30d}", "off"))
        pipeline.worker()
        with closing(KafkaProducer(bootstrap_servers=kafka_broker.bootstrap)) as client:
            for fields in ({}, {"revision": 1}, {"withdrawn": True}):
                client.send(pipeline.topic, key=b"x", value=event("x", **fields))
        pipeline.settle()
        assert ["ids_not_kept"] * 2 == [letter.reason for letter in pipeline.letters()]
        assert 1 == pipeline.outcomes()["applied"]
