"""What the live board shows: one reading of Redis, and what a person looks for in it.

`feedback top`, its JSON, and the demo are views of this. Like the exporter it reads Redis alone
and shows the scoreboard's rows, so the board and Prometheus say the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.counts.reader import CountsReader
from streams.kpis.combined import range_of
from streams.scores.rows import ALL
from streams.scores.scoreboard import Scoreboard
from streams.scores.states import lag_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from redis import Redis

    from streams.counts.reader import Report
    from streams.kpis.file import KpiFile
    from streams.scores.movements import Movement
    from streams.scores.rows import Row

_Key = tuple[str, str, tuple[tuple[str, str], ...]]  # KPI, window and segment

_URGENCY: Final = {"breach": 0, "watch": 1, "ok": 2}


class Pipeline(NamedTuple):
    """The health of one topic. `lag_seconds` is infinite where nothing has been counted yet.

    `oldest_report_seconds` is None before any owner reported. `problem` says why Redis can't be
    read; `stale` why the windows of each name can't be trusted.
    """

    topic: str
    partitions: int
    lag_events: int
    lag_seconds: float
    read: int
    outcomes: dict[str, int]
    oldest_report_seconds: float | None
    memory_bytes: int
    memory_limit_bytes: int
    problem: str | None
    stale: dict[str, str]

    @property
    def refused(self) -> int:
        """Events refused; each is a record of the dead-letter topic."""
        return self.outcomes.get("refused", 0)

    @property
    def refused_share(self) -> float:
        """Refused of all that was read, 0 to 1."""
        return self.refused / self.read if self.read else 0.0


class View(NamedTuple):
    """One reading of Redis; `now` is Unix seconds by Redis's clock."""

    now: float
    kpis: KpiFile
    rows: list[Row]
    pipeline: Pipeline
    movements: Sequence[Movement] = ()

    @property
    def totals(self) -> list[Row]:
        """The rows of whole KPIs, in the KPI file's order."""
        return [row for row in self.rows if row.breakdown == ALL]

    @property
    def alerts(self) -> list[Row]:
        """The rows whose alert is raised, the latest first."""
        raised = [row for row in self.rows if row.alert and row.alert.raised]
        return sorted(raised, key=lambda row: row.alert.since or 0.0, reverse=True)  # type: ignore[union-attr]

    @property
    def worst_segments(self) -> list[Row]:
        """Segments in breach, then in watch, then the others; the furthest below target first.

        Each segment of a KPI is there once, by its worst window. What is idle, stale or has too
        few answers can't be ranked, and is left out; so is what holds the same answers as a
        wider segment (one product that is sold through one channel), unless it is in breach.
        """
        answers = {(row.kpi, row.window, row.segment): row.answers for row in self.rows}
        rows = [row for row in self.rows if _ranked(row) and _says_more(row, answers)]
        worst: dict[tuple[object, ...], Row] = {}
        for row in sorted(rows, key=self._badness):
            worst.setdefault((row.kpi, row.segment), row)
        return list(worst.values())

    def _badness(self, row: Row) -> tuple[int, float]:
        """Distances to the target are compared as shares of what the formula can give."""
        kpi = self.kpis.kpis[row.kpi]
        low, high = range_of(kpi.formula, kpi.measure)
        assert row.score is not None  # noqa: S101 - `_ranked` let only scores pass
        better = -1 if row.direction == "lower" else 1
        # What has no greatest value is compared with its target.
        width = max(abs(row.target), 1e-9) if math.isinf(high) else high - low
        return _URGENCY[row.state], better * (row.score - row.target) / width


class Board:
    """Reads a running system. `redis` answers with bytes and is used by one thread."""

    def __init__(self, kpis: KpiFile, redis: Redis, topic: str) -> None:
        self._kpis = kpis
        self._topic = topic
        self._scoreboard = Scoreboard(kpis)
        self._reader = CountsReader(redis, topic, self._scoreboard.counts)

    @property
    def scoreboard(self) -> Scoreboard:
        """What all of it is computed by."""
        return self._scoreboard

    def refresh(self) -> Report:
        """Read what changed; gives what was found."""
        return self._reader.refresh()

    def read(self) -> View:
        """Read what changed, and give all of it; while Redis is away, the last with the reason."""
        report = self.refresh()
        rows = self._scoreboard.rows(report)
        pipeline = _pipeline(self._topic, report, rows)
        return View(report.now, self._kpis, rows, pipeline, self._scoreboard.movements(report))


def _ranked(row: Row) -> bool:
    return row.breakdown != ALL and row.state in _URGENCY and row.score is not None


def _says_more(row: Row, answers: Mapping[_Key, int]) -> bool:
    """Whether no segment of one dimension less has as many answers, or the row is in breach."""
    wider = (row.segment[:at] + row.segment[at + 1 :] for at in range(len(row.segment)))
    same = any(answers.get((row.kpi, row.window, one)) == row.answers for one in wider)
    return row.state == "breach" or not same


def _pipeline(topic: str, report: Report, rows: Iterable[Row]) -> Pipeline:
    healths = report.healths
    outcomes: dict[str, int] = {}
    for partition in report.partitions:
        for name, count in partition.outcomes.items():
            outcomes[name] = outcomes.get(name, 0) + count
    return Pipeline(
        topic=topic,
        partitions=report.expected_partitions,
        lag_events=sum(max(0, health.log_end - health.position) for health in healths),
        lag_seconds=max(map(lag_seconds, healths), default=math.inf),
        read=sum(outcomes.values()),
        outcomes=outcomes,
        oldest_report_seconds=max((report.now - h.time for h in healths), default=None),
        memory_bytes=report.memory_bytes,
        memory_limit_bytes=report.memory_limit_bytes,
        problem=report.problem,
        stale={row.window: row.reason for row in rows if row.reason},
    )
