"""A topic, a Redis, and workers that count the one into the other, for tests that break things."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Self, cast

import redis
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from agents.embedded.ports import HOST, free_port
from agents.embedded.process import wait_until
from agents.embedded.redis import RedisServer
from agents.kafka.clients import consumer
from agents.kafka.dead_letters import Letters
from agents.kafka.topic_log import read_to_now
from agents.settings import load_settings
from streams.events.dead_letter import ROOM_BYTES
from streams.ledger.keys import PartitionKeys, topic_key
from tests.integration.traffic import Publisher, Traffic, publish
from tests.servers import FeedbackProcess, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from streams.events.dead_letter import Original
    from tests.integration.traffic import Message
    from tests.servers import KafkaBroker

# The machine may be busy with other things; a worker that is right is not judged by its speed.
PATIENCE_SECONDS = 90.0
# After this a silent worker loses its partitions. Short, so that kills don't make the suite slow.
SESSION_SECONDS = 2
STOP_SECONDS = 10.0  # a promise of the product
LOG_TAIL_CHARACTERS = 6_000
LIMIT = "max.message.bytes"

KPIS = """\
version: {version}
measures:
  csat: {{kind: rating, scale: [1, {best}]}}
  nps: {{kind: rating, scale: [0, 10]}}
  sla_met: {{kind: flag}}
dimensions: {{product: {{max: 2}}, channel: {{max: 4}}}}
windows: [1h, 24h]
retention: {{10s: 2h, 5m: 2d}}
dedupe: {{horizon: 30d}}
kpis:
  csat:
    title: Satisfaction
    formula: {{top_box: {{measure: csat, at_least: 4}}}}
    target: 80
    owner: support
    breakdowns: [[product, channel]]
  nps: {{title: NPS, formula: {{net: {{measure: nps}}}}, target: 30, owner: support}}
  sla: {{title: SLA, formula: {{share: {{measure: sla_met}}}}, target: 90, owner: support}}
  sentiment: {{title: Sentiment, formula: {{sentiment: net}}, target: 10, owner: support}}
