"""One KPI of the file: formula, target, floor, splits and alert."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from streams.durations import Duration
from streams.kpis.breakdowns import Breakdowns
from streams.kpis.declarations import declared
from streams.kpis.formulas import Formula, FormulaChoice, Range, score_range
from streams.kpis.model import DurationText, Line, Model, Name, Sequence, wrong
from streams.kpis.problems import Path, Problem, refuse, unknown
from streams.ledger.layout import SENTIMENT, Measure

# The interval that is shown. It never pages: looking again and again at an interval is noise.
CONFIDENCE: Final = 0.95

BUDGET_PATTERN = "^[1-9][0-9]* per (week|month|quarter|year)$"


def _read_date(value: object) -> dt.date:
    try:
        return dt.datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day, no time
    except ValueError:
        wrong(f"{value!r} is no date; write year-month-day, as in 2026-10-01")


Date = Annotated[dt.date, PlainValidator(_read_date, json_schema_input_type=dt.date)]


class Target(Model):
    """Where we want to be, and by when. `target: 85` is short for `target: {at_least: 85}`."""

    at_least: float
    """The score to reach, in the unit of the formula."""
    from_: Annotated[float | None, Field(alias="from")] = None
    """The score at `start`, where the path to the target begins."""
    start: Date | None = None
    """The first day of the path."""
    by: Date | None = None
    """The day on which the target is to be reached."""

    @model_validator(mode="after")
    def _whole_path(self) -> Self:
        path = {"from": self.from_, "start": self.start, "by": self.by}
        missing = [key for key, value in path.items() if value is None]
        if missing and len(missing) < len(path):
            wrong(f"a path has from, start and by; add {' and '.join(missing)}")
        refuse(self._path_problems())
        return self

    def _path_problems(self) -> Iterator[Problem]:
        if self.from_ is not None and self.from_ > self.at_least:
            yield Problem(f"a path rises; write at most {self.at_least:g}", ("from",))
        if self.start and self.by and self.start >= self.by:
            yield Problem(f"must be after {self.start}, the start", ("by",))


def _read_target(value: object) -> object:
    if isinstance(value, int | float):
        return {"at_least": value}
    if not isinstance(value, Mapping | Target):
        wrong("write a number, or a path, as in {at_least: 85, from: 82, start: …, by: …}")
    return value


TargetText = Annotated[Target, BeforeValidator(_read_target, json_schema_input_type=float | Target)]


class Bands(Model):
    """Where a board turns green and where it turns red. Colours only: nothing alerts on them."""

    good: float
    """At or above: green."""
    poor: float
    """Below: red."""

    @field_validator("poor")
    @classmethod
    def _below_good(cls, poor: float, info: ValidationInfo) -> float:
        good = info.data.get("good")
        if good is not None and poor >= good:
            wrong(f"must be below good, which is {good:g}")
        return poor


class Alert(Model):
    """When to tell the owner that the floor does not hold."""

    window: Annotated[DurationText, Field(validate_default=True)] = Duration.parse("24h")
    """The window that is judged, one of the file's `windows`."""
    severity: Literal["page", "ticket"] = "ticket"
    """`page` wakes somebody up, `ticket` waits for the morning."""
    segments: Breakdowns = ()
    """Breakdowns whose segments alert on their own, beside the whole."""
    drop: Annotated[float | None, Field(gt=0)] = None
    """The fall, in points of the score, that must be noticed. Kept for a later version."""
    false_alarms: Annotated[str | None, Field(pattern=BUDGET_PATTERN)] = None
    """How many false alarms are acceptable, as in `1 per quarter`. Kept for a later version."""

    @field_validator("window")
    @classmethod
    def _is_declared(cls, window: Duration, info: ValidationInfo) -> Duration:
        known = declared(info)
        if known and known.windows is not None and window not in known.windows:
            wrong(unknown("window", window.name, [each.name for each in known.windows]))
        return window


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


