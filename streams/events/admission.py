"""Admission: an event against the KPI file and a clock gives an `Answer` or a `Refusal`.

Nothing is clamped and nothing is rounded. One bad field refuses the whole event.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Final

import msgspec

from streams.events.event import FeedbackEvent, Refusal
from streams.ledger.layout import Layout, Measure

UNKNOWN: Final = "unknown"
OTHER: Final = "other"
RESERVED_VALUES: Final = frozenset({"all", OTHER, UNKNOWN})

# Clocks of upstream apps may run ahead by this much; beyond it the time is a mistake.
FUTURE_SECONDS: Final = 300
VALUE_LENGTH: Final = 64
_ENGLISH: Final = frozenset({None, "en", "en-GB", "en-US"})
# Distinct combinations of dimension values whose checks are remembered.
_REMEMBERED_SEGMENTS: Final = 100_000


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An admitted event, reduced to what is counted.

    `occurred` is in whole Unix seconds. `values` has a value for each dimension of the layout,
    None where the event gave none. `answers` has an integer for each measure of the layout
    (a flag is 0 or 1), None where not answered; the sentiment's place is always None here.
    `comment` is None where its declared language is another than English, which alone is scored.
    """

    event_id: str
    revision: int
    withdrawn: bool
    occurred: int
    values: tuple[str | None, ...]
    answers: tuple[int | None, ...]
    comment: str | None
    customer: str | None
    unknown_dimensions: int


class Late(msgspec.Struct, frozen=True):
    """An event too old for a duplicate of it to be told; it is not counted."""


LATE: Final = Late()


class Admission:
    """The rules of one layout, with the checks of recurring dimension values remembered."""

    def __init__(self, layout: Layout) -> None:
        self._late_after = layout.late_after_seconds
        self._keeps_ids = layout.horizon_seconds is not None
        self._dimensions = tuple(d.name for d in layout.dimensions)
        self._names = frozenset(self._dimensions)
        # `True == 1` in Python, so a flag's scale is told apart from a rating's by type.
        self._measures = tuple(
            (m.name, m.kind == "flag", frozenset() if m.kind == "amount" else _scale(m))
            for m in layout.measures
        )
        self._by_name = {m.name: m for m in layout.measures if m.kind != "sentiment"}
        self._segments: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}

    def admit(self, event: FeedbackEvent, now: float) -> Answer | Refusal | Late:
        """Judge `event` at `now` (Unix seconds: the record's time or the worker's clock)."""
        occurred = event.occurred_at.timestamp()
        if occurred > now + FUTURE_SECONDS:
            return _in_future(occurred - now)
        answers = self._answers(event.measures)
        if isinstance(answers, Refusal):
            return answers
        dimensions = event.dimensions
        raw = tuple([dimensions.get(name) for name in self._dimensions])
        values = self._segments.get(raw) or self._segment(raw)
        if isinstance(values, Refusal):
            return values
        if (event.revision or event.withdrawn) and not self._keeps_ids:
            return _ids_not_kept()
        if occurred < now - self._late_after:
            return LATE
        return Answer(
            event.event_id,
            event.revision,
            event.withdrawn,
            math.floor(occurred),
            values,
            answers,
            scored_comment(event.comment, event.language),
            event.customer,
            0 if dimensions.keys() <= self._names else self._unknown(dimensions),
        )

    def _answers(
        self, measures: dict[str, bool | int | float | None]
    ) -> tuple[int | None, ...] | Refusal:
        """An integer or None for each measure of the layout, in its order."""
        if not measures.keys() <= self._by_name.keys():
            return self._unknown_measure(measures)
        answers: list[int | None] = []
        for name, flag, scale in self._measures:
            value = measures.get(name)
            if value is None:
                answers.append(None)
            elif (value.__class__ is bool) is flag and value in scale:
                answers.append(int(value))
            elif not scale and (amount := _amount(self._by_name[name], value)) is not None:
                answers.append(amount)
            else:
                return _explain_value(self._by_name[name], value)
        return tuple(answers)

    def _unknown_measure(self, measures: dict[str, bool | int | float | None]) -> Refusal:
        known = ", ".join(self._by_name)
        name = next(n for n in measures if n not in self._by_name)
        shown = f"`measures.{name}`" if name.isidentifier() and len(name) <= 64 else "a measure"
        return Refusal("unknown_measure", f"{shown} is not declared; the KPI file has {known}.")

    def _unknown(self, dimensions: dict[str, str | None]) -> int:
        return len(dimensions.keys() - self._names)

    def _segment(self, raw: tuple[str | None, ...]) -> tuple[str | None, ...] | Refusal:
        """Check and normalise dimension values; accepted ones, which are short, are remembered."""
        judged: list[str | None] = []
        for name, value in zip(self._dimensions, raw, strict=True):
            normal = None if value is None else unicodedata.normalize("NFC", value)
            if normal is not None and (problem := _value_problem(name, normal)):
                return problem
            judged.append(normal)
        if len(self._segments) >= _REMEMBERED_SEGMENTS:
            self._segments.clear()
        accepted = self._segments[raw] = tuple(judged)
        return accepted


