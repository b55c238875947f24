"""The witness: says what the board shows of the story's service, when it changes.

The story decides what is sent. What is told of watch, breach and recovery is what was counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.board.words import interval_words, number, score_words
from agents.demo.story import BAD_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.board.board import View
    from streams.kpis.file import KpiFile
    from streams.scores.rows import Row

KPI = "satisfaction"


class Witness:
    """Sees one view after the other."""

    def __init__(self) -> None:
        self.saw_watch = False
        self.saw_breach = False
        self.saw_recovery = False

    def lines(self, view: View) -> Iterator[str]:
        """What is to be told of `view`; each thing once."""
        row = _row(view)
        if row is None:
            return
        if row.state == "watch" and not self.saw_watch:
            self.saw_watch = True
            yield f"watch, nobody is told yet: {_words(row, view.kpis)}"
        elif row.state == "breach" and not self.saw_breach:
            self.saw_watch = self.saw_breach = True
            yield f"BREACH: {_words(row, view.kpis)}"
            yield from _whole(view)
        elif row.state == "ok" and self.saw_breach and not self.saw_recovery:
            self.saw_recovery = True
            yield f"RECOVERED: {_words(row, view.kpis)}"

    def missed(self) -> list[str]:
        """What of the whole story was not seen, a line each."""
        seen = {"breach": self.saw_breach, "recovery": self.saw_recovery}
        return [f"the story's {what} was NOT SEEN" for what, it_was in seen.items() if not it_was]

    @property
    def in_breach(self) -> bool:
        """Whether the breach was seen and the recovery not yet."""
        return self.saw_breach and not self.saw_recovery


def _row(view: View) -> Row | None:
    """The row of the story's service in the window that alerts."""
    segment = (("service", BAD_SERVICE),)
    rows = (row for row in view.rows if row.kpi == KPI and row.segment == segment and row.alert)
    return next(rows, None)


def _words(row: Row, kpis: KpiFile) -> str:
    return (
        f"{BAD_SERVICE}, {kpis.kpis[row.kpi].title} {row.window}: {score_words(row, kpis)} "
        f"({interval_words(row, kpis)}, n = {row.answers:,}), floor {number(row.floor, row, kpis)}"
    )


def _whole(view: View) -> Iterator[str]:
    whole = next((row for row in view.totals if row.kpi == KPI), None)
    if whole is not None:
        now = f"{score_words(whole, view.kpis)} ({whole.state})"
        yield f"all services together stand at {now}: the segment says where to look"
