"""What a person needs to know about a KPI: its twelve attributes, and scores to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from streams.kpis.model import Line, Model, Sequence, wrong
from streams.kpis.target import Date


def _read_lines(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Lines = Annotated[
    tuple[str, ...],
    Sequence,
    BeforeValidator(_read_lines, json_schema_input_type=str | list[str]),
]


class About(Model):
    """What a person needs to know about a KPI. Runbooks and boards show it."""

    definition: Lines = ()
    insights: Lines = ()
    measurement: Lines = ()
    formula: Lines = ()
    trend: Lines = ()
    diagnostics: Lines = ()
    tips: Lines = ()
    visualization: Lines = ()
    risks: Lines = ()
    tools: Lines = ()
    integration: Lines = ()
    change_impact: Lines = ()


class Benchmark(Model):
    """A score to compare with. `industry: 78` is short for `industry: {score: 78}`."""

    score: float
    """In the unit of the formula."""
    date: Date | None = None
    """When it was true; without it nobody is told that it is old."""
    source: Line | None = None
    """Who says so."""


def _read_benchmark(value: object) -> object:
    if isinstance(value, int | float):
        return {"score": value}
    if not isinstance(value, Mapping | Benchmark):
        wrong("write a number, or where it is from, as in {score: 78, date: 2026-06-30, source: …}")
    return value


BenchmarkText = Annotated[
    Benchmark, BeforeValidator(_read_benchmark, json_schema_input_type=float | Benchmark)
]
