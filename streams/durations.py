"""Durations as people write them: `10s`, `5m`, `24h`, `30d`."""

from __future__ import annotations

import re
from typing import NamedTuple

UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}

PATTERN = r"^[1-9][0-9]{0,8}[smhd]$"

# Far beyond any retention anyone pays for, and far below where bucket arithmetic could overflow.
LONGEST_SECONDS = 3_660 * UNIT_SECONDS["d"]

_WRITTEN = re.compile(PATTERN.removesuffix("$"))


class Duration(NamedTuple):
    """A length of time, and how it was written: `24h` and `1d` are equally long, not the same."""

    name: str
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `24h`: a whole number without leading zeros, and one of s, m, h, d.

        Raises ValueError with a sentence for the person who wrote `text`.
        """
        if not _WRITTEN.fullmatch(text):
            raise ValueError(f"{text!r} is no duration; write a number and s, m, h or d, as in 24h")
        seconds = int(text[:-1]) * UNIT_SECONDS[text[-1]]
        if seconds > LONGEST_SECONDS:
            raise ValueError(f"{text} is too long; ten years (3660d) is the most")
        return cls(text, seconds)

    @classmethod
    def of(cls, seconds: int) -> Duration:
        """Name `seconds` in the largest unit that divides them: 86,400 is `1d`, 90 is `90s`."""
        unit = next(unit for unit, size in UNIT_SECONDS.items() if seconds % size == 0)
        return cls(f"{seconds // UNIT_SECONDS[unit]}{unit}", seconds)


Window = Duration
