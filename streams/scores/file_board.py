"""The scoreboard of a file: what the exporter would show had it been counted until its end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from streams.counts.reader import PartitionReport, Report
from streams.ledger.cells import CellFields
from streams.ledger.keys import Bucket
from streams.scores.scoreboard import Scoreboard
from streams.scores.states import PartitionHealth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kpis.file import KpiFile
    from streams.ledger.shapes import What


def file_board(kpis: KpiFile, answers: Iterable[tuple[int, What]]) -> tuple[Scoreboard, Report]:
    """A scoreboard that holds `answers` (Unix seconds, what was answered), as of the last of them.

    The pipeline is healthy and nothing was lost, so nothing is stale.
    """
    held = list(answers)
    end = max((occurred for occurred, _ in held), default=0)
    board = Scoreboard(kpis)
    for bucket, cells in _buckets(kpis, held, end).items():
        board.counts.put(0, bucket, {field: b"%d" % count for field, count in cells.items()})
    board.counts.advance(end)
    board.counts.settle()
    return board, _report(kpis, end)


def _buckets(
    kpis: KpiFile, answers: Iterable[tuple[int, What]], end: int
) -> dict[Bucket, Counter[bytes]]:
    """The cells that a ledger would hold at `end`."""
    fields = CellFields(kpis.layout)
    buckets: dict[Bucket, Counter[bytes]] = {}
    for occurred, what in answers:
        increments = fields.increments(what)
        for tier in kpis.layout.tiers:
            start = occurred // tier.seconds * tier.seconds
            if start + tier.retention_seconds > end:
                cells = buckets.setdefault(Bucket(tier.seconds, start), Counter())
                for field, amount in increments:
                    cells[field] += amount
    return buckets


def _report(kpis: KpiFile, end: int) -> Report:
    health = PartitionHealth(
        partition=0,
        log_end=0,
        position=0,
        last_record_time=float(end),
        time=float(end),
        complete_from=0.0,
    )
    partition = PartitionReport(
        partition=0,
        position=0,
        layout=kpis.layout.token,
        complete_from=0.0,
        outcomes={},
        health=health,
        settled=True,
    )
    return Report(float(end), expected_partitions=1, partitions=(partition,))
