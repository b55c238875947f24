"""What amounts and pairs of measures count: sums that no counter overflows on, and joint answers.

An amount counts in four cells: `count`, `sum`, and its square in two. A square may have twice the
digits of the amount; written in base B, B being one more than the greatest amount, it has two
digits, which are summed apart as `squares_high` and `squares_low`. So no counter grows faster
than the sum itself, and none of a batch's increments leaves the integers that Lua's numbers hold
exactly (2^53).

Two measures that a composite, a ratio or a gap joins are answered by the same customers, and
without their covariance an interval is far too narrow. What is stored of such a pair:

- two measures with a scale: how often each pair of answers was given, `4,9`;
- one with a scale and an amount: the sum of the amount by the other's answer, `1,sum`;
- two amounts: the sum of their products, in two digits as above.

An answer that lacks one of the two counts in none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.events.sentiment import classify

if TYPE_CHECKING:
    from streams.ledger.layout import Layout, Measure

# The greatest amount, in its smallest unit: a hundred thousand of them, more than a batch holds,
# stay below 2^53, and a counter holds 92 million.
MOST_SMALLEST_UNITS: Final = 10**11

Moves = list[tuple[str, int]]


def amount_moves(measure: Measure, amount: int) -> Moves:
    """The cells of one answered amount."""
    high, low = divmod(amount * amount, measure.high + 1)
    return [("count", 1), ("sum", amount), ("squares_high", high), ("squares_low", low)]


def joint_id(first: Measure, second: Measure) -> str:
    """The pair's name in a cell: a changed scale is another name, as for each of them."""
    return f"{first.cell_id}*{second.cell_id}"


def joint_base(first: Measure, second: Measure) -> int:
    """The base in which products of two amounts have two digits."""
    return max(first.high, second.high) + 1


class Joint(NamedTuple):
    """A pair of measures with their places in the layout; an amount stands second."""

    first: Measure
    second: Measure
    first_place: int
    second_place: int

    @property
    def cell_id(self) -> str:
        """The pair's name in a cell."""
        return joint_id(self.first, self.second)

    def moves(self, answers: tuple[int | None, ...], sentiment: int | None) -> Moves:
        """The cells in which one answer counts; `sentiment` is in 1/10,000."""
        first = _answer(self.first, self.first_place, answers, sentiment)
        second = _answer(self.second, self.second_place, answers, sentiment)
        if first is None or second is None:
            return []
        if self.second.kind != "amount":
            return [(f"{first},{second}", 1)]
        if self.first.kind != "amount":
            return [(f"{first},sum", int(second))]
        high, low = divmod(int(first) * int(second), joint_base(self.first, self.second))
        return [("products_high", high), ("products_low", low)]


def joints_of(layout: Layout) -> tuple[Joint, ...]:
    """The joints of a layout."""
    places = {measure.name: place for place, measure in enumerate(layout.measures)}
    return tuple(
        Joint(layout.measures[places[a]], layout.measures[places[b]], places[a], places[b])
        for a, b in layout.joints
    )


def ordered_pair(one: Measure, other: Measure) -> tuple[Measure, Measure]:
    """The two in the order in which they are joined: by name, but an amount second."""
    by_name = (one, other) if one.name <= other.name else (other, one)
    if by_name[0].kind == "amount" and by_name[1].kind != "amount":
        return by_name[1], by_name[0]
    return by_name


def _answer(
    measure: Measure, place: int, answers: tuple[int | None, ...], sentiment: int | None
) -> int | str | None:
    if measure.kind != "sentiment":
        return answers[place]
    return None if sentiment is None else classify(sentiment / 10_000)
