"""A TCP proxy in front of Redis that now and then loses the reply to a script.

The request has reached Redis and the script has run, but its caller only sees the connection
close: it can't know whether the batch was counted.
"""

from __future__ import annotations

import random
import select
import socket
import threading
from typing import TYPE_CHECKING, Self

from agents.embedded.ports import HOST

if TYPE_CHECKING:
    from types import TracebackType

REQUEST = b"*"  # each begins with the number of its words; a large one comes in several chunks
SCRIPT_CALL = b"\r\nEVALSHA\r\n"
CHUNK_BYTES = 256 * 1024


class LossyProxy:
    """Forwards to `port`; while `losing`, it discards one script's reply in `one_in`."""

    def __init__(self, port: int, *, one_in: int, seed: int) -> None:
        self.lost = 0
        self.losing = True
        self._target = port
        self._one_in = one_in
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it
        self._stopping = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """The address for FEEDBACK_REDIS_URL."""
        return f"redis://{HOST}:{self.port}/0"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self._target)) as server:
            script = False
            while not self._stopping.is_set():
                for source in select.select([client, server], [], [], 0.5)[0]:
                    try:
                        data = source.recv(CHUNK_BYTES)
                    except OSError:
                        return
                    if not data or (source is server and script and self._loses()):
                        return
                    if source is client and data.startswith(REQUEST):
                        script = SCRIPT_CALL in data[:64]
                    (server if source is client else client).sendall(data)

    def _loses(self) -> bool:
        lost = self.losing and self._random.randrange(self._one_in) == 0
        self.lost += lost
        return lost
