"""One KPI of the file: formula, target, floor, splits and alert."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from streams.durations import Duration
from streams.kpis.about import About, Benchmark, BenchmarkText
from streams.kpis.breakdowns import Breakdowns
from streams.kpis.combined import SENTIMENT_MEASURE, ConsistencyOf, Resolved
from streams.kpis.declarations import declared
from streams.kpis.formulas import (
    ANY_AMOUNT,
    NET,
    PERCENT,
    Composite,
    Consistency,
    FormulaChoice,
    Gap,
    Product,
    Range,
    Ratio,
    Sentiment,
    Sum,
    score_range,
)
from streams.kpis.model import DurationText, Line, Model, Name, Sequence, wrong
from streams.kpis.problems import Path, Problem, refuse, unknown
from streams.kpis.target import Date, Direction, Target, TargetText
from streams.ledger.layout import Measure

# The interval that is shown. It never pages: looking again and again at an interval is noise.
CONFIDENCE: Final = 0.95

Windows = tuple[Duration, ...] | None

BUDGET_PATTERN = "^[1-9][0-9]* per (week|month|quarter|year)$"


class Bands(Model):
    """Where a board turns green and where it turns red. Colours only: nothing alerts on them."""

    good: float
    """Green from here on: at or above it, or at or below it where lower is better."""
    poor: float
    """Red beyond it: below it, or above it where lower is better."""


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


class Kpi(Model):
    """One score: what it is computed from, what it aims at, and how it may be split."""

    title: Line
    """What people call it."""
    choice: Annotated[FormulaChoice, Field(alias="formula")]
    """How answers become a score."""
    direction: Direction | None = None
    """Which way is better: `higher` or `lower`. By default what the target says."""
    target: TargetText
    """Where we want to be, in the unit of the formula."""
    owner: Line
    """The team that answers for it and gets its alerts."""
    floor: float | None = None
    """What must hold: beyond it the state is watch, then breach. Needed for an alert.

    Where lower is better it is the most that may be."""
    bands: Bands | None = None
    """Where boards change colour."""
    benchmarks: dict[Name, BenchmarkText] = Field(default_factory=dict)
    """Scores to compare with, under names of your own."""
    review_by: Date | None = None
    """The day by which somebody should look whether all this is still right."""
    min_answers: Annotated[int, Field(ge=1)] = 30
    """With fewer answers the state is insufficient, and nothing alerts."""
    design_effect: Annotated[float, Field(ge=1, le=100)] = 1.0
    """How many times as much the score varies as it would if nobody answered twice.

    Intervals grow by its square root. `feedback check --answers FILE` measures it."""
    matures: DurationText | None = None
    """How long the outcome of an answer takes, as in 30d for a purchase that may be returned.

    Answers that are younger are left out: each window ends so long ago."""
    windows: Annotated[tuple[DurationText, ...] | None, Sequence, Field(min_length=1)] = None
    """The windows that it is shown for, some of the file's, as in [7d, 30d].

    By default all; of a sum the longest, since a target holds for one length of time."""
    breakdowns: Breakdowns = ()
    """How it may be split, as in [[product], [product, channel]]. The whole is always there."""
    alert: Alert | None = None
    """When to tell the owner; without it nobody is told."""
    about: About = About()
    """The text of its runbook."""

    _name: str = PrivateAttr(default="")
    _confidence: float = PrivateAttr(default=CONFIDENCE)
    _resolved: tuple[Resolved, Measure] | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """Its key in the file, and its `kpi` label."""
        return self._name

    def within(
        self, name: str, confidence: float, resolved: tuple[Resolved, Measure] | None
    ) -> Self:
        """This KPI under its key in a file, with what the file says for all, or of others."""
        found = self.model_copy()
        found._name = name  # noqa: SLF001 - a copy of its own kind, just made
        found._confidence = confidence  # noqa: SLF001 - likewise
        match resolved:
            case (ConsistencyOf() as comparison, measure):
                resolved = (comparison._replace(min_answers=self.min_answers), measure)
        found._resolved = resolved  # noqa: SLF001 - likewise
        return found

    @property
    def confidence(self) -> float:
        """The confidence of the interval that is shown."""
        return self._confidence

    @property
    def matures_seconds(self) -> int:
        """How long ago its windows end."""
        return self.matures.seconds if self.matures else 0

    @property
    def lower_is_better(self) -> bool:
        """Whether a falling score is good news, as with complaints."""
        return self.target.direction == "lower"

    @property
    def formula(self) -> Resolved:
        """How answers become a score."""
        if self._resolved is None:
            raise ValueError(f"the formula of {self.name} is known only within its file")
        return self._resolved[0]

    @property
    def measure(self) -> Measure:
        """The measure of its formula, the first of several."""
        if self._resolved is None:
            raise ValueError(f"the formula of {self.name} is known only within its file")
        return self._resolved[1]

    @field_validator("target", "floor", "bands", "benchmarks")
    @classmethod
    def _in_range(cls, value: object, info: ValidationInfo) -> object:
        possible = _possible_scores(info)
        if possible:
            refuse(
                Problem(f"{number:g} is no possible score; write {_written(low, high)}", place)
                for low, high in [possible]
                for place, number in _numbers(value)
                if not low <= number <= high
            )
        return value

    @field_validator("target")
    @classmethod
    def _in_direction(cls, target: Target, info: ValidationInfo) -> Target:
        direction = info.data.get("direction") or target.direction
        if direction != target.direction:
            key = "at_most" if direction == "lower" else "at_least"
            wrong(f"{direction} is better, says direction; write {key}")
        return target

    @field_validator("floor")
    @classmethod
    def _beyond_target(cls, floor: float | None, info: ValidationInfo) -> float | None:
        target: Target | None = info.data.get("target")
        if floor is None or target is None:
            return floor
        if target.direction == "higher" and floor > target.score:
            wrong(f"must not be above the target, which is {target.score:g}")
        if target.direction == "lower" and floor < target.score:
            wrong(f"must not be below the target, which is {target.score:g}: lower is better")
        return floor

    @field_validator("bands")
    @classmethod
    def _none_is_empty(cls, bands: Bands | None, info: ValidationInfo) -> Bands | None:
        target: Target | None = info.data.get("target")
        if bands is None or target is None:
            return bands
        good, poor = bands.good, bands.poor
        if target.direction == "higher" and poor >= good:
            refuse([Problem(f"must be below good, which is {good:g}", ("poor",))])
        if target.direction == "lower" and poor <= good:
            sentence = f"must be above good, which is {good:g}: lower is better"
            refuse([Problem(sentence, ("poor",))])
        return bands

    @field_validator("windows")
    @classmethod
    def _are_declared(cls, windows: Windows, info: ValidationInfo) -> Windows:
        known = declared(info)
        if windows is not None and known and known.windows is not None:
            names = [each.name for each in known.windows]
            refuse(
                Problem(unknown("window", window.name, names), (place,))
                for place, window in enumerate(windows)
                if window not in known.windows
            )
        choice: FormulaChoice | None = info.data.get("choice")
        if windows and len(windows) > 1 and choice and isinstance(choice.chosen, Sum):
            wrong("a sum grows with its window, and has one target; write one window")
        return windows

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
    formula = choice.chosen
    if isinstance(formula, Ratio | Product):
        return ANY_AMOUNT
    if isinstance(formula, Composite):
        return PERCENT
    if isinstance(formula, Gap | Consistency):
        return NET
    if isinstance(formula, Sentiment):
        return score_range(formula, SENTIMENT_MEASURE)
    measure = (known.measures or {}).get(formula.measure)
    return score_range(formula, measure) if measure else None


def _written(low: float, high: float) -> str:
    return f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"


def _numbers(value: object) -> Iterator[tuple[Path, float]]:
    """The scores that `value` holds, each with its place in it."""
    match value:
        case float() | int():
            yield (), value
        case Target(at_least=at_least, at_most=at_most, from_=from_):
            places = {"at_least": at_least, "at_most": at_most, "from": from_}
            yield from (((key,), number) for key, number in places.items() if number is not None)
        case Bands(good=good, poor=poor):
            yield ("good",), good
            yield ("poor",), poor
        case Benchmark(score=number):
            yield ("score",), number
        case dict():
            for name, benchmark in value.items():
                yield from (((name, *place), number) for place, number in _numbers(benchmark))


def _alert_problems(alert: Alert, kpi: Mapping[str, Any]) -> Iterator[Problem]:
    formula = kpi["choice"].chosen if "choice" in kpi else None
    if isinstance(formula, Product):
        yield Problem("lifetime value moves too slowly to alert on; alert on what it is made of")
    elif isinstance(formula, Consistency):
        yield Problem(f"a spread has no alert; alert on the segments of {formula.of} by its own")
    elif kpi.get("floor", 0) is None and not isinstance(formula, Gap):
        yield Problem("needs a floor; write the score that must hold, as in floor: 75")
    if "breakdowns" not in kpi:
        return
    for place, segment in enumerate(alert.segments):
        if not any(set(segment) <= set(breakdown) for breakdown in kpi["breakdowns"]):
            split = f"[{', '.join(segment)}]"
            yield Problem(f"{split} is in no breakdown; add it to breakdowns", ("segments", place))
