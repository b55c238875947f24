"""Which dimension values a partition tells apart.

Values are admitted in the order of the log, up to a limit for each dimension; later ones count
as `other`. The ledger stores the table with the counts, so that a replay admits the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streams.events.admission import OTHER, UNKNOWN
from streams.ledger.cells import SEPARATOR
from streams.ledger.layout import Layout
from streams.ledger.shapes import Shapes

_FIRST_NUMBER: Final = 2
# Distinct combinations of raw values whose segment is remembered.
_REMEMBERED: Final = 100_000


class Segment(NamedTuple):
    """A combination of values: their names, and their numbers in the partition's table."""

    names: tuple[str, ...]
    numbers: tuple[int, ...]


class AdmittedValues:
    """The table of one partition. `unknown` has number 0 and `other` 1 in every dimension."""

    def __init__(self, layout: Layout, stored: dict[bytes, bytes]) -> None:
        """`stored` maps `<dimension>␟<value>` to the number, as the ledger keeps it."""
        self.limits = tuple((d.name, d.admitted) for d in layout.dimensions)
        self.numbers: dict[str, dict[str, int]] = {}
        self._names: dict[str, list[str]] = {}
        self.segments: dict[tuple[str | None, ...], Segment] = {}
        self.shapes = Shapes()
        for field, number in sorted(stored.items(), key=lambda item: int(item[1])):
            dimension, value = field.decode().split(SEPARATOR)
            self._admit(dimension, value, int(number))

    def name(self, dimension: str, number: int) -> str:
        """The value behind one number."""
        if number < _FIRST_NUMBER:
            return (UNKNOWN, OTHER)[number]
        return self._names[dimension][number - _FIRST_NUMBER]

    def _admit(self, dimension: str, value: str, number: int) -> None:
        names = self._names.setdefault(dimension, [])
        if number != len(names) + _FIRST_NUMBER:
            raise ValueError(f"values of {dimension} are not numbered in order")
        names.append(value)
        self.numbers.setdefault(dimension, {})[value] = number

    def draft(self) -> Draft:
        """A draft for one batch; nothing here changes until it is accepted."""
        return Draft(self)

    def accept(self, draft: Draft) -> None:
        """Take over what a draft admitted, once the ledger has stored it."""
        for dimension, value, number in draft.admitted:
            self._admit(dimension, value, number)
        if len(self.segments) + len(draft.segments) > _REMEMBERED:
            self.segments.clear()
        self.segments.update(draft.segments)
        self.shapes.accept(draft.shapes)


class Draft:
    """Values as one batch sees them: the table and what the batch itself admits."""

    def __init__(self, table: AdmittedValues) -> None:
        self._table = table
        self._new: dict[tuple[str, str], int] = {}
        self._new_names: dict[tuple[str, int], str] = {}
        self._counts: dict[str, int] = {}
        self.admitted: list[tuple[str, str, int]] = []
        self.segments: dict[tuple[str | None, ...], Segment] = {}
        self.shapes = Shapes()

    def segment(self, raw: tuple[str | None, ...]) -> Segment:
        """The segment of an answer that is counted, admitting its values if there is room."""
        found = self._table.segments.get(raw) or self.segments.get(raw)
        if found is None:
            found = self.segments[raw] = self._resolve(raw)
        return found

    def _resolve(self, raw: tuple[str | None, ...]) -> Segment:
        names: list[str] = []
        numbers: list[int] = []
        for (dimension, limit), value in zip(self._table.limits, raw, strict=True):
            number = 0 if value is None else self._number(dimension, value, limit)
            numbers.append(number)
            names.append(
                (UNKNOWN, OTHER)[number] if number < _FIRST_NUMBER or value is None else value
            )
        return Segment(tuple(names), tuple(numbers))

    def _number(self, dimension: str, value: str, limit: int) -> int:
        known = self._table.numbers.get(dimension, {})
        number = known.get(value) or self._new.get((dimension, value))
        if number is not None:
            return number
        taken = len(known) + self._counts.get(dimension, 0)
        if taken >= limit:
            return 1
        number = taken + _FIRST_NUMBER
        self._new[dimension, value] = number
        self._new_names[dimension, number] = value
        self._counts[dimension] = self._counts.get(dimension, 0) + 1
        self.admitted.append((dimension, value, number))
        return number

    def names(self, dimensions: tuple[str, ...], numbers: tuple[int, ...]) -> tuple[str, ...]:
        """The values behind an entry's numbers, of this batch or earlier ones."""
        return tuple(
            self._new_names.get((d, n)) or self._table.name(d, n)
            for d, n in zip(dimensions, numbers, strict=True)
        )
