"""A picture of the board, for documents."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.terminal_theme import MONOKAI

from agents.board.screen import BoardScreen
from agents.demo.screen import TITLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agents.board.board import View

COLUMNS: Final = 100
LINES: Final = 30

# Rich names a font on the web. Whoever looks at the picture should load nothing from elsewhere.
_WEB_FONT: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def save_picture(path: Path, view: View, story: Sequence[str]) -> None:
    """Write the board as an SVG file, as a terminal of 100 × 30 shows it."""
    console = Console(
        width=COLUMNS, height=LINES, record=True, file=io.StringIO(), force_terminal=True
    )
    console.print(BoardScreen(view, title=TITLE, story=story))
    svg = console.export_svg(title="feedback demo", theme=MONOKAI)
    path.write_text(_WEB_FONT.sub("", svg), encoding="utf-8")
