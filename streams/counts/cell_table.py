"""Numbers for cells, so that a bucket in memory is two short arrays instead of a dict of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.ledger.cells import Cell, decode_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.counts.projection import Projection, Target


class CellTable:
    """Every cell that some bucket holds, under a number that is never used again.

    A hash field is parsed once. Cells that no bucket holds any more are dropped by `sweep`, so the
    table is bounded by what exists.
    """

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._numbers: dict[bytes, int] = {}
        self._fields: dict[int, bytes] = {}
        self._holders: dict[int, int] = {}
        self._unheld: set[int] = set()
        self._last = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def numbered(self, fields: Mapping[bytes, bytes]) -> dict[int, int]:
        """Cell number to count, of a bucket's hash as Redis gives it."""
        known = self._numbers.get
        numbers = [known(field) or self._add(field) for field in fields]
        return dict(zip(numbers, map(int, fields.values()), strict=True))

    def hold(self, numbers: Iterable[int]) -> None:
        """One more bucket holds each of these cells."""
        for number in numbers:
            self._holders[number] += 1

    def release(self, numbers: Iterable[int]) -> None:
        """One bucket fewer holds each of these cells."""
        for number in numbers:
            self._holders[number] -= 1
            self._unheld.add(number)

    def sweep(self) -> list[Target]:
        """Drop the cells that no bucket holds; gives the targets whose segments went with them."""
        gone: list[Target] = []
        for number in self._unheld:
            if not self._holders[number]:
                del self._holders[number], self._numbers[self._fields.pop(number)]
                gone.extend(self._projection.remove(number))
        self._unheld.clear()
        return gone

    def _add(self, field: bytes) -> int:
        self._last += 1
        self._numbers[field] = self._last
        self._fields[self._last] = field
        self._holders[self._last] = 0
        self._unheld.add(self._last)
        self._projection.add(self._last, _cell(field))
        return self._last


def _cell(field: bytes) -> Cell | None:
    """The cell of a field; None where it is not one of ours, which then counts in nothing."""
    try:
        return decode_cell(field)
    except ValueError:  # also UnicodeDecodeError
        return None
