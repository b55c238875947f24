"""The scoreboard: a row for every KPI, window and segment. All that shows scores shows these rows.

The rows are a pure function of the counts, the KPI file and now. What is remembered between two
calls only saves computing again what did not change.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from streams.counts.counts import Counts
from streams.counts.windows import Span
from streams.durations import Duration
from streams.events.admission import OTHER
from streams.kpis.stored import tier_for
from streams.scores.alert_history import AlertHistory
from streams.scores.baseline_span import compared
from streams.scores.derived import Occasion, is_derived, with_derived
from streams.scores.floor_rule import FloorRule, Step, Verdict, replay
from streams.scores.movements import Movements, Periods, is_known
from streams.scores.ranking import ranking_groups, shown_values, summed_rest
from streams.scores.rows import Place, Row, Scored, make_row, scored
from streams.scores.staleness import stale_reason
from streams.scores.states import window_end

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from streams.counts.projection import Group, Segment
    from streams.counts.reader import Report
    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.ledger.layout import Layout
    from streams.scores.alert_history import Judge
    from streams.scores.baseline_span import Compared
    from streams.scores.movements import Movement
    from streams.scores.ranking import Shown
    from streams.scores.scores import Tally


class Scoreboard:
    """The rows of a KPI file. Feed `counts` (`streams.counts.reader`), then ask for `rows`."""

    def __init__(self, kpis: KpiFile) -> None:
        self._kpis = kpis
        places = list(_places(kpis))
        spans = {window.name: span_of(window, kpis.layout) for window in kpis.windows}
        only: dict[str, set[Group]] = {}
        for place in places:
            if place.kpi.matures_seconds:
                window = Duration.parse(place.window)
                shift = place.kpi.matures_seconds
                spans[place.span_name] = span_of(window, kpis.layout, shift)
                only.setdefault(place.span_name, set()).add(place.group)
        self._compared = tuple(compared(kpis))
        for each in self._compared:
            spans[each.baseline] = each.span
            only.setdefault(each.baseline, set()).update(each.groups)
        self._ranking = ranking_groups(kpis.layout, [place.breakdown for place in places])
        baselines = (group for each in self._compared for group in each.groups)
        groups = [*(place.group for place in places), *baselines, *self._ranking]
        self.counts = Counts(kpis.layout, spans, groups, only)
        self._spans = spans
        self._derives = any(is_derived(kpi) for kpi in kpis.kpis.values())
        self._longest = max(kpis.windows, key=lambda window: window.seconds).name
        self._movements = Movements()
        self._sections = [_Section(p, self._history(p, spans[p.span_name])) for p in places]

    def rows(self, report: Report) -> list[Row]:
        """All rows as of `report`: by KPI and window in the file's order, then by segment."""
        reasons = {name: self._stale(report, span) for name, span in self._spans.items()}
        shown = self._shown()
        end = window_end(report.healths, report.now)
        moment = _Moment(end, _lost_before(report), self._kpis.day(report.now))
        rows: list[Row] = []
        for section in self._sections:
            place = section.place
            tallies = self._tallies(place, place.span_name, shown)
            rows.extend(section.rows(tallies, reasons[place.span_name], moment))
        if self._derives:
            return with_derived(
                self._kpis, rows, Occasion(moment.day, breakdowns_of, self._kpis.windows_of)
            )
        return rows

    def movements(self, report: Report) -> list[Movement]:
        """How far KPIs stand from their baselines, and why, of those of which it is known."""
        shown = self._shown()
        end, lost_before = window_end(report.healths, report.now), _lost_before(report)
        found = []
        for each in self._compared:
            whole = each.place(())
            stale = self._stale(report, self._spans[whole.span_name])
            if stale is None and is_known(each, end, lost_before):
                found.append(self._movements.of(each, partial(self._periods, each, shown)))
        return found

    def subject(self, report: Report, row: Row) -> Subject:
        """A row with what it was made of; one that is made of other rows has no such thing."""
        place_of = (row.kpi, row.window, row.breakdown)
        (section,) = (each for each in self._sections if each.place.names == place_of)
        span = self._spans[section.place.span_name]
        stop = span.last_end(window_end(report.healths, report.now))
        segment = tuple([value for _, value in row.segment])
        return Subject(section.place, row, section.tally(segment), stop - span.seconds, stop)

    def _periods(
        self, each: Compared, shown: Mapping[str, Shown], breakdown: tuple[str, ...]
    ) -> Periods:
        place = each.place(breakdown)
        return Periods(
            self._tallies(place, each.baseline, shown),
            self._tallies(place, place.span_name, shown),
        )

    def _stale(self, report: Report, span: Span) -> str | None:
        length = span.seconds + span.shift_seconds
        return stale_reason(report, self._kpis.layout.token, length)

    def _shown(self) -> dict[str, Shown]:
        tallies = partial(self.counts.tallies, self._longest)
        return shown_values(self._kpis.layout.dimensions, self._ranking, tallies)

    def _tallies(
        self, place: Place, window: str, shown: Mapping[str, Shown]
    ) -> Mapping[Segment, Tally]:
        """The tallies of a place's segments in a window of the counts."""
        seen = self.counts.tallies(window, place.group)
        return summed_rest(seen, tuple([shown[name] for name in place.breakdown]))

    def _history(self, place: Place, span: Span) -> AlertHistory | None:
        """What judges the segments of a place; it listens to the counts from now on."""
        rule = _floor_rule(place)
        if rule is None:
            return None
        tiers = {tier.seconds: tier.retention_seconds for tier in self._kpis.layout.tiers}
        kept = tiers[span.tier_seconds] - span.shift_seconds
        history = AlertHistory(_judge(rule), place.group, span, kept, self.counts.projection)
        self.counts.listen(span.tier_seconds, history)
        return history


