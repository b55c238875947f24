"""Dead letters: a refused record, kept whole, with the reason beside it.

The worker writes them and `feedback dead-letters` reads them; this file is the format. A letter's
key is the place of the refused record, `topic:partition:offset`, so that a letter written twice
(the worker delivers at least once) is told by its key. Its value is the refused record's, byte
for byte, and its headers are the record's own, followed by ours:

=====================  ==========================================================================
`feedback-reason`      a stable code, such as `unknown_measure`
`feedback-detail`      a sentence naming the field; never what a customer wrote
`feedback-source`      `topic:partition:offset`, as in the key
`feedback-key`         the record's own key, where it had one
`feedback-truncated`   the value's size in bytes, where the letter holds less than the record
=====================  ==========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from streams.errors import FeedbackError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.events.event import Refusal

Headers = tuple[tuple[str, bytes | None], ...]

PREFIX: Final = "feedback-"
REASON: Final = "feedback-reason"
DETAIL: Final = "feedback-detail"
SOURCE: Final = "feedback-source"
KEY: Final = "feedback-key"
TRUNCATED: Final = "feedback-truncated"

# A dead-letter topic takes records larger than the source topic's by this much, so that our
# headers, which repeat the key, fit even beside the largest record with a sane key.
ROOM_BYTES: Final = 64 * 1024

# Upper bounds of what Kafka's record format (version 2) adds to keys, values and headers: the
# batch header, a record's own fields, and the two lengths of each header.
_BATCH_BYTES: Final = 61
_RECORD_BYTES: Final = 26
_HEADER_BYTES: Final = 10


class Source(NamedTuple):
    """Where a record was read. Its text is `topic:partition:offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Source:
        """The place written in `text`; raises ValueError with a sentence for the person."""
        topic, _, rest = text.partition(":")
        partition, _, offset = rest.partition(":")
        if not (topic and partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text!r} is no source; write topic:partition:offset")
        return cls(topic, int(partition), int(offset))


class Record(Protocol):
    """A consumed record, as every Kafka client hands it out."""

    @property
    def topic(self) -> str: ...  # noqa: D102 - named by what it is
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]: ...  # noqa: D102


class DeadLetter(NamedTuple):
    """A record of the dead-letter topic, ready to be sent."""

    key: bytes
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """An upper bound of its bytes on the wire, alone in a batch and not compressed."""
        fixed = _BATCH_BYTES + _RECORD_BYTES + len(self.key) + len(self.value or b"")
        return fixed + sum(
            _HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in self.headers
        )


class Original(NamedTuple):
    """The refused record that a letter holds, and why it was refused.

    `truncated` is the size in bytes that its value had, None where the letter holds all of it.
    """

    source: Source
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    truncated: int | None


class NotADeadLetter(FeedbackError):
    """The record on the dead-letter topic was written by something else."""


def dead_letter(record: Record, refusal: Refusal, limit_bytes: int) -> DeadLetter:
    """The letter for a refused record, at most `limit_bytes` large.

    `limit_bytes` is `max.message.bytes` of the dead-letter topic. Where the whole record does not
    fit, the end of its value is cut off; where even that is not enough, because its key or
    headers are as large, they are left out as well. Headers of the record whose name begins with
    `feedback-` are ours and never carried over.
    """
    source = str(Source(record.topic, record.partition, record.offset)).encode()
    kept = _not_ours(record.headers)
    if record.key is not None:
        kept += ((KEY, record.key),)
    verdict: Headers = (
        (REASON, refusal.reason.encode()),
        (DETAIL, refusal.detail.encode(errors="backslashreplace")),
        (SOURCE, source),
    )
    whole = DeadLetter(source, record.value, kept + verdict)
    if whole.size <= limit_bytes:
        return whole
    value = record.value or b""
    marked = (*verdict, (TRUNCATED, str(len(value)).encode()))
    for headers in (kept + marked, marked):
        room = limit_bytes - DeadLetter(source, b"", headers).size
        if room >= 0:
            return DeadLetter(source, value[:room], headers)
    return DeadLetter(source, b"", marked)


def original(letter: Record | DeadLetter) -> Original:
    """The refused record that `letter` holds, with its own key and headers.

    Raises `NotADeadLetter` when the record lacks the headers of a dead letter.
    """
    headers = tuple(letter.headers)
    ours = {name: value or b"" for name, value in headers if name.startswith(PREFIX)}
    try:
        source = Source.parse(ours[SOURCE].decode())
        reason = ours[REASON].decode()
        truncated = int(ours[TRUNCATED]) if TRUNCATED in ours else None
    except (KeyError, ValueError):
        raise NotADeadLetter("A record on the dead-letter topic is not a dead letter.") from None
    return Original(
        source=source,
        reason=reason,
        detail=ours.get(DETAIL, b"").decode(errors="replace"),
        key=ours.get(KEY),
        value=letter.value,
        headers=_not_ours(headers),
        truncated=truncated,
    )


def _not_ours(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    return tuple((name, value) for name, value in headers if not name.startswith(PREFIX))
