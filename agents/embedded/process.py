"""A program run as a child: its own process group, a log file, and no life after ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from agents.embedded import leash
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

POLL_SECONDS = 0.02
LOG_TAIL_BYTES = 2_000  # enough for the last lines of a program that explains why it ended


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as `condition()` holds.

    Raises:
        Unavailable: it did not hold within `seconds`; the message says that `what` was awaited.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {seconds:g} s in vain for {what}")
        time.sleep(POLL_SECONDS)


class ChildProcess:
    """A child with its output in `log`. The same object may be started again after its end.

    The child leads a process group of its own, so Ctrl-C in the terminal reaches only us and we
    decide the order in which things stop. If we are killed, the kernel kills it (`leash`); for
    that, start it in a thread that lives as long as it should: the kernel looks at the thread.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """Start `command`; its output is appended to the log. `environment` adds to ours.

        Raises:
            Unavailable: the program does not exist.
            RuntimeError: the child is running already.
        """
        if self.alive():
            raise RuntimeError(f"{self.name} is running already")
        program = shutil.which(command[0])
        if program is None:
            raise Unavailable(f"{self.name}: there is no program {command[0]}")
        leashed = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), program)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - a program that the caller chose
                [*leashed, *map(str, command[1:])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        return self._started().pid

    @property
    def exit_status(self) -> int | None:
        """The exit status of the last start (negative: ended by that signal), None while alive."""
        return self._started().poll()

    def alive(self) -> bool:
        """Whether it was started and has not ended. A paused child is alive."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait for the end. Nothing happens to a child that has ended."""
        if self.alive():
            self._started().kill()
            self._started().wait()

    def terminate(self, seconds: float = 10.0) -> int:
        """SIGTERM, wait up to `seconds`, then SIGKILL; the exit status tells which it was.

        A paused child is resumed first: it could not act on the signal.
        """
        process = self._started()
        if process.poll() is None:
            process.terminate()
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.wait()

    def pause(self) -> None:
        """SIGSTOP: the process keeps its sockets and does nothing, as a zombie worker would."""
        self._started().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: go on after `pause`."""
        self._started().send_signal(signal.SIGCONT)

    def output(self) -> str:
        """Return what it has written since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`; a child that is not ready in time is killed.

        Raises:
            Unavailable: it ended first or was not ready within `seconds`; with its last words.
        """
        try:
            wait_until(lambda: not self.alive() or ready(), seconds, f"{self.name} to be ready")
        except Unavailable as error:
            self.kill()
            raise Unavailable(f"{error}: {self._last_words()}") from None
        if not self.alive():
            raise Unavailable(f"{self.name} ended ({self.exit_status}): {self._last_words()}")

    def _last_words(self) -> str:
        return self.output()[-LOG_TAIL_BYTES:].strip() or "it said nothing"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process
