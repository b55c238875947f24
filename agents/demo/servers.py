"""The whole product in one folder: Kafka and Redis, a worker and the exporter."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Self

from agents.embedded.kafka import MockKafka
from agents.embedded.ports import HOST, free_port
from agents.embedded.process import ChildProcess
from agents.embedded.redis import RedisServer
from agents.settings import PREFIX, Settings, load_settings
from streams.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# What the embedded Kafka understands; kafka-python can't find it out from it.
_KAFKA_API: Final = "2.0"

# The scores on the exporter are as fresh as those on the board.
_REFRESH_SECONDS: Final = 1.0

_LAST_WORDS: Final = 2_000

_COMMANDS: Final = {"worker": ("worker",), "exporter": ("exporter",)}


class Servers:
    """Started by entering, ended at once by leaving: nothing of it is worth keeping.

    Kafka lives in this process; Redis, worker and exporter are its children, and the kernel ends
    them with it. All their files are in `folder`, and all their ports on 127.0.0.1.
    """

    def __init__(self, folder: Path, kpi_file: Path) -> None:
        self._folder = folder
        self._kpi_file = kpi_file
        self._kafka = MockKafka()
        self._redis = RedisServer(directory=folder)
        self._children = {name: ChildProcess(name, folder / f"{name}.log") for name in _COMMANDS}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def redis_program(self) -> str:
        """The name of the Redis server that was found."""
        return self._redis.program.name

    def check(self) -> None:
        """Raise `Unavailable`, with its last words, if anything has ended."""
        for child in (self._redis.process, *self._children.values()):
            if not child.alive():
                words = child.output()[-_LAST_WORDS:].strip() or "nothing"
                raise Unavailable(f"{child.name} ended ({child.exit_status}); it said:\n{words}")

    def _start(self) -> None:
        self._kafka.start()
        self._redis.start()
        self.settings = load_settings(
            kafka_brokers=self._kafka.bootstrap,
            kafka_api_version=_KAFKA_API,
            redis_url=self._redis.url,
            kpi_file=self._kpi_file,
            web_port=free_port(),
            exporter_port=free_port(),
            refresh_seconds=_REFRESH_SECONDS,
        )
        for topic in (self.settings.topic, self.settings.dead_letter_topic):
            self._kafka.create_topic(topic)
        self._start_processes()

    def _start_processes(self) -> None:
        """Start worker and exporter; neither is waited for."""
        environment = _environment(self.settings)
        for name, child in self._children.items():
            child.spawn(
                [sys.executable, "-m", "agents.cli", *_COMMANDS[name]],
                environment=environment,
                directory=self._folder,
            )

    def _end(self) -> None:
        for child in self._children.values():
            child.kill()
        self._redis.close()
        self._kafka.close()


def forget_settings() -> None:
    """Drop the FEEDBACK_… variables of this process: they are about another system."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


def metrics_addresses(settings: Settings) -> tuple[str, str]:
    """Where Prometheus finds the exporter and the worker."""
    return f"{HOST}:{settings.exporter_port}", f"{HOST}:{settings.web_port}"


def _environment(settings: Settings) -> dict[str, str]:
    given = settings.model_dump(exclude_unset=True, mode="json")
    return {PREFIX + name.upper(): str(value) for name, value in given.items()}
