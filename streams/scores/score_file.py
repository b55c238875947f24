"""Scores of a file of events, with no server: the worker's admission, the exporter's rows.

A file is history, so nothing in it is late or ahead of its time. Otherwise every event means what
it means on Kafka: a duplicate counts once, a higher revision replaces, a withdrawal removes.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from streams.counts.counts import Counts
from streams.counts.windows import Span
from streams.events.admission import OTHER, UNKNOWN, Admission, Answer
from streams.events.event import Refusal, decode_event
from streams.kpis.combined import ConsistencyOf
from streams.kpis.stored import maximal, tier_for
from streams.ledger.cells import CellFields
from streams.ledger.fold import Fold
from streams.ledger.keys import Bucket
from streams.scores.derived import Occasion, is_derived, with_derived
from streams.scores.file_board import file_board
from streams.scores.floor_rule import FloorRule, Step, Verdict, replay
from streams.scores.ranking import ranking_groups, shown_values, summed_rest
from streams.scores.rows import Place, make_row, scored

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from streams.counts.projection import Group, Segment
    from streams.counts.reader import Report
    from streams.durations import Duration
    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.ledger.folded import Outcome
    from streams.scores.ranking import Shown
    from streams.scores.rows import Row
    from streams.scores.scoreboard import Scoreboard
    from streams.scores.scores import Tally

WHOLE_FILE: Final = "all"
"""The window that ends nowhere: every answer of the file."""

# The answers of the window stand in one bucket; of which tier and start says nothing.
_BUCKET: Final = Bucket(1, 0)
_SPAN: Final = Span(1, 1)


class _Kept(NamedTuple):
    """The latest state of one event."""

    order: tuple[int, bool]
    occurred: int
    segment: tuple[str, ...]
    answers: tuple[int | None, ...]
    sentiment: int | None


class FileScores:
    """Takes the events of a file one by one, then gives rows for any window and breakdown.

    `outcomes` says what became of the events; they sum to the number taken.
    """

    def __init__(self, kpis: KpiFile) -> None:
        self._kpis = kpis
        self._fold = Fold(kpis.layout)
        self._admission = Admission(kpis.layout)
        self._keeps_ids = kpis.layout.horizon_seconds is not None
        self._kept: dict[str | int, _Kept] = {}
        self.outcomes: Counter[Outcome] = Counter()

    def take(self, value: bytes) -> Refusal | None:
        """Count one event (JSON); gives why it is refused, which counts as an outcome too."""
        judged = self._judge(value)
        if isinstance(judged, Refusal):
            self.refuse()
            return judged
        key = judged.event_id if self._keeps_ids else len(self._kept)
        self.outcomes[self._count(key, judged)] += 1
        return None

    def refuse(self) -> None:
        """Count an event that could not even be read."""
        self.outcomes["refused"] += 1

    def _judge(self, value: bytes) -> Answer | Refusal:
        event = decode_event(value)
        if isinstance(event, Refusal):
            return event
        judged = self._admission.admit(event, event.occurred_at.timestamp())
        if isinstance(judged, Answer | Refusal):
            return judged
        raise AssertionError("an event is never late at its own time")

    def _count(self, key: str | int, answer: Answer) -> Outcome:
        order = (answer.revision, answer.withdrawn)
        previous = self._kept.get(key)
        if previous is not None and order <= previous.order:
            return "duplicate" if order == previous.order else "superseded"
        segment = tuple([UNKNOWN if value is None else value for value in answer.values])
        comment = None if answer.withdrawn else answer.comment
        sentiment = self._fold.sentiment_of(comment) if comment else None
        self._kept[key] = _Kept(order, answer.occurred, segment, answer.answers, sentiment)
        return "withdrawn" if answer.withdrawn else "applied"

    def board(self) -> tuple[Scoreboard, Report]:
        """What the exporter would show at the file's end, with what alerts made of all of it."""
        answers = [kept for kept in self._kept.values() if not kept.order[1]]
        return file_board(
            self._kpis, ((k.occurred, (k.segment, k.answers, k.sentiment)) for k in answers)
        )

    def rows(self, window: Duration | None, breakdowns: Sequence[tuple[str, ...]]) -> list[Row]:
        """The total and the segments of `breakdowns`, for each KPI.

        A window ends with the last answer's bucket, as on the scoreboard; None: the whole file.
        `breakdowns` name declared dimensions.
        """
        wanted = tuple(dict.fromkeys(((), *breakdowns)))
        name = window.name if window else WHOLE_FILE
        places = [
            Place(kpi, kpi.measure, name, breakdown)
            for kpi in self._kpis.kpis.values()
            if not is_derived(kpi)
            for breakdown in wanted
            if not _compares(kpi, breakdown)
        ]
        ranking = ranking_groups(self._kpis.layout, wanted)
        groups = [*(place.group for place in places), *ranking]
        shifts = {0, *(place.kpi.matures_seconds for place in places)}
        counted = {
            shift: self._counts(window, name, groups, self._stored(breakdowns), shift)
            for shift in shifts
        }
        dimensions = self._kpis.layout.dimensions
        shown = shown_values(dimensions, ranking, partial(counted[0].tallies, name))
        rows: list[Row] = []
        for place in places:
            tallies = counted[place.kpi.matures_seconds].tallies(name, place.group)
            named = [shown[dimension] for dimension in place.breakdown]
            rows.extend(_rows_at(place, tallies, named, self._last_day()))
        occasion = Occasion(
            self._last_day(), lambda _: wanted, whole_seconds=self._length_seconds()
        )
        return with_derived(self._kpis, rows, occasion)

    def _length_seconds(self) -> float:
        """How long the answers of the file last."""
        times = [kept.occurred for kept in self._kept.values() if not kept.order[1]]
        return max(times, default=0) - min(times, default=0)

    def _stored(self, breakdowns: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
        """The breakdowns to count by: each with the dimensions that some KPI compares."""
        formulas = [kpi.formula for kpi in self._kpis.kpis.values()]
        compared = {f.by for f in formulas if isinstance(f, ConsistencyOf)}
        wider = [
            tuple(name for name in self._kpis.dimensions if name in {*split, by})
            for split in ((), *breakdowns)
            for by in compared
        ]
        return maximal((*breakdowns, *wider))

    def _last_day(self) -> dt.date | None:
        """The day of the last answer, for which targets are shown; None without answers."""
        last = max((kept.occurred for kept in self._kept.values()), default=None)
        return None if last is None else self._kpis.day(last)

    def _counts(
        self,
        window: Duration | None,
        name: str,
        groups: Sequence[Group],
        stored: tuple[tuple[str, ...], ...],
        shift_seconds: int,
    ) -> Counts:
        """The answers of the window, counted as a worker would that stores these breakdowns."""
        layout = msgspec.structs.replace(self._kpis.layout, breakdowns=stored)
        fields = CellFields(layout)
        cells: Counter[bytes] = Counter()
        for kept in self._inside(window, shift_seconds):
            for field, amount in fields.increments((kept.segment, kept.answers, kept.sentiment)):
                cells[field] += amount
        counts = Counts(layout, {name: _SPAN}, groups)
        counts.put(0, _BUCKET, {field: b"%d" % count for field, count in cells.items()})
        counts.advance(0)
        counts.settle()
        return counts

    def _inside(self, window: Duration | None, shift_seconds: int) -> Iterator[_Kept]:
        """The answers of a window that ends with the last one, or so long before it."""
        answers = [kept for kept in self._kept.values() if not kept.order[1]]
        last = max((kept.occurred for kept in answers), default=0)
        if window is None:
            yield from (kept for kept in answers if kept.occurred <= last - shift_seconds)
            return
        tier = tier_for(window, self._kpis.tiers, shift_seconds)
        span = Span(window.seconds, tier.seconds if tier else 1, shift_seconds)
        stop = span.last_end(last)
        yield from (kept for kept in answers if stop - span.seconds <= kept.occurred < stop)


def _compares(kpi: Kpi, breakdown: tuple[str, ...]) -> bool:
    """Whether a KPI compares the values that `breakdown` splits by: then nothing is left."""
    return isinstance(kpi.formula, ConsistencyOf) and kpi.formula.by in breakdown


def _rows_at(
    place: Place,
    tallies: Mapping[Segment, Tally],
    shown: Sequence[Shown],
    day: dt.date | None,
) -> Iterator[Row]:
    target = place.kpi.target.on(day) if day else None
    for segment, tally in sorted(summed_rest(tallies, tuple(shown)).items()):
        found = scored(place.kpi, place.measure, tally)
        verdict = _verdict(place, segment, tally)
        yield make_row(place, segment, found, verdict=verdict, target=target)


def _verdict(place: Place, segment: Segment, tally: Tally) -> Verdict | None:
    """What the floor rule says of this one window; the past, which may hold it, is not known."""
    rule = FloorRule.of(place.kpi, place.measure)
    if rule is None or OTHER in segment:
        return None
    return replay(rule, [Step(0, tally)])
