"""Files of events: JSON lines, or CSV whose rows a mapping turns into events.

A file is read as often as it is iterated; standard input once. Each line comes with its place,
`file:line`, as editors and compilers write it.
"""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from agents.publish.csv_mapping import read_mapping
from streams.errors import ConfigurationError
from streams.events.event import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from agents.publish.csv_mapping import CsvMapping
    from streams.ledger.layout import Layout

STANDARD_INPUT: Final = Path("-")

# A comment may be as long in CSV as in JSON, where Kafka's limit of about 1 MiB decides.
_CELL_CHARACTERS: Final = 2 * 1024 * 1024
_EXPECTED_HEADER: Final = "its first line must name the columns, separated by commas"


class Line(NamedTuple):
    """One event of a file: the bytes to publish, or why the line holds none."""

    place: str
    value: bytes | Refusal


class EventFile(Protocol):
    """What can be published. `repeatable` files give the same lines at each iteration."""

    repeatable: bool

    def __iter__(self) -> Iterator[Line]:
        """The lines in their order; empty ones are left out."""
        ...


class JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path, standard_input: IO[bytes]) -> None:
        self.repeatable = path != STANDARD_INPUT
        self._path = path
        self._standard_input = standard_input

    def __iter__(self) -> Iterator[Line]:
        """The lines as they stand in the file, without their line ends."""
        name = _name(self._path)
        with (
            self._path.open("rb")
            if self.repeatable
            else nullcontext(self._standard_input) as stream
        ):
            for number, line in enumerate(stream, start=1):
                if value := line.strip(b" \t\r\n"):
                    yield Line(f"{name}:{number}", value)


class CsvRows:
    """A CSV file with a header: UTF-8, commas, quotes doubled within quotes."""

    def __init__(
        self,
        path: Path,
        standard_input: IO[bytes],
        layout: Layout,
        *,
        maps: Sequence[str] = (),
        constants: Sequence[str] = (),
        timezone: ZoneInfo | None = None,
    ) -> None:
        """Read the header and fit the mapping to it.

        Raises `ConfigurationError` where they do not fit (see `agents.publish.csv_mapping`).
        """
        self.repeatable = path != STANDARD_INPUT
        self._path = path
        self._once = None if self.repeatable else _rows(_text(standard_input))
        with self._opened() as rows:
            first = next(rows, None)
        if first is None or first.cells is None:
            raise ConfigurationError(f"{_name(path)} has no header: {_EXPECTED_HEADER}.")
        self._header = first.cells
        self._mapping: CsvMapping = read_mapping(
            first.cells, layout, maps=maps, constants=constants, timezone=timezone
        )

    def __iter__(self) -> Iterator[Line]:
        """The rows as events; a row of several lines is at the first of them."""
        name = _name(self._path)
        with self._opened() as rows:
            if self.repeatable:
                next(rows, None)  # the header
            for row in rows:
                if row.cells != []:
                    yield Line(f"{name}:{row.line}", self._event(row.cells))

    @contextmanager
    def _opened(self) -> Iterator[Iterator[_Row]]:
        if self._once is not None:
            yield self._once
            return
        with self._path.open("rb") as stream, _text(stream) as text:
            yield _rows(text)

    def _event(self, cells: list[str] | None) -> bytes | Refusal:
        if cells is None:
            return Refusal("malformed_row", "The row is not CSV: a quote or a cell does not end.")
        if len(cells) != len(self._header):
            found = f"The row has {len(cells)} cells, the header has {len(self._header)}."
            return Refusal("malformed_row", found)
        try:
            row = dict(zip(self._header, cells, strict=True))
            return msgspec.json.encode(self._mapping.event(row))
        except UnicodeEncodeError:
            return Refusal("malformed_row", "The row is not UTF-8.")


class _Row(NamedTuple):
    """A row and the number of its first line; no cells: it could not be read."""

    line: int
    cells: list[str] | None


def _rows(stream: IO[str]) -> Iterator[_Row]:
    csv.field_size_limit(_CELL_CHARACTERS)
    reader = csv.reader(stream, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield _Row(line, next(reader))
        except StopIteration:
            return
        except csv.Error:
            yield _Row(line, None)


def _text(stream: IO[bytes]) -> IO[str]:
    # What is not UTF-8 passes as lone surrogates, and so costs its row, not the whole file;
    # `-sig` drops the mark that spreadsheets write at the beginning.
    return io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")


def _name(path: Path) -> str:
    return "standard input" if path == STANDARD_INPUT else str(path)