class Subject(NamedTuple):
    """A row with the answers that it was made of, of `begin` up to before `end` (Unix seconds)."""

    place: Place
    row: Row
    tally: Tally
    begin: float
    end: float


class _Moment(NamedTuple):
    """The end of all windows, and the time before which counts may be missing (Unix seconds).

    `day` is today, for the targets.
    """

    end: float
    lost_before: float
    day: dt.date


class _Remembered(NamedTuple):
    """A row and what it was made of."""

    tally: Tally
    scored: Scored
    reason: str | None
    verdict: Verdict | None
    row: Row


class _Section:
    """The rows of one place, made again only where what they are made of changed."""

    def __init__(self, place: Place, history: AlertHistory | None) -> None:
        self.place = place
        self._history = history
        self._target = place.kpi.target.score
        self._remembered: dict[Segment, _Remembered] = {}

    def rows(
        self, tallies: Mapping[Segment, Tally], reason: str | None, moment: _Moment
    ) -> list[Row]:
        """A row for each segment, by name."""
        target = self.place.kpi.target.on(moment.day)
        if target != self._target:
            self._remembered, self._target = {}, target
        self._remembered = {
            segment: self._row(segment, tallies[segment], reason, self._verdict(segment, moment))
            for segment in sorted(tallies)
        }
        return [remembered.row for remembered in self._remembered.values()]

    def tally(self, segment: Segment) -> Tally:
        """What the row of `segment` was last made of."""
        return self._remembered[segment].tally

    def _verdict(self, segment: Segment, moment: _Moment) -> Verdict | None:
        if self._history is None or OTHER in segment:
            return None
        return self._history.verdict(segment, moment.end, moment.lost_before)

    def _row(
        self, segment: Segment, tally: Tally, reason: str | None, verdict: Verdict | None
    ) -> _Remembered:
        known = self._remembered.get(segment)
        if known is None or (known.tally is not tally and known.tally != tally):
            found = scored(self.place.kpi, self.place.measure, tally)
        elif known.reason == reason and known.verdict == verdict:
            return known
        else:
            found = known.scored
        row = make_row(
            self.place, segment, found, reason=reason, verdict=verdict, target=self._target
        )
        return _Remembered(tally, found, reason, verdict, row)


def breakdowns_of(kpi: Kpi) -> tuple[tuple[str, ...], ...]:
    """The total, the declared breakdowns, and those that only alert."""
    alerting = kpi.alert.segments if kpi.alert else ()
    return tuple(dict.fromkeys(((), *kpi.breakdowns, *alerting)))


def span_of(window: Duration, layout: Layout, shift_seconds: int = 0) -> Span:
    """The buckets that a declared window sums."""
    tier = tier_for(window, layout.tiers, shift_seconds)
    if tier is None:
        raise ValueError(f"no stored tier can serve the window {window.name}")
    return Span(window.seconds, tier.seconds, shift_seconds)


def _places(kpis: KpiFile) -> Iterator[Place]:
    for kpi in kpis.kpis.values():
        if is_derived(kpi):
            continue
        for window in kpis.windows_of(kpi):
            for breakdown in breakdowns_of(kpi):
                yield Place(kpi, kpi.measure, window.name, breakdown)


def _floor_rule(place: Place) -> FloorRule | None:
    """The rule that judges a place: only the alert's window, the total and alerting segments."""
    kpi = place.kpi
    if kpi.alert is None or kpi.floor is None or place.window != kpi.alert.window.name:
        return None
    if place.breakdown not in {(), *kpi.alert.segments}:
        return None
    return FloorRule.of(kpi, place.measure)


def _judge(rule: FloorRule) -> Judge:
    def judge(step: Step, verdict: Verdict) -> Verdict:
        return replay(rule, (step,), verdict)

    return judge


def _lost_before(report: Report) -> float:
    times = [p.complete_from for p in report.partitions]
    return max([math.inf if time is None else time for time in times], default=0.0)
