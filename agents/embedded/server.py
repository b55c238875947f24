"""What every server of ours has in common: a free port, a folder, a start that is waited for."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from agents.embedded.ports import HOST, free_port
from agents.embedded.process import ChildProcess
from streams.errors import Unavailable

if TYPE_CHECKING:
    from types import TracebackType

PORT_ATTEMPTS = 5  # another program may take a free port before the server binds it
PORT_TAKEN = "address already in use"


class Server(ABC):
    """A server on a free port of 127.0.0.1; a context manager that starts and ends it.

    `start` after `stop` or `kill` uses the same port and folder. A folder that was not given is
    temporary, and removed on leaving the context.
    """

    start_seconds: ClassVar = 10.0
    stop_seconds: ClassVar = 5.0

    def __init__(self, name: str, directory: Path | None = None) -> None:
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="feedback-")
        self.directory = directory or Path(self._temporary.name if self._temporary else "")
        self.process = ChildProcess(name, self.directory / f"{name}.log")
        self._ran = False
        self.choose_ports()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @abstractmethod
    def command(self) -> list[str]:
        """Give the program and its arguments, for the ports chosen."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves; False, not an error, while it does not."""

    def choose_ports(self) -> None:
        """Choose the port, before the first start and again when another program has taken it."""
        self.port = free_port()

    def prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Make ready what the first start needs; nothing, unless a server says otherwise."""

    def start(self) -> None:
        """Start it and wait until it serves. The first start looks for another port if need be.

        Raises:
            Unavailable: it ended, or did not serve within `start_seconds`; with its last words.
        """
        for attempts_left in reversed(range(1 if self._ran else PORT_ATTEMPTS)):
            try:
                self._start_once()
            except Unavailable as error:
                if not attempts_left or PORT_TAKEN not in str(error).lower():
                    raise
                self.choose_ports()
            else:
                return

    def stop(self) -> None:
        """Shut it down in good order, or hard after `stop_seconds`; its data stays."""
        self.process.terminate(self.stop_seconds)

    def kill(self) -> None:
        """End it at once, as a crash would; its data stays."""
        self.process.kill()

    def pause(self) -> None:
        """Let it hang with its connections open."""
        self.process.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.process.resume()

    def recover(self) -> None:
        """Have it run, whatever was done to it: start it if it ended, resume it if paused."""
        if self.process.alive():
            self.resume()
        else:
            self.start()

    def close(self) -> None:
        """End it at once and remove its temporary folder."""
        self.process.kill()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start_once(self) -> None:
        if not self._ran:
            self.prepare()
        self.process.spawn(self.command(), directory=self.directory)
        self.process.wait_ready(self.answers, self.start_seconds)
        self._ran = True
