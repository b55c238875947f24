"""The end of the demo: whether Redis holds what was published."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from agents.audit.audit import Audit
from agents.audit.sources import KafkaLog
from agents.kafka.clients import consumer
from agents.redis_clients import reading_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agents.settings import Settings
    from streams.ledger.folded import Record


class Verdict(NamedTuple):
    """What the audit found in the topic, in Redis, and between the two."""

    published: int
    records: int
    counted: int
    cells: int
    ids: int
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether everything that was published is in the topic and counted, cell by cell."""
        return not self.differences and self.published == self.records == self.counted

    def lines(self) -> Iterator[str]:
        """The verdict for a person."""
        compared = f"{self.records:,} records, {self.cells:,} cells and {self.ids:,} ids"
        if self.equal:
            yield f"audit: equal: {compared} in Redis are what the published events add up to"
            return
        yield f"audit: NOT EQUAL: {compared} compared, differences: {len(self.differences):,}"
        if not self.published == self.records == self.counted:
            yield (
                f"  published {self.published:,}, in the topic {self.records:,}, "
                f"counted {self.counted:,}"
            )
        yield from (f"  {difference}" for difference in self.differences)


def audit(settings: Settings, published: int, counted: int) -> Verdict:
    """Recompute the whole topic and compare everything with Redis."""
    with reading_client(settings) as redis, closing(consumer(settings)) as client:
        partitions = len(client.partitions_for_topic(settings.topic) or ())
        log = KafkaLog(client, settings.topic)
        key = settings.customer_key.get_secret_value().encode()
        audit_of = Audit(redis, log, settings.topic, partitions, key, None, _untracked)
        results = [audit_of.partition(number) for number in range(partitions)]
    return Verdict(
        published=published,
        records=sum(result.records for result in results),
        counted=counted,
        cells=sum(result.cells for result in results),
        ids=sum(result.ids for result in results),
        differences=tuple(
            f"partition {result.partition}: {found.kind} {found.place}: "
            f"expected {found.expected}, found {found.found}"
            for result in results
            for found in result.differences
        ),
    )


def _untracked(records: Iterable[Record], label: str, total: int) -> Iterator[Record]:
    del label, total
    yield from records