class Kpi(Model):
    """One score: what it is computed from, what it aims at, and how it may be split."""

    title: Line
    """What people call it."""
    choice: Annotated[FormulaChoice, Field(alias="formula")]
    """How answers become a score."""
    target: TargetText
    """Where we want to be, in the unit of the formula."""
    owner: Line
    """The team that answers for it and gets its alerts."""
    floor: float | None = None
    """What must hold: below it the state is watch, then breach. Needed for an alert."""
    bands: Bands | None = None
    """Where boards change colour."""
    benchmarks: dict[Name, float] = Field(default_factory=dict)
    """Scores to compare with, under names of your own."""
    min_answers: Annotated[int, Field(ge=1)] = 30
    """With fewer answers the state is insufficient, and nothing alerts."""
    breakdowns: Breakdowns = ()
    """How it may be split, as in [[product], [product, channel]]. The whole is always there."""
    alert: Alert | None = None
    """When to tell the owner; without it nobody is told."""
    about: About = About()
    """The text of its runbook."""

    _name: str = PrivateAttr(default="")

    @property
    def name(self) -> str:
        """Its key in the file, and its `kpi` label."""
        return self._name

    def named(self, name: str) -> Self:
        """This KPI under its key in the file."""
        named = self.model_copy()
        named._name = name  # noqa: SLF001 - a copy of its own kind, just made
        return named

    @property
    def confidence(self) -> float:
        """The confidence of the interval that is shown."""
        return CONFIDENCE

    @property
    def formula(self) -> Formula:
        """How answers become a score."""
        return self.choice.chosen

    @field_validator("target", "floor", "bands", "benchmarks")
    @classmethod
    def _in_range(cls, value: object, info: ValidationInfo) -> object:
        possible = _possible_scores(info)
        if possible:
            refuse(
                Problem(f"{number:g} is no possible score; write {low:g} to {high:g}", place)
                for low, high in [possible]
                for place, number in _numbers(value)
                if not low <= number <= high
            )
        return value

    @field_validator("floor")
    @classmethod
    def _below_target(cls, floor: float | None, info: ValidationInfo) -> float | None:
        target = info.data.get("target")
        if floor is not None and target is not None and floor > target.at_least:
            wrong(f"must not be above the target, which is {target.at_least:g}")
        return floor

    @field_validator("alert")
    @classmethod
    def _can_be_judged(cls, alert: Alert | None, info: ValidationInfo) -> Alert | None:
        if alert:
            refuse(_alert_problems(alert, info.data))
        return alert


def _possible_scores(info: ValidationInfo) -> Range | None:
    """The range of the KPI's formula; None while formula or measure are wrong themselves."""
    choice: FormulaChoice | None = info.data.get("choice")
    known = declared(info)
    if choice is None or known is None:
        return None
    if choice.chosen.measure == SENTIMENT:
        return score_range(choice.chosen, Measure(SENTIMENT, "sentiment"))
    measure = (known.measures or {}).get(choice.chosen.measure)
    return score_range(choice.chosen, measure) if measure else None


def _numbers(value: object) -> Iterator[tuple[Path, float]]:
    """The scores that `value` holds, each with its place in it."""
    match value:
        case float() | int():
            yield (), value
        case Target(at_least=at_least, from_=from_):
            yield ("at_least",), at_least
            if from_ is not None:
                yield ("from",), from_
        case Bands(good=good, poor=poor):
            yield ("good",), good
            yield ("poor",), poor
        case dict():
            yield from (((name,), number) for name, number in value.items())


def _alert_problems(alert: Alert, kpi: Mapping[str, Any]) -> Iterator[Problem]:
    if kpi.get("floor", 0) is None:
        yield Problem("needs a floor; write the score that must hold, as in floor: 75")
    if "breakdowns" not in kpi:
        return
    for place, segment in enumerate(alert.segments):
        if not any(set(segment) <= set(breakdown) for breakdown in kpi["breakdowns"]):
            split = f"[{', '.join(segment)}]"
            yield Problem(f"{split} is in no breakdown; add it to breakdowns", ("segments", place))
