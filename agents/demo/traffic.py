"""What upstream apps send in the demo: real answers of respondents drawn at random, as events.

Each event is the rating and comment of one respondent, who answers again under a new id when
drawn again. What is made up: the NPS answer, and a few events that are sent twice, withdrawn or
broken, as happens to every stream. The same seed gives the same events.
"""

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from streams.events.event import FeedbackEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.demo.sample import Respondent

ANSWERS_A_SECOND: Final = 25
"""Enough that a window of 30 s shows one service of six; far below what a laptop can do."""

HIGHEST_LOW_RATING: Final = 3

# Shares of all events.
_SENT_TWICE: Final = 0.01
_WITHDRAWN: Final = 0.003
_BROKEN: Final = 0.002

_OFF_THE_SCALE: Final = 9
_LATEST_KEPT: Final = 200

# Likely NPS answers of somebody who gave this rating.
_NPS: Final = {5: (8, 9, 9, 10, 10), 4: (7, 7, 8, 8, 9), 3: (5, 6, 7), 2: (2, 3, 4), 1: (0, 1, 2)}


class Traffic:
    """Draws events. In the bad spell answers of `bad_service` come from its low ratings alone."""

    def __init__(self, sample: Sequence[Respondent], bad_service: str, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it
        self._sample = sample
        self._bad_service = bad_service
        self._low = [
            r for r in sample if r.service == bad_service and r.rating <= HIGHEST_LOW_RATING
        ]
        self._latest: deque[FeedbackEvent] = deque(maxlen=_LATEST_KEPT)
        self._drawn = 0

    def draw(self, at: float, badness: float) -> FeedbackEvent:
        """The event that is sent at `at` (Unix seconds); `badness` is from 0 to 1."""
        chance = self._random.random()
        if self._latest and chance < _SENT_TWICE + _WITHDRAWN:
            again = self._random.choice(self._latest)
            withdrawn = chance < _WITHDRAWN
            return msgspec.structs.replace(again, withdrawn=True) if withdrawn else again
        event = self._answer(at, badness)
        if chance > 1 - _BROKEN:
            return msgspec.structs.replace(event, measures={"rating": _OFF_THE_SCALE})
        self._latest.append(event)
        return event

    def _answer(self, at: float, badness: float) -> FeedbackEvent:
        respondent = self._random.choice(self._sample)
        if respondent.service == self._bad_service and self._random.random() < badness:
            respondent = self._random.choice(self._low)
        self._drawn += 1
        return FeedbackEvent(
            event_id=f"{respondent.id} #{self._drawn}",
            occurred_at=datetime.fromtimestamp(at, UTC),
            measures={
                "rating": respondent.rating,
                "nps": self._random.choice(_NPS[respondent.rating]),
            },
            comment=respondent.comment,
            language="en" if respondent.comment else None,
            dimensions={"service": respondent.service, "trust": respondent.trust},
        )


class Schedule:
    """When events are due: evenly, from `begin` on (Unix seconds); what is past is backdated."""

    def __init__(self, traffic: Traffic, begin: float, badness: Callable[[float], float]) -> None:
        self._traffic = traffic
        self._begin = begin
        self._badness = badness
        self._sent = 0

    def due(self, now: float) -> list[FeedbackEvent]:
        """The events that were due since the last call."""
        events = []
        while (at := self._begin + self._sent / ANSWERS_A_SECOND) <= now:
            events.append(self._traffic.draw(at, self._badness(at)))
            self._sent += 1
        return events
