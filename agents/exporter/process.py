"""The exporter as a process: refreshing on one thread, serving on others, until a signal."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector

from agents.exporter.exporter import Exporter
from agents.exporter.metrics_server import serve
from agents.logs import set_up_logs
from agents.redis_clients import reading_client
from streams.errors import ConfigurationError
from streams.kpis.load import load_kpis
from streams.scores.staleness import is_refused, layout_problem

if TYPE_CHECKING:
    from agents.settings import Settings
    from streams.counts.reader import Report
    from streams.kpis.file import KpiFile

logger = logging.getLogger(__name__)

_SAME_WARNING_SECONDS: Final = 30.0
# Refreshes may take longer than their interval, but never all of a core.
_LEAST_PAUSE_SECONDS: Final = 0.1
# A refresh thread that has shown nothing for so long is stuck, and a restart is what helps.
_STUCK_SECONDS: Final = 120.0


class Refreshing(threading.Thread):
    """Refreshes an exporter every `interval_seconds`, until `stopped` is set.

    What only another KPI file or other settings can mend, found at the first read, ends it:
    `fatal` then says what, and `stopped` is set. Whatever comes later is waited for, and logged.
    """

    def __init__(
        self, exporter: Exporter, settings: Settings, kpis: KpiFile, stopped: threading.Event
    ) -> None:
        super().__init__(name="refresh", daemon=True)
        self.fatal: ConfigurationError | None = None
        self._exporter = exporter
        self._settings = settings
        self._token = kpis.layout.token
        self._stopped = stopped
        self._was_read = False
        self._warned_at: dict[str, float] = {}

    def run(self) -> None:
        """Refresh, wait, and again."""
        while not self._stopped.is_set():
            started = time.monotonic()
            try:
                self._judge(self._exporter.refresh())
            except ConfigurationError as error:
                self.fatal = error
                self._stopped.set()
            except Exception:
                # The next refresh may succeed. Until then the view ages and becomes stale.
                logger.exception("the refresh failed")
            took = time.monotonic() - started
            pause = self._settings.refresh_seconds - took
            self._stopped.wait(max(pause, _LEAST_PAUSE_SECONDS))

    def _judge(self, report: Report) -> None:
        """Log what is waited for; raise `ConfigurationError` for what waiting can't mend."""
        if report.denied and not self._was_read:
            raise ConfigurationError(
                f"{report.problem} ({self._settings.redis_shown}). Check FEEDBACK_REDIS_URL, "
                "FEEDBACK_REDIS_USERNAME and FEEDBACK_REDIS_PASSWORD."
            )
        if report.problem:
            self._warn(f"waiting for Redis at {self._settings.redis_shown}: {report.problem}")
            return
        problem = layout_problem(report, self._token)
        if problem and not self._was_read and is_refused(report, self._token):
            raise ConfigurationError(problem)
        if problem:
            self._warn(problem)
        if not report.expected_partitions:
            self._warn(f"waiting for a worker: none has counted {self._settings.topic} yet")
        if not self._was_read:
            logger.info("Redis at %s has been read", self._settings.redis_shown)
        self._was_read = True

    def _warn(self, message: str) -> None:
        now = time.monotonic()
        if now - self._warned_at.get(message, -_SAME_WARNING_SECONDS) >= _SAME_WARNING_SECONDS:
            self._warned_at = {message: now}
            logger.warning("%s", message)


def run_exporter(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises `ConfigurationError` for a wrong KPI file before connecting, and for counts that were
    written by another layout.
    """
    kpis = load_kpis(settings.kpi_file)
    set_up_logs(settings.log_level)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    exporter = Exporter(kpis, reading_client(settings), settings.topic)
    registry = CollectorRegistry()
    registry.register(exporter)
    ProcessCollector(registry=registry)
    refreshing = Refreshing(exporter, settings, kpis, stopped)
    server = serve(
        settings.exporter_host, settings.exporter_port, registry, lambda: _unwell(exporter)
    )
    logger.info("serving http://%s:%d/metrics", settings.exporter_host, server.server_port)
    refreshing.start()
    stopped.wait()
    if refreshing.fatal:
        raise refreshing.fatal
    logger.info("stopped: asked to by a signal")


def _unwell(exporter: Exporter) -> str | None:
    age = exporter.age_seconds
    return f"no refresh for {age:.0f} s" if age > _STUCK_SECONDS else None