"""


# The folder in which Python is started comes first where it looks for modules.
FEEDBACK_WORKER = ("agents.cli", "worker")
FAUST_WORKER = ("faust", "-A", "agents.app", "worker", "-l", "warn")


class CountingWorker(Worker):
    """A worker with pages of its own.

    `code` is the folder of another copy of the product, `module` what Python runs.
    """

    def __init__(
        self,
        *,
        directory: Path,
        environment: Mapping[str, str],
        code: Path | None = None,
        module: Sequence[str] = FEEDBACK_WORKER,
    ) -> None:
        self.web_port = free_port()
        self._code = code
        self._module = module
        super().__init__(
            directory=directory,
            environment={**environment, "FEEDBACK_WEB_PORT": str(self.web_port)},
        )

    def start(self) -> None:
        """Start it, or start it again after its end."""
        command = [sys.executable, "-m", *self._module]
        self.spawn(command, environment=self.environment, directory=self._code)

    @property
    def problems(self) -> list[str] | None:
        """What /readyz complains about; empty when ready, None where nobody answers."""
        found = self._get("/readyz")
        if found is None:
            return None
        status, body = found
        problems: list[str] = json.loads(body)["problems"]
        assert status == (503 if problems else 200)
        return problems

    @property
    def healthy(self) -> bool:
        """Whether /healthz answers that it is."""
        found = self._get("/healthz")
        return found is not None and found[0] == 200

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 where it is not exported yet."""
        found = self._get("/metrics")
        lines = found[1].decode().splitlines() if found else []
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if re.match(rf"{name}(\{{[^}}]*\}})? ", line)
        )

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        return self.output().rstrip().rpartition("\n")[2]

    def _get(self, path: str) -> tuple[int, bytes] | None:
        connection = HTTPConnection(HOST, self.web_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return None
        finally:
            connection.close()


class Pipeline:
    """One topic with its dead letters, one Redis and a KPI file; a context manager.

    `running` are the workers that must be alive: whatever is waited for, the wait fails as soon
    as one of them has ended. Where the test fails, the ends of all logs are printed.
    """

    def __init__(
        self,
        broker: KafkaBroker,
        directory: Path,
        *,
        server: RedisServer | None = None,
        partitions: int = 4,
        topic_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.broker = broker
        self.directory = directory
        self.partitions = partitions
        self.topic = re.sub(r"[^A-Za-z0-9._-]", "-", directory.name)
        self.dead_letter_topic = f"{self.topic}.dead-letters"
        self.server = server or RedisServer(append_only=True)
        self.running: list[CountingWorker] = []
        self._topic_settings = topic_settings or {}
        self._processes: list[FeedbackProcess] = []
        self._exit = ExitStack()
        self.kpi_file = self.write_kpis(1)

    # Making

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.server)
            self.redis: redis.Redis = stack.enter_context(redis.Redis(port=self.server.port))
            self.create_topics()
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()
        self._exit.close()
        if kind is not None:
            for process in self._processes:
                print(f"\n{process.log}:\n{process.log.read_text()[-LOG_TAIL_CHARACTERS:]}")  # noqa: T201

    def create_topics(self) -> None:
        """Create the topics of events and dead letters."""
        settings = {"message.timestamp.type": "LogAppendTime", **self._topic_settings}
        self.broker.create_topic(self.topic, self.partitions, settings)
        self.create_dead_letter_topic()

    def create_dead_letter_topic(self) -> None:
        """Create the topic of dead letters, with the room that our headers need."""
        settings = dict(self._topic_settings)
        if limit := settings.get(LIMIT):
            settings[LIMIT] = str(int(limit) + ROOM_BYTES)
        self.broker.create_topic(self.dead_letter_topic, 1, settings)

    def write_kpis(self, version: int, *, best: int = 5) -> Path:
        """Write a KPI file; another `best` score is another layout."""
        path = self.directory / f"kpis-{version}-{best}.yaml"
        path.write_text(KPIS.format(version=version, best=best))
        return path

    def environment(self, **settings: object) -> dict[str, str]:
        """Settings for processes of this pipeline; `settings` win."""
        values = {
            "kafka_brokers": self.broker.bootstrap,
            "topic": self.topic,
            "dead_letter_topic": self.dead_letter_topic,
            "group": self.topic,
            "redis_url": self.server.url,
            "kpi_file": self.kpi_file,
            "session_timeout_seconds": SESSION_SECONDS,
            **settings,
        }
        return {f"FEEDBACK_{name.upper()}": str(value) for name, value in values.items()}

    def worker(self, *, code: Path | None = None, **settings: object) -> CountingWorker:
        """Start a worker, which from now on must be alive."""
        environment = self.environment(**settings)
        return self._begun(
            CountingWorker(directory=self.directory, environment=environment, code=code)
        )

    def worker_by_faust(self) -> CountingWorker:
        """Start a worker by Faust's own command."""
        environment = self.environment()
        return self._begun(
            CountingWorker(directory=self.directory, environment=environment, module=FAUST_WORKER)
        )

    def _begun(self, worker: CountingWorker) -> CountingWorker:
        self._processes.append(worker)
        self.start(worker)
        return worker

    def start(self, worker: CountingWorker) -> None:
        """Start a worker again after its end."""
        worker.start()
        self.running.append(worker)

    def kill(self, worker: CountingWorker) -> None:
        """Kill -9."""
        assert worker.alive(), worker.output()[-LOG_TAIL_CHARACTERS:]
        self.running.remove(worker)
        worker.kill()

    def stop(self, worker: CountingWorker) -> str:
        """SIGTERM: the worker must leave in time with status 0; its last line."""
        assert worker.alive(), worker.output()[-LOG_TAIL_CHARACTERS:]
        self.running.remove(worker)
        assert 0 == worker.terminate(STOP_SECONDS), worker.output()[-LOG_TAIL_CHARACTERS:]
        return worker.last_words

    def ended(self, worker: CountingWorker, seconds: float = PATIENCE_SECONDS) -> int | None:
        """Wait for a worker that ends by itself; its exit status."""
        if worker in self.running:
            self.running.remove(worker)
        self.wait(lambda: not worker.alive(), f"{worker.name} to end", seconds)
        return worker.exit_status

    # Publishing

    def publish(self, messages: Iterable[Message]) -> int:
        """Publish messages and wait for the receipts; how many there were."""
        return publish(self.broker.bootstrap, self.topic, messages)

    def publishing(self, seed: int, *, rate: int = 400) -> Publisher:
        """Publish traffic in the background while the context lasts."""
        return Publisher(self.broker.bootstrap, self.topic, Traffic(seed), rate=rate)

    # Looking

    def keys(self, partition: int) -> PartitionKeys:
        """The keys of a partition."""
        return PartitionKeys(self.topic, partition)

    def positions(self) -> list[int]:
        """The next offset to count of each partition; 0 where nothing was counted."""
        pipeline = self.redis.pipeline(transaction=False)
        for partition in range(self.partitions):
            pipeline.hget(self.keys(partition).ledger, "position")
        return [int(position or 0) for position in pipeline.execute()]

    def counted(self) -> int:
        """How many offsets have been counted."""
        return sum(self.positions())

    def log_ends(self) -> list[int]:
        """The next offset to be written of each partition."""
        wanted = {
            TopicPartition(self.topic, p): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for p in range(self.partitions)
        }
        ends: list[int] = []

        def found() -> bool:
            # Never the same client twice: librdkafka keeps a partition's leader epoch, and after a
            # pause of the broker it would be refused with the old one for ever.
            admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
            try:
                asked = admin.list_offsets(wanted, request_timeout=10)
                ends[:] = [asked[partition].result().offset for partition in wanted]
            except KafkaException:  # a broker that has just come back
                return False
            return True

        self.wait(found, "the broker to say where the log ends")
        return ends

    def outcomes(self) -> dict[str, int]:
        """The ledgers' totals, summed over partitions."""
        totals: dict[str, int] = {}
        for partition in range(self.partitions):
            for name, number in self._hash(self.keys(partition).ledger).items():
                if name.startswith(b"outcome:"):
                    outcome = name.decode().removeprefix("outcome:")
                    totals[outcome] = totals.get(outcome, 0) + int(number)
        return totals

    def topic_facts(self) -> dict[bytes, bytes]:
        """What is stored of the topic."""
        return self._hash(topic_key(self.topic))

    def _hash(self, key: str) -> dict[bytes, bytes]:
        return cast("dict[bytes, bytes]", self.redis.hgetall(key))

    # Waiting and judging

    def wait(
        self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait for a condition while every running worker stays alive."""
        wait_until(lambda: self._all_alive() and condition(), seconds, what)

    def wait_ready(self, worker: CountingWorker) -> None:
        """Wait until /readyz has nothing to complain about."""
        self.wait(lambda: worker.problems == [], "a worker to be ready")

    def wait_counted(self, more: int, *, since: int | None = None) -> None:
        """Wait until so many more offsets are counted, now or since a count taken before."""
        goal = (self.counted() if since is None else since) + more
        self.wait(lambda: self.counted() >= goal, f"{more} more events to be counted")

    def endure(self, seconds: float) -> None:
        """Let a fault last, with every running worker alive throughout."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end, "time to pass", seconds * 2 + 10)

    def says(self, worker: CountingWorker, text: str) -> None:
        """Wait until a worker's log holds `text`."""
        self.wait(lambda: text in worker.output(), f"the words {text!r}")

    def settle(self) -> None:
        """Wait until everything published is counted."""
        ends = self.log_ends()
        self.wait(
            lambda: all(p >= e for p, e in zip(self.positions(), ends, strict=True)),
            f"the ledgers to reach {ends}",
        )

    def differences(self, **settings: object) -> str:
        """What the audit finds wrong, once everything is counted; empty where all is exact."""
        self.settle()
        environment = self.environment(**settings)
        audit = FeedbackProcess(
            "audit", "--format", "json", directory=self.directory, environment=environment
        )
        self._processes.append(audit)
        audit.start()
        self.wait(lambda: not audit.alive(), "the audit")
        assert audit.exit_status in {0, 1}, audit.output()
        return audit.output() if audit.exit_status else ""

    def letters(self) -> list[Original]:
        """The refused records in the dead-letter topic, repeats dropped as our tools do."""
        settings = load_settings(kafka_brokers=self.broker.bootstrap)
        client = consumer(settings)
        try:
            found = Letters(read_to_now(client, self.dead_letter_topic))
            originals = [letter.original for letter in found]
        finally:
            client.close()
        assert 0 == found.strangers
        return originals

    def _all_alive(self) -> bool:
        for worker in self.running:
            assert worker.alive(), (
                f"a worker ended ({worker.exit_status}): {worker.output()[-LOG_TAIL_CHARACTERS:]}"
            )
        return True
