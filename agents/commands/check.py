"""`feedback check`: whether the KPI file is right, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from pydantic import ByteSize
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.settings import load_settings
from streams.durations import Duration
from streams.errors import ConfigurationError
from streams.kpis.load import load_kpis
from streams.kpis.schema import kpi_schema
from streams.kpis.sizing import (
    answers_kept,
    fullest_counter,
    kpi_cost,
    redis_cost,
)
from streams.kpis.stored import tier_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.kpis.file import Kpi, KpiFile

EXAMPLES = """\b
Examples:
  feedback check
  feedback check kpis.yaml --answers-per-day 250000 --partitions 16
  feedback check --schema > kpis.schema.json
"""


@click.command(epilog=EXAMPLES)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--answers-per-day",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="How many answers to size Redis for.",
)
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Partitions of the topic: each has counters of its own.",
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema for editors, and stop.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def command(
    file: Path | None,
    answers_per_day: int,
    partitions: int,
    schema: bool,
    form: Literal["table", "json"],
) -> None:
    """Check the KPI file FILE (default: FEEDBACK_KPI_FILE, else kpis.yaml) and show its cost.

    The numbers are the most that the file can cost: every dimension with all its `max` values,
    every answer answering everything. No server is asked.

    Exit status: 0, or 2 with every error of the file on standard error, or when it costs more
    than its `budget`.
    """
    if schema:
        click.echo(schema_text(), nl=False)
        return
    kpis = load_kpis(file or load_settings().kpi_file)
    found = report(kpis, answers_per_day, partitions)
    if form == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        _print(found, Console())
    problems = [*_problems(kpis, found)]
    if problems:
        raise ConfigurationError("\n".join(problems))


def schema_text() -> str:
    """The JSON Schema of the KPI file, as `docs/kpis.schema.json` holds it."""
    return json.dumps(kpi_schema(), indent=2, ensure_ascii=False) + "\n"


def report(kpis: KpiFile, answers_per_day: int, partitions: int) -> dict[str, Any]:
    """What `--format json` prints: each KPI, and totals of series and bytes."""
    layout = kpis.layout
    redis = redis_cost(layout, answers_per_day, partitions)
    counter = fullest_counter(layout)
    rows = [_row(kpis, kpi) for kpi in kpis.kpis.values()]
    return {
        "version": layout.version,
        "hash": layout.hash,
        "windows": {window.name: _tier_name(window, kpis) for window in kpis.windows},
        "kpis": rows,
        "series": sum(row["series"] for row in rows),
        "answers_per_day": answers_per_day,
        "partitions": partitions,
        "redis_bytes": {"cells": redis.cells, "ids": redis.ids, "total": redis.total},
        "fullest_counter": {"measure": counter.measure, "holds_answers": counter.answers},
        "answers_kept": answers_kept(layout, answers_per_day),
    }


def _row(kpis: KpiFile, kpi: Kpi) -> dict[str, Any]:
    cost = kpi_cost(kpi, kpis)
    return {
        "kpi": kpi.name,
        "title": kpi.title,
        "breakdowns": [list(breakdown) for breakdown in kpi.breakdowns],
        "segments": cost.segments,
        "series": cost.series,
    }


def _tier_name(window: Duration, kpis: KpiFile) -> str | None:
    tier = tier_for(window, kpis.tiers)
    return Duration.of(tier.seconds).name if tier else None


def _print(found: dict[str, Any], console: Console) -> None:
    windows = Table("Window", "Buckets")
    for window, tier in found["windows"].items():
        windows.add_row(window, tier)
    kpis = Table("KPI", "Title", "Split by")
    for heading in ("Segments ≤", "Series ≤"):
        kpis.add_column(heading, justify="right", no_wrap=True)
    for row in found["kpis"]:
        split = "\n".join(" × ".join(breakdown) for breakdown in row["breakdowns"]) or "–"
        numbers = (f"{row['segments']:,}", f"{row['series']:,}")
        kpis.add_row(row["kpi"], escape(row["title"]), split, *numbers)
    console.print(windows, kpis)
    for line in _summary(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _summary(found: dict[str, Any]) -> Iterator[str]:
    redis, counter = found["redis_bytes"], found["fullest_counter"]
    yield f"Prometheus: {found['series']:,} series at most, and some for the pipeline."
    yield (
        f"Redis: {_size(redis['total'])} at most with {found['answers_per_day']:,} answers a day "
        f"in {found['partitions']} partitions: {_size(redis['cells'])} of counts, "
        f"{_size(redis['ids'])} of ids."
    )
    safe = found["answers_kept"] <= counter["holds_answers"]
    yield (
        f"Counters: {'none' if safe else 'one'} can overflow. {counter['measure']} has room for "
        f"{counter['holds_answers']:,} answers in one bucket; {found['answers_kept']:,} are kept."
    )
    yield (
        f"Storage: version {found['version']}, hash {found['hash']}. When the hash changes, "
        "raise version."
    )


def _size(size: int) -> str:
    return ByteSize(size).human_readable(separator=" ")


def _problems(kpis: KpiFile, found: dict[str, Any]) -> Iterator[str]:
    series, redis = found["series"], found["redis_bytes"]["total"]
    budget, counter = kpis.budget, found["fullest_counter"]
    if budget.series is not None and series > budget.series:
        yield (
            f"budget.series: up to {series:,} series, and the budget is {budget.series:,}; "
            "declare fewer breakdowns or windows, lower a dimension's max, or raise the budget"
        )
    if budget.redis is not None and redis > budget.redis:
        yield (
            f"budget.redis: up to {_size(redis)}, and the budget is {_size(budget.redis)}; "
            "declare fewer breakdowns, shorten retention or dedupe.horizon, or raise the budget"
        )
    if found["answers_kept"] > counter["holds_answers"]:
        yield (
            f"measures: {counter['measure']} has room for {counter['holds_answers']:,} answers in "
            f"one bucket, and {found['answers_kept']:,} are kept; shorten retention"
        )
