"""Kafka in memory: librdkafka's mock cluster, which the confluent-kafka wheel carries.

What a user of it must know, measured with librdkafka 2.16.0:
- Topics come into being, with 4 partitions, when a client first asks for them. CreateTopics and
  DeleteTopics time out.
- A partition keeps its last 5 MiB or so; older records are dropped and its start moves on.
- Records keep their producer's timestamp (no LogAppendTime); ListOffsets by time finds nothing.
- A consumer group has room for one member.
- kafka-python must be told `api_version=(2, 0)`; aiokafka finds out by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from streams.errors import Unavailable

if TYPE_CHECKING:
    from types import TracebackType

PARTITIONS = 4  # librdkafka's choice for a topic that is asked for; there is no setting
START_SECONDS = 10.0


class MockKafka:
    """A cluster of one node that lives in this process until closed; a context manager.

    It runs in librdkafka's own threads, so Python may be busy elsewhere. Any process of the
    machine may connect to `bootstrap`.

    Raises:
        Unavailable: on starting, confluent-kafka is not installed or names no broker.
    """

    def __init__(self) -> None:
        self._host: Any = None
        self._bootstrap = ""

    @property
    def bootstrap(self) -> str:
        """The address to give to clients; librdkafka chooses the port."""
        return self._bootstrap

    def start(self) -> None:
        """Start the cluster."""
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an optional dependency
        except ImportError:
            raise Unavailable(
                "the embedded Kafka is not installed; run: pip install 'feedback-streams[demo]'"
            ) from None
        # Any librdkafka client can host the cluster; this one is never used to produce.
        self._host = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._host.list_topics(timeout=START_SECONDS).brokers.values()
        if not brokers:
            raise Unavailable("the embedded Kafka names no broker")
        self._bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create_topic(self, name: str) -> int:
        """Bring a topic into being by asking for it, and return its number of partitions."""
        topic = self._host.list_topics(name, timeout=START_SECONDS).topics[name]
        return len(topic.partitions)

    def close(self) -> None:
        """End the cluster and everything in it."""
        self._host = None  # librdkafka takes the cluster down with its host

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
