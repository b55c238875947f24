"""Breakdowns: by which dimensions together a KPI is split."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo

from streams.kpis.declarations import declared
from streams.kpis.model import Sequence, wrong
from streams.kpis.problems import Problem, refuse, unknown


def _read_breakdown(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """A breakdown in the order in which the file declares its dimensions."""
    names = _breakdown_names(value)
    known = declared(info)
    if known is None or known.dimensions is None:
        return names
    dimensions = known.dimensions
    refuse(
        Problem(unknown("dimension", name, dimensions), (place,))
        for place, name in enumerate(names)
        if name not in dimensions
    )
    return tuple(sorted(names, key=dimensions.index))


def _breakdown_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        wrong("write a list of dimensions, as in [product] or [product, channel]")
    if not value:
        wrong("the total is always kept; leave the empty breakdown out")
    if len(set(value)) < len(value):
        wrong("names a dimension twice; once is enough")
    return tuple(value)


Breakdown = Annotated[
    tuple[str, ...],
    PlainValidator(
        _read_breakdown, json_schema_input_type=Annotated[list[str], Field(min_length=1)]
    ),
]


def _distinct(breakdowns: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    first = {frozenset(names): place for place, names in reversed(list(enumerate(breakdowns)))}
    refuse(
        Problem("is declared twice; a breakdown has no order", (place,))
        for place, names in enumerate(breakdowns)
        if first[frozenset(names)] != place
    )
    return breakdowns


Breakdowns = Annotated[tuple[Breakdown, ...], Sequence, AfterValidator(_distinct)]
