from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.future import Future

from agents.publish import delivery
from agents.publish.delivery import Delivery


class Receipt(Future):  # type: ignore[misc]  # kafka-python publishes no types
    """A receipt that arrives when asked for; what was asked for is counted."""

    def __init__(self, producer: Producer, error: KafkaError | None) -> None:
        super().__init__()
        self._producer = producer
        self._error = error

    def get(self, timeout: float) -> object:
        """Arrive."""
        self._producer.timeouts.append(timeout)
        self._producer.outstanding -= 1
        if self._error:
            raise self._error
        return object()


class Producer:
    """Takes records and answers with `errors` by key; never acknowledges by itself."""

    def __init__(self, **errors: KafkaError) -> None:
        self.errors = errors
        self.records: list[tuple[Any, ...]] = []
        self.timeouts: list[float] = []
        self.outstanding = 0
        self.most_outstanding = 0

    def send(self, *record: Any) -> Receipt:
        """Take one record."""
        self.records.append(record)
        self.outstanding += 1
        self.most_outstanding = max(self.most_outstanding, self.outstanding)
        return Receipt(self, self.errors.get(record[2].decode()))


class Refusing(Producer):
    """Refuses records when they are sent, as kafka-python does with oversized ones."""

    def send(self, *record: Any) -> Receipt:
        """Refuse."""
        raise self.errors[record[2].decode()]


def sent(producer: Producer, *keys: str) -> tuple[Delivery, list[tuple[str, str]]]:
    """A delivery that sent these keys and settled, and what it reported."""
    reports: list[tuple[str, str]] = []
    one = Delivery(producer, lambda at, why: reports.append((at, why)))
    for key in keys:
        one.send(f"at {key}", "topic", key.encode(), b"value")
    one.settle()
    return one, reports


def test_every_record_is_awaited() -> None:
    """Sent is not delivered: each receipt is waited for, and counted by what it says."""
    producer = Producer(b=KafkaTimeoutError())
    one, reports = sent(producer, "a", "b", "c")

    assert (one.delivered, one.undelivered, producer.outstanding) == (2, 1, 0)
    assert reports == [("at b", "KafkaTimeout")]


@pytest.mark.parametrize("kind", [Producer, Refusing])
def test_a_record_too_large_breaks_nothing(kind: type[Producer]) -> None:
    """What is about one record alone is reported; others may still be sent."""
    one, reports = sent(kind(a=MessageSizeTooLargeError("value")), "a")
    assert (one.undelivered, one.broken) == (1, False)
    assert reports == [("at a", "MessageSizeTooLarge")]


@pytest.mark.parametrize("kind", [Producer, Refusing])
def test_other_failures_break(kind: type[Producer]) -> None:
    """A failure that every further record would meet says so."""
    one, _ = sent(kind(a=KafkaTimeoutError()), "a")
    assert (one.undelivered, one.broken) == (1, True)


def test_what_is_left_is_given_up_soon() -> None:
    """After a failure of Kafka the other receipts are waited for seconds in all, not each long."""
    producer = Producer(a=KafkaTimeoutError(), b=KafkaTimeoutError())
    one, _ = sent(producer, "a", "b", "c")
    assert (one.delivered, one.undelivered) == (1, 2)
    assert producer.timeouts[0] > 120
    assert max(producer.timeouts[1:]) <= 5


def test_few_records_are_outstanding(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not yet acknowledged is bounded in number, since it stays in memory."""
    monkeypatch.setattr(delivery, "_OUTSTANDING_RECORDS", 10)
    producer = Producer()
    one, _ = sent(producer, *map(str, range(50)))
    assert (one.delivered, producer.most_outstanding) == (50, 11)


def test_few_bytes_are_outstanding(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in bytes, since records differ in size by a thousand times."""
    monkeypatch.setattr(delivery, "_OUTSTANDING_BYTES", 60)
    producer = Producer()
    one, _ = sent(producer, *("k" for _ in range(50)))
    assert (one.delivered, producer.most_outstanding) == (50, 11)


def test_order_of_arguments() -> None:
    """Topic, value, key and headers reach kafka-python in its order."""
    producer = Producer()
    one, _ = sent(producer)
    one.send("place", "topic", b"key", b"value", headers=[("h", b"1")])
    assert producer.records == [("topic", b"value", b"key", [("h", b"1")])]
