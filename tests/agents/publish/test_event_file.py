from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from agents.publish.event_file import CsvRows, JsonLines, Line
from streams.errors import ConfigurationError
from streams.events.event import Refusal
from streams.ledger.layout import Layout, Measure, Tier

NOTHING = io.BytesIO()
STANDARD_INPUT = Path("-")
LAYOUT = Layout(
    version=1,
    measures=(Measure("csat", "rating", 1, 5),),
    dimensions=(),
    breakdowns=((),),
    tiers=(Tier(3600, 86_400),),
    horizon_seconds=86_400,
    late_after_seconds=86_400,
)
HEADER = b"event_id,occurred_at,measures.csat,comment\n"


def rows(content: bytes, path: Path) -> list[tuple[str, object]]:
    """Place within the file, and event or reason, of each row."""
    path.write_bytes(content)
    return [
        (
            line.place.removeprefix(str(path)),
            line.value.reason if isinstance(line.value, Refusal) else json.loads(line.value),
        )
        for line in CsvRows(path, NOTHING, LAYOUT)
    ]


def test_json_lines_are_published_as_they_are(tmp_path: Path) -> None:
    """A line's bytes are not touched but for its end; empty lines are left out, not uncounted."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n\n  {"b":\xff}\r\n{"c": 3}')

    expected = [
        Line(f"{path}:1", b'{"a": 1}'),
        Line(f"{path}:3", b'{"b":\xff}'),
        Line(f"{path}:4", b'{"c": 3}'),
    ]
    lines = JsonLines(path, NOTHING)
    assert expected == list(lines)
    assert expected == list(lines)


def test_standard_input_is_read_once() -> None:
    """Lines of a pipe come in their order, and the file says that it cannot be read again."""
    lines = JsonLines(STANDARD_INPUT, io.BytesIO(b"{}\n{}\n"))
    assert not lines.repeatable
    expected = [Line("standard input:1", b"{}"), Line("standard input:2", b"{}")]
    assert expected == list(lines)


def test_csv_rows_are_events(tmp_path: Path) -> None:
    """Quotes, line ends in quotes, a byte order mark and blank lines are as spreadsheets write."""
    content = (
        b"\xef\xbb\xbf"
        + HEADER
        + b'r-1,2026-11-23T10:00:00Z,4,"two\nlines, one ""quote"""\r\n\r\nr-2,2026-11-23,,\n'
    )
    expected = [
        (
            ":2",
            {
                "event_id": "r-1",
                "occurred_at": "2026-11-23T10:00:00+00:00",
                "measures": {"csat": 4},
                "comment": 'two\nlines, one "quote"',
            },
        ),
        (":5", {"event_id": "r-2", "occurred_at": "2026-11-23", "measures": {"csat": None}}),
    ]
    assert expected == rows(content, tmp_path / "rows.csv")


def test_bad_rows_cost_only_themselves(tmp_path: Path) -> None:
    """A row with too few or many cells, or not in UTF-8, is refused at its line; others are not."""
    good = b"r-9,2026-11-23T10:00:00Z,4,fine\n"
    content = HEADER + b"r-1,x\n" + good + b"r-2,x,4,a,b\n" + b"r-3,x,4,\xff\n" + good
    reasons = [
        (place, found if isinstance(found, str) else "event")
        for place, found in rows(content, tmp_path / "rows.csv")
    ]

    expected = [
        (":2", "malformed_row"),
        (":3", "event"),
        (":4", "malformed_row"),
        (":5", "malformed_row"),
        (":6", "event"),
    ]
    assert expected == reasons


def test_quote_without_end(tmp_path: Path) -> None:
    """A quote that never ends is refused at the line where it begins."""
    found = rows(HEADER + b'r-1,x,4,"never\nended\n', tmp_path / "rows.csv")
    assert found == [(":2", "malformed_row")]


def test_long_comments_are_read(tmp_path: Path) -> None:
    """A cell may be as large as a Kafka record; Python's own limit of 128 KiB does not hold."""
    found = rows(HEADER + b"r-1,x,4," + b"c" * 900_000, tmp_path / "rows.csv")
    assert [place for place, event in found if isinstance(event, dict)] == [":2"]


def test_csv_of_standard_input() -> None:
    """A pipe's header is read for the mapping, and its rows come after it."""
    lines = CsvRows(STANDARD_INPUT, io.BytesIO(HEADER + b"r-1,x,4,\n"), LAYOUT)
    assert [line.place for line in lines] == ["standard input:2"]


@pytest.mark.parametrize("content", [b"", b'"not ended'])
def test_no_header(content: bytes, tmp_path: Path) -> None:
    """A file without a header is wrong use, not a file of refused rows."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="has no header"):
        CsvRows(path, NOTHING, LAYOUT)
