"""Dead letters as tables for people and as JSON for programs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.kafka.dead_letters import Letter, Letters, Listing

# Wide enough for any table of ours: what is piped shall not be broken at column 80.
_PIPED_COLUMNS: Final = 250


def print_listing(found: Listing) -> None:
    """Write the counts by reason and the newest letters as tables to standard output."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_COLUMNS)
    counts = Table("reason", "letters", title="Refused events")
    for reason, count in found.reasons.most_common():
        counts.add_row(Text(printable(reason)), Text(f"{count:,}", justify="right"))
    counts.add_section()
    counts.add_row("all", Text(f"{found.reasons.total():,}", justify="right"))
    console.print(counts)
    if not found.newest:
        return
    newest = Table("source", "reason", "time", "key", title="The newest")
    for letter in found.newest:
        record = letter.original
        key = "" if record.key is None else printable(record.key)
        time = letter.written.isoformat(timespec="seconds")
        newest.add_row(*map(Text, (str(record.source), printable(record.reason), time, key)))
    console.print(newest)


def listing_json(found: Listing, letters: Letters) -> dict[str, Any]:
    """The same for programs."""
    return {
        "letters": found.reasons.total(),
        "repeats": letters.repeats,
        "reasons": dict(found.reasons.most_common()),
        "newest": [letter_json(letter) for letter in found.newest],
    }


def letter_json(letter: Letter) -> dict[str, Any]:
    """What is known of a letter, without its content. `bytes` is the event's full size."""
    record = letter.original
    return {
        "source": str(record.source),
        "reason": record.reason,
        "detail": record.detail,
        "time": letter.written.isoformat(),
        "key": None if record.key is None else record.key.decode(errors="backslashreplace"),
        "bytes": record.truncated or len(record.value or b""),
        "truncated": record.truncated is not None,
    }


def content_json(letter: Letter, with_body: bool) -> dict[str, Any]:
    """The headers of the refused record and, where asked for, what the customer wrote."""
    headers = [
        {"name": name, "value": None if value is None else value.decode(errors="backslashreplace")}
        for name, value in letter.original.headers
    ]
    content: dict[str, Any] = {"headers": headers}
    if with_body:
        value = letter.original.value or b""
        try:
            content["body"] = value.decode()
        except UnicodeDecodeError:
            content["body_base64"] = base64.b64encode(value).decode()
    return content


def flat(described: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines for a person: a header each, and nothing for what is not there."""
    for name, value in described.items():
        if name == "headers":
            yield from ((f"header {h['name']}", str(h["value"])) for h in value)
        elif value is not None:
            yield name, str(value)


def printable(text: str | bytes) -> str:
    """`text` without anything that a terminal would obey; what is not UTF-8 in hex."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
