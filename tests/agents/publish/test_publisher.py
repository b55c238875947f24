from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from agents.publish.delivery import Delivery
from agents.publish.event_file import Line
from agents.publish.publisher import Gate, Pace, Publication, Ready, Refused, refused, survey
from streams.events.event import Refusal
from streams.ledger.layout import Layout, Measure, Tier

DAY = 86_400
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LAYOUT = Layout(
    version=1,
    measures=(Measure("csat", "rating", 1, 5),),
    dimensions=(),
    breakdowns=((),),
    tiers=(Tier(3600, DAY),),
    horizon_seconds=DAY,
    late_after_seconds=DAY,
)


def line(number: int = 1, *, ago: timedelta = timedelta(0), **fields: Any) -> Line:
    """Line `number` of a file, an event of `ago`."""
    time = (NOW - ago).isoformat()
    event = {"event_id": f"r-{number}", "occurred_at": time, "measures": {"csat": 4}} | fields
    return Line(f"file:{number}", json.dumps(event).encode())


def gate(**options: Any) -> Gate:
    """A gate whose clock stands at NOW."""
    return Gate(LAYOUT, clock=NOW.timestamp, **options)


class Recorder:
    """In place of a `Delivery`: keeps what is sent, and breaks at the place it is told."""

    def __init__(self, breaks_at: str = "") -> None:
        self.sent: list[tuple[str, str, bytes]] = []
        self.settled = 0
        self.broken = False
        self._breaks_at = breaks_at

    def send(self, place: str, topic: str, key: bytes, value: bytes) -> None:
        """Keep one record."""
        del value
        self.sent.append((place, topic, key))
        self.broken = place == self._breaks_at

    def settle(self) -> None:
        """Count that it was called."""
        self.settled += 1


def published(
    lines: list[Line], recorder: Recorder, *, skip_invalid: bool = False
) -> tuple[Publication, list[str]]:
    """A publication that ran over `lines`, and its reports."""
    reports: list[str] = []
    one = Publication(
        cast("Delivery", recorder),
        "events",
        skip_invalid=skip_invalid,
        report=lambda judged: reports.append(str(judged)),
    )
    one.run(lines, gate())
    return one, reports


def test_an_event_is_sent_as_it_stands() -> None:
    """The record's key is the event id in UTF-8, its value the line's own bytes."""
    one = line(event_id="r-é")
    assert gate().judge(one) == Ready("file:1", "r-é".encode(), cast("bytes", one.value))


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (Line("file:1", b"{"), "not_json"),
        (Line("file:1", Refusal("malformed_row", "The row is not UTF-8.")), "malformed_row"),
        (line(measures={"csat": 6}), "off_scale"),
        (line(measures={"nps": 6}), "unknown_measure"),
        (line(ago=timedelta(hours=-1)), "in_future"),
        (line(ago=timedelta(days=2)), "late"),
    ],
)
def test_what_would_not_count_is_refused(one: Line, reason: str) -> None:
    """What the worker refuses or finds too late is refused here, with the worker's reason."""
    judged = gate().judge(one)
    assert isinstance(judged, Refused)
    assert judged.refusal.reason == reason


def test_report_never_quotes_the_comment() -> None:
    """A refused line is reported by place, code and sentence, without a customer's words."""
    judged = gate().judge(line(comment="my address is 1 Long Lane", measures={"csat": 6}))
    expected = "file:1: off_scale: `measures.csat` is off its scale: its scale is the whole"
    assert str(judged).startswith(expected)
    assert "Long Lane" not in str(judged)


def test_shift_moves_every_event_alike() -> None:
    """With a shift an old event is judged and sent at its new time; nothing else changes."""
    judged = gate(shift=timedelta(days=30)).judge(line(ago=timedelta(days=30), comment="fine"))
    assert isinstance(judged, Ready)
    found = json.loads(judged.value)
    assert datetime.fromisoformat(found.pop("occurred_at")) == NOW
    kept = {name: found[name] for name in ("event_id", "measures", "comment")}
    assert kept == {"event_id": "r-1", "measures": {"csat": 4}, "comment": "fine"}


