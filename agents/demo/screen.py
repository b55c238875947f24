"""Where the demo is shown: the live board with the story below, or the story's lines alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol, Self

import click
from rich.live import Live

from agents.board.screen import BoardScreen

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console

    from agents.board.board import View

TITLE: Final = "Feedback demo"

# Below the board, and in the picture.
_LATEST_LINES: Final = 6


class Screen(Protocol):
    """Is told the steps and shown the views. A context manager; `close` ends the live board."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def story(self) -> list[str]:
        """The latest lines that were told, with their times."""
        ...

    def tell(self, line: str) -> None:
        """One step of the story."""
        ...

    def show(self, view: View) -> None:
        """What the board shows now."""
        ...

    def close(self) -> None:
        """No further view: what is told from now on stays on the terminal."""
        ...


class PlainScreen:
    """Lines alone, each with the time since the start; for pipes and CI."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def story(self) -> list[str]:
        """The latest lines."""
        return self._lines[-_LATEST_LINES:]

    def tell(self, line: str) -> None:
        """Print the line at once."""
        click.echo(self._noted(line))

    def show(self, view: View) -> None:
        """Nothing: the witness tells what changes."""

    def close(self) -> None:
        """Nothing to end."""

    def _noted(self, line: str) -> str:
        self._lines.append(f"{stamp(self._clock() - self._started)}  {line}")
        return self._lines[-1]


class LiveScreen(PlainScreen):
    """The live board on the terminal's other screen, then all lines on the usual one."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._console = console
        self._view: View | None = None
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._is_live = self._is_closed = False
        self._printed = 0

    def tell(self, line: str) -> None:
        """Add the line below the board, or print it while there is none."""
        noted = self._noted(line)
        if self._is_live:
            self._draw()
        else:
            click.echo(noted)
            self._printed = len(self._lines)

    def show(self, view: View) -> None:
        """Draw the board; the first view begins it."""
        self._view = view
        if not self._is_live and not self._is_closed:
            self._is_live = True
            self._live.start()
        self._draw()

    def close(self) -> None:
        """Give the terminal back, and leave on it what was told meanwhile."""
        self._is_closed = True
        if self._is_live:
            self._is_live = False
            self._live.stop()
            click.echo("\n".join(self._lines[self._printed :]))

    def _draw(self) -> None:
        if self._view is not None and self._is_live:
            board = BoardScreen(self._view, title=TITLE, story=self.story)
            self._live.update(board, refresh=True)


def stamp(seconds: float) -> str:
    """Minutes and seconds, `1:05`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
