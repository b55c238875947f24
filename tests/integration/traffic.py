"""Events as upstream apps really send them, from a seed, and a thread that publishes them."""

from __future__ import annotations

import json
import random
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from confluent_kafka import Producer

from agents.embedded.process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

FLUSH_SECONDS = 120.0  # as long as a killed broker may need to come back on a busy machine
REMEMBERED = 2_000  # revisions follow soon, as edits do; it also bounds what the generator keeps

PRODUCTS = [f"product {n}" for n in range(40)]  # more than the KPI file admits: some are `other`
CHANNELS = ["chat", "phone", "web", None]
COMMENTS = [
    "Great service, thank you!",
    "Awful. Never again :(",
    "It was okay I guess",
    "Schnell und freundlich",
    "Quick reply, but the router still drops.",
    " ",
]


class Message(NamedTuple):
    """A record to publish."""

    key: bytes | None
    value: bytes | None


Event = dict[str, Any]


class Traffic:
    """An endless mix of what a topic sees; the same seed gives the same mix.

    Of a hundred messages about 62 are new answers; the rest are revisions, withdrawals, exact
    repeats, outdated revisions, late answers, undeclared dimensions, poison and tombstones.
    """

    def __init__(self, seed: int, *, poison: int = 5) -> None:
        """`poison` is how many in some hundred messages are refused."""
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it
        self._seed = seed
        self._number = 0
        self._recent: list[Event] = []
        self._kinds: dict[Callable[[], Message], int] = {
            self.answer: 60,
            self.revision: 12,
            self.withdrawal: 6,
            self.repeat: 6,
            self.outdated: 3,
            self.late: 2,
            self.undeclared: 2,
            self.poison: poison,
            self.tombstone: 2,
        }

    def __iter__(self) -> Iterator[Message]:
        """Messages without end."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        while True:
            yield self._random.choices(kinds, weights)[0]()

    def take(self, number: int) -> list[Message]:
        """The next `number` messages."""
        return [message for message, _ in zip(self, range(number), strict=False)]

    def answer(self) -> Message:
        """A new answer."""
        self._number += 1
        event = {"event_id": f"r{self._seed}-{self._number}", **self._said()}
        if len(self._recent) < REMEMBERED:
            self._recent.append(event)
        else:
            self._recent[self._random.randrange(REMEMBERED)] = event
        return message(event)

    def revision(self) -> Message:
        """An earlier answer, changed: other scores, another time, another segment."""
        if not self._recent:
            return self.answer()
        event = self._random.choice(self._recent)
        event.update(self._said(), revision=event.get("revision", 0) + 1)
        event.pop("withdrawn", None)
        return message(event)

    def withdrawal(self) -> Message:
        """An earlier answer, taken back."""
        if not self._recent:
            return self.answer()
        event = self._random.choice(self._recent)
        event["withdrawn"] = True
        return message(event)

    def repeat(self) -> Message:
        """An earlier answer again, as a retrying producer sends it."""
        return message(self._random.choice(self._recent)) if self._recent else self.answer()

    def outdated(self) -> Message:
        """An earlier answer as it was first said, after its revision."""
        if not self._recent:
            return self.answer()
        return message({**self._random.choice(self._recent), "revision": 0})

    def late(self) -> Message:
        """An answer older than the horizon."""
        self._number += 1
        return message({"event_id": f"l{self._seed}-{self._number}", **self._said(90 * 86_400)})

    def undeclared(self) -> Message:
        """An answer with a dimension that the KPI file does not have."""
        self._number += 1
        event = {"event_id": f"u{self._seed}-{self._number}", **self._said()}
        event["dimensions"] = {**event["dimensions"], "agent": "x"}
        return message(event)

    def poison(self) -> Message:
        """A record that is refused."""
        self._number += 1
        event_id = f"p{self._seed}-{self._number}"
        event = {"event_id": event_id, **self._said()}
        bad: list[Message] = [
            Message(event_id.encode(), b"\xff\x00 not JSON"),
            Message(None, json.dumps(event).encode()),
            Message(b"another", json.dumps(event).encode()),
            message({**event, "measures": {"csat": 6}}),
            message({**event, "measures": {"csat": 4.5}}),
            message({**event, "measures": {"unheard": 1}}),
            message({**event, "occurred_at": "yesterday"}),
            message({**event, "dimensions": {"product": "all"}}),
        ]
        return self._random.choice(bad)

    def tombstone(self) -> Message:
        """A key without a value."""
        self._number += 1
        return Message(f"t{self._seed}-{self._number}".encode(), None)

    def _said(self, age_seconds: float | None = None) -> Event:
        """What a customer says, mostly a moment ago and now and then days ago."""
        choose = self._random
        age = choose.choice([0, 5, 60, 600, 7_000, 90_000]) * choose.random()
        when = datetime.fromtimestamp(time.time() - (age_seconds or age), UTC)
        said: Event = {
            "occurred_at": when.isoformat(),
            "measures": {"csat": choose.randint(1, 5)},
            "dimensions": {
                "product": min(choose.choices(PRODUCTS, k=3)),
                "channel": choose.choice(CHANNELS),
            },
            "comment": None,
        }
        if choose.random() < 0.5:
            said["measures"]["nps"] = choose.randint(0, 10)
        if choose.random() < 0.3:
            said["measures"]["sla_met"] = choose.random() < 0.9
        if choose.random() < 0.2:
            said["comment"] = choose.choice(COMMENTS)
        return said


def message(event: Event) -> Message:
    """The record of an event, keyed as upstream apps must."""
    return Message(event["event_id"].encode(), json.dumps(event).encode())


def producer(bootstrap: str, **settings: Any) -> Producer:
    """A librdkafka producer that places keys as Java does."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "acks": "all",
            "linger.ms": 5,
            "reconnect.backoff.max.ms": 500,
            "message.max.bytes": 4_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
            **settings,
        }
    )


def publish(bootstrap: str, topic: str, messages: Iterable[Message]) -> int:
    """Publish messages as fast as it goes and wait for all receipts; how many there were."""
    sender = producer(bootstrap)
    number = 0
    for number, one in enumerate(messages, 1):  # noqa: B007 - the count is the result
        sender.produce(topic, one.value, one.key)
        sender.poll(0)
    assert 0 == sender.flush(FLUSH_SECONDS)
    return number


class Publisher:
    """Publishes in the background at a steady rate while its context lasts.

    On leaving it waits until Kafka has every message, however long a broker was away.
    """

    BEAT_SECONDS = 0.05

    def __init__(self, bootstrap: str, topic: str, traffic: Traffic, *, rate: int) -> None:
        self.published = 0
        self._producer = producer(bootstrap)
        self._topic = topic
        self._messages = iter(traffic)
        self._burst = max(1, round(rate * self.BEAT_SECONDS))
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @property
    def active(self) -> bool:
        """Whether it still publishes."""
        return self._thread.is_alive() and self._error is None

    def wait_for(self, more: int, seconds: float = 60.0) -> None:
        """Wait until so many more messages were handed to Kafka's client."""
        goal = self.published + more
        wait_until(lambda: self.published >= goal, seconds, f"{more} more messages")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            assert self._error is None, f"the publisher failed: {self._error!r}"
            assert 0 == self._producer.flush(FLUSH_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.BEAT_SECONDS):
                self._send_burst()
        except BaseException as error:  # noqa: BLE001 - raised again where the context ends
            self._error = error

    def _send_burst(self) -> None:
        for _, one in zip(range(self._burst), self._messages, strict=False):
            self._producer.produce(self._topic, one.value, one.key)
            self.published += 1
        self._producer.poll(0)
