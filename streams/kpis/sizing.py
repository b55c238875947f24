"""What a KPI file costs at most: Prometheus series, Redis bytes, and room in every counter.

Bounds, not forecasts: every dimension is taken to have all its `max` values, with answers spread
evenly over them, and every answer to answer every measure. Real traffic leans on a few segments
and costs less.
"""

from __future__ import annotations

from math import ceil, expm1, prod
from typing import TYPE_CHECKING, NamedTuple

from streams.counts.outcomes import outcomes
from streams.durations import UNIT_SECONDS
from streams.kpis.combined import CompositeOf, ConsistencyOf, Derived, GapOf
from streams.ledger.joints import joints_of
from streams.ledger.layout import EXPIRY_GRACE_SECONDS, SENTIMENT
from streams.scores.drivers import MOST_NAMED
from streams.scores.gap import GAP_STATES
from streams.scores.scoreboard import breakdowns_of
from streams.scores.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.kpis.file import Kpi, KpiFile
    from streams.ledger.layout import Layout, Measure, Tier

DAY_SECONDS = UNIT_SECONDS["d"]

# `other` and `unknown`, beside the values that are shown by name.
UNNAMED_VALUES = 2

# Score, lower, upper, answers, and the state one-hot.
SERIES_A_SEGMENT = 4 + len(STATES)
# Target, floor and info; a benchmark is one more each, and its day and that of review too.
SERIES_A_KPI = 3
# Alert, evidence and limit, and the score of its baseline.
SERIES_AN_ALERT = 4
# What moved a score, of each breakdown: mix, the segments that are named, and the rest.
SERIES_OF_DRIVERS = 2 + MOST_NAMED

# Measured on Redis 7.0, fields as `streams.ledger.cells` writes them, 100,000 cells, 200,000 ids:
# a bucket's key, expiry and place in the touched set take 260 B; a cell takes its field and 12 B
# while Redis keeps the hash as a listpack (up to 512 fields), and 76 B as a hash table; an id of
# 20 characters with its entry takes 122 B. Valkey takes less. `tests/streams/kpis/test_sizing.py`
# holds the estimate against real servers.
BUCKET_BYTES = 260
LISTPACK_CELLS = 512
LISTPACK_CELL_BYTES = 12
TABLE_CELL_BYTES = 76
ID_BYTES = 122

# What a dimension's value is taken to have (`router`, `phone support`), and an answer's with the
# separators around it.
VALUE_CHARACTERS = 12
ANSWER_CHARACTERS = 4

COUNTER_LIMIT = 2**63 - 1  # HINCRBY refuses beyond it
COMPOUND_UNITS = 10_000  # sentiment is summed in 1/10,000


class KpiCost(NamedTuple):
    """The most segments (the whole is one) and series that one KPI shows."""

    segments: int
    series: int


class RedisCost(NamedTuple):
    """Bytes in all partitions together."""

    cells: int
    ids: int

    @property
    def total(self) -> int:
        """Cells and ids."""
        return self.cells + self.ids


class FullestCounter(NamedTuple):
    """The counter that overflows first, and after how many answers in one bucket."""

    measure: str
    answers: int


def segments(breakdown: Iterable[str], shown: Mapping[str, int]) -> int:
    """The most segments of `breakdown`; `shown` is how many values of each dimension are named."""
    return prod(shown[name] + UNNAMED_VALUES for name in breakdown)


def kpi_cost(kpi: Kpi, file: KpiFile) -> KpiCost:
    """What the exporter shows of `kpi`: in every window and segment, in one window, and once."""
    shown = {dimension.name: dimension.shown for dimension in file.layout.dimensions}
    split = sum(segments(breakdown, shown) for breakdown in breakdowns_of(kpi))
    by_outcome = len(outcomes(kpi.formula, kpi.measure, {}))
    parts = _more_series(kpi)
    series = split * (len(file.windows_of(kpi)) * (SERIES_A_SEGMENT + parts) + by_outcome)
    dated = sum(benchmark.date is not None for benchmark in kpi.benchmarks.values())
    series += SERIES_A_KPI + len(kpi.benchmarks) + dated + (kpi.review_by is not None)
    if kpi.alert:
        alerting = sum(segments(breakdown, shown) for breakdown in ((), *kpi.alert.segments))
        driven = 0 if isinstance(kpi.formula, Derived) else len(kpi.breakdowns)
        series += alerting * SERIES_AN_ALERT + driven * SERIES_OF_DRIVERS
    return KpiCost(split, series)


