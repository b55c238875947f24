"""`feedback top`: the live board of a running system, in the terminal."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NoReturn

import click
from rich.console import Console
from rich.live import Live

from agents.board.as_json import view_json
from agents.board.board import Board
from agents.board.screen import BoardScreen
from agents.commands.explaining import explain_option, print_explanation, segment_option
from agents.commands.kafka_options import kpis_option, topic_option
from agents.redis_clients import reading_client
from agents.settings import load_settings
from streams.kpis.load import load_kpis

if TYPE_CHECKING:
    from agents.board.board import View

# Wide enough for every column, where no terminal says how wide it is.
_PIPE_COLUMNS: Final = 100

EXAMPLES = """\b
Examples:
  feedback top
  FEEDBACK_REDIS_URL=redis://redis:6379/0 feedback top --kpis kpis.yaml
  feedback top --once --format json
  feedback top --explain csat --segment product=router
"""


@click.command(epilog=EXAMPLES)
@kpis_option
@topic_option
@click.option("--once", is_flag=True, help="Print the board once, as when piped.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json prints one object, once: now, pipeline, rows and alerts.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 60),
    default=1.0,
    show_default=True,
    help="Seconds between two reads of Redis.",
)
@explain_option
@segment_option
@click.option("--window", help="With --explain: the window, by default the alert's.")
def command(
    kpis: Path | None,
    topic: str | None,
    once: bool,
    form: Literal["table", "json"],
    interval: float,
    explained: str | None,
    segments: tuple[str, ...],
    window: str | None,
) -> None:
    """Show scores, raised alerts, the worst segments and the pipeline's health.

    Reads Redis alone, as the exporter does, and says the same. Leave with Ctrl-C.

    With --explain it prints, with the numbers of the moment, how one score came about, so that it
    can be followed with a pocket calculator.

    Exit status: 0; 1 when --once or --explain can't read Redis; 2 for wrong use or a wrong KPI
    file.
    """
    settings = load_settings(kpi_file=kpis, topic=topic)
    file = load_kpis(settings.kpi_file)
    with reading_client(settings) as redis:
        board = Board(file, redis, settings.topic)
        console = _console()
        if explained is not None:
            print_explanation(
                board.scoreboard,
                board.refresh(),
                file,
                kpi=explained,
                window=window,
                segments=segments,
                form=form,
            )
        elif once or form == "json" or not console.is_terminal:
            _print_once(board.read(), form, console)
        else:
            _show(board, console, interval)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_COLUMNS)


def _print_once(view: View, form: str, console: Console) -> None:
    if form == "json":
        click.echo(view_json(view))
    else:
        console.print(BoardScreen(view, title=_title(view), whole=True))
    if view.pipeline.problem:
        sys.exit(1)


def _show(board: Board, console: Console, interval: float) -> None:
    """Draw until Ctrl-C or SIGTERM; both leave the terminal as it was."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                view = board.read()
                live.update(BoardScreen(view, title=_title(view)), refresh=True)
                time.sleep(interval)
    except KeyboardInterrupt:
        pass


def _title(view: View) -> str:
    return f"Feedback · {view.pipeline.topic}"


def _interrupt(number: int, frame: object) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt
