"""Why a score moved: what its segments gave to the change, exactly, and which may be named.

With shares w of the answers and scores s of the segments, before and now,

    ΔS = Σ w̄ᵢ Δsᵢ  +  Σ (s̄ᵢ - S̄) Δwᵢ         (bars are means of before and now)
         rate           mix

with nothing left over (Kitagawa 1955, JASA 50:1168-1194; Bennet 1920). Rate: segments scored
otherwise. Mix: answers came from other segments than before. Measuring mix from S̄ changes no sum,
since the Δwᵢ sum to 0, but lets each segment's part be read: more answers from a segment below
the average push the score down.

A segment is named only where its own score moved otherwise than that of the rest by more than
chance. Tested against no move at all, a drop that is the same everywhere would name somebody most
of the time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.scores.moments import NOTHING, Moments, pooled
from streams.statistics.intervals import probability
from streams.statistics.multiple import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.counts.projection import Segment
    from streams.kpis.formulas import Range

NAMED_WRONGLY: Final = 0.05
"""How often somebody may be named where all segments moved alike."""

MOST_NAMED: Final = 10
"""More segments of one breakdown than anybody reads; each is looked for anew."""

_AS_CLEAR: Final = 0.5


class Part(NamedTuple):
    """What one segment gave to the change of the score, in its unit.

    `segment` is None for the pool of those with too few answers.
    """

    segment: Segment | None
    before: Moments
    now: Moments
    rate: float
    mix: float


class Attribution(NamedTuple):
    """The change of a score over one breakdown; `named` are parts, the largest change first."""

    before: float
    now: float
    parts: tuple[Part, ...]
    named: tuple[Part, ...]

    @property
    def change(self) -> float:
        """What there is to explain; rate and mix of all parts sum to it."""
        return self.now - self.before

    @property
    def mix(self) -> float:
        """What came from answers moving between segments."""
        return math.fsum([part.mix for part in self.parts])

    @property
    def rest(self) -> float:
        """What the scores of all segments that are not named gave; of all where none is."""
        return math.fsum([part.rate for part in self.parts if part not in self.named])


def attribute(
    before: Mapping[Segment, Moments],
    now: Mapping[Segment, Moments],
    *,
    scale: Range,
    min_answers: int,
    named_wrongly: float = NAMED_WRONGLY,
    design_effect: float = 1.0,
) -> Attribution | None:
    """Attribute the change between two periods to segments; None where one has no answers.

    The segments of each period must be those of one breakdown, each answer in one of them. `scale`
    is what an answer may be worth. Segments with fewer than `min_answers` in a period are pooled,
    but not those that are new, or gone, with at least so many in the other period: all of what
    they gave is mix. With a `design_effect` of 2, scores scatter as those of half as many answers.
    """
    if not any(m.answers for m in before.values()) or not any(m.answers for m in now.values()):
        return None
    pairs = _pairs(before, now, max(min_answers, 1))
    whole = _Pair(
        pooled(pair.before for pair in pairs.values()), pooled(pair.now for pair in pairs.values())
    )
    parts = [_part(segment, pair, whole) for segment, pair in pairs.items()]
    moved = [part for part in parts if part.before.answers and part.now.answers]
    named = _named(moved, _Spread.of(moved, scale, design_effect), whole, named_wrongly)
    return Attribution(
        whole.before.mean,
        whole.now.mean,
        tuple(sorted(parts, key=lambda part: -abs(part.rate))),
        tuple(sorted(named, key=lambda part: -abs(part.rate))),
    )


class _Pair(NamedTuple):
    before: Moments
    now: Moments


def _pairs(
    before: Mapping[Segment, Moments], now: Mapping[Segment, Moments], least: int
) -> dict[Segment | None, _Pair]:
    """Both periods of each segment that stands for itself, and of the pool, if there is one."""
    alone: dict[Segment | None, _Pair] = {}
    pool: list[_Pair] = []
    for segment in sorted(before.keys() | now.keys()):
        pair = _Pair(before.get(segment, NOTHING), now.get(segment, NOTHING))
        fewer, more = sorted([pair.before.answers, pair.now.answers])
        if fewer >= least or (not fewer and more >= least):
            alone[segment] = pair
        elif more:
            pool.append(pair)
    if pool:
        alone[None] = _Pair(pooled(p.before for p in pool), pooled(p.now for p in pool))
    return alone


def _part(segment: Segment | None, pair: _Pair, whole: _Pair) -> Part:
    """Rate and mix of one segment. One that is new, or gone, has one score for both periods."""
    share_before = pair.before.answers / whole.before.answers
    share_now = pair.now.answers / whole.now.answers
    score_before = (pair.before if pair.before.answers else pair.now).mean
    score_now = (pair.now if pair.now.answers else pair.before).mean
    average = (whole.before.mean + whole.now.mean) / 2
    return Part(
        segment,
        *pair,
        rate=(share_before + share_now) / 2 * (score_now - score_before),
        mix=((score_before + score_now) / 2 - average) * (share_now - share_before),
    )


class _Move(NamedTuple):
    """How far a segment's score moved, and its share of the answers."""

    part: Part
    distance: float
    weight: float


