"""Shapes: what recurring texts of an event's measures and dimensions come to.

Most answers repeat the measures and dimensions of others, text for text. What such a pair of texts
was judged and admitted to be holds for as long as its partition is read under one layout: values
are only ever added to the table of admitted ones. So the pair is looked up, and not decoded again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Texts = tuple[bytes, bytes]
"""The JSON texts of `measures` and `dimensions`, byte for byte."""

What = tuple[tuple[str, ...], tuple[int | None, ...], int | None]
"""Segment, answers and sentiment: what decides which cells an answer counts in.

The segment has a value for each dimension of a layout, and there is an answer, or None, for each
of its measures. The sentiment is in 1/10,000, None where there is no comment to score.
"""

# Pairs of texts that are remembered of a partition, each some 400 bytes.
REMEMBERED: Final = 20_000
# Longer ones, full of dimensions that nobody declared, say, hardly come again.
_LONGEST_REMEMBERED: Final = 512


class Shape(NamedTuple):
    """An answer without a comment, but for its id, its time and its customer.

    `numbers` has the admitted number of each dimension's value, as an entry keeps it.
    """

    what: What
    numbers: tuple[int, ...]
    unknown_dimensions: int


def recurs(texts: Texts) -> bool:
    """Whether these are short enough to be remembered."""
    return len(texts[0]) + len(texts[1]) <= _LONGEST_REMEMBERED
