"""kafka-python's producer, consumer and admin client, built from `Settings` in one place.

The worker has its own client (aiokafka, inside Faust); these serve the commands that publish,
read dead letters and create topics.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError

from agents.kafka.errors import calm_logs
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.settings import Settings

# How long a broker may take to answer at all before the person at the terminal hears of it.
CONNECT_SECONDS: Final = 10

# Beyond any topic's own limit worth having: the topic's `max.message.bytes` shall decide, since
# its refusal is about one record and the client's own would be about a number nobody chose.
_REQUEST_BYTES: Final = 16 * 1024 * 1024

_BATCH_BYTES: Final = 128 * 1024
_LINGER_MILLISECONDS: Final = 20  # fills batches at high rates, unnoticed at low ones

_CLOSE_SECONDS: Final = 2  # whoever sends has awaited the receipts by then


@contextmanager
def producer(settings: Settings) -> Iterator[KafkaProducer]:
    """A producer whose records, once acknowledged, are on every in-sync replica exactly once.

    Keys go to partitions by murmur2, the client's default. Idempotence is its default too,
    where the brokers know it. It is closed at the end, also when the brokers are gone.
    """
    client = KafkaProducer(
        **_connection(settings),
        acks="all",
        batch_size=_BATCH_BYTES,
        linger_ms=_LINGER_MILLISECONDS,
        max_request_size=_REQUEST_BYTES,
        max_block_ms=CONNECT_SECONDS * 1000,
        # A topic made by a typing error, with the brokers' defaults, would be found too late.
        allow_auto_create_topics=False,
    )
    try:
        yield client
    finally:
        _close(client)


def _close(client: KafkaProducer) -> None:
    try:
        client.close(timeout=_CLOSE_SECONDS)
    except KafkaTimeoutError:
        # `close` first waits for records that no broker will take. Only the sender knows how to
        # drop them; left as it is, it would be asked once more, in vain, at the interpreter's end.
        client._sender.force_close()  # noqa: SLF001
        client.close(timeout=_CLOSE_SECONDS)


def consumer(settings: Settings) -> KafkaConsumer:
    """A consumer without a group, for reading a topic from its beginning; commits nothing."""
    return KafkaConsumer(
        **_connection(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
    )


def admin(settings: Settings) -> KafkaAdminClient:
    """A client for creating and describing topics."""
    return KafkaAdminClient(**_connection(settings))


def partition_count(client: KafkaProducer, settings: Settings, topic: str) -> int:
    """How many partitions `topic` has; raises `Unavailable` where it is not there."""
    try:
        return len(client.partitions_for(topic))
    except KafkaTimeoutError:
        raise Unavailable(
            f"Kafka at {settings.kafka_brokers} has no topic {topic} that we may see. "
            "Create it with `feedback topics create`, or name another with --topic."
        ) from None


def _connection(settings: Settings) -> dict[str, Any]:
    """What all three clients share."""
    calm_logs()
    return {
        "bootstrap_servers": settings.brokers,
        "client_id": "feedback",
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": settings.kafka_tls,
        "api_version": _version(settings.kafka_api_version),
        "bootstrap_timeout_ms": CONNECT_SECONDS * 1000,
        **_credentials(settings),
    }


def _credentials(settings: Settings) -> dict[str, str]:
    if settings.kafka_login is None:
        return {}
    username, password = settings.kafka_login
    return {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }


def _version(text: str | None) -> tuple[int, ...] | None:
    """The protocol version as kafka-python takes it; None: it asks the brokers."""
    return None if text is None else tuple(int(part) for part in text.split("."))
