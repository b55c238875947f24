"""The KPI file: which scores there are, what they aim at, and how they may be split.

These models are what a person writes in `kpis.yaml`; `streams.kpis.load` reads it. A change of what
is stored (`KpiFile.layout`) needs a higher `version`. A change of titles, formulas, targets, bands
or alerts does not: scores are computed from counts when they are read.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from streams.durations import Duration, Window
from streams.kpis.about import About, Benchmark
from streams.kpis.combined import (
    SENTIMENT_MEASURE,
    CompositeOf,
    ConsistencyOf,
    cells_of,
    joined_pairs,
    measures_of,
    resolve,
)
from streams.kpis.declarations import (
    Declared,
    DimensionName,
    DimensionSpec,
    Flag,
    MeasureName,
    MeasureSpec,
    Rating,
)
from streams.kpis.dedupe import Dedupe
from streams.kpis.definition import definition_hash
from streams.kpis.derived import derived_problems
from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, TopBox
from streams.kpis.kpi import CONFIDENCE, Alert, Bands, Kpi
from streams.kpis.model import DurationText, Model, Name, Sequence, wrong
from streams.kpis.problems import Problem, did_you_mean, refuse
from streams.kpis.shown import Kept, shown_problems, shown_windows
from streams.kpis.stored import maximal, stored_tiers, tier_for, uncovered
from streams.kpis.target import Target
from streams.ledger.layout import SENTIMENT, Layout, Measure, Tier

__all__ = [
    "About",
    "Alert",
    "Bands",
    "Benchmark",
    "Budget",
    "Dedupe",
    "DimensionSpec",
    "Flag",
    "Formula",
    "Kpi",
    "KpiFile",
    "Mean",
    "Net",
    "Rating",
    "Sentiment",
    "Share",
    "Target",
    "TopBox",
    "Window",
]

Windows = tuple[Duration, ...]
Retention = dict[Duration, Duration]

DEFAULT_WINDOWS: Windows = tuple(Duration.parse(text) for text in ("1h", "24h", "7d", "30d"))
DEFAULT_RETENTION: Retention = {
    Duration.parse(tier): Duration.parse(kept)
    for tier, kept in (("10s", "2h"), ("5m", "8d"), ("1h", "62d"))
}


def _read_timezone(value: object) -> zoneinfo.ZoneInfo:
    if isinstance(value, zoneinfo.ZoneInfo):
        return value
    try:
        return zoneinfo.ZoneInfo(str(value))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(str(value), zoneinfo.available_timezones())
        wrong(f"unknown time zone {value!r}; write Continent/City, as in Europe/Berlin.{near}")


def _fine_to_coarse(retention: Retention) -> Retention:
    ordered = dict(sorted(retention.items(), key=lambda item: item[0].seconds))
    refuse(_tier_problems(list(ordered.items())))
    return ordered


def _tier_problems(tiers: list[tuple[Duration, Duration]]) -> Iterator[Problem]:
    for tier, kept in tiers:
        if kept.seconds < tier.seconds:
            yield Problem(f"keep a bucket for at least its own {tier.name}", (tier.name,))
    for (fine, fine_kept), (coarse, coarse_kept) in pairwise(tiers):
        if coarse.seconds == fine.seconds:
            yield Problem(f"is as long as {fine.name}; keep one", (coarse.name,))
        elif coarse.seconds % fine.seconds:
            sentence = f"must be a multiple of the next finer bucket, which is {fine.name}"
            yield Problem(sentence, (coarse.name,))
        if coarse_kept.seconds < fine_kept.seconds:
            sentence = (
                f"keep coarser buckets no shorter than {fine.name}, which is {fine_kept.name}"
            )
            yield Problem(sentence, (coarse.name,))


def _read_dedupe(value: object) -> object:
    if value == "off" or value is False:
        return None
    if not isinstance(value, Mapping | Dedupe):
        wrong("write off, or a horizon, as in {horizon: 62d}")
    return value


class Budget(Model):
    """What `feedback check` holds the file to."""

    series: Annotated[int | None, Field(ge=1)] = None
    """The most Prometheus series that the exporter may show."""
    redis: ByteSize | None = None
    """The most memory in Redis, as in 2GiB."""


class KpiFile(Model):
    """Which scores there are, what they aim at, and how they may be split."""

    version: Annotated[int, Field(ge=1)] = 1
    """Raise it with every change of what is stored: measures, dimensions, breakdowns, tiers."""
    timezone: Annotated[
        zoneinfo.ZoneInfo, PlainValidator(_read_timezone, json_schema_input_type=str)
    ] = zoneinfo.ZoneInfo("UTC")
    """Where your day begins, as in Europe/Berlin. Times in Kafka and Redis are UTC."""
    measures: dict[MeasureName, MeasureSpec] = Field(default_factory=dict)
    """What customers answer."""
    dimensions: dict[DimensionName, DimensionSpec] = Field(default_factory=dict)
    """How answers can be split."""
    retention: Annotated[
        dict[DurationText, DurationText], Field(min_length=1), AfterValidator(_fine_to_coarse)
    ] = DEFAULT_RETENTION
    """How long buckets of each length are kept, as in {10s: 2h, 5m: 8d, 1h: 62d}."""
    windows: Annotated[
        tuple[DurationText, ...], Sequence, Field(min_length=1, validate_default=True)
    ] = DEFAULT_WINDOWS
    """The lengths of time, up to now, that each KPI is shown for."""
    dedupe: Annotated[
        Dedupe | None,
        BeforeValidator(_read_dedupe, json_schema_input_type=Dedupe | Literal["off"]),
    ] = Dedupe()
    """How long ids are remembered, or `off`."""
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = CONFIDENCE
    """How often a shown interval should hold the true score. Intervals never page."""
    kpis: Annotated[dict[Name, Kpi], Field(min_length=1)]
    """The scores."""
    budget: Budget = Budget()
    """What the file may cost."""

    @model_validator(mode="before")
    @classmethod
    def _with_declarations(cls, content: object, info: ValidationInfo) -> object:
        if not isinstance(info.context, Declared):
            raise TypeError("without its declarations a file is not checked; use streams.kpis.load")
        return content

    @field_validator("windows")
    @classmethod
    def _are_covered(cls, windows: Windows, info: ValidationInfo) -> Windows:
        if "retention" in info.data:
            refuse(_window_problems(windows, _tiers(info.data["retention"])))
        return windows

    @field_validator("kpis")
    @classmethod
    def _know_their_names(cls, kpis: dict[str, Kpi], info: ValidationInfo) -> dict[str, Kpi]:
        confidence = info.data.get("confidence", CONFIDENCE)
        specs: dict[str, MeasureSpec] = info.data.get("measures", {})
        measures = {name: spec.measure(name) for name, spec in specs.items()}
        written = {name: kpi.choice.chosen for name, kpi in kpis.items()}
        if {"windows", "retention", "dedupe"} <= info.data.keys():
            kept = Kept(info.data["windows"], _tiers(info.data["retention"]), info.data["dedupe"])
            refuse(shown_problems(kpis, kept))
        refuse(derived_problems(kpis))
        return {
            name: kpi.within(name, confidence, resolve(name, written, measures))
            for name, kpi in kpis.items()
        }

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """All declared tiers, fine to coarse; `layout.tiers` are those that are stored."""
        return _tiers(self.retention)

    def windows_of(self, kpi: Kpi) -> tuple[Duration, ...]:
        """The windows that a KPI is shown for."""
        return shown_windows(kpi, self.windows, self.tiers)

    def day(self, time: float) -> dt.date:
        """The day on which `time` (Unix seconds) falls where the file is at home."""
        return dt.datetime.fromtimestamp(time, self.timezone).date()

    def midnight(self, day: dt.date) -> float:
        """When `day` begins where the file is at home (Unix seconds)."""
        return dt.datetime.combine(day, dt.time(), self.timezone).timestamp()

    def definition_hash(self, kpi: Kpi) -> str:
        """Twelve hex digits that change with what a KPI's number means, or is held to."""
        made_of_others = isinstance(kpi.formula, CompositeOf | ConsistencyOf)
        parts = [repr(kpi.formula)] if made_of_others else []
        return definition_hash(kpi, [*cells_of(kpi.formula, kpi.measure), *parts])

    def measure(self, name: str) -> Measure:
        """The measure that a formula names, the sentiment of comments included."""
        return SENTIMENT_MEASURE if name == SENTIMENT else self.measures[name].measure(name)

    @cached_property
    def layout(self) -> Layout:
        """What is stored. Measures are in the order of their names, dimensions as declared."""
        matured = [kpi for kpi in self.kpis.values() if kpi.matures_seconds]
        shifted = [(w, kpi.matures_seconds) for kpi in matured for w in self.windows_of(kpi)]
        tiers = stored_tiers(self.windows, self.tiers, shifted)
        horizon = self._horizon_seconds(tiers[-1].retention_seconds)
        return Layout(
            version=self.version,
            measures=tuple(self.measure(name) for name in sorted(self._measure_names())),
            joints=tuple(sorted(self._joints())),
            dimensions=tuple(spec.dimension(name) for name, spec in self.dimensions.items()),
            breakdowns=maximal(split for kpi in self.kpis.values() for split in self._splits(kpi)),
            tiers=tiers,
            horizon_seconds=horizon,
            late_after_seconds=horizon or tiers[-1].retention_seconds,
        )

    def _measure_names(self) -> set[str]:
        counted = (measures_of(kpi.formula, kpi.measure) for kpi in self.kpis.values())
        return {*self.measures, *(measure.name for each in counted for measure in each)}

    def _splits(self, kpi: Kpi) -> Iterator[tuple[str, ...]]:
        """The breakdowns that a KPI needs: what compares segments needs those of each segment."""
        if not isinstance(kpi.formula, ConsistencyOf):
            yield from kpi.breakdowns
            return
        for split in ((), *kpi.breakdowns):
            yield tuple(name for name in self.dimensions if name in {*split, kpi.formula.by})

    def _joints(self) -> set[tuple[str, str]]:
        pairs = (pair for kpi in self.kpis.values() for pair in joined_pairs(kpi.formula))
        return {(one.name, other.name) for one, other in pairs}

    def _horizon_seconds(self, longest_retention_seconds: int) -> int | None:
        if self.dedupe is None:
            return None
        horizon = self.dedupe.horizon
        return horizon.seconds if horizon else longest_retention_seconds


def _tiers(retention: Retention) -> tuple[Tier, ...]:
    return tuple(Tier(tier.seconds, kept.seconds) for tier, kept in retention.items())


def _window_problems(windows: Windows, tiers: tuple[Tier, ...]) -> Iterator[Problem]:
    first: dict[int, int] = {}
    for place, window in enumerate(windows):
        earlier = first.setdefault(window.seconds, place)
        if earlier != place:
            yield Problem(
                f"{window.name} is as long as {windows[earlier].name}; keep one", (place,)
            )
        elif tier_for(window, tiers) is None:
            yield Problem(uncovered(window, tiers), (place,))
