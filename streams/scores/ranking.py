"""Which values of a dimension are shown by name, and the summing of the rest.

A dimension shows its `max` values with the most answers in the longest window, ties by name. The
others are one segment value, `other`, together with what the ledger already stored as `other`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from streams.counts.projection import Group
from streams.events.admission import OTHER, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streams.counts.projection import Segment
    from streams.ledger.layout import Dimension, Layout
    from streams.scores.scores import Tally

Shown = frozenset[str] | None
"""The values that are shown by name; None: all of them."""

# Sums of amounts and of what is computed from comments, which count nobody.
_SUMS = frozenset({"sum", "sum_squares", "squares_high", "squares_low"})


def ranking_groups(layout: Layout, breakdowns: Iterable[tuple[str, ...]]) -> list[Group]:
    """The tallies that rank the values of each dimension of `breakdowns`: those of all measures."""
    used = {name for breakdown in breakdowns for name in breakdown}
    return [
        Group(measure.cell_id, (dimension.name,))
        for dimension in layout.dimensions
        for measure in layout.measures
        if dimension.name in used
    ]


def shown_values(
    dimensions: Iterable[Dimension],
    ranking: Sequence[Group],
    tallies: Callable[[Group], Mapping[Segment, Tally]],
) -> dict[str, Shown]:
    """The values to show by name, of each dimension that `ranking` (`ranking_groups`) ranks.

    `tallies` gives a group's tallies of the longest window.
    """
    return {
        dimension.name: _largest(dimension, [tallies(group) for group in groups])
        for dimension in dimensions
        if (groups := [group for group in ranking if group.breakdown == (dimension.name,)])
    }


def _largest(dimension: Dimension, tallies: Iterable[Mapping[Segment, Tally]]) -> Shown:
    """`unknown` and `other` are no values of their own: they take no place, and are shown."""
    answers: Counter[str] = Counter()
    for segments in tallies:
        for (value,), tally in segments.items():
            answers[value] += _answers(tally)
    named = answers.keys() - {UNKNOWN, OTHER}
    if len(named) <= dimension.shown:
        return None
    largest = sorted(named, key=lambda value: (-answers[value], value))[: dimension.shown]
    return frozenset(largest) | {UNKNOWN}


def summed_rest(
    segments: Mapping[Segment, Tally], shown: tuple[Shown, ...]
) -> dict[Segment, Tally]:
    """`segments` with every value that is not shown replaced by `other`, tallies added up.

    `shown` has an entry for each dimension of the breakdown.
    """
    if all(values is None for values in shown):
        return dict(segments)
    kept: dict[Segment, Tally] = {}
    rest: dict[Segment, dict[str, int]] = {}
    for segment, tally in segments.items():
        named = tuple(
            [v if s is None or v in s else OTHER for v, s in zip(segment, shown, strict=True)]
        )
        if OTHER in named:
            _add(rest.setdefault(named, {}), tally)
        else:
            kept[segment] = tally
    return kept | rest


def counts_answers(value: str) -> bool:
    """Whether a cell of this value counts answers, and is no sum over them."""
    return value not in _SUMS


def _answers(tally: Tally) -> int:
    return sum([count for value, count in tally.items() if counts_answers(value)])


def _add(total: dict[str, int], tally: Tally) -> None:
    for value, count in tally.items():
        total[value] = total.get(value, 0) + count