def test_shift_beyond_the_calendar() -> None:
    """A time that the shift moves out of the calendar is refused, not a crash."""
    judged = gate(shift=timedelta(days=4_000_000)).judge(line())
    assert isinstance(judged, Refused)
    assert judged.refusal.reason == "bad_time"


def test_survey_finds_the_latest() -> None:
    """The survey counts every line, and takes the latest time of those that can be read."""
    lines = [line(1, ago=timedelta(days=9)), Line("file:2", b"{"), line(3, ago=timedelta(days=7))]
    found = survey(lines)
    assert (found.lines, found.latest) == (3, NOW - timedelta(days=7))


def test_refused_lines_of_a_file() -> None:
    """A file can be judged without sending anything."""
    lines = [line(1), line(2, measures={"csat": 0}), line(3)]
    assert [one.place for one in refused(lines, gate())] == ["file:2"]


def test_stops_at_the_first_refused_event() -> None:
    """Unless told to skip, nothing after a refused event is sent; what was sent is settled."""
    recorder = Recorder()
    one, reports = published([line(1), line(2, measures={"csat": 0}), line(3)], recorder)

    assert recorder.sent == [("file:1", "events", b"r-1")]
    assert (recorder.settled, one.stopped_at, dict(one.refused)) == (1, "file:2", {"off_scale": 1})
    assert [report.split(":")[1] for report in reports] == ["2"]


def test_skips_and_reports_refused_events() -> None:
    """With --skip-invalid the others are sent and every refusal is reported and counted."""
    recorder = Recorder()
    lines = [line(1, measures={"csat": 0}), line(2), Line("file:3", b"{"), line(4)]
    one, reports = published(lines, recorder, skip_invalid=True)

    assert [place for place, _, _ in recorder.sent] == ["file:2", "file:4"]
    assert (one.stopped_at, dict(one.refused)) == (None, {"off_scale": 1, "not_json": 1})
    assert len(reports) == 2


def test_stops_when_kafka_fails() -> None:
    """A failure of Kafka that every record would meet ends the run, and says where."""
    recorder = Recorder(breaks_at="file:2")
    one, _ = published([line(1), line(2), line(3)], recorder)
    assert (len(recorder.sent), one.stopped_at, recorder.settled) == (2, "file:2", 1)


def test_interrupted_run_is_settled() -> None:
    """An interrupt leaves no record whose fate is not known."""

    def interrupted() -> Iterator[Line]:
        yield line(1)
        raise KeyboardInterrupt

    recorder = Recorder()
    one = Publication(cast("Delivery", recorder), "events", report=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        one.run(interrupted(), gate())
    assert (len(recorder.sent), recorder.settled) == (1, 1)


class Clock:
    """A clock that only sleeping, and what the test says, moves. A sleep takes a bit longer."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleep, and oversleep by a millisecond."""
        self.now += seconds + 0.001


def test_pace_keeps_the_rate() -> None:
    """1,000 events at 100 a second take ten seconds, though each sleep takes too long."""
    clock = Clock()
    pace = Pace(100, clock=clock, sleep=clock.sleep)
    for _ in range(1001):
        pace.wait()
    assert clock.now - 100 == pytest.approx(10, abs=0.01)


def test_pace_does_not_catch_up_after_a_pause() -> None:
    """After a pause the rate holds again at once: what was missed is not sent in a burst."""
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)
    pace.wait()
    clock.now += 60
    for _ in range(11):
        pace.wait()
    assert clock.now - 160 == pytest.approx(1, abs=0.01)


def test_no_rate_no_sleep() -> None:
    """Without a rate nothing waits."""
    clock = Clock()
    Pace(None, clock=clock, sleep=clock.sleep).wait()
    assert clock.now == 100
