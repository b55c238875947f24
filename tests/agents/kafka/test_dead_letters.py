from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import pytest

from agents.kafka.dead_letter_views import content_json, flat, letter_json, printable
from agents.kafka.dead_letters import Letters, Replay, find, listing
from agents.publish.delivery import Delivery
from streams.events.dead_letter import Headers, Source, dead_letter
from streams.events.event import Refusal

MIB = 1024 * 1024


class Record(NamedTuple):
    """A record as kafka-python hands it out."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int = 0


def letter(
    offset: int,
    reason: str = "off_scale",
    *,
    key: bytes | None = b"r-1",
    value: bytes | None = None,
    headers: Headers = (),
    written: int = 0,
    limit_bytes: int = MIB,
) -> Record:
    """The record on the dead-letter topic for the refused record events:0:`offset`."""
    refused = Record("events", 0, offset, key, value or b"value %d" % offset, headers)
    found = dead_letter(refused, Refusal(reason, "A sentence."), limit_bytes)
    return Record("letters", 0, 99, found.key, found.value, found.headers, written)


def letters(*records: Record, reasons: Sequence[str] = ()) -> Letters:
    """Letters of a topic that holds these records."""
    return Letters(cast("Any", records), reasons)


class Recorder:
    """In place of a `Delivery`: keeps what is sent."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.settled = 0
        self.broken = False
        self._breaks = breaks

    def send(self, place: str, topic: str, key: Any, value: Any, *, headers: Any) -> None:
        """Keep one record."""
        self.sent.append((place, topic, key, value, headers))
        self.broken = self._breaks

    def settle(self) -> None:
        """Count that it was called."""
        self.settled += 1


def replayed(recorder: Recorder | None, *records: Record) -> tuple[Replay, list[str]]:
    """A replay of these records, and its reports."""
    reports: list[str] = []
    replay = Replay(cast("Delivery | None", recorder), reports.append)
    replay.run(letters(*records))
    return replay, reports


def test_each_letter_once() -> None:
    """A letter that was delivered twice is one letter; other records there are none."""
    found = letters(letter(1), Record("letters", 0, 1, b"k", b"v", ()), letter(2), letter(1))
    assert [one.original.source.offset for one in found] == [1, 2]
    assert (found.repeats, found.strangers) == (1, 1)


def test_reasons_choose() -> None:
    """With reasons given, only their letters are there."""
    found = letters(letter(1, "a"), letter(2, "b"), letter(3, "c"), reasons=["a", "c"])
    assert [one.original.source.offset for one in found] == [1, 3]


def test_listing_counts_all_and_names_the_newest() -> None:
    """Counts are of all letters; the limit is of those named, by the time they were written."""
    found = listing(letters(*(letter(n, "ab"[n % 2], written=n * 1000) for n in range(9))), 2)
    assert dict(found.reasons) == {"a": 5, "b": 4}
    assert [one.original.source.offset for one in found.newest] == [8, 7]
    assert found.newest[0].written == datetime(1970, 1, 1, 0, 0, 8, tzinfo=UTC)


def test_listing_names_none() -> None:
    """With a limit of 0 all letters are counted all the same."""
    assert listing(letters(letter(1), letter(2)), 0) == (Counter(off_scale=2), [])


def test_find() -> None:
    """A letter is found by the place of the refused record."""
    found = find(letters(letter(1), letter(2)), Source("events", 0, 2))
    assert found is not None
    assert found.original.value == b"value 2"
    assert find(letters(letter(1)), Source("events", 1, 1)) is None


def test_replay_sends_what_was_refused() -> None:
    """Value, key and headers are the producer's, byte for byte; ours are not sent along."""
    recorder = Recorder()
    replayed(recorder, letter(1, key=b"\xff", value=b"\x00", headers=(("trace", b"t"),)))
    assert recorder.sent == [("events:0:1", "events", b"\xff", b"\x00", [("trace", b"t")])]
    assert recorder.settled == 1


def test_replay_drops_repeats() -> None:
    """A record replayed in vain left another letter with the same content: it is sent once."""
    recorder = Recorder()
    replay, _ = replayed(recorder, letter(1, value=b"v"), letter(2, value=b"v"), letter(3))
    assert [place for place, *_ in recorder.sent] == ["events:0:1", "events:0:3"]
    assert (replay.repeats, replay.replayed.total()) == (1, 2)


@pytest.mark.parametrize("other", [letter(2, key=b"r-", value=b"1v"), letter(2, key=None)])
def test_replay_keeps_what_differs(other: Record) -> None:
    """Records differ when key or value do, also where both put together are the same bytes."""
    replay, _ = replayed(Recorder(), letter(1, key=b"r-1", value=b"v"), other)
    assert (replay.repeats, replay.replayed.total()) == (0, 2)


def test_replay_says_what_it_cannot_do() -> None:
    """A truncated record is never published: it would be another event."""
    recorder = Recorder()
    cut = letter(1, value=b"v" * 5000, limit_bytes=1000)
    null = letter(2, headers=(("h", None),))
    replay, reports = replayed(recorder, cut, null, letter(3))

    assert (replay.impossible, len(recorder.sent)) == (2, 1)
    assert [report.split(": ")[0] for report in reports] == ["events:0:1", "events:0:2"]
    assert "of its 5,000 bytes" in reports[0]


def test_dry_run() -> None:
    """Without a delivery the same is counted and nothing is sent."""
    replay, reports = replayed(None, letter(1), letter(2, value=b"v" * 5000, limit_bytes=1000))
    assert (replay.replayed.total(), replay.impossible, len(reports)) == (1, 1, 1)


def test_replay_stops_when_kafka_fails() -> None:
    """A failure that every further record would meet ends the replay."""
    recorder = Recorder(breaks=True)
    replayed(recorder, letter(1), letter(2))
    assert (len(recorder.sent), recorder.settled) == (1, 1)


def test_body_is_shown_on_request_alone() -> None:
    """What a customer wrote appears only where it was asked for."""
    (found,) = letters(letter(1, value=b'{"comment": "my words"}'))
    assert "words" not in str(letter_json(found) | content_json(found, with_body=False))
    assert content_json(found, with_body=True)["body"] == '{"comment": "my words"}'


def test_body_that_is_not_text() -> None:
    """What is not UTF-8 comes in base64, whole."""
    (found,) = letters(letter(1, value=b"\xff\x00"))
    assert content_json(found, with_body=True)["body_base64"] == "/wA="


def test_size_is_that_of_the_event() -> None:
    """The size shown is what was refused, also where the letter holds less."""
    (found,) = letters(letter(1, value=b"v" * 5000, limit_bytes=1000))
    described = letter_json(found)
    assert (described["bytes"], described["truncated"]) == (5000, True)


def test_text_for_people() -> None:
    """Each header has its line, and what is not there has none."""
    (found,) = letters(letter(1, key=None, headers=(("a", b"1"), ("b", b"2"))))
    lines = dict(flat(letter_json(found) | content_json(found, with_body=False)))
    assert (lines["header a"], lines["header b"], "key" in lines) == ("1", "2", False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"r-\xc3\xa9", "r-é"),
        (b"\x1b[31m", "\\x1b[31m"),
        (b"a\nb", "a\\nb"),
        (b"\xff", "\\xff"),
        ("\u202e\ud800", "\\u202e\\ud800"),
    ],
)
def test_a_terminal_obeys_nothing_of_an_event(text: str | bytes, expected: str) -> None:
    """Keys, headers and bodies come from outside: control characters are shown, not sent."""
    assert printable(text) == expected
