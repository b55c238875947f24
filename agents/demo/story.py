"""The story: a normal spell, one service turns bad, watch and breach, recovery.

It is planned for two minutes and an alert window of one. A shorter run shortens both by the same
factor, down to half; what is shorter still ends before the story does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BAD_SERVICE: Final = "See and Convey"
"""An ambulance service whose real ratings are good: 89 % are 4 or 5."""

PLANNED_SECONDS: Final = 120
WHOLE_SECONDS: Final = 60
"""The shortest run that holds the whole story."""

# Of the plan, in seconds. A bad spell of two thirds of the window is far below the floor, and
# the window has let go of most of it well before the run ends.
_BAD_FROM: Final = 16
_BAD_UNTIL: Final = 60
_WORSENING: Final = 8
_WINDOW: Final = 60

_BUCKET_SECONDS: Final = 2  # the tier of the demo's KPI file


class Story(NamedTuple):
    """A plan: all times are seconds since the story's beginning."""

    seconds: float
    bad_from: float
    bad_until: float
    worsening_seconds: float
    window_seconds: int

    @classmethod
    def of(cls, seconds: float) -> Story:
        """The story for a run of `seconds`."""
        scale = min(max(seconds, WHOLE_SECONDS), PLANNED_SECONDS) / PLANNED_SECONDS
        return cls(
            seconds,
            _BAD_FROM * scale,
            _BAD_UNTIL * scale,
            _WORSENING * scale,
            round(_WINDOW * scale / _BUCKET_SECONDS) * _BUCKET_SECONDS,
        )

    @property
    def is_whole(self) -> bool:
        """Whether breach and recovery belong to this run."""
        return self.seconds >= WHOLE_SECONDS

    def badness(self, at: float) -> float:
        """How bad the service is: the share of its answers that come from low ratings."""
        if not self.bad_from <= at < self.bad_until:
            return 0.0
        return min(1.0, (at - self.bad_from) / self.worsening_seconds)
