"""Prometheus and Alertmanager, if the machine has them, with a configuration of ours."""

from __future__ import annotations

import shutil
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from agents.embedded.ports import HOST
from agents.embedded.server import Server
from streams.errors import Unavailable

HOW_TO_GET = "apt-get install prometheus prometheus-alertmanager"


def find_prometheus() -> Path | None:
    """Find Prometheus on PATH."""
    return _on_path("prometheus")


def find_alertmanager() -> Path | None:
    """Find Alertmanager on PATH; Debian calls it prometheus-alertmanager."""
    return _on_path("alertmanager") or _on_path("prometheus-alertmanager")


class _Monitor(Server):
    """What the two have in common. Files named in the configuration are relative to its folder."""

    start_seconds = 30.0  # both replay what they stored before they are ready

    def __init__(
        self, name: str, program: Path | None, configuration: Path, directory: Path | None
    ) -> None:
        if program is None:
            raise Unavailable(f"{name} is not on PATH; on Debian run: {HOW_TO_GET}")
        super().__init__(name, directory)
        self.program = program
        self.configuration = configuration.absolute()

    @property
    def url(self) -> str:
        """Where its pages and its API are."""
        return f"http://{self.address}"

    def command(self) -> list[str]:
        """Give the program and the arguments that both take."""
        return [
            str(self.program),
            f"--config.file={self.configuration}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]

    def answers(self) -> bool:
        """Whether it has read its configuration and data, and serves."""
        connection = HTTPConnection(HOST, self.port, timeout=1)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


class Prometheus(_Monitor):
    """Prometheus with the configuration file given; its data lives in the server's folder.

    Raises:
        Unavailable: it is not on PATH.
    """

    def __init__(self, configuration: Path, *, directory: Path | None = None) -> None:
        super().__init__("prometheus", find_prometheus(), configuration, directory)

    def command(self) -> list[str]:
        """Give the program and its arguments."""
        return [
            *super().command(),
            f"--storage.tsdb.path={self.directory / 'tsdb'}",
            # It finds Alertmanager 5 s after its start. An alert raised before that would be sent
            # again only after the default of a minute, which is longer than a test wants to wait.
            "--rules.alert.resend-delay=5s",
        ]


class Alertmanager(_Monitor):
    """Alertmanager with the configuration file given, alone: it looks for no peers.

    Raises:
        Unavailable: it is not on PATH.
    """

    def __init__(self, configuration: Path, *, directory: Path | None = None) -> None:
        super().__init__("alertmanager", find_alertmanager(), configuration, directory)

    def command(self) -> list[str]:
        """Give the program and its arguments."""
        return [
            *super().command(),
            f"--storage.path={self.directory / 'silences'}",
            "--cluster.listen-address=",  # else it listens for peers on every interface
        ]


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None
