"""What an audit found, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.audit.audit import PartitionAudit
    from streams.audit.comparison import Difference

# Enough to see a pattern; JSON has them all.
_SHOWN: Final = 20


def report_json(topic: str, results: Sequence[PartitionAudit]) -> str:
    """One JSON object: `equal`, and each partition with its notes and all differences."""
    partitions = [
        {
            "partition": result.partition,
            "position": result.position,
            "log_end": result.log_end,
            "records": result.records,
            "cells": result.cells,
            "ids": result.ids,
            "notes": list(result.notes),
            "differences": [difference._asdict() for difference in result.differences],
        }
        for result in results
    ]
    whole: dict[str, Any] = {
        "topic": topic,
        "equal": not any(result.differences for result in results),
        "partitions": partitions,
    }
    return json.dumps(whole, indent=2)


def print_report(topic: str, results: Sequence[PartitionAudit]) -> None:
    """Print a row for each partition, notes, the first differences, and the verdict."""
    console = Console()
    console.print(_table(topic, results))
    for result in results:
        for note in result.notes:
            console.print(f"partition {result.partition}: {note}", markup=False, soft_wrap=True)
        for difference in result.differences[:_SHOWN]:
            line = _line(result.partition, difference)
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if len(result.differences) > _SHOWN:
            console.print(
                f"partition {result.partition}: {len(result.differences) - _SHOWN:,} more"
            )
    total = sum(len(result.differences) for result in results)
    console.print(f"[bold red]{total:,} differences[/]" if total else "[green]equal[/]")


def _table(topic: str, results: Sequence[PartitionAudit]) -> Table:
    table = Table(title=f"Audit of {escape(topic)}", title_justify="left")
    for name in ("partition", "position", "log end", "records", "cells", "ids", "differences"):
        table.add_column(name, justify="right")
    for result in results:
        position = "none" if result.position is None else f"{result.position:,}"
        numbers = (result.log_end, result.records, result.cells, result.ids)
        different = f"{len(result.differences):,}"
        table.add_row(f"{result.partition}", position, *(f"{n:,}" for n in numbers), different)
    return table


def _line(partition: int, difference: Difference) -> str:
    kind, place, expected, found = difference
    return f"partition {partition}: {kind} {place}: expected {expected}, found {found}"
