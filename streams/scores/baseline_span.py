"""What a KPI's alert window is compared with: the 28 days before it, as far as counts are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.counts.windows import Span
from streams.durations import UNIT_SECONDS
from streams.kpis.combined import Derived
from streams.kpis.formulas import Sum
from streams.kpis.stored import FEWEST_BUCKETS, MOST_BUCKETS
from streams.scores.moments import is_mean
from streams.scores.rows import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.counts.projection import Group
    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.ledger.layout import Layout

BASELINE_SECONDS: Final = 28 * UNIT_SECONDS["d"]


class Compared(NamedTuple):
    """A KPI with a baseline: the buckets of that, and under which name the counts sum them."""

    kpi: Kpi
    window: str
    baseline: str
    span: Span

    def place(self, breakdown: tuple[str, ...]) -> Place:
        """Where the scores of the alert window stand."""
        return Place(self.kpi, self.kpi.measure, self.window, breakdown)

    @property
    def alerting(self) -> tuple[tuple[str, ...], ...]:
        """The breakdowns whose segments have a baseline of their own."""
        segments = self.kpi.alert.segments if self.kpi.alert else ()
        return tuple(dict.fromkeys(((), *segments)))

    @property
    def attributed(self) -> tuple[tuple[str, ...], ...]:
        """The breakdowns whose segments a change is divided among: none unless it is a mean."""
        divided = is_mean(self.kpi.formula, self.kpi.measure)
        return tuple(dict.fromkeys(self.kpi.breakdowns)) if divided else ()

    @property
    def groups(self) -> Iterator[Group]:
        """The tallies that are needed of the baseline."""
        for breakdown in dict.fromkeys((*self.alerting, *self.attributed)):
            yield self.place(breakdown).group


def compared(kpis: KpiFile) -> Iterator[Compared]:
    """The KPIs that have a baseline: those with an alert, but no sums, which grow with time.

    Nor what is made of other KPIs: those tell of themselves.
    """
    for kpi in kpis.kpis.values():
        if kpi.alert is None or isinstance(kpi.formula, Sum | Derived):
            continue
        window = kpi.alert.window
        shift = kpi.matures_seconds + window.seconds
        span = baseline_span(window.seconds, shift, kpis.layout)
        if span is not None:
            yield Compared(kpi, window.name, f"{span.seconds}s before {shift}s", span)


def baseline_span(window_seconds: int, shift_seconds: int, layout: Layout) -> Span | None:
    """The longest baseline that ends `shift_seconds` before now; None if shorter than the window.

    No longer than 28 days, and no more buckets than an exporter reads in time after a restart.
    """
    spans = []
    for tier in layout.tiers:
        kept = min(BASELINE_SECONDS, tier.retention_seconds - shift_seconds - tier.seconds)
        buckets = min(kept // tier.seconds, MOST_BUCKETS)
        if buckets >= FEWEST_BUCKETS:
            spans.append(Span(buckets * tier.seconds, tier.seconds, shift_seconds))
    longest = max(spans, key=lambda span: (span.seconds, span.tier_seconds), default=None)
    return longest if longest and longest.seconds >= window_seconds else None
