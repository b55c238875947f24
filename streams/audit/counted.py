"""What one answer counts, derived in the most obvious way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streams.events.sentiment import classify
from streams.ledger.cells import Cell
from streams.ledger.keys import Bucket
from streams.ledger.layout import SENTIMENT, Layout


class Counted(NamedTuple):
    """What one answer counts: every cell but for the bucket, and by how much it moves it.

    `recorded` is when it was judged, in whole Unix seconds, and `buckets` are those in which it
    was counted then.
    """

    layout: Layout
    occurred: int
    segment: Mapping[str, str]
    answers: tuple[int | None, ...]
    sentiment: int | None
    recorded: int = 0
    buckets: tuple[Bucket, ...] = ()

    def cells(self) -> Iterator[tuple[Cell, int]]:
        """The cells in each of its buckets."""
        for measure, value, amount in self._moved():
            for breakdown in self.layout.breakdowns:
                segment = tuple([self.segment[dimension] for dimension in breakdown])
                yield Cell(breakdown, segment, measure, value), amount

    def _moved(self) -> Iterator[tuple[str, str, int]]:
        for measure, answer in zip(self.layout.measures, self.answers, strict=True):
            if answer is not None and measure.kind == "amount":
                yield measure.cell_id, "count", 1
                yield measure.cell_id, "sum", answer
                yield measure.cell_id, "squares_high", answer**2 // (measure.high + 1)
                yield measure.cell_id, "squares_low", answer**2 % (measure.high + 1)
            elif answer is not None:
                yield measure.cell_id, str(answer), 1
        yield from self._moved_together()
        measured = self.layout.sentiment
        if measured is not None and self.sentiment is not None:
            yield measured.cell_id, classify(self.sentiment / 10_000), 1
            yield measured.cell_id, "sum", self.sentiment
            yield measured.cell_id, "sum_squares", self.sentiment**2

    def _moved_together(self) -> Iterator[tuple[str, str, int]]:
        """What pairs of measures count that were both answered."""
        measures = {measure.name: measure for measure in self.layout.measures}
        given: dict[str, int | str | None] = dict(zip(measures, self.answers, strict=True))
        if self.sentiment is not None:
            given[SENTIMENT] = classify(self.sentiment / 10_000)
        for first, second in self.layout.joints:
            one, other = given[first], given[second]
            if one is None or other is None:
                continue
            cell_id = f"{measures[first].cell_id}*{measures[second].cell_id}"
            if measures[second].kind != "amount":
                yield cell_id, f"{one},{other}", 1
            elif measures[first].kind != "amount":
                yield cell_id, f"{one},sum", int(other)
            else:
                base = 1 + max(measures[first].high, measures[second].high)
                yield cell_id, "products_high", int(one) * int(other) // base
                yield cell_id, "products_low", int(one) * int(other) % base
