"""What patients say of six services, from a seed: healthy, until one service has a bad spell."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.traffic import Event, Message, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a person may really write: it must pass unharmed through labels, queries and templates.
TROUBLED = 'Accident & Emergency "north" \\ 24h'
SERVICES = (TROUBLED, "Maternity", "Dentistry", "Eye clinic", "Physiotherapy", "Zahnärzte")

HEALTHY = 0.88  # of the answers are 4 or 5: well above the floor of 75 %
BAD = 0.3  # with a sixth of all answers this bad, the whole stays at 78 %
COMMENTS = ("Everyone was very kind, thank you!", "I was well looked after.", "Long wait, rude.")


class Said(NamedTuple):
    """An answer and when it was given (Unix seconds)."""

    at: float
    event: Event


class Patients:
    """Answers without end, each given at the moment it is taken.

    `satisfied` is the share of satisfied patients of each service and may be changed at any time;
    `said` is everything that was said so far.
    """

    def __init__(self, seed: int) -> None:
        self.satisfied = dict.fromkeys(SERVICES, HEALTHY)
        self.said: list[Said] = []
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it

    def __iter__(self) -> Iterator[Message]:
        """Messages as of now."""
        while True:
            yield message(self.answer(time.time()))

    def answer(self, at: float) -> Event:
        """One more answer, given at `at` (Unix seconds)."""
        choose = self._random
        service = choose.choice(SERVICES)
        satisfied = choose.random() < self.satisfied[service]
        event: Event = {
            "event_id": f"p-{len(self.said)}",
            "occurred_at": datetime.fromtimestamp(at, UTC).isoformat(),
            "measures": {
                "csat": choose.choice((4, 5) if satisfied else (1, 2, 3)),
                "nps": choose.choices((10, 9, 8, 5), (40, 25, 20, 15))[0],
            },
            "dimensions": {"service": service},
            "comment": choose.choices((None, *COMMENTS), (85, 6, 6, 3))[0],
        }
        self.said.append(Said(at, event))
        return event

    def write_history(self, path: Path, *, seconds: int, rate: int) -> int:
        """Write healthy answers of the `seconds` before now as JSON lines; how many there are."""
        first = time.time() - seconds
        write(path, [self.answer(first + place / rate) for place in range(seconds * rate)])
        return seconds * rate

    def write_said(self, path: Path, *, seconds: float, until: float) -> None:
        """Write what was said in the `seconds` before `until` (Unix seconds)."""
        write(path, [said.event for said in self.said[:] if 0 <= until - said.at < seconds])


def write(path: Path, events: list[Event]) -> None:
    """Write events as JSON lines."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
