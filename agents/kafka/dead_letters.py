"""Reading dead letters, each once, and sending what they hold back to where it came from."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from streams.events.dead_letter import NotADeadLetter, Original, Source, original

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafka.consumer.fetcher import ConsumerRecord

    from agents.publish.delivery import Delivery


class Letter(NamedTuple):
    """A dead letter: when it was written, and the refused record in it."""

    written: datetime
    original: Original


class Letters:
    """The letters among `records`, of one reason or several, each once.

    The worker delivers at least once, so a letter may be on the topic again: its key tells.
    `repeats` and `strangers` (records that are no dead letters) count what was left out so far.
    """

    def __init__(self, records: Iterable[ConsumerRecord], reasons: Iterable[str] = ()) -> None:
        self.repeats = 0
        self.strangers = 0
        self._records = records
        self._reasons = frozenset(reasons)

    def __iter__(self) -> Iterator[Letter]:
        """The letters in the order of the log; no reason given: all of them."""
        seen: set[bytes] = set()
        for record in self._records:
            try:
                found = original(record)
            except NotADeadLetter:
                self.strangers += 1
                continue
            if self._reasons and found.reason not in self._reasons:
                continue
            key = str(found.source).encode()
            if key in seen:
                self.repeats += 1
                continue
            seen.add(key)
            yield Letter(datetime.fromtimestamp(record.timestamp / 1000, UTC), found)


class Listing(NamedTuple):
    """How many letters there are of each reason, and the newest of them, newest first."""

    reasons: Counter[str]
    newest: list[Letter]


def listing(letters: Iterable[Letter], limit: int) -> Listing:
    """Count all letters and keep the `limit` newest."""
    reasons: Counter[str] = Counter()

    def counted() -> Iterator[Letter]:
        for letter in letters:
            reasons[letter.original.reason] += 1
            yield letter

    # At least one, since of none nlargest would not look at the letters at all.
    most = max(limit, 1)
    newest = heapq.nlargest(most, counted(), key=lambda one: (one.written, one.original.source))
    return Listing(reasons, newest[:limit])


def find(letters: Iterable[Letter], source: Source) -> Letter | None:
    """The letter of the record that was read at `source`."""
    return next((letter for letter in letters if letter.original.source == source), None)


class Replay:
    """Sends refused records to the topic and key that they had, without our headers.

    A record with the same topic, key and value as one before it is dropped: it would count once
    at most, and a letter replayed in vain leaves another, so replays would double them.
    `report` is called with a line for each record that cannot be replayed. Without a `delivery`
    nothing is sent.
    """

    def __init__(self, delivery: Delivery | None, report: Callable[[str], None]) -> None:
        self.replayed: Counter[str] = Counter()
        self.repeats = 0
        self.impossible = 0
        self._delivery = delivery
        self._report = report
        self._seen: set[bytes] = set()

    def run(self, letters: Iterable[Letter]) -> None:
        """Replay `letters`, and wait for every receipt, also when interrupted.

        Stops where Kafka fails in a way that would meet every further record.
        """
        try:
            for letter in letters:
                self._replay(letter.original)
                if self._delivery and self._delivery.broken:
                    return
        finally:
            if self._delivery:
                self._delivery.settle()

    def _replay(self, record: Original) -> None:
        if problem := _problem(record):
            self.impossible += 1
            self._report(f"{record.source}: not replayed: {problem}")
            return
        digest = _digest(record)
        if digest in self._seen:
            self.repeats += 1
            return
        self._seen.add(digest)
        self.replayed[record.reason] += 1
        if self._delivery:
            self._delivery.send(
                str(record.source),
                record.source.topic,
                record.key,
                record.value,
                headers=[(name, value or b"") for name, value in record.headers],
            )


def _problem(record: Original) -> str | None:
    if record.truncated is not None:
        kept = len(record.value or b"")
        return f"the letter holds only {kept:,} of its {record.truncated:,} bytes"
    if any(value is None for _, value in record.headers):
        return "one of its headers is null, which this client cannot send"
    return None


def _digest(record: Original) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (record.source.topic.encode(), record.key, record.value):
        digest.update(b"-" if part is None else b"%d:" % len(part) + part)
    return digest.digest()
