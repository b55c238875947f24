"""Folding: a batch of records, and what their ids counted before, give what must change.

A pure function of (records, entries of known ids, admitted values, layout, clock). However a log
is cut into batches, and however often a piece of it is folded again from the same state, the
changes add up to the same counts.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from streams.events.intake import Intake
from streams.events.sentiment import compound, ten_thousandths
from streams.ledger.cells import CellFields
from streams.ledger.folded import LOG_APPEND_TIME, Folded, PartitionView, Record
from streams.ledger.folding import Folding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.ledger.layout import Layout

_REMEMBERED_COMMENTS: Final = 4_000  # those of a slice


class Fold:
    """Folds batches for one layout. Its memory holds only what recurs, never a result."""

    def __init__(
        self,
        layout: Layout,
        *,
        customer_key: bytes = b"",
        score: Callable[[str], float] = compound,
    ) -> None:
        self.layout = layout
        self.intake = Intake(layout)
        self._keyed = blake2b(digest_size=8, key=customer_key)
        self.score = score
        self.scores_comments = layout.sentiment is not None
        self._fields = {layout.version: CellFields(layout)}
        # Where ids turn out to be known a batch is folded again, with the same comments.
        self._scored: dict[str, int] = {}

    def __call__(
        self,
        records: Iterable[Record],
        known: Mapping[str, bytes],
        view: PartitionView,
        clock: float,
    ) -> Folded:
        """Fold `records`, in log order. `known` has the stored entry of each id that has one.

        `clock` (Unix seconds) judges records of topics without LogAppendTime.
        """
        folding = Folding(self, known, view)
        record = None
        for record in records:
            now = record.timestamp / 1000 if record.timestamp_type == LOG_APPEND_TIME else clock
            value = record.value
            if value is None:
                folding.outcomes["tombstone"] += 1
            else:
                folding.take(record, value, now)
        return folding.result(recorded=record.timestamp / 1000 if record else None)

    def fields_of(self, layout: Layout) -> CellFields:
        """The cell fields of an older layout."""
        found = self._fields.get(layout.version)
        if found is None:
            found = self._fields[layout.version] = CellFields(layout)
        return found

    def sentiment_of(self, comment: str) -> int | None:
        """The comment's sentiment in 1/10,000, None where none is counted."""
        if not self.scores_comments or not comment.strip():
            return None
        found = self._scored.get(comment)
        if found is None:
            if len(self._scored) >= _REMEMBERED_COMMENTS:
                self._scored.clear()
            found = self._scored[comment] = ten_thousandths(self.score(comment))
        return found

    def customer_of(self, customer: str) -> bytes:
        """The keyed hash that stands for a customer."""
        keyed = self._keyed.copy()
        keyed.update(customer.encode())
        return keyed.digest()