class _Test(NamedTuple):
    """How far a segment is from having moved with the rest; `z` is negative where it fell more."""

    move: _Move
    z: float

    @property
    def p_value(self) -> float:
        return 2 * probability(-abs(self.z))


def _named(
    parts: Sequence[Part], spread: _Spread, whole: _Pair, named_wrongly: float
) -> list[Part]:
    """The segments that moved otherwise than the rest.

    1. Test each against all others together.
    2. None stands out (Benjamini-Hochberg): these are the rest.
    3. Name one that stands out, and once more from 1 without it: beside one that fell far, all
       others look as if they had risen.
    """
    left = [_move(part, whole) for part in parts]
    falling = whole.now.mean < whole.before.mean
    named: list[Part] = []
    while len(left) > 1 and len(named) < MOST_NAMED:
        tests = _tests(left, spread)
        adjusted = benjamini_hochberg([test.p_value for test in tests])
        found = [test for test, p in zip(tests, adjusted, strict=True) if p <= named_wrongly]
        if not found:
            break
        move = _standing_out(found, falling=falling).move
        left.remove(move)
        named.append(move.part)
    return [part for part in named if part.segment is not None]


def _standing_out(found: Sequence[_Test], *, falling: bool) -> _Test:
    """The one that stands out most.

    Where half of the segments fell, the others differ from them as much as they do: one that moved
    as the score did, and so explains it, comes first unless it stands out far less.
    """
    most = max(found, key=lambda test: abs(test.z))
    with_the_score = [test for test in found if (test.z < 0) == falling]
    best = max(with_the_score, key=lambda test: abs(test.z), default=most)
    return best if abs(best.z) >= _AS_CLEAR * abs(most.z) else most


def _move(part: Part, whole: _Pair) -> _Move:
    weight = part.before.answers / whole.before.answers + part.now.answers / whole.now.answers
    return _Move(part, part.now.mean - part.before.mean, weight / 2)


def _tests(moves: Sequence[_Move], spread: _Spread) -> list[_Test]:
    """Of each segment the test that it moved as far as the others together.

    Variances are those that there would be if all had moved alike (a score test, as Mee's, 1984):
    those of the observed scores make few answers look surer than they are.
    """
    weights = math.fsum([move.weight for move in moves])
    sums = math.fsum([move.weight * move.distance for move in moves])
    variances = [spread.of_move(move.part, sums / weights) for move in moves]
    weighted = [move.weight**2 * v for move, v in zip(moves, variances, strict=True)]
    together = math.fsum(weighted)
    return [
        _Test(
            move,
            (move.distance - (sums - move.weight * move.distance) / (weights - move.weight))
            / math.sqrt(variance + (together - own) / (weights - move.weight) ** 2),
        )
        for move, variance, own in zip(moves, variances, weighted, strict=True)
    ]


class _Spread(NamedTuple):
    """How answers scatter around a mean: as those of a share do, times one factor a period.

    The variance of an answer with mean m is the factor times (m - low)(high - m). For shares the
    factor is 1; for ratings and nets it is what all segments together show. Repeat respondents
    make it greater.
    """

    scale: Range
    factor_before: float
    factor_now: float

    @classmethod
    def of(cls, parts: Sequence[Part], scale: Range, design_effect: float) -> _Spread:
        before = _factor([part.before for part in parts], scale)
        now = _factor([part.now for part in parts], scale)
        return cls(scale, before * design_effect, now * design_effect)

    def of_move(self, part: Part, distance: float) -> float:
        """The variance of a segment's move, had its true score moved by `distance`."""
        before, now = part.before, part.now
        answers = before.answers + now.answers
        centre = (before.total + now.total - now.answers * distance) / answers
        at_before = _scatter(centre, answers, self.scale) * self.factor_before
        at_now = _scatter(centre + distance, answers, self.scale) * self.factor_now
        return at_before / before.answers + at_now / now.answers


def _scatter(mean: float, answers: int, scale: Range) -> float:
    """(m - low)(high - m), with half an answer added at each end: never 0."""
    inside = min(max(mean, scale.low), scale.high)
    middle = (scale.low + scale.high) / 2
    shrunk = (inside * answers + middle) / (answers + 1)
    return (shrunk - scale.low) * (scale.high - shrunk)


def _factor(periods: Iterable[Moments], scale: Range) -> float:
    """Of all segments: the scatter within them over that of shares with their means.

    One answer at each end of the scale is added, so that it is not 0 where all agree.
    """
    width = scale.high - scale.low
    found, of_shares = width**2 / 4, width**2 / 4
    for each in periods:
        found += max(each.squares - each.total * each.mean, 0.0)
        of_shares += each.answers * (each.mean - scale.low) * (scale.high - each.mean)
    return found / of_shares
