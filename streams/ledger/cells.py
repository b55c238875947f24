"""Cells: the counters that one answer moves, and how they are named in Redis.

A cell is (breakdown, segment, measure, value). A bucket is one Redis hash of cells, for one tier
and start; it is named by `streams.ledger.keys`. A field is readable in redis-cli:
`product,channel␟router␟chat␟csat@1..5␟4`, with the unit separator (0x1F), which no
dimension value may hold, between the parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from streams.events.sentiment import classify
from streams.ledger.joints import amount_moves, joints_of
from streams.ledger.layout import Layout
from streams.ledger.shapes import What

SEPARATOR: Final = "\x1f"
# Distinct (segment, measure, value) whose fields are remembered; each takes about 200 bytes.
_REMEMBERED_FIELDS: Final = 200_000


class Cell(NamedTuple):
    """A counter within a bucket. `segment` has one value for each dimension of `breakdown`."""

    breakdown: tuple[str, ...]
    segment: tuple[str, ...]
    measure: str
    value: str


def encode_cell(cell: Cell) -> bytes:
    """The hash field of `cell`."""
    parts = (",".join(cell.breakdown), *cell.segment, cell.measure, cell.value)
    return SEPARATOR.join(parts).encode()


def decode_cell(field: bytes) -> Cell:
    """The cell of a hash field; the inverse of `encode_cell`."""
    names, *segment, measure, value = field.decode().split(SEPARATOR)
    return Cell(tuple(names.split(",")) if names else (), tuple(segment), measure, value)


class CellFields:
    """The fields that an answer counts in, for one layout, with recurring ones remembered."""

    def __init__(self, layout: Layout) -> None:
        names = [d.name for d in layout.dimensions]
        self._breakdowns = tuple(
            (",".join(b), tuple(names.index(name) for name in b)) for b in layout.breakdowns
        )
        self._measures = tuple(m.cell_id for m in layout.measures)
        self._sentiment = layout.sentiment.cell_id if layout.sentiment else None
        self._amounts = {p: m for p, m in enumerate(layout.measures) if m.kind == "amount"}
        self._joints = joints_of(layout)
        self._remembered: dict[tuple[tuple[str, ...], str, str], tuple[bytes, ...]] = {}

    def increments(self, what: What) -> list[tuple[bytes, int]]:
        """Fields and by how much one such answer moves them."""
        segment, answers, sentiment = what
        moved: list[tuple[bytes, int]] = []
        if self._amounts or self._joints:
            moved.extend(self._of_amounts(segment, answers))
            moved.extend(self._of_joints(segment, answers, sentiment))
            answers = tuple([None if p in self._amounts else a for p, a in enumerate(answers)])
        for measure, answer in zip(self._measures, answers, strict=True):
            if answer is not None:
                moved.extend((f, 1) for f in self._fields(segment, measure, str(answer)))
        if sentiment is not None and self._sentiment is not None:
            for value, amount in (
                (classify(sentiment / 10_000), 1),
                ("sum", sentiment),
                ("sum_squares", sentiment * sentiment),
            ):
                moved.extend((f, amount) for f in self._fields(segment, self._sentiment, value))
        return moved

    def _of_amounts(
        self, segment: tuple[str, ...], answers: tuple[int | None, ...]
    ) -> Iterator[tuple[bytes, int]]:
        for place, measure in self._amounts.items():
            answer = answers[place]
            if answer is not None:
                for value, amount in amount_moves(measure, answer):
                    for field in self._fields(segment, self._measures[place], value):
                        yield field, amount

    def _of_joints(
        self,
        segment: tuple[str, ...],
        answers: tuple[int | None, ...],
        sentiment: int | None,
    ) -> Iterator[tuple[bytes, int]]:
        for joint in self._joints:
            for value, amount in joint.moves(answers, sentiment):
                for field in self._fields(segment, joint.cell_id, value):
                    yield field, amount

    def _fields(self, segment: tuple[str, ...], measure: str, value: str) -> tuple[bytes, ...]:
        """One field for each stored breakdown."""
        key = (segment, measure, value)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _REMEMBERED_FIELDS:
                self._remembered.clear()
            found = self._remembered[key] = tuple(
                SEPARATOR.join((names, *(segment[i] for i in places), measure, value)).encode()
                for names, places in self._breakdowns
            )
        return found
