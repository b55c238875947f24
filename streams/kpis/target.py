"""Where a score should be, and by when: a target with a path to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator

from streams.kpis.model import Model, wrong
from streams.kpis.problems import Problem, refuse

Direction = Literal["higher", "lower"]


def _read_date(value: object) -> dt.date:
    if isinstance(value, dt.date):
        return value
    try:
        return dt.datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day, no time
    except ValueError:
        wrong(f"{value!r} is no date; write year-month-day, as in 2026-10-01")


Date = Annotated[dt.date, PlainValidator(_read_date, json_schema_input_type=dt.date)]


class Target(Model):
    """Where we want to be, and by when. `target: 85` is short for `target: {at_least: 85}`."""

    at_least: float | None = None
    """The score to reach where higher is better, in the unit of the formula."""
    at_most: float | None = None
    """The score to come down to where lower is better."""
    from_: Annotated[float | None, Field(alias="from")] = None
    """The score at `start`, where the path to the target begins."""
    start: Date | None = None
    """The first day of the path."""
    by: Date | None = None
    """The day on which the target is to be reached; from then on it is to be held."""

    @model_validator(mode="after")
    def _one_whole_path(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            wrong("write at_least where higher is better, or at_most where lower is, and not both")
        path = {"from": self.from_, "start": self.start, "by": self.by}
        missing = [key for key, value in path.items() if value is None]
        if missing and len(missing) < len(path):
            wrong(f"a path has from, start and by; add {' and '.join(missing)}")
        refuse(self._path_problems())
        return self

    @property
    def score(self) -> float:
        """The score to reach."""
        if self.at_least is not None:
            return self.at_least
        return self.at_most if self.at_most is not None else 0.0

    @property
    def direction(self) -> Direction:
        """Which way is better."""
        return "lower" if self.at_least is None else "higher"

    def on(self, day: dt.date) -> float:
        """The score that the path asks for on `day`: straight from `start` to `by`, then held."""
        if self.from_ is None or self.start is None or self.by is None:
            return self.score
        gone = (day - self.start) / (self.by - self.start)
        return self.from_ + (self.score - self.from_) * min(max(gone, 0.0), 1.0)

    def _path_problems(self) -> Iterator[Problem]:
        if self.from_ is not None:
            if self.at_least is not None and self.from_ > self.at_least:
                yield Problem(f"a path rises; write at most {self.at_least:g}", ("from",))
            if self.at_most is not None and self.from_ < self.at_most:
                sentence = f"a path to at_most falls; write at least {self.at_most:g}"
                yield Problem(sentence, ("from",))
        if self.start and self.by and self.start >= self.by:
            yield Problem(f"must be after {self.start}, the start", ("by",))


def _read_target(value: object, info: ValidationInfo) -> object:
    if isinstance(value, int | float):
        lower = info.data.get("direction") == "lower"
        return {"at_most" if lower else "at_least": value}
    if not isinstance(value, Mapping | Target):
        wrong("write a number, or a path, as in {at_least: 85, from: 82, start: …, by: …}")
    return value


TargetText = Annotated[Target, BeforeValidator(_read_target, json_schema_input_type=float | Target)]
