"""The distance from the baseline, and how each part of it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.explanation.steps import Line, Step, calculation, plain, sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.scores.drivers import Attribution, Part
    from streams.scores.movements import Movement

# Beside those that are named: a KPI may have hundreds of segments.
_SHOWN: Final = 10


def movement_steps(movement: Movement) -> Iterator[Step]:
    """The change, and for each breakdown how its segments share it."""
    if movement.score is None or movement.baseline is None:
        few = "There are too few answers, now or in the time before, to compare the two."
        yield Step("Baseline", (few,))
        return
    change = calculation(
        "change", "{s} − {b}", movement.score - movement.baseline,
        s=movement.score, b=movement.baseline,
    )  # fmt: skip
    usual = "The baseline is the score of the 28 days before the window, or as many as are kept."
    yield Step("Baseline", (usual, change))
    for breakdown, found in movement.attributions.items():
        yield Step(f"What moved it, by {' and '.join(breakdown)}", tuple(_lines(found)))


def _lines(found: Attribution) -> Iterator[Line]:
    before, now = (sum(each) for each in zip(*_answers(found), strict=True))
    average = (found.before + found.now) / 2
    yield "Rate: mean share of the answers × change of the segment's own score."
    yield "Mix: mean score of the segment, less that of all, × change of its share."
    yield calculation("all", "({a} + {b}) ÷ 2", average, a=found.before, b=found.now)
    largest = sorted(found.parts, key=lambda part: -abs(part.rate + part.mix))
    shown = [*found.named, *[part for part in largest if part not in found.named][:_SHOWN]]
    for part in shown:
        yield from _part(part, before, now, average)
    left = [part for part in found.parts if part not in shown]
    if left:
        rest = sum([part.rate + part.mix for part in left])
        yield f"{len(left)} further segments, computed likewise: {plain(rest)} together"
    names = [" · ".join(part.segment or ()) for part in found.named]
    yield (
        f"Moved otherwise than the rest, by more than chance: {', '.join(names)}."
        if names
        else "No segment moved otherwise than the rest by more than chance."
    )
    terms = [plain(part.rate) for part in found.named]
    total = sum_of([f"({term})" for term in [*terms, plain(found.rest), plain(found.mix)]])
    yield calculation("named + rest + mix", total, found.change)


def _answers(found: Attribution) -> list[tuple[int, int]]:
    return [(part.before.answers, part.now.answers) for part in found.parts]


def _part(part: Part, before: int, now: int, average: float) -> Iterator[Line]:
    name = " · ".join(part.segment) if part.segment is not None else "those with few answers"
    shares = part.before.answers / before, part.now.answers / now
    scores = (
        (part.before if part.before.answers else part.now).mean,
        (part.now if part.now.answers else part.before).mean,
    )
    given = {"u": shares[0], "v": shares[1], "s": scores[0], "t": scores[1], "m": average}
    yield (
        f"{name}: {part.before.answers} of {before} answers, now {part.now.answers} of {now}; "
        f"score {plain(scores[0])}, now {plain(scores[1])}"
    )
    yield calculation("  rate", "({u} + {v}) ÷ 2 × ({t} − {s})", part.rate, **given)
    yield calculation("  mix", "(({s} + {t}) ÷ 2 − {m}) × ({v} − {u})", part.mix, **given)
