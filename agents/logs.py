"""Logs of the processes: one line an event on standard error, floods held back."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agents.settings import LogLevel

# While a broker is away aiokafka logs 140 errors a second; one of a kind in this time is enough.
SAME_LINE_SECONDS: Final = 10.0
# Libraries whose lines repeat, or that tell of every poll.
_CHATTY: Final = ("aiokafka", "faust", "mode", "kafka", "asyncio", "aiohttp")


class HoldBack(logging.Filter):
    """Lets a line of the same logger and wording pass only once in a while, and counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is written; the number held back since is appended to it."""
        key = (record.name, str(record.msg))
        now = time.monotonic()
        last, held = self._last.get(key, (-SAME_LINE_SECONDS, 0))
        if now - last < SAME_LINE_SECONDS:
            self._last[key] = (last, held + 1)
            return False
        self._last[key] = (now, 0)
        if held:
            record.msg = f"{record.getMessage()} ({held} more like it in {now - last:.0f} s)"
            record.args = ()
        return True


def set_up_logs(level: LogLevel) -> None:
    """Log to standard error at `level`; libraries only from warnings on, unless debugging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    )
    held_back = HoldBack()
    handler.addFilter(lambda r: not r.name.startswith(_CHATTY) or held_back.filter(r))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
