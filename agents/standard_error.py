"""Standard error, as commands use it: messages for a person, and a progress bar on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


class StandardError:
    """Messages and progress; where it is no terminal, there are messages alone."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def say(self, message: object) -> None:
        """Write one message, as it is: nothing in it is markup, and no line is broken."""
        self._console.print(str(message), markup=False, highlight=False, soft_wrap=True)

    def track(self, items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
        """Give `items` while a bar shows how many were taken; None: how many come is not known."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        hidden = not self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as bar:
            yield from bar.track(items, total=total, description=label)
