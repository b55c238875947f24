"""Real servers and processes of the product, for integration tests and benchmarks."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from agents.embedded.ports import HOST, free_port
from agents.embedded.process import ChildProcess, wait_until
from agents.embedded.server import Server
from streams.errors import Unavailable
from tests.kafka_libraries import kafka_libraries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

ADMIN_SECONDS = 20.0
CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"  # any base64 UUID will do

# One node that is broker and controller. What is said here differs from Kafka's defaults for one
# of three reasons: a single node, little memory, or being quickly back after kill -9.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "10485760",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "250",
}


class KafkaBroker(Server):
    """Apache Kafka, one node in KRaft mode. `settings` are further broker settings."""

    start_seconds = 60.0  # 5 s on an idle machine; a busy one is slow, not broken
    stop_seconds = 20.0

    def __init__(
        self, *, heap_megabytes: int = 512, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("kafka")
        self._properties = self.directory / "server.properties"
        self._heap_megabytes = heap_megabytes
        self._settings = settings or {}

    @property
    def bootstrap(self) -> str:
        """The address to give to clients."""
        return self.address

    def create_topic(
        self, name: str, partitions: int = 4, settings: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic with `settings` such as `message.timestamp.type`; wait until it serves."""
        topic = NewTopic(name, num_partitions=partitions, config=dict(settings or {}))
        self.admin.create_topics([topic])[name].result(ADMIN_SECONDS)
        self._wait_for_partitions(name, partitions)

    def delete_topic(self, name: str) -> None:
        """Delete a topic; wait until the broker no longer names it."""
        self.admin.delete_topics([name])[name].result(ADMIN_SECONDS)
        self._wait_for_partitions(name, 0)

    def add_partitions(self, name: str, total: int) -> None:
        """Raise a topic's partitions to `total`; wait until they serve."""
        self.admin.create_partitions([NewPartitions(name, total)])[name].result(ADMIN_SECONDS)
        self._wait_for_partitions(name, total)

    @cached_property
    def admin(self) -> AdminClient:
        """An admin client, quick to see a restarted broker and silent about an absent one."""
        return AdminClient(
            {"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0}
        )

    def choose_ports(self) -> None:
        """Choose one port for clients and one for the controller."""
        super().choose_ports()
        self._controller_port = free_port()
        self.__dict__.pop("admin", None)

    def prepare(self) -> None:
        """Write the settings and format the data folder for them."""
        self._properties.write_text(
            "".join(f"{name}={value}\n" for name, value in self._all_settings().items())
        )
        tool = ChildProcess("kafka.tools.StorageTool", self.directory / "format.log")
        arguments = ("format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(self._properties))
        tool.spawn(self._java(tool.name, *arguments))
        wait_until(lambda: not tool.alive(), self.start_seconds, tool.name)
        if tool.exit_status:
            raise Unavailable(f"{tool.name} failed: {tool.output()}")

    def command(self) -> list[str]:
        """Give Java and its arguments."""
        return self._java("kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        """Whether a broker has registered: before that, metadata names none."""
        try:
            return bool(self.admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _all_settings(self) -> dict[str, str]:
        broker, controller = f"{HOST}:{self.port}", f"{HOST}:{self._controller_port}"
        return {
            **SETTINGS,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "log.dirs": str(self.directory / "data"),
            **self._settings,
        }

    def _java(self, main_class: str, *arguments: str) -> list[str]:
        return [
            "java",
            "-Xms128m",
            f"-Xmx{self._heap_megabytes}m",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dlog4j2.statusLoggerLevel=OFF",
            "-cp",
            f"{kafka_libraries()}/*",
            main_class,
            *arguments,
        ]

    def _wait_for_partitions(self, name: str, partitions: int) -> None:
        """Wait until the broker names so many partitions of the topic, each with a leader."""
        wait_until(
            lambda: _served_partitions(self.admin, name) == partitions,
            ADMIN_SECONDS,
            f"topic {name} to have {partitions} partitions",
        )


class FeedbackProcess(ChildProcess):
    """A running `feedback` command, such as `FeedbackProcess("exporter", directory=tmp_path)`.

    What it writes, stdout and stderr, is in `log` and `output()`. A context manager that ends it.
    """

    def __init__(
        self, *arguments: str, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.arguments = arguments
        self.environment = dict(environment or {})
        count = len(list(directory.glob(f"{arguments[0]}-*.log")))
        super().__init__(f"feedback {arguments[0]}", directory / f"{arguments[0]}-{count}.log")
        self.log.touch()

    def start(self) -> None:
        """Start it, or start it again after its end. It is not waited for."""
        command = [sys.executable, "-m", "agents.cli", *self.arguments]
        self.spawn(command, environment=self.environment)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


class Worker(FeedbackProcess):
    """A running `feedback worker`."""

    def __init__(
        self, *arguments: str, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("worker", *arguments, directory=directory, environment=environment)


def _served_partitions(admin: AdminClient, name: str) -> int:
    topic = admin.list_topics(timeout=ADMIN_SECONDS).topics.get(name)
    if topic is None or topic.error is not None:
        return 0
    return sum(partition.leader >= 0 for partition in topic.partitions.values())
