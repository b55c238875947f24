"""The formulas that turn counted answers into a score, as the KPI file writes them."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from streams.kpis.declarations import declared
from streams.kpis.model import Model, wrong
from streams.kpis.problems import unknown
from streams.ledger.layout import SENTIMENT, Measure, MeasureKind


class Range(NamedTuple):
    """The least and the greatest score that a formula can give."""

    low: float
    high: float


PERCENT = Range(0, 100)
NET = Range(-100, 100)
COMPOUND = Range(-1, 1)


def _of_kind(kind: MeasureKind) -> AfterValidator:
    """Accept the name of a declared measure of `kind`."""

    def check(name: str, info: ValidationInfo) -> str:
        known = declared(info)
        if known is None or known.measures is None:
            return name
        if name == SENTIMENT:
            wrong("sentiment is no measure of its own; write formula: {sentiment: net} or mean")
        if name not in known.measures:
            wrong(unknown("measure", name, known.measures))
        measure = known.measures[name]
        if measure is not None and measure.kind != kind:
            wrong(f"{name} is a {measure.kind}; this formula needs a measure of kind {kind}")
        return name

    return AfterValidator(check)


RatingName = Annotated[str, _of_kind("rating")]
FlagName = Annotated[str, _of_kind("flag")]


def _measure(info: ValidationInfo) -> Measure | None:
    """The declared measure of the formula being validated, if it is right so far."""
    known = declared(info)
    measures = known.measures if known else None
    return measures.get(info.data.get("measure", "")) if measures else None


class TopBox(Model):
    """Percent of answers at or above a point of the scale, as in CSAT."""

    measure: RatingName
    """A measure of kind rating."""
    at_least: int
    """The lowest answer that counts as satisfied."""

    @field_validator("at_least")
    @classmethod
    def _splits_the_scale(cls, at_least: int, info: ValidationInfo) -> int:
        measure = _measure(info)
        if measure and not measure.low < at_least <= measure.high:
            wrong(f"{at_least} does not split the scale; write {measure.low + 1} to {measure.high}")
        return at_least


class Net(Model):
    """Percent of promoters minus percent of detractors, as in NPS."""

    measure: RatingName
    """A measure of kind rating."""
    promoters: Annotated[int, Field(validate_default=True)] = 9
    """The lowest answer of a promoter."""
    detractors: Annotated[int, Field(validate_default=True)] = 6
    """The highest answer of a detractor."""

    @field_validator("promoters")
    @classmethod
    def _on_the_scale(cls, promoters: int, info: ValidationInfo) -> int:
        measure = _measure(info)
        if measure and not measure.low < promoters <= measure.high:
            wrong(f"{promoters} is off the scale; write {measure.low + 1} to {measure.high}")
        return promoters

    @field_validator("detractors")
    @classmethod
    def _below_promoters(cls, detractors: int, info: ValidationInfo) -> int:
        measure = _measure(info)
        if measure and not measure.low <= detractors < measure.high:
            wrong(f"{detractors} is off the scale; write {measure.low} to {measure.high - 1}")
        promoters = info.data.get("promoters")
        if promoters is not None and detractors >= promoters:
            wrong(f"{detractors} is also a promoter's answer; write less than {promoters}")
        return detractors


class Mean(Model):
    """The average answer, as in CES."""

    measure: RatingName
    """A measure of kind rating."""
    as_percent: bool = False
    """Percent of the scale's range (lowest answer 0, highest 100) instead of the scale itself."""


class Share(Model):
    """Percent of answers that are yes."""

    measure: FlagName
    """A measure of kind flag."""


class Sentiment(Model):
    """What comments sound like: `net` is percent positive minus negative, `mean` is -1 to 1."""

    statistic: Literal["net", "mean"]

    @property
    def measure(self) -> str:
        """The measure computed from comments."""
        return SENTIMENT


Formula = TopBox | Net | Mean | Share | Sentiment


def score_range(formula: Formula, measure: Measure) -> Range:
    """The scores that `formula` can give: percent, points, or what the measure's scale spans."""
    match formula:
        case Net() | Sentiment(statistic="net"):
            return NET
        case Sentiment():
            return COMPOUND
        case Mean(as_percent=False):
            return Range(measure.low, measure.high)
        case _:
            return PERCENT


class FormulaChoice(Model):
    """Exactly one formula, under its name."""

    top_box: TopBox | None = None
    net: Net | None = None
    mean: Mean | None = None
    share: Share | None = None
    sentiment: Literal["net", "mean"] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._written()) != 1:
            wrong(f"write exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def chosen(self) -> Formula:
        """The formula that was written."""
        return self._written()[0]

    def _written(self) -> list[Formula]:
        sentiment = Sentiment(statistic=self.sentiment) if self.sentiment else None
        formulas = (self.top_box, self.net, self.mean, self.share, sentiment)
        return [formula for formula in formulas if formula is not None]