def _scale(measure: Measure) -> frozenset[int]:
    return frozenset(range(measure.low, measure.high + 1))


def _amount(measure: Measure, value: float) -> int | None:
    """The amount in its smallest unit; None where it is no whole number of them, or off its scale.

    JSON's numbers are doubles to most programs (RFC 8259, section 6), so 19.99 arrives as the
    double next to it. It is a whole number of cents if that is also the double next to the cents
    divided by 100, which division gives exactly.
    """
    if isinstance(value, bool) or not 0 <= value * measure.smallest_units <= measure.high + 0.5:
        return None
    units = round(value * measure.smallest_units)
    if units > measure.high or units / measure.smallest_units != value:
        return None
    return units


def _explain_value(measure: Measure, value: float) -> Refusal:
    name = f"`measures.{measure.name}`"
    if measure.kind == "amount":
        return _explain_amount(name, measure, value)
    if measure.kind == "flag":
        return Refusal("wrong_type", f"{name} is a flag: true, false or null.")
    scale = f"its scale is the whole numbers {measure.low} to {measure.high}"
    if isinstance(value, bool):
        return Refusal("wrong_type", f"{name} is a rating, not true or false: {scale}.")
    if value % 1 != 0:
        return Refusal("fraction", f"{name} has a fraction: {scale}.")
    return Refusal("off_scale", f"{name} is off its scale: {scale}.")


def _explain_amount(name: str, measure: Measure, value: float) -> Refusal:
    most = measure.high / measure.smallest_units
    scale = f"it is from 0 to {most:.15g} {measure.unit or ''}".rstrip()
    if isinstance(value, bool):
        return Refusal("wrong_type", f"{name} is an amount, not true or false: {scale}.")
    if 0 <= value <= most:
        decimals = measure.decimals or 0
        return Refusal("fraction", f"{name} has more than {decimals} decimals: {scale}.")
    return Refusal("off_scale", f"{name} is off its scale: {scale}.")


def _value_problem(name: str, value: str) -> Refusal | None:
    place = f"`dimensions.{name}`"
    if not 1 <= len(value) <= VALUE_LENGTH:
        return Refusal("bad_dimension", f"{place} must have 1 to {VALUE_LENGTH} characters.")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        return Refusal("bad_dimension", f"{place} holds a control character.")
    if value in RESERVED_VALUES:
        reserved = ", ".join(sorted(RESERVED_VALUES))
        return Refusal("reserved_value", f"{place} has a reserved value ({reserved}).")
    return None


def scored_comment(comment: str | None, language: str | None) -> str | None:
    """The comment, or None where its declared language (BCP 47) is another than English."""
    if language in _ENGLISH or (
        language and language.lower().replace("_", "-").partition("-")[0] == "en"
    ):
        return comment or None
    return None


def _in_future(seconds: float) -> Refusal:
    ahead = f"{seconds:.0f} seconds after the record's time; at most {FUTURE_SECONDS} are accepted"
    return Refusal("in_future", f"`occurred_at` is {ahead}.")


def _ids_not_kept() -> Refusal:
    return Refusal(
        "ids_not_kept", "`revision` and `withdrawn` need ids, and the KPI file says `dedupe: off`."
    )
