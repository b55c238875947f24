"""States: what may be said about a score, and whether the counts behind it can be trusted now.

The first that holds is the state, so each row has exactly one:

1. `stale`: a partition does not report, counting is too far behind, or history is incomplete.
   Nothing else can be known then. An alert that has raised keeps its own flag.
2. `breach`: an alert rule has raised and no answers have cleared it since. It stands above `idle`
   and `insufficient`, because silence must not look like recovery; the answers tell them apart.
3. `idle`: the pipeline is healthy and nobody answered in the window.
4. `insufficient`: some answers, fewer than `min_answers`.
5. `watch`: P(true score below the floor) > .8. It never notifies.
6. `ok`: none of these.

The age of the last answer plays no part: nights are quiet. All times are Unix seconds by Redis's
clock, which wrote the health reports.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

State = Literal["ok", "watch", "breach", "insufficient", "idle", "stale"]

STATES: Final[tuple[State, ...]] = ("ok", "watch", "breach", "insufficient", "idle", "stale")

WATCH_ABOVE: Final = 0.8

# Owners report every 2 s: a rebalance may cost some reports, not seven.
HEALTH_AGE_LIMIT_SECONDS: Final = 15

# Behind by more, a score describes another time than its board says. Short windows bear less.
LAG_LIMIT_SECONDS: Final = 60
LAG_LIMIT_OF_WINDOW: Final = 0.1

# A topic may have hundreds of partitions; a sentence names this many.
_NAMED_PARTITIONS: Final = 3


class PartitionHealth(msgspec.Struct, frozen=True):
    """What the owner of a partition last reported about it, and the ledger's `complete_from`.

    `last_record_time` is the record time of the last counted event, None before the first.
    `complete_from` is None where nothing is known to be complete ("unknown" in the ledger).
    `caught_up_at`, where the owner reports it, is the last time at which position was the log's
    end, None again after a rewind. Without it, the first event after a quiet night looks, until
    it is counted, as if the partition were a night behind.
    """

    partition: int
    log_end: int
    position: int
    last_record_time: float | None
    time: float
    complete_from: float | None
    caught_up_at: float | None = None


def counted_up_to(health: PartitionHealth) -> float | None:
    """The time up to which all of the partition's records are counted; None: nothing is yet."""
    if health.position >= health.log_end:
        return health.time
    known = [t for t in (health.last_record_time, health.caught_up_at) if t is not None]
    return max(known, default=None)


def window_end(healths: Sequence[PartitionHealth], now: float) -> float:
    """Where windows end: min(`now`, the time that all partitions have counted up to).

    So a lag, or an owner that is gone, never drains a window. A partition of which nothing has
    been counted does not hold the others back; `staleness` tells of it.
    """
    counted = [counted_up_to(health) for health in healths]
    return min([now, *(up_to for up_to in counted if up_to is not None)])


def lag_seconds(health: PartitionHealth) -> float:
    """How far counting was behind at the time of the report; infinite where nothing is counted."""
    up_to = counted_up_to(health)
    return math.inf if up_to is None else max(health.time - up_to, 0.0)


def lag_limit_seconds(window_seconds: float) -> float:
    """The lag from which a window is stale."""
    return min(LAG_LIMIT_SECONDS, LAG_LIMIT_OF_WINDOW * window_seconds)


def staleness(
    healths: Sequence[PartitionHealth], expected_partitions: int, window_seconds: float, now: float
) -> str | None:
    """Why a window of `window_seconds` can't be trusted now, in words; None where it can.

    `expected_partitions` is the topic's number of partitions, 0 while it is not known. The words
    hold numbers that change all the time: they belong on boards and in annotations, never in a
    label.
    """
    return (
        _unreported(healths, expected_partitions)
        or _silent(healths, now)
        or _behind(healths, window_seconds)
        or _incomplete(healths, window_seconds, now)
    )


def state(
    answers: int,
    min_answers: int,
    *,
    probability_below: float | None,
    raised: bool,
    stale: bool,
) -> State:
    """The state of a KPI, window and segment. `probability_below` is None without a floor."""
    if stale:
        return "stale"
    if raised:
        return "breach"
    if answers == 0:
        return "idle"
    if answers < min_answers:
        return "insufficient"
    if probability_below is not None and probability_below > WATCH_ABOVE:
        return "watch"
    return "ok"


def _unreported(healths: Sequence[PartitionHealth], expected_partitions: int) -> str | None:
    if not expected_partitions:
        return "no worker has counted this topic yet"
    missing = sorted(set(range(expected_partitions)) - {health.partition for health in healths})
    return f"{_partitions(missing)}: no health report" if missing else None


def _silent(healths: Sequence[PartitionHealth], now: float) -> str | None:
    silent = _over(healths, lambda health: now - health.time, HEALTH_AGE_LIMIT_SECONDS)
    if not silent:
        return None
    age = now - min(health.time for health in silent)
    return f"{_partitions(_numbers(silent))}: last health report {age:.0f} s ago"


def _behind(healths: Sequence[PartitionHealth], window_seconds: float) -> str | None:
    limit = lag_limit_seconds(window_seconds)
    behind = _over(healths, lag_seconds, limit)
    if not behind:
        return None
    events = sum(health.log_end - health.position for health in behind)
    lag = max(map(lag_seconds, behind))
    age = "" if math.isinf(lag) else f" and {lag:.0f} s"
    return f"{_partitions(_numbers(behind))}: {events} events{age} behind (limit {limit:.0f} s)"


def _incomplete(
    healths: Sequence[PartitionHealth], window_seconds: float, now: float
) -> str | None:
    start = window_end(healths, now) - window_seconds
    incomplete = _over(healths, lambda health: _complete_from(health, now), start)
    if not incomplete:
        return None
    missing = max(_complete_from(health, now) for health in incomplete) - start
    return f"{_partitions(_numbers(incomplete))}: first {missing:.0f} s of the window incomplete"


def _complete_from(health: PartitionHealth, now: float) -> float:
    return now if health.complete_from is None else health.complete_from


def _over(
    healths: Sequence[PartitionHealth], measure: Callable[[PartitionHealth], float], limit: float
) -> list[PartitionHealth]:
    return [health for health in healths if measure(health) > limit]


def _numbers(healths: Sequence[PartitionHealth]) -> list[int]:
    return sorted(health.partition for health in healths)


def _partitions(numbers: Sequence[int]) -> str:
    """`partition 3`, or `partitions 0, 1, 2 and 5 more`."""
    if len(numbers) == 1:
        return f"partition {numbers[0]}"
    named = ", ".join(str(number) for number in numbers[:_NAMED_PARTITIONS])
    more = len(numbers) - _NAMED_PARTITIONS
    return f"partitions {named} and {more} more" if more > 0 else f"partitions {named}"
