"""Logs of feedback events for tests: records by hand, and Hypothesis strategies of whole logs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from streams.events.routing import partition_of
from streams.ledger.layout import Dimension, Layout, Measure, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START = 4_102_444_800  # the year 2100: no bucket expires while tests run
PARTITIONS = 2
CUSTOMER_KEY = b"a key"

CSAT = Measure("csat", "rating", 1, 5)
SLA = Measure("sla", "flag")
SENTIMENT = Measure("sentiment", "sentiment")
LAYOUT = Layout(
    version=1,
    measures=(CSAT, SENTIMENT, SLA),
    dimensions=(Dimension("product", 1), Dimension("channel", 1), Dimension("region", 1)),
    breakdowns=(("product", "channel"), ("region",)),
    tiers=(Tier(10, 120), Tier(60, 600), Tier(300, 1_200)),
    horizon_seconds=1_200,
    late_after_seconds=1_200,
)
# Amounts, and every kind of pair that is counted together.
VALUE = Measure("value", "amount", 0, 1_000, decimals=1, unit="EUR")
COST = Measure("cost", "amount", 0, 50_000, decimals=2, unit="EUR")
RICH = Layout(
    version=3,
    measures=(COST, CSAT, SENTIMENT, SLA, VALUE),
    dimensions=LAYOUT.dimensions,
    breakdowns=LAYOUT.breakdowns,
    tiers=LAYOUT.tiers,
    horizon_seconds=1_200,
    late_after_seconds=1_200,
    joints=(
        ("cost", "value"),
        ("csat", "sentiment"),
        ("csat", "sla"),
        ("csat", "value"),
        ("sla", "value"),
    ),
)


@dataclass
class Record:
    """A record as Kafka's clients hand it out."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    topic: str = "events"
    partition: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()

    def but(self, **changes: Any) -> Record:
        """Give a copy with changes."""
        return replace(self, **changes)


def when(second: float) -> str:
    """Write a Unix time as events do."""
    return datetime.fromtimestamp(second, UTC).isoformat()


def event(event_id: str, occurred: float = START, **fields: Any) -> bytes:
    """Give the JSON of an event."""
    whole = {"event_id": event_id, "occurred_at": when(occurred), **fields}
    return json.dumps(whole).encode()


def record(
    offset: int,
    event_id: str,
    occurred: float = START,
    *,
    at: float = START,
    stamped: bool = True,
    **fields: Any,
) -> Record:
    """Give the record of an event that Kafka took `at` this Unix time."""
    value = event(event_id, occurred, **fields)
    return Record(offset, round(at * 1000), int(stamped), event_id.encode(), value)


def ids_of(partition: int, number: int, partitions: int = PARTITIONS) -> list[str]:
    """Give event ids that belong to a partition."""
    names = (f"r-{n}" for n in range(1_000))
    fitting = (name for name in names if partition_of(name.encode(), partitions) == partition)
    return [name for name, _ in zip(fitting, range(number), strict=False)]


RIGHT_IDS = ids_of(0, 6)
WRONG_IDS = ids_of(1, 1)
PRODUCTS = [f"p{n}" for n in range(14)]  # more than the ten that are admitted
COMMENTS = [None, "", "  ", "Great, thank you!", "Awful.", "It came on Monday."]

_answers = st.fixed_dictionaries(
    {},
    optional={
        "csat": st.one_of(st.integers(1, 5), st.sampled_from([None, 4.0, 6, 2.5, "4"])),
        "sla": st.sampled_from([True, False, None]),
    },
)
_amounts = st.one_of(st.integers(0, 100).map(float), st.sampled_from([0.1, 99.9, 0.05, -1, None]))
_segments = st.fixed_dictionaries(
    {},
    optional={
        "product": st.sampled_from([*PRODUCTS, None]),
        "channel": st.sampled_from(["chat", "mail", "other"]),
        "region": st.sampled_from(["EU", "US"]),
        "colour": st.just("red"),
    },
)
_events = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from(RIGHT_IDS * 4 + WRONG_IDS),
        "revision": st.sampled_from([0, 0, 0, 1, 2]),
        "withdrawn": st.sampled_from([False] * 5 + [True]),
        "measures": _answers,
        "dimensions": _segments,
        "comment": st.sampled_from(COMMENTS),
        "language": st.sampled_from([None, "en-GB", "de"]),
        "customer": st.sampled_from([None, "", "c-1", "c-2"]),
    }
)
# Mostly of just now, some at the edges of tiers, of lateness and of the future.
_ages = st.one_of(
    st.floats(-5, 30).map(lambda age: round(age, 3)),
    st.sampled_from([-301, -300, 119, 120, 121, 599, 600, 601, 1_199, 1_200, 1_201]),
    st.integers(0, 1_300),
)
_pauses = st.sampled_from([0, 0.5, 1, 7.25, 60, 130, 700])
_odd_values = st.sampled_from([None, b"", b"{", b"[]", b'{"event_id": "r-1"}'])


class _Step(NamedTuple):
    pause: float
    gap: int
    age: float
    fields: dict[str, Any]
    odd: bytes | None
    is_odd: bool


_steps = st.builds(
    _Step,
    _pauses,
    st.sampled_from([1, 1, 1, 3]),
    _ages,
    _events,
    _odd_values,
    st.sampled_from([False] * 9 + [True]),
)


def _log(steps: Iterable[_Step], clock_steps_back: Sequence[float]) -> list[Record]:
    """Turn steps into records: time goes on (but for steps back), offsets have gaps."""
    now, offset, records = float(START), 0, []
    for number, step in enumerate(steps):
        now += step.pause - (clock_steps_back[number] if number < len(clock_steps_back) else 0)
        fields = dict(step.fields)
        event_id = fields.pop("event_id")
        made = record(offset, event_id, now - step.age, at=now, **fields)
        records.append(made.but(value=step.odd) if step.is_odd else made)
        offset += step.gap
    return records


def logs(max_size: int = 40, *, min_size: int = 0) -> st.SearchStrategy[list[Record]]:
    """Logs whose clock never goes back."""
    steps = st.lists(_steps, min_size=min_size, max_size=max_size)
    return st.builds(_log, steps, st.just(()))


def rich_logs(max_size: int = 40) -> st.SearchStrategy[list[Record]]:
    """Logs for `RICH`: answers with amounts too."""
    given = st.fixed_dictionaries({}, optional={"value": _amounts, "cost": _amounts})
    measures = st.builds(lambda one, other: one | other, _answers, given)
    fields = st.builds(lambda event, found: event | {"measures": found}, _events, measures)
    steps = st.builds(
        _Step,
        _pauses,
        st.just(1),
        _ages,
        fields,
        _odd_values,
        st.sampled_from([False] * 9 + [True]),
    )
    return st.builds(_log, st.lists(steps, max_size=max_size), st.just(()))


def unsteady_logs(max_size: int = 40) -> st.SearchStrategy[list[Record]]:
    """Logs of brokers whose clocks differ: time may step back from one record to the next."""
    back = st.lists(st.sampled_from([0, 0, 0.4, 1, 30]), max_size=max_size)
    return st.builds(_log, st.lists(_steps, max_size=max_size), back)
