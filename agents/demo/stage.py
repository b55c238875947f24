"""The stage: everything that runs during the demo, and the board that watches it."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agents.board.board import Board
from agents.demo.sample import kpi_text, read_sample
from agents.demo.servers import Servers
from agents.demo.story import BAD_SERVICE
from agents.demo.traffic import Schedule, Traffic
from agents.demo.upstream import Upstream
from agents.redis_clients import reading_client
from streams.kpis.load import load_kpis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.kpis.file import KpiFile

HISTORY_SECONDS: Final = 360
"""How far back answers are published before the story begins: the longest window, and more."""

_SEED: Final = 1948


@dataclass(frozen=True)
class Stage:
    """What runs, and its files in `folder`."""

    folder: Path
    kpis: KpiFile
    servers: Servers
    upstream: Upstream
    schedule: Schedule
    board: Board

    def publish(self) -> None:
        """Publish what is due by now."""
        for event in self.schedule.due(time.time()):
            self.upstream.send(event)


@contextmanager
def open_stage(window_seconds: int, badness: Callable[[float], float]) -> Iterator[Stage]:
    """Start it all; on leaving, every process is ended and the folder removed.

    `badness` says how bad the story's service is at a time (Unix seconds).
    """
    with tempfile.TemporaryDirectory(prefix="feedback-demo-") as name:
        folder = Path(name)
        kpi_file = folder / "kpis.yaml"
        kpi_file.write_text(kpi_text(window_seconds), encoding="utf-8")
        kpis = load_kpis(kpi_file)
        traffic = Traffic(read_sample(), BAD_SERVICE, _SEED)
        schedule = Schedule(traffic, time.time() - HISTORY_SECONDS, badness)
        with Servers(folder, kpi_file) as servers, reading_client(servers.settings) as redis:
            topic = servers.settings.topic
            upstream = Upstream(servers.settings.kafka_brokers, topic)
            yield Stage(folder, kpis, servers, upstream, schedule, Board(kpis, redis, topic))
