"""Publishing: each line is judged as the worker will judge it, sent, and its receipt awaited."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.durations import Duration
from streams.events.admission import Admission, Late
from streams.events.event import FeedbackEvent, Refusal, decode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agents.publish.delivery import Delivery
    from agents.publish.event_file import Line
    from streams.ledger.layout import Layout


class Ready(NamedTuple):
    """An event that the worker will count, as it is sent."""

    place: str
    key: bytes
    value: bytes


class Refused(NamedTuple):
    """A line that the worker would refuse, or not count since it is too old."""

    place: str
    refusal: Refusal

    def __str__(self) -> str:
        return f"{self.place}: {self.refusal.reason}: {self.refusal.detail}"


class Gate:
    """Decodes and admits as the worker does; `shift` is added to the time of each event.

    `clock` gives Unix seconds, in the place of the record's time, which is yet to come.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        shift: timedelta = timedelta(0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._admission = Admission(layout)
        self._horizon = Duration.of(layout.late_after_seconds).name
        self._shift = shift
        self._clock = clock

    def judge(self, line: Line) -> Ready | Refused:
        """What to send for `line`, or why it would not be counted."""
        value = line.value
        ready = value if isinstance(value, Refusal) else self._ready(line.place, value)
        return Refused(line.place, ready) if isinstance(ready, Refusal) else ready

    def _ready(self, place: str, value: bytes) -> Ready | Refusal:
        event = decode_event(value)
        if self._shift and isinstance(event, FeedbackEvent):
            event = _shifted(event, self._shift)
            value = b"" if isinstance(event, Refusal) else msgspec.json.encode(event)
        if isinstance(event, Refusal):
            return event
        admitted = self._admission.admit(event, self._clock())
        if isinstance(admitted, Refusal):
            return admitted
        if isinstance(admitted, Late):
            return Refusal("late", f"`occurred_at` is more than {self._horizon} ago: not counted.")
        return Ready(place, event.event_id.encode(), value)


class Survey(NamedTuple):
    """How many lines a file has, and the latest `occurred_at` of those that can be read."""

    lines: int
    latest: datetime | None


def survey(lines: Iterable[Line]) -> Survey:
    """Read a file once without judging it."""
    count, latest = 0, None
    for line in lines:
        count += 1
        event = line.value if isinstance(line.value, Refusal) else decode_event(line.value)
        if isinstance(event, FeedbackEvent) and (latest is None or event.occurred_at > latest):
            latest = event.occurred_at
    return Survey(count, latest)


def refused(lines: Iterable[Line], gate: Gate) -> Iterator[Refused]:
    """The lines that would be refused."""
    for line in lines:
        judged = gate.judge(line)
        if isinstance(judged, Refused):
            yield judged


class Pace:
    """Holds sending to `rate` events a second; None does not hold it.

    Each event has its due time, so that late wake-ups do not add up. After a pause of more than
    a second the schedule begins anew: what was missed is not made up for in a burst.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None

    def wait(self) -> None:
        """Return when the next event is due."""
        if not self._interval:
            return
        now = self._clock()
        if self._due is None or now - self._due > 1:
            self._due = now
        if self._due > now:
            self._sleep(self._due - now)
        self._due += self._interval


class Publication:
    """One run of publishing, counted as it goes."""

    def __init__(
        self,
        delivery: Delivery,
        topic: str,
        *,
        skip_invalid: bool = False,
        pace: Pace | None = None,
        report: Callable[[Refused], None],
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.stopped_at: str | None = None
        self._delivery = delivery
        self._topic = topic
        self._skip_invalid = skip_invalid
        self._pace = pace or Pace(None)
        self._report = report

    def run(self, lines: Iterable[Line], gate: Gate) -> None:
        """Send what passes `gate`, and wait for every receipt, also when interrupted.

        Stops at the first line that does not pass, unless told to skip such lines, and when
        Kafka fails in a way that would meet every further record.
        """
        try:
            for line in lines:
                judged = gate.judge(line)
                if isinstance(judged, Ready):
                    self._pace.wait()
                    self._delivery.send(judged.place, self._topic, judged.key, judged.value)
                else:
                    self._refuse(judged)
                if self._delivery.broken or (self.refused and not self._skip_invalid):
                    self.stopped_at = line.place
                    return
        finally:
            self._delivery.settle()

    def _refuse(self, judged: Refused) -> None:
        self.refused[judged.refusal.reason] += 1
        self._report(judged)


def _shifted(event: FeedbackEvent, shift: timedelta) -> FeedbackEvent | Refusal:
    try:
        return msgspec.structs.replace(event, occurred_at=event.occurred_at + shift)
    except OverflowError:
        return Refusal("bad_time", "`occurred_at` leaves the calendar when shifted.")
