"""The formulas that turn counted answers into a score, as the KPI file writes them.

Those over several measures (`ratio`, `composite`) are resolved by `streams.kpis.combined`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from streams.kpis.declarations import declared
from streams.kpis.model import Model, wrong
from streams.kpis.problems import unknown
from streams.ledger.layout import SENTIMENT, Measure, MeasureKind

FEWEST_PARTS = 2


class Range(NamedTuple):
    """The least and the greatest score that a formula can give."""

    low: float
    high: float


PERCENT = Range(0, 100)
NET = Range(-100, 100)
COMPOUND = Range(-1, 1)


def _of_kind(*kinds: MeasureKind) -> AfterValidator:
    """Accept the name of a declared measure of one of `kinds`."""

    def check(name: str, info: ValidationInfo) -> str:
        known = declared(info)
        if known is None or known.measures is None:
            return name
        if name == SENTIMENT:
            wrong("sentiment is no measure of its own; write formula: {sentiment: net} or mean")
        if name not in known.measures:
            wrong(unknown("measure", name, known.measures))
        measure = known.measures[name]
        if measure is not None and measure.kind not in kinds:
            needed = " or ".join(kinds)
            wrong(f"{name} is of kind {measure.kind}; this formula needs one of kind {needed}")
        return name

    return AfterValidator(check)


RatingName = Annotated[str, _of_kind("rating")]
FlagName = Annotated[str, _of_kind("flag")]
AmountName = Annotated[str, _of_kind("amount")]
RatingOrAmountName = Annotated[str, _of_kind("rating", "amount")]
AmountOrFlagName = Annotated[str, _of_kind("amount", "flag")]


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
    """The average answer, as in CES, or the average amount."""

    measure: RatingOrAmountName
    """A measure of kind rating or amount."""
    as_percent: bool = False
    """Percent of the scale's range (lowest answer 0, highest 100) instead of the scale itself."""

    @field_validator("as_percent")
    @classmethod
    def _has_a_range(cls, as_percent: bool, info: ValidationInfo) -> bool:
        measure = _measure(info)
        if as_percent and measure and measure.kind == "amount":
            wrong("an amount has no scale to be a percent of; leave it out")
        return as_percent


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


class Sum(Model):
    """The sum of an amount over the window, as in revenue."""

    measure: AmountName
    """A measure of kind amount."""


class Ratio(Model):
    """The sum of one measure over the sum of another, as in returned value to ordered value.

    A flag's yes is 1.
    """

    of: AmountOrFlagName
    """The measure above the line."""
    to: AmountOrFlagName
    """The measure below the line."""
    as_percent: bool = False
    """In percent."""

    @field_validator("to")
    @classmethod
    def _is_another(cls, to: str, info: ValidationInfo) -> str:
        if to == info.data.get("of"):
            wrong("is the measure above the line too, so the ratio is always 1; name another")
        return to


class Composite(Model):
    """A weighted mean of other KPIs, each in percent of its range; the result is in percent."""

    parts: dict[str, Annotated[float, Field(gt=0)]]
    """Each KPI with its weight; the weights sum to 1."""
    missing: Literal["withhold", "renormalise"] = "withhold"
    """What to do where a part has no answers: no score, or the others by their weights."""

    @field_validator("parts")
    @classmethod
    def _sum_to_one(cls, parts: dict[str, float]) -> dict[str, float]:
        if len(parts) < FEWEST_PARTS:
            wrong("name at least two KPIs, each with its weight")
        total = math.fsum(parts.values())
        if not math.isclose(total, 1, abs_tol=1e-9):
            wrong(f"the weights sum to {total:.6g}; they must sum to 1")
        return parts


class Consistency(Model):
    """How far the best segment of a breakdown lies above the worst, as in channel consistency."""

    of: str
    """The KPI that is compared between segments."""
    by: str
    """The dimension whose values are compared, those with at least `min_answers`."""

    @field_validator("by")
    @classmethod
    def _is_declared(cls, by: str, info: ValidationInfo) -> str:
        known = declared(info)
        if known is not None and known.dimensions is not None and by not in known.dimensions:
            wrong(unknown("dimension", by, known.dimensions))
        return by


class Gap(Model):
    """The perception gap: what was promised and kept, against how customers see it.

    In points: the percent of `delivered` minus that of `perceived`. Where `delivered` reaches its
    target and `perceived` is below its floor by more than chance, green outside is red inside.
    """

    delivered: str
    """The KPI that says whether the promise was kept, such as SLA compliance."""
    perceived: str
    """The KPI that says how customers see it, such as CSAT."""


class Product(Model):
    """Lifetime value: revenue per customer and year, times the years that a customer stays.

    Average purchase value × purchases per customer and year is the revenue of a year, over the
    customers that could have bought.
    """

    revenue: str
    """A KPI of formula `sum`: the value of all purchases."""
    active_customers: Annotated[int, Field(ge=1)]
    """How many customers could have bought. Those who did buy in a window are fewer, the shorter
    it is: at a true two purchases a year, counting them over 24 h reads 366."""
    lifespan_years: Annotated[float | None, Field(gt=0, le=100)] = None
    """How many years a customer stays."""
    retention: str | None = None
    """Or the KPI of the yearly retention rate: customers stay 1 / (1 - rate) years on average."""

    @model_validator(mode="after")
    def _one_lifespan(self) -> Self:
        if (self.lifespan_years is None) == (self.retention is None):
            wrong("write lifespan_years, or the KPI of the retention rate, and not both")
        return self


Formula = TopBox | Net | Mean | Share | Sentiment | Sum
"""A formula over one measure."""

Written = Formula | Ratio | Composite | Consistency | Gap | Product
"""Any formula, as the KPI file writes it."""

ANY_AMOUNT = Range(0, math.inf)


def score_range(formula: Formula, measure: Measure) -> Range:
    """The scores that `formula` can give: percent, points, or what the measure's scale spans."""
    units = measure.smallest_units
    match formula:
        case Sum():
            return ANY_AMOUNT
        case Net() | Sentiment(statistic="net"):
            return NET
        case Sentiment():
            return COMPOUND
        case Mean(as_percent=False):
            return Range(measure.low / units, measure.high / units)
        case _:
            return PERCENT


class FormulaChoice(Model):
    """Exactly one formula, under its name."""

    top_box: TopBox | None = None
    net: Net | None = None
    mean: Mean | None = None
    share: Share | None = None
    sentiment: Literal["net", "mean"] | None = None
    sum_: Annotated[Sum | None, Field(alias="sum")] = None
    ratio: Ratio | None = None
    composite: Composite | None = None
    consistency: Consistency | None = None
    gap: Gap | None = None
    product: Product | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._written()) != 1:
            names = (field.alias or name for name, field in type(self).model_fields.items())
            wrong(f"write exactly one of {', '.join(names)}")
        return self

    @property
    def chosen(self) -> Written:
        """The formula that was written."""
        return self._written()[0]

    def _written(self) -> list[Written]:
        sentiment = Sentiment(statistic=self.sentiment) if self.sentiment else None
        one = (self.top_box, self.net, self.mean, self.share, sentiment, self.sum_)
        several = (self.ratio, self.composite, self.consistency, self.gap, self.product)
        formulas = (*one, *several)
        return [formula for formula in formulas if formula is not None]
