"""Shapes: what recurring texts of an event's measures and dimensions come to.

Most answers repeat the measures of others, text for text, and the dimensions of others. What such
a text was judged and admitted to be holds for as long as its partition is read under one layout:
values are only ever added to the table of admitted ones. So it is looked up, and not decoded again.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

Answers = tuple[int | None, ...]
"""An integer for each measure of a layout, None where not answered."""

What = tuple[tuple[str, ...], Answers, int | None]
"""Segment, answers and sentiment: what decides which cells an answer counts in.

The segment has a value for each dimension of a layout. The sentiment is in 1/10,000, None where
there is no comment to score.
"""

# Distinct texts of each kind that are remembered of a partition, each some 300 bytes.
REMEMBERED: Final = 30_000
# Longer ones, full of dimensions that nobody declared, say, hardly come again.
LONGEST_REMEMBERED: Final = 256


class Split(NamedTuple):
    """What a text of dimensions comes to.

    `numbers` has the admitted number of each dimension's value, as an entry keeps it.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    unknown_dimensions: int


class Shapes:
    """What is known of the texts of one partition."""

    def __init__(self) -> None:
        self.answers: dict[bytes, Answers] = {}
        self.splits: dict[bytes, Split] = {}

    def accept(self, found: Shapes) -> None:
        """Take over what a batch found, once the ledger has stored what it admitted."""
        _take_over(self.answers, found.answers)
        _take_over(self.splits, found.splits)

    def remember(self, measures: bytes, dimensions: bytes, answers: Answers, split: Split) -> None:
        """Note what was made of an event with these texts."""
        if len(measures) <= LONGEST_REMEMBERED:
            self.answers[measures] = answers
        if len(dimensions) <= LONGEST_REMEMBERED:
            self.splits[dimensions] = split


def _take_over(known: dict[bytes, T], found: dict[bytes, T]) -> None:
    if len(known) + len(found) > REMEMBERED:
        known.clear()
    known.update(found)
