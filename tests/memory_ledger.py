"""The ledger in memory: the same compare-and-set, and the same replies, without Redis."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING

from streams.ledger.admitted import AdmittedValues
from streams.ledger.cells import SEPARATOR, Cell, decode_cell
from streams.ledger.contribution import Contribution, decode_contribution
from streams.ledger.fold import Fold
from streams.ledger.folded import Folded, Outcome, PartitionView
from streams.ledger.history import Era, History
from streams.ledger.ledger import Applied, Known, Moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.audit.plain_model import PlainModel
    from streams.ledger.keys import Bucket
    from streams.ledger.layout import Layout
    from tests.feedback_log import Record

Cells = dict[tuple["Bucket", Cell], int]


class Store:
    """What Redis would hold of one partition; `clock` is its time, by which buckets expire."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.position = 0
        self.epoch = 0
        self.layout = ""
        self.eras: list[Era] = []
        self.expires: dict[Bucket, int] = {}
        self.increments: Counter[tuple[Bucket, bytes]] = Counter()
        self.entries: dict[str, bytes] = {}
        self.values: dict[bytes, bytes] = {}
        self.outcomes: Counter[Outcome] = Counter()

    def cells(self) -> Cells:
        """Every cell that is not 0."""
        return {(b, decode_cell(f)): n for (b, f), n in self.increments.items() if n}

    def contributions(self) -> dict[str, Contribution]:
        """Every entry, decoded."""
        return {i: decode_contribution(e) for i, e in self.entries.items()}

    def expire(self, clock: float) -> None:
        """Time goes on: drop what has expired."""
        self.clock = clock
        gone = {bucket for bucket, expiry in self.expires.items() if expiry <= clock}
        for bucket, field in [key for key in self.increments if key[0] in gone]:
            del self.increments[bucket, field]
        for bucket in gone:
            del self.expires[bucket]

    def write(self, folded: Folded, next_position: int) -> None:
        """Take over a batch."""
        history = History(self.eras) if self.eras else None
        for bucket, cells in folded.increments.items():
            if history:
                self.expires[bucket] = history.expires_at(bucket)
            for field, amount in cells.items():
                self.increments[bucket, field] += amount
        self.entries |= folded.contributions
        for dimension, value, number in folded.values.admitted if folded.values else ():
            self.values[f"{dimension}{SEPARATOR}{value}".encode()] = str(number).encode()
        self.outcomes.update(folded.outcomes)
        self.position = next_position


class Owner:
    """A worker that owns, or believes to own, the partition; it knows what it read on opening."""

    def __init__(self, store: Store, layout: Layout, fold: Fold, partitions: int) -> None:
        self.store = store
        self.layout = layout
        self.fold = fold
        self.partitions = partitions
        self.open()

    def open(self) -> None:
        """Read the ledger, raising its layout to ours where that is newer."""
        store = self.store
        if store.layout != self.layout.token:
            store.layout = self.layout.token
            era = Era(self.layout, store.position, store.clock if store.eras else 0.0)
            if store.eras:
                before = History(store.eras)
                store.expires |= before.prolonged(before.raised(era), store.expires)
            store.eras.append(era)
        self.position = store.position
        self.epoch = store.epoch
        self.values = AdmittedValues(self.layout, dict(store.values))
        self.history = History(store.eras)

    def count(
        self, log: Sequence[Record], size: int, clock: float = 0.0, *, reply_is_lost: bool = False
    ) -> Applied | Moved:
        """Fold and apply the next `size` records after our position, as a worker does."""
        records = [r for r in log if r.offset >= self.position][:size]
        if not records:
            return Applied()
        end = records[-1].offset + 1
        view = PartitionView(0, self.partitions, self.values, self.history)
        folded = self.fold(records, {}, view, clock)
        reply = self._apply(folded, end, verified=False)
        if isinstance(reply, Known):
            folded = self.fold(records, reply.entries, view, clock)
            reply = self._apply(folded, end, verified=True)
        if isinstance(reply, Applied) and not reply_is_lost:
            self.position = end
            if folded.values is not None:
                self.values.accept(folded.values)
        assert not isinstance(reply, Known)
        return reply

    def _apply(self, folded: Folded, end: int, *, verified: bool) -> Applied | Known | Moved:
        store = self.store
        mine = (self.position, self.epoch, self.layout.token)
        if mine != (store.position, store.epoch, store.layout):
            return Moved(str(store.position), str(store.epoch), store.layout)
        if not verified:
            ids = folded.contributions
            known = {i: store.entries[i] for i in ids if i in store.entries}
            if known:
                return Known(known)
        store.write(folded, end)
        return Applied()


def copy_of(store: Store) -> Store:
    """Give a backup of a store."""
    return copy.deepcopy(store)


def cells_of(model: PlainModel) -> Cells:
    """Give every cell of the model that is not 0."""
    return {place: n for place, n in model.cells.items() if n}
