"""The exporter: reads Redis every few seconds and gives Prometheus what it made of it.

Scraping never waits for Redis, and never fails: while Redis is away the last scores are served as
stale, with `feedback_redis_up` 0. An error that made a scrape fail would hide the outage.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from prometheus_client.registry import Collector

from agents import metrics
from agents.exporter.families import (
    kpi_families,
    movement_families,
    pipeline_families,
    score_families,
    single,
)
from streams.counts.reader import CountsReader, Report
from streams.scores.scoreboard import Scoreboard
from streams.scores.states import HEALTH_AGE_LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric
    from redis import Redis

    from streams.kpis.file import KpiFile
    from streams.scores.movements import Movement
    from streams.scores.rows import Row

logger = logging.getLogger(__name__)


class _View(NamedTuple):
    """What a refresh made; `made_at` is by the monotonic clock."""

    report: Report
    rows: list[Row]
    movements: list[Movement]
    seconds: float
    made_at: float


class Exporter(Collector):
    """Collects from the last view, which `refresh` replaces.

    `refresh` is for one thread; any number may collect meanwhile.
    """

    def __init__(
        self,
        kpis: KpiFile,
        redis: Redis,
        topic: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kpis = kpis
        self._topic = topic
        self._monotonic = monotonic
        self._scoreboard = Scoreboard(kpis)
        self._reader = CountsReader(redis, topic, self._scoreboard.counts, monotonic=monotonic)
        nothing = Report(time.time(), problem="Redis has not been read yet")
        rows = self._scoreboard.rows(nothing)
        self._view = _View(nothing, rows, [], 0.0, monotonic())
        self._errors = 0

    def refresh(self) -> Report:
        """Read Redis and make the rows anew; gives what was found."""
        started = self._monotonic()
        try:
            report = self._reader.refresh()
            rows = self._scoreboard.rows(report)
            movements = self._scoreboard.movements(report)
        except Exception:
            self._errors += 1
            raise
        ended = self._monotonic()
        self._view = _View(report, rows, movements, ended - started, ended)
        return report

    def describe(self) -> Iterable[Metric]:
        """Give nothing: names are not claimed, so that registering does not collect."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All families as of the last view; whatever happens, at least that something is wrong."""
        try:
            return self._families(self._view)
        except Exception:
            logger.exception("the last view can't be shown")
            self._errors += 1
            return [single(metrics.REDIS_UP, 0), single(metrics.EXPORTER_ERRORS, self._errors)]

    @property
    def age_seconds(self) -> float:
        """How long ago the last view was made."""
        return self._monotonic() - self._view.made_at

    def _families(self, view: _View) -> list[Metric]:
        report, rows, movements = view.report, view.rows, view.movements
        age = self.age_seconds
        frozen = age > HEALTH_AGE_LIMIT_SECONDS
        if frozen:
            rows = [_frozen(row, age) for row in rows]
            movements = []
        up = report.problem is None and not frozen
        return [
            *score_families(rows, self._kpis),
            *movement_families(movements, self._kpis),
            *kpi_families(self._kpis, report.now),
            *pipeline_families(report, self._topic),
            single(metrics.REDIS_UP, float(up)),
            single(metrics.SNAPSHOT_SECONDS, view.seconds),
            single(metrics.ROWS, len(rows)),
            single(metrics.EXPORTER_ERRORS, self._errors),
        ]


def _frozen(row: Row, age: float) -> Row:
    reason = f"the exporter has not read Redis for {age:.0f} s"
    return msgspec.structs.replace(row, state="stale", reason=reason)
