"""`feedback demo`: the product on this machine, with real feedback and a story to watch."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

SHORTEST_SECONDS: Final = 5
LONGEST_SECONDS: Final = 900  # the embedded Kafka keeps a few MB: more would lose its beginning

# The last: the terminal was closed.
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

EXAMPLES = """\b
Examples:
  feedback demo
  feedback demo --seconds 60 --plain
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--seconds",
    type=click.FloatRange(SHORTEST_SECONDS, LONGEST_SECONDS),
    default=120,
    show_default=True,
    help="How long to publish. From 60 on the whole story is told, and must be seen.",
)
@click.option("--plain", is_flag=True, help="Only the story's lines, as when piped.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Save the board at the height of the story to this SVG file.",
)
def command(seconds: float, plain: bool, picture: Path | None) -> None:
    """Watch it work: everything embedded, real feedback, a live board.

    Starts Kafka in memory, Redis, a worker and the exporter on free ports of 127.0.0.1, and
    Prometheus and Alertmanager if they are on PATH. Replays ratings and comments of the NHS
    Friends and Family Test; NPS answers are generated from them. One service turns bad and
    recovers. In the end Redis is compared, cell by cell, with what was published. Settings from
    the environment are ignored, and nothing is left on the machine.

    Exit status: 0; 1 when the audit is not equal or the story was not seen; 130 after Ctrl-C and
    143 after SIGTERM, which end everything at once.
    """
    # --help needs none of this
    from rich.console import Console  # noqa: PLC0415

    from agents.demo.run import run_demo  # noqa: PLC0415
    from agents.demo.screen import LiveScreen, PlainScreen  # noqa: PLC0415
    from agents.demo.servers import forget_settings  # noqa: PLC0415
    from agents.demo.story import Story  # noqa: PLC0415

    forget_settings()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    console = Console()
    screen = PlainScreen() if plain or not console.is_terminal else LiveScreen(console)
    sys.exit(0 if run_demo(Story.of(seconds), screen, picture) else 1)


def _end(number: int, frame: object) -> NoReturn:
    """Unwind, which ends every process; a second signal must not disturb that."""
    del frame
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)
