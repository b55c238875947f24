"""The board as one picture that fits the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.text import Text

from agents.board.lines import Want, allot
from agents.board.tables import (
    alert_table,
    kpi_table,
    movement_lines,
    pipeline_lines,
    segment_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from agents.board.board import View

# Lines that each table must have to be of use, its heading and "and 12 more" among them.
_KPIS_AT_LEAST: Final = 4
_ALERTS_AT_LEAST: Final = 3
_SEGMENTS_AT_LEAST: Final = 4
_MOVEMENTS_AT_LEAST: Final = 2

_STORY_AT_LEAST: Final = 4
_STORY_AT_MOST: Final = 8
_STORY_INDENT: Final = " " * 6  # below the text, past the time

_WIDEST: Final = 120  # beyond it the eye loses the row
_ALL_LINES: Final = 10_000


class _Part(NamedTuple):
    """A part of the board; `draw` makes it for a number of lines."""

    want: Want
    draw: Callable[[int], Sequence[RenderableType]]


class _Texts(NamedTuple):
    """What is written in lines, wrapped."""

    movements: list[Text]
    pipeline: list[Text]


class BoardScreen:
    """A Rich renderable of `view`; `story` are lines shown below, the last ones surely.

    With `whole` it takes as many lines as it needs, else those of the terminal.
    """

    def __init__(
        self, view: View, *, title: str = "Feedback", story: Sequence[str] = (), whole: bool = False
    ) -> None:
        self._view = view
        self._title = title
        self._story = story
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, _WIDEST)
        height = _ALL_LINES if self._whole else (options.height or console.height)
        texts = _Texts(
            *(
                [line for text in texts for line in text.wrap(console, width)]
                for texts in (movement_lines(self._view), pipeline_lines(self._view.pipeline))
            )
        )
        yield from self._stacked(width, height, texts)

    def _stacked(self, width: int, height: int, texts: _Texts) -> Sequence[RenderableType]:
        """All parts from top to bottom, with empty lines between them where there is room."""
        heading = _lines_part([self._heading()], 1, 1)
        kpis, alerts, segments = self._tables(width)
        health = _lines_part(texts.pipeline, len(texts.pipeline), len(texts.pipeline))
        moved = _Part(
            Want(min(len(texts.movements), _MOVEMENTS_AT_LEAST), len(texts.movements)),
            lambda given: texts.movements[:given],
        )
        story = _lines_part(self._story_lines(width), _STORY_AT_LEAST, _STORY_AT_MOST)
        # The most important first; the gaps are one of them.
        gaps = Want(0, 5)
        parts = (heading, kpis, alerts)
        wants = [*(part.want for part in parts), gaps, health.want, story.want, segments.want]
        top, *lines = allot(height, [*wants, moved.want])
        for_kpis, for_alerts, for_gaps, for_health, for_story, for_segments, for_moved = lines
        stacked: list[RenderableType] = [*heading.draw(top), *kpis.draw(for_kpis)]
        for part, given in (
            (alerts, for_alerts),
            (moved, for_moved),
            (segments, for_segments),
            (health, for_health),
            (story, for_story),
        ):
            if given and for_gaps:
                for_gaps -= 1
                stacked.append(Text(""))
            stacked.extend(part.draw(given))
        return stacked

    def _tables(self, width: int) -> tuple[_Part, _Part, _Part]:
        """Scores, raised alerts and worst segments."""
        view = self._view
        tables = (
            (kpi_table, _KPIS_AT_LEAST, len(view.totals)),
            (alert_table, _ALERTS_AT_LEAST, max(len(view.alerts), 1)),
            (segment_table, _SEGMENTS_AT_LEAST, max(len(view.worst_segments), 1)),
        )
        kpis, alerts, segments = (
            _Part(
                Want(min(rows + 1, least), rows + 1), partial(_if_any, partial(draw, view, width))
            )
            for draw, least, rows in tables
        )
        return kpis, alerts, segments

    def _heading(self) -> Text:
        clock = datetime.fromtimestamp(self._view.now, UTC).strftime("%H:%M:%S UTC")
        return Text(f"{self._title} · {clock}", style="reverse", no_wrap=True)

    def _story_lines(self, width: int) -> list[Text]:
        return [
            Text(part, no_wrap=True)
            for line in self._story
            for part in wrap(line, width, subsequent_indent=_STORY_INDENT)
        ]


def _lines_part(lines: Sequence[Text], least: int, most: int) -> _Part:
    """A part of which the last lines are shown."""
    want = Want(min(len(lines), least), min(len(lines), most))
    return _Part(want, lambda given: lines[len(lines) - given :])


def _if_any(draw: Callable[[int], RenderableType], lines: int) -> Sequence[RenderableType]:
    return [draw(lines)] if lines else []
