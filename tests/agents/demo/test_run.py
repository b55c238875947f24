"""The demo as a newcomer runs it; needs the embedded Kafka and Redis, and about two minutes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]

PATIENCE_SECONDS = 120.0
"""Beyond the run's own length; the machine may be busy."""


class DemoProcess:
    """`feedback demo` in a session and folders of its own, its output line by line."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.temporary, self.here = directory / "tmp", directory / "here"
        self.temporary.mkdir()
        self.here.mkdir()
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agents.cli", "demo", "--plain", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.here,
            env={"TMPDIR": str(self.temporary), "PATH": os.environ["PATH"]},
            start_new_session=True,
        )

    def read_until(self, words: str) -> str:
        """Read on until a line has `words`, and give it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return line
        raise AssertionError(f"it ended without {words!r}:\n{self.output}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, to it alone."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; gives the exit status."""
        assert self._process.stdout is not None
        self.lines += [line.rstrip("\n") for line in self._process.stdout]
        return self._process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it, whatever it does; its children are on a leash."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def output(self) -> str:
        """All lines so far."""
        return "\n".join(self.lines)

    def running(self, word: str = "") -> list[int]:
        """The processes of its session that have `word` among their arguments."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                stat = (process / "stat").read_text()
                arguments = (process / "cmdline").read_text().split("\0")
            except OSError:
                continue  # it ended meanwhile
            # After the name, which is in brackets: state, parent, group, session.
            state, _, _, session = stat.rpartition(")")[2].split()[:4]
            ours = session == str(self._process.pid) and state != "Z"
            if ours and (not word or word in arguments):
                found.append(int(process.name))
        return found

    def left_running(self) -> list[int]:
        """The processes of its session; those that were killed may take a moment to vanish."""
        deadline = time.monotonic() + 5
        while (found := self.running()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def left_behind(self) -> list[Path]:
        """The files that it left, in the temporary folder and where it was started."""
        return [*self.temporary.iterdir(), *self.here.iterdir()]


@pytest.fixture
def started() -> Iterator[list[DemoProcess]]:
    """Give a list; what is put into it is ended after the test."""
    processes: list[DemoProcess] = []
    yield processes
    for process in processes:
        process.kill()


def test_a_minute_tells_the_whole_story_and_is_audited(
    tmp_path: Path, started: list[DemoProcess]
) -> None:
    """Watch or not, breach and recovery are seen, the audit is equal, and nothing is left."""
    demo = DemoProcess(tmp_path, "--seconds", "60", "--picture", "board.svg")
    started.append(demo)
    assert 0 == demo.end(), demo.output
    numbers = r"\d+\.\d % \(\d+\.\d to \d+\.\d, n = \d+\), floor 65.0"
    for pattern in (
        r"A normal spell",
        r"See and Convey turns bad",
        rf"BREACH: See and Convey, Satisfaction 30s: {numbers}",
        r"See and Convey is repaired",
        rf"RECOVERED: See and Convey, Satisfaction 30s: {numbers}",
        r"counted [\d,]+: [\d,]+ applied, \d+ duplicate, \d+ withdrawn, \d+ refused",
        r"audit: equal: [\d,]+ records, [\d,]+ cells and [\d,]+ ids",
        r"next: README.md",
    ):
        assert re.search(pattern, demo.output), f"{pattern}\n{demo.output}"
    picture = demo.here / "board.svg"
    assert "breach" in picture.read_text()
    picture.unlink()
    assert [] == demo.left_running()
    assert [] == demo.left_behind()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_everything(
    tmp_path: Path, started: list[DemoProcess], number: signal.Signals, status: int
) -> None:
    """Ctrl-C while everything is starting: no process, no file, no traceback."""
    demo = DemoProcess(tmp_path, "--seconds", "60")
    started.append(demo)
    demo.read_until("waiting for the worker")
    assert len(demo.running()) > 3
    demo.send(number)
    assert status == demo.end()
    assert "Traceback" not in demo.output
    assert [] == demo.left_running()
    assert [] == demo.left_behind()


def test_killed_it_leaves_no_process(tmp_path: Path, started: list[DemoProcess]) -> None:
    """Even after kill -9 the kernel ends its children."""
    demo = DemoProcess(tmp_path, "--seconds", "60")
    started.append(demo)
    demo.read_until("published")
    demo.kill()
    assert [] == demo.left_running()


def test_one_wrong_cell_is_found(tmp_path: Path, started: list[DemoProcess]) -> None:
    """The audit is no ornament: one count more in Redis, and the exit status is 1."""
    demo = DemoProcess(tmp_path, "--seconds", "5")
    started.append(demo)
    address = demo.read_until("redis://").partition("redis://")[2].split(",")[0]
    demo.read_until("A normal spell")
    with redis.from_url(f"redis://{address}") as client:
        bucket = next(iter(client.scan_iter("{fb:feedback.events:*}:cells:*")))
        cell = next(iter(client.hgetall(bucket)))
        client.hincrby(bucket, cell, 1)
    assert 1 == demo.end()
    assert "audit: NOT EQUAL" in demo.output
    assert "differences: 1" in demo.output
    assert [] == demo.left_running()


def test_a_worker_that_dies_is_told(tmp_path: Path, started: list[DemoProcess]) -> None:
    """It ends with what the worker last said, not with a board that stands still."""
    demo = DemoProcess(tmp_path, "--seconds", "60")
    started.append(demo)
    demo.read_until("A normal spell")
    (worker,) = demo.running("worker")
    os.kill(worker, signal.SIGKILL)
    assert 1 == demo.end()
    assert "feedback: worker ended (-9); it said:" in demo.output
    assert [] == demo.left_running()
    assert [] == demo.left_behind()
