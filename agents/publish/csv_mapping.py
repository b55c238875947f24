"""A row of a CSV file becomes an event, by a mapping of columns that a person wrote.

Cells are texts, and an event has numbers, true and false: a cell of a measure is converted by the
measure's kind, and an empty one means not answered. What cannot be converted stays a text, so
that the event's own rules refuse it and name the field; nothing is guessed.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.errors import ConfigurationError
from streams.events.event import FeedbackEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from streams.ledger.layout import Layout, MeasureKind

MEASURES: Final = "measures"
DIMENSIONS: Final = "dimensions"
_GROUPS: Final = (MEASURES, DIMENSIONS)
_FIELDS: Final = tuple(f for f in FeedbackEvent.__struct_fields__ if f not in _GROUPS)

# A number as JSON writes it. Python's own `float` would also take `nan`, `1_000` and `١`.
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(?P<rest>(\.[0-9]+)?([eE][+-]?[0-9]+)?)", re.ASCII)
_NUMBER_LENGTH: Final = 32  # longer than any answer, and short of what Python refuses to convert
_FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_HELP: Final = (
    f"write a field ({', '.join(_FIELDS)}), {MEASURES}.NAME or {DIMENSIONS}.NAME, then = and the "
    "column, as in measures.csat=rating"
)


class Target(msgspec.Struct, frozen=True):
    """A place in an event: a field of its own, or an entry of `measures` or `dimensions`."""

    field: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.field}.{self.name}" if self.name else self.field

    @classmethod
    def parse(cls, text: str) -> Target | None:
        """The place written in `text`, or None where an event has no such place."""
        field, dot, name = text.partition(".")
        if field in _GROUPS:
            return cls(field, name) if name else None
        return cls(field) if field in _FIELDS and not dot else None


class CsvMapping(msgspec.Struct, frozen=True):
    """Which column gives which place of the event, and which places are the same in every row.

    `timezone` is that of times written without an offset; None: such times stay as they are,
    and are refused as every time without an offset is.
    """

    columns: tuple[tuple[Target, str], ...]
    constants: tuple[tuple[Target, str], ...]
    kinds: Mapping[str, MeasureKind]
    timezone: ZoneInfo | None = None

    def event(self, row: Mapping[str, str]) -> dict[str, Any]:
        """The event of one row, as it would be written in JSON."""
        event: dict[str, Any] = {}
        for target, column in self.columns:
            self._put(event, target, row[column])
        for target, text in self.constants:
            self._put(event, target, text)
        return event

    def _put(self, event: dict[str, Any], target: Target, cell: str) -> None:
        if target.field == MEASURES:
            kind = self.kinds[target.name]
            event.setdefault(MEASURES, {})[target.name] = _answer(cell.strip(), kind)
        elif not cell.strip():
            return
        elif target.field == DIMENSIONS:
            event.setdefault(DIMENSIONS, {})[target.name] = cell.strip()
        else:
            event[target.field] = self._field(target.field, cell)

    def _field(self, field: str, cell: str) -> object:
        match field:
            case "comment":
                return cell
            case "occurred_at":
                return _time(cell.strip(), self.timezone)
            case "revision":
                return _number(cell.strip())
            case "withdrawn":
                return _FLAGS.get(cell.strip().lower(), cell)
        return cell.strip()


def read_mapping(
    header: Iterable[str],
    layout: Layout,
    *,
    maps: Iterable[str] = (),
    constants: Iterable[str] = (),
    timezone: ZoneInfo | None = None,
) -> CsvMapping:
    """The mapping written as `--map TARGET=COLUMN` and `--constant TARGET=VALUE`.

    A column named as a place of the event (`event_id`, `measures.csat`) needs no `--map`.

    Raises `ConfigurationError` with every mistake: an unknown place, a measure that the KPI file
    does not declare, a column that the file lacks, a place given twice, no `event_id`.
    """
    names = list(header)
    kinds = {m.name: m.kind for m in layout.measures if m.kind != "sentiment"}
    problems = [
        f"the file has two columns {name!r}" for name in dict.fromkeys(names) if _twice(name, names)
    ]
    mapped = _pairs(maps, "--map", problems)
    constant = _pairs(constants, "--constant", problems)
    given = [target for target, _ in (*mapped, *constant)]
    own = ((target, name) for name in names if (target := Target.parse(name)))
    columns = (*mapped, *((target, name) for target, name in own if target not in given))
    problems += [
        f"there is no column {column!r}; the file has {', '.join(names)}"
        for _, column in mapped
        if column not in names
    ]
    problems += [
        f"{target} is given twice" for target in dict.fromkeys(given) if _twice(target, given)
    ]
    targets = [target for target, _ in (*columns, *constant)]
    problems += _undeclared(targets, kinds)
    problems += [
        f"no column gives {name}; add --map {name}=COLUMN"
        for name in ("event_id", "occurred_at")
        if Target(name) not in targets
    ]
    if problems:
        raise ConfigurationError("The columns do not fit:\n  " + "\n  ".join(problems))
    return CsvMapping(columns, tuple(constant), kinds, timezone)


def _pairs(texts: Iterable[str], option: str, problems: list[str]) -> list[tuple[Target, str]]:
    pairs = []
    for text in texts:
        place, equals, value = text.partition("=")
        target = Target.parse(place.strip())
        if target is None or not equals:
            problems.append(f"{option} {text!r}: {_HELP}")
        else:
            pairs.append((target, value))
    return pairs


def _undeclared(targets: Iterable[Target], kinds: Mapping[str, MeasureKind]) -> list[str]:
    declared = ", ".join(kinds)
    return [
        f"{target} is not declared; the KPI file has the measures {declared}"
        for target in targets
        if target.field == MEASURES and target.name not in kinds
    ]


def _twice(item: object, items: list[Any]) -> bool:
    return items.count(item) > 1


def _answer(cell: str, kind: MeasureKind) -> object:
    if not cell:
        return None
    return _FLAGS.get(cell.lower(), cell) if kind == "flag" else _number(cell)


def _number(cell: str) -> object:
    matched = _NUMBER.fullmatch(cell)
    if not matched or len(cell) > _NUMBER_LENGTH:
        return cell
    number = float(cell) if matched["rest"] else int(cell)
    # JSON has no infinity: 1e999 would be written as null, which means not answered.
    return number if math.isfinite(number) else cell


def _time(cell: str, timezone: ZoneInfo | None) -> str:
    """The time in RFC 3339; a date alone is its midnight in `timezone`.

    A time that the clocks' change in autumn makes happen twice is the earlier one.
    """
    try:
        time = datetime.fromisoformat(cell)
    except ValueError:
        return cell
    if time.tzinfo is None:
        if timezone is None:
            return cell
        time = time.replace(tzinfo=timezone)
    return time.isoformat()