def _more_series(kpi: Kpi) -> int:
    """What some formulas tell beside the score: weights, chance, what a gap says."""
    match kpi.formula:
        case CompositeOf(parts=parts):
            return len(parts)
        case ConsistencyOf():
            return 1
        case GapOf():
            return len(GAP_STATES)
    return 0


def redis_cost(layout: Layout, answers_per_day: int, partitions: int) -> RedisCost:
    """Bytes once every bucket is as old as it may get."""
    share = answers_per_day / partitions / DAY_SECONDS
    cells = sum(_tier_bytes(layout, tier, share * tier.seconds) for tier in layout.tiers)
    horizon_seconds = layout.horizon_seconds or 0
    ids = answers_per_day * horizon_seconds / DAY_SECONDS * ID_BYTES
    return RedisCost(round(cells * partitions), round(ids))


def _tier_bytes(layout: Layout, tier: Tier, answers: float) -> float:
    """Bytes of one tier in one partition, with `answers` in each bucket."""
    buckets = (tier.retention_seconds + EXPIRY_GRACE_SECONDS) / tier.seconds
    cells = [*_cells(layout, answers)]
    listpack = sum(count for count, _ in cells) <= LISTPACK_CELLS
    overhead = LISTPACK_CELL_BYTES if listpack else TABLE_CELL_BYTES
    held = sum(count * (field + overhead) for count, field in cells)
    return buckets * (held + BUCKET_BYTES * _occupied(1, answers))


def _cells(layout: Layout, answers: float) -> Iterator[tuple[float, int]]:
    """How many cells of each kind a bucket holds, and the characters of their fields."""
    shown = {dimension.name: dimension.shown for dimension in layout.dimensions}
    for breakdown in layout.breakdowns:
        split = segments(breakdown, shown)
        names = len(",".join(breakdown)) + len(breakdown) * (VALUE_CHARACTERS + 1)
        for measure in layout.measures:
            field = names + len(measure.cell_id) + ANSWER_CHARACTERS
            yield _occupied(split * _values(measure), answers), field
            if sums := _SUMS.get(measure.kind):
                yield sums * _occupied(split, answers), field
        for joint in joints_of(layout):
            pairs = _values(joint.first) * _values(joint.second)
            field = names + len(joint.cell_id) + 2 * ANSWER_CHARACTERS
            yield _occupied(split * pairs, answers), field


# Cells beside those of values: sum and squares; of an amount, squares in two, beside its count.
_SUMS = {SENTIMENT: 2, "amount": 3}


def _values(measure: Measure) -> int:
    """How many values answers are counted by."""
    match measure.kind:
        case "sentiment":
            return 3
        case "amount":
            return 1
    return measure.high - measure.low + 1


def _occupied(places: int, answers: float) -> float:
    """How many of `places` are hit at least once when `answers` fall on them evenly, at random."""
    return -places * expm1(-answers / places)


def fullest_counter(layout: Layout) -> FullestCounter:
    """The counter that reaches Redis's limit of 2^63 - 1 after the fewest answers.

    A count rises by 1 an answer, an amount's counters by at most its greatest amount
    (`streams.ledger.joints`), and the sum of squares of sentiment by at most 10,000 squared.
    """
    rises = {layout.measures[0].name: 1}
    rises |= {f"{m.name} (sum)": m.high for m in layout.measures if m.kind == "amount"}
    if layout.sentiment:
        rises[f"{layout.sentiment.name} (sum of squares)"] = COMPOUND_UNITS**2
    name, rise = max(rises.items(), key=lambda item: item[1])
    return FullestCounter(name, COUNTER_LIMIT // rise)


def answers_kept(layout: Layout, answers_per_day: int) -> int:
    """How many answers the counts cover: no bucket can hold more, even if all fell into one."""
    return ceil(answers_per_day * layout.longest_retention_seconds / DAY_SECONDS)
