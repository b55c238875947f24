"""The shipped sample of real feedback, and the demo's KPI file; see data/README.md."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Final, NamedTuple

from streams.durations import Duration

_FOLDER: Final = files("agents.demo") / "data"

SHORT_WINDOW: Final = "1m"
"""The window of the shipped KPI file that alerts."""


class Respondent(NamedTuple):
    """One person who answered: a rating from 1 to 5 and, if there is one, a comment."""

    id: str
    trust: str
    service: str
    rating: int
    comment: str | None


def read_sample() -> tuple[Respondent, ...]:
    """Every respondent of the shipped sample, once."""
    text = (_FOLDER / "nhs_fft.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(
        Respondent(
            row["respondent_id"],
            row["trust"],
            row["service"],
            int(row["rating"]),
            row["comment"] or None,
        )
        for row in rows
    )


def kpi_text(window_seconds: int) -> str:
    """The demo's KPI file, with another short window where the story is told faster."""
    text = (_FOLDER / "kpis.yaml").read_text(encoding="utf-8")
    window = Duration.of(window_seconds).name
    written = f"windows: [{SHORT_WINDOW},", f"alert: {{window: {SHORT_WINDOW},"
    for place in written:
        text = text.replace(place, place.replace(SHORT_WINDOW, window))
    return text
