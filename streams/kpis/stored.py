"""Which tiers and breakdowns must be stored, so that every declared number can be computed."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from streams.durations import UNIT_SECONDS, Duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.ledger.layout import Tier

Breakdown = tuple[str, ...]

# A window moves in steps of one bucket: with fewer buckets, its first and last would be more than
# a quarter of the answers and the score would saw.
FEWEST_BUCKETS = 4

# Below this many buckets a finer tier costs a reader little and moves the window more smoothly;
# it gives 1h the 10 s tier (360), 24h the 5 min tier (288) and 7d the 1 h tier (168).
ENOUGH_BUCKETS = 400

# Reading more buckets than this for one window takes an exporter too long after a restart.
MOST_BUCKETS = 2_000

# What to advise when no declared bucket length fits: the finest of these that does.
_USUAL_BUCKETS = (1, 10, 60, 300, 3_600, 86_400)


def tier_for(window: Duration, tiers: Sequence[Tier], shift_seconds: int = 0) -> Tier | None:
    """The tier of `tiers` (fine to coarse) that `window` is summed over; None if none can serve.

    A tier can serve when its buckets fill the window exactly, 4 to 2,000 of them, and when it
    keeps one bucket more than the window, and as much longer as the window is shifted into the past
    (`shift_seconds`). The finest with at most 400 buckets in the window is
    taken, else the coarsest. A tier that this takes from all tiers is also what it takes from the
    stored ones, so readers may ask with `Layout.tiers`.
    """
    serving = [tier for tier in tiers if _serves(tier, window, shift_seconds)]
    smooth = (tier for tier in serving if window.seconds // tier.seconds <= ENOUGH_BUCKETS)
    return next(smooth, serving[-1] if serving else None)


def _serves(tier: Tier, window: Duration, shift_seconds: int) -> bool:
    kept = tier.retention_seconds >= shift_seconds + window.seconds + tier.seconds
    return kept and _fits(tier.seconds, window)


def _fits(bucket_seconds: int, window: Duration) -> bool:
    buckets, rest = divmod(window.seconds, bucket_seconds)
    return rest == 0 and FEWEST_BUCKETS <= buckets <= MOST_BUCKETS


def stored_tiers(
    windows: Iterable[Duration],
    tiers: Sequence[Tier],
    shifted: Iterable[tuple[Duration, int]] = (),
) -> tuple[Tier, ...]:
    """The tiers that some window is summed over, fine to coarse; `shifted` have their seconds.

    A declared tier that no window needs is not stored, however long its retention: nothing would
    read it. What counts as late follows from the longest retention among the stored ones.
    """
    needed = {tier_for(window, tiers) for window in windows}
    needed |= {tier_for(window, tiers, shift_seconds) for window, shift_seconds in shifted}
    return tuple(tier for tier in tiers if tier in needed)


def maximal(breakdowns: Iterable[Breakdown]) -> tuple[Breakdown, ...]:
    """Those contained in no other, sorted. Without any, the total alone: it is always kept."""
    distinct = {frozenset(breakdown): breakdown for breakdown in breakdowns}
    kept = [b for names, b in distinct.items() if not any(names < other for other in distinct)]
    return tuple(sorted(kept)) or ((),)


def uncovered(window: Duration, tiers: Sequence[Tier]) -> str:
    """Why no tier can serve `window`, and which change of `retention` would cover it."""
    fitting = [tier for tier in tiers if _fits(tier.seconds, window)]
    if fitting:
        tier = fitting[-1]
        name = Duration.of(tier.seconds).name
        kept = Duration.of(tier.retention_seconds).name
        return (
            f"{window.name} is longer than its buckets are kept; "
            f"write {name}: {_longer(window, tier.seconds)} in retention (now {kept})"
        )
    bucket = next((s for s in _USUAL_BUCKETS if _fits(s, window)), None)
    advice = f"add {Duration.of(bucket).name} to retention" if bucket else "choose a rounder length"
    return (
        f"no bucket length in retention divides {window.name} into "
        f"{FEWEST_BUCKETS} to {MOST_BUCKETS:,} buckets; {advice}"
    )


def _longer(window: Duration, bucket_seconds: int) -> str:
    """The length of the window and one bucket, rounded up in the window's own unit."""
    unit = window.name[-1]
    return f"{ceil((window.seconds + bucket_seconds) / UNIT_SECONDS[unit])}{unit}"
