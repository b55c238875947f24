"""Measures and dimensions of the KPI file, and what its KPIs may refer to.

A KPI names measures, dimensions and windows that are declared elsewhere in its file. Validators
get these as Pydantic's context, so that a wrong reference is an error at its own place, beside all
other errors of the file. What is itself wrong is None in it: that is reported where it stands, and
not again by whoever refers to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from streams.durations import Duration
from streams.kpis.model import DurationText, Model, Sequence, check_name, wrong
from streams.ledger.joints import MOST_SMALLEST_UNITS
from streams.ledger.layout import SENTIMENT, Dimension, Measure

# Names of labels that boards, rules and Prometheus itself put beside a dimension's (DESIGN §9),
# and two that the exporter uses on families which also carry dimensions.
RESERVED_LABELS = frozenset(
    {
        *("kpi", "window", "breakdown", "outcome", "state", "rule", "reason", "severity"),
        *("job", "instance", "team", "alertname"),
        *("benchmark", "part", "owner"),
    }
)

# Each point of a scale is a cell in every segment and bucket; a slider from 0 to 100 is the most.
MOST_POINTS = 101
FARTHEST_POINT = 1_000


class Rating(Model):
    """A whole number on a scale, such as 1 to 5 stars."""

    kind: Literal["rating"]
    scale: Annotated[tuple[int, int], Sequence]
    """The lowest and the highest answer, as in [1, 5]."""

    @field_validator("scale")
    @classmethod
    def _ascending(cls, scale: tuple[int, int]) -> tuple[int, int]:
        low, high = scale
        if low == high:
            wrong("a scale has at least two points, as in [1, 5]")
        if low > high:
            wrong(f"the lowest answer comes first; write [{high}, {low}]")
        if high - low >= MOST_POINTS or max(-low, high) > FARTHEST_POINT:
            wrong(f"a scale has at most {MOST_POINTS} points between -1000 and 1000, as in [0, 10]")
        return scale

    def measure(self, name: str) -> Measure:
        """What is stored for it."""
        return Measure(name, "rating", *self.scale)


class Flag(Model):
    """Yes or no, such as whether the promised time was kept."""

    kind: Literal["flag"]

    def measure(self, name: str) -> Measure:
        """What is stored for it."""
        return Measure(name, "flag")


def _read_most(value: object) -> Decimal:
    """The greatest amount, exact: 0.1 in a file is a tenth, not the double next to it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        wrong("write a number, the greatest amount that can be right")
    most = Decimal(str(value))
    if not most.is_finite() or most <= 0:
        wrong("write a number above 0, the greatest amount that can be right")
    return most


def _check_unit(unit: str) -> str:
    if not re.fullmatch(r"[^\W_][\w ./%€$£-]{0,15}|[%€$£]", unit):
        wrong("write a short unit, as in EUR, kWh or minutes")
    return unit


class Amount(Model):
    """A number that is no rating, such as the value of an order. Never negative."""

    kind: Literal["amount"]
    unit: Annotated[str, AfterValidator(_check_unit)]
    """What it is counted in, as in EUR."""
    decimals: Annotated[int, Field(ge=0, le=6)] = 0
    """How many digits an amount may have after the point; one with more is refused."""
    most: Annotated[
        Decimal,
        Field(alias="max", validate_default=True),
        PlainValidator(_read_most, json_schema_input_type=float),
    ]
    """The greatest amount that can be right; a greater one is refused."""

    @field_validator("most")
    @classmethod
    def _is_counted_exactly(cls, most: Decimal, info: ValidationInfo) -> Decimal:
        decimals = info.data.get("decimals")
        if decimals is None:
            return most
        units = most.scaleb(decimals)
        if units != units.to_integral_value():
            wrong(f"{most} has more than {decimals} decimals")
        if units > MOST_SMALLEST_UNITS:
            limit = Decimal(MOST_SMALLEST_UNITS).scaleb(-decimals)
            wrong(f"counters hold no more than {limit:,f} with {decimals} decimals; write less")
        return most

    def measure(self, name: str) -> Measure:
        """What is stored for it: whole numbers of its smallest unit."""
        high = int(self.most.scaleb(self.decimals))
        return Measure(name, "amount", 0, high, decimals=self.decimals, unit=self.unit)


MeasureSpec = Annotated[Rating | Flag | Amount, Field(discriminator="kind")]


class DimensionSpec(Model):
    """A way to split answers, such as by product."""

    max: Annotated[int, Field(ge=1, le=10_000)] = 20
    """How many values are shown by name, those with the most answers first; the rest is `other`."""

    def dimension(self, name: str) -> Dimension:
        """What is stored for it."""
        return Dimension(name, self.max)


def _check_measure_name(name: str) -> str:
    if name == SENTIMENT:
        wrong("sentiment is computed from comments; name this measure otherwise")
    return check_name(name)


def _check_dimension_name(name: str) -> str:
    if name in RESERVED_LABELS:
        wrong(f"{name} is a label of our metrics; name this dimension otherwise")
    return check_name(name)


MeasureName = Annotated[str, AfterValidator(_check_measure_name)]
DimensionName = Annotated[str, AfterValidator(_check_dimension_name)]


class Declared(NamedTuple):
    """What KPIs may refer to; None stands for what can't be read."""

    measures: Mapping[str, Measure | None] | None
    dimensions: tuple[str, ...] | None
    windows: tuple[Duration, ...] | None

    @classmethod
    def read(cls, content: object, default_windows: tuple[Duration, ...]) -> Declared:
        """The declarations in the plain content of a KPI file, be it right or wrong."""
        file = content if isinstance(content, Mapping) else {}
        measures = file.get("measures", {})
        dimensions = file.get("dimensions", {})
        return cls(
            {name: _measure(name, spec) for name, spec in measures.items()}
            if isinstance(measures, Mapping)
            else None,
            tuple(dimensions) if isinstance(dimensions, Mapping) else None,
            _windows(file.get("windows", default_windows)),
        )


def declared(info: ValidationInfo) -> Declared | None:
    """The declarations of the file being validated; None for a part that is built on its own."""
    return info.context if isinstance(info.context, Declared) else None


_MEASURE: TypeAdapter[Rating | Flag | Amount] = TypeAdapter(MeasureSpec)
_WINDOWS: TypeAdapter[tuple[Duration, ...]] = TypeAdapter(tuple[DurationText, ...])


def _measure(name: str, spec: object) -> Measure | None:
    try:
        return _MEASURE.validate_python(spec).measure(name)
    except ValidationError:
        return None


def _windows(content: object) -> tuple[Duration, ...] | None:
    try:
        return _WINDOWS.validate_python(content, strict=False)
    except ValidationError:
        return None
