"""One fold under way: records are judged and counted one by one, in log order.

A first answer without a comment, of a known shape, takes a short way. Everything else, a
revision, a comment, what was not seen before, goes the long way. Both come to the same, and a
property test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.events.admission import FUTURE_SECONDS, Answer
from streams.events.event import UNREADABLE, Envelope, Refusal, decode_envelope
from streams.events.intake import ROUTE_SAMPLE
from streams.events.routing import partition_of
from streams.ledger.contribution import Contribution, decode_contribution, encode_contribution
from streams.ledger.folded import OUTCOMES, Folded, Outcome, Refused
from streams.ledger.keys import Bucket
from streams.ledger.shapes import Split
from streams.ledger.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.ledger.fold import Fold
    from streams.ledger.folded import PartitionView, Record
    from streams.ledger.layout import Layout
    from streams.ledger.shapes import What
    from streams.ledger.spread import Tally


class Folding:
    """The fold of one batch."""

    def __init__(self, fold: Fold, known: Mapping[str, bytes], view: PartitionView) -> None:
        """`known` has the stored entry of each id that has one."""
        layout = fold.layout
        finest = layout.tiers[0]
        self.fold = fold
        self.view = view
        self.known = known
        self.layout = layout
        self.draft = view.values.draft()
        self.latest: dict[str, bytes] = {}
        self.tallies: dict[int, list[Tally]] = {layout.version: _tallies(layout)}
        self.outcomes: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        self.refused: list[Refused] = []
        self.unknown_dimensions = 0
        self._finest = self.tallies[layout.version][0]
        self._finest_seconds = finest.seconds
        # Certainly neither late nor too old for the finest tier, whatever is rounded how.
        kept = view.history.shortest_kept_seconds(layout.version, finest.seconds)
        self._young = min(kept, view.history.shortest_horizon_seconds(layout.version)) - 1
        self._not_before = view.history.not_before(layout.version)
        self._keeps_ids = layout.horizon_seconds is not None
        self._answers = view.values.shapes.answers
        self._splits = view.values.shapes.splits

    def take(self, record: Record, value: bytes, now: float) -> None:
        """Judge a record with this value at `now` (Unix seconds), and count it.

        1. Open the envelope, and look up what is inside.
        2. Leave all that is out of the ordinary to the long way.
        3. Count the answer in the finest tier, and write its id's entry.
        """
        # 1.
        try:
            event = decode_envelope(value)
        except UNREADABLE:
            self._take_the_long_way(record, value, now)
            return
        answers = self._answers.get(bytes(event.measures))
        split = self._splits.get(bytes(event.dimensions))
        occurred = event.occurred_at.timestamp()
        event_id = event.event_id
        key = event_id.encode()
        # 2.
        if (
            answers is None
            or split is None
            or event.comment
            or event.revision
            or event.withdrawn
            or event_id in self.latest
            or event_id in self.known
            or not now - self._young < occurred <= now + FUTURE_SECONDS
            or key != record.key
            or (record.offset % ROUTE_SAMPLE == 0 and self._is_elsewhere(key))
        ):
            self._take_the_long_way(record, value, now, event)
            return
        # 3.
        second = int(occurred)
        group = (second // self._finest_seconds, (split.names, answers, None))
        self._finest[group] = self._finest.get(group, 0) + 1
        self.outcomes["applied"] += 1
        if split.unknown_dimensions:
            self.unknown_dimensions += split.unknown_dimensions
        if self._keeps_ids:
            customer = self.fold.customer_of(event.customer) if event.customer else None
            self.latest[event_id] = encode_contribution(
                Contribution(
                    0, False, self.layout.version, second, int(now),
                    split.numbers, answers, None, customer,
                )
            )  # fmt: skip

    def _is_elsewhere(self, key: bytes) -> bool:
        return partition_of(key, self.view.partitions) != self.view.partition

    def _take_the_long_way(
        self, record: Record, value: bytes, now: float, envelope: Envelope | None = None
    ) -> None:
        """Judge and count a record by the rules, one after the other."""
        view = self.view
        judged = self.fold.intake.judge(record, value, now, view.partition, view.partitions)
        if isinstance(judged, Answer) and judged.occurred >= self._not_before:
            # From here on in whole seconds, as entries keep them: so taking back meets exactly
            # the tiers that counted.
            outcome = self._count(judged, int(now))
            self.outcomes[outcome] += 1
            if outcome == "applied" and envelope is not None:
                self._remember_shape(envelope, judged)
        elif isinstance(judged, Refusal):
            self.refused.append(Refused(record, judged))
            self.outcomes["refused"] += 1
        else:
            self.outcomes["late"] += 1

    def _remember_shape(self, envelope: Envelope, answer: Answer) -> None:
        segment = self.draft.segment(answer.values)
        self.draft.shapes.remember(
            bytes(envelope.measures),
            bytes(envelope.dimensions),
            answer.answers,
            Split(*segment, answer.unknown_dimensions),
        )

    def _count(self, answer: Answer, now: int) -> Outcome:
        """Count an answer in place of what its id counted before."""
        self.unknown_dimensions += answer.unknown_dimensions
        horizon = self.layout.horizon_seconds
        if horizon is not None:
            previous = self._previous(answer.event_id, now, horizon)
            if previous is not None:
                order = (answer.revision, answer.withdrawn)
                if order <= previous.order:
                    return "duplicate" if order == previous.order else "superseded"
                self._take_back(previous, now)
        if answer.withdrawn:
            self._remember(answer, now, (), (), None)
            return "withdrawn"
        segment = self.draft.segment(answer.values)
        sentiment = self.fold.sentiment_of(answer.comment) if answer.comment else None
        kept = self._kept(answer.occurred, now, self.layout, self.layout.version)
        what = (segment.names, answer.answers, sentiment)
        self._add(1, answer.occurred, kept, self.layout, what)
        if horizon is not None:
            self._remember(answer, now, segment.numbers, answer.answers, sentiment)
        return "applied"

    def _previous(self, event_id: str, now: int, horizon_seconds: int) -> Contribution | None:
        """The entry that stands for an id, None where it has none or counts as absent."""
        found = self.latest.get(event_id) or self.known.get(event_id)
        if found is None:
            return None
        entry = decode_contribution(found)
        # Under a shorter horizon than now it may be gone already, so it counts as absent.
        moment = max(now, self._not_before + horizon_seconds)
        return None if entry.forgotten(moment, horizon_seconds) else entry

    def _remember(
        self,
        answer: Answer,
        now: int,
        numbers: tuple[int, ...],
        answers: tuple[int | None, ...],
        sentiment: int | None,
    ) -> None:
        """Write what the answer counted as its id's new entry."""
        customer = self.fold.customer_of(answer.customer) if answer.customer else None
        self.latest[answer.event_id] = encode_contribution(
            Contribution(
                answer.revision, answer.withdrawn, self.layout.version, answer.occurred, now,
                numbers, answers, sentiment, customer,
            )
        )  # fmt: skip

    def _take_back(self, entry: Contribution, now: int) -> None:
        """Undo exactly what an entry counted, in the buckets that are still kept."""
        if entry.withdrawn:
            return
        layout = self.view.history.layouts[entry.version]
        dimensions = tuple(d.name for d in layout.dimensions)
        names = self.draft.names(dimensions, entry.segment)
        # A clock that stepped back must not reach a tier that the entry was too old for.
        kept = self._kept(entry.occurred, max(now, entry.recorded), layout, self.layout.version)
        if entry.version != self.layout.version:
            counted = self._kept(entry.occurred, entry.recorded, layout, entry.version)
            kept = [one and other for one, other in zip(kept, counted, strict=True)]
        self._add(-1, entry.occurred, kept, layout, (names, entry.answers, entry.sentiment))

    def _kept(self, occurred: int, now: int, layout: Layout, version: int) -> list[bool]:
        """Whether each tier of `layout` counts this time at `now`, as of a version."""
        seconds = self.view.history.kept_seconds
        return [
            occurred >= now - seconds(version, Bucket.of(tier.seconds, occurred))
            for tier in layout.tiers
        ]

    def _add(
        self, weight: int, occurred: int, kept: Sequence[bool], layout: Layout, what: What
    ) -> None:
        """Add to the tally of the finest tier that is `kept`; the coarser ones are made of it.

        Where a tier that is not follows on one that is, the tally of its own makes up for that.
        """
        finer = False
        for place, tier in enumerate(layout.tiers):
            if kept[place] == finer:
                continue
            finer = kept[place]
            if layout.version not in self.tallies:
                self.tallies[layout.version] = _tallies(layout)
            tally = self.tallies[layout.version][place]
            group = (occurred // tier.seconds, what)
            tally[group] = tally.get(group, 0) + (weight if finer else -weight)

    def result(self, recorded: float | None) -> Folded:
        """What the records come to; `recorded` is the last one's time."""
        increments: dict[Bucket, dict[bytes, int]] = {}
        for version, tallies in self.tallies.items():
            layout = self.layout
            if version != layout.version:
                layout = self.view.history.layouts[version]
            spread(tallies, layout, self.fold.fields_of(layout), increments)
        return Folded(
            increments=_without_zeros(increments),
            contributions=self.latest,
            outcomes=self.outcomes,
            refused=self.refused,
            values=self.draft,
            unknown_dimensions=self.unknown_dimensions,
            recorded=recorded,
        )


def _tallies(layout: Layout) -> list[Tally]:
    return [{} for _ in layout.tiers]


def _without_zeros(
    increments: dict[Bucket, dict[bytes, int]],
) -> dict[Bucket, dict[bytes, int]]:
    kept = {b: {f: n for f, n in cells.items() if n} for b, cells in increments.items()}
    return {bucket: cells for bucket, cells in kept.items() if cells}
