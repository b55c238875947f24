"""What a fold is given besides the KPI file, and what it gives."""

from __future__ import annotations

from typing import Final, Literal, Protocol

import msgspec

from streams.events.event import Refusal
from streams.ledger.admitted import AdmittedValues, Draft
from streams.ledger.history import History
from streams.ledger.keys import Bucket

Outcome = Literal["applied", "duplicate", "superseded", "withdrawn", "late", "refused", "tombstone"]
OUTCOMES: Final[tuple[Outcome, ...]] = (
    "applied", "duplicate", "superseded", "withdrawn", "late", "refused", "tombstone",
)  # fmt: skip

LOG_APPEND_TIME: Final = 1


class Record(Protocol):
    """A Kafka record, as aiokafka and kafka-python both shape it. `timestamp` is in ms."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


class Refused(msgspec.Struct, frozen=True):
    """A record that is not counted, and why."""

    record: Record
    refusal: Refusal


class PartitionView(msgspec.Struct, frozen=True):
    """What a fold must know of its partition besides the records.

    `history` has every layout under which entries of this partition may have been counted.
    """

    partition: int
    partitions: int
    values: AdmittedValues
    history: History


class Folded(msgspec.Struct):
    """What a batch changes.

    `increments` maps bucket and cell field to a number that is never 0; `contributions` maps event
    id to its new entry. `outcomes` sum to the number of records. `recorded` is the time, in Unix
    seconds, of the last record.
    """

    increments: dict[Bucket, dict[bytes, int]] = {}
    contributions: dict[str, bytes] = {}
    outcomes: dict[Outcome, int] = {}
    refused: list[Refused] = []
    values: Draft | None = None
    unknown_dimensions: int = 0
    recorded: float | None = None
