"""Children: started, watched, ended; and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.embedded.ports import HOST, free_port, is_free
from agents.embedded.process import ChildProcess, wait_until
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
SLEEPER = [sys.executable, "-c", SLEEP]
DEAF = [sys.executable, "-c", f"{IGNORE}; {SLEEP}"]
LEAVE = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
POLITE = [sys.executable, "-c", f"{LEAVE}; {SLEEP}"]
PARENT = f"""
import pathlib, sys, time
from agents.embedded.process import ChildProcess
child = ChildProcess("sleeper", pathlib.Path(sys.argv[1]))
child.spawn({SLEEPER!r})
child.wait_ready(lambda: "up" in child.output(), 10)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ChildProcess]:
    process = ChildProcess("sleeper", tmp_path / "sleeper.log")
    yield process
    process.kill()


def start(child: ChildProcess, command: list[str]) -> None:
    child.spawn(command)
    child.wait_ready(lambda: "up" in child.output(), 10)


def state(pid: int) -> str:
    """The letter that the kernel gives a process: T stopped, Z ended but not asked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def test_terminate_ends_in_good_order(child: ChildProcess) -> None:
    """SIGTERM is tried first, and the exit status says that it was enough."""
    start(child, SLEEPER)
    assert -signal.SIGTERM == child.terminate(10)
    assert not child.alive()


def test_terminate_kills_the_deaf(child: ChildProcess) -> None:
    """A child that ignores SIGTERM is killed at the deadline."""
    start(child, DEAF)
    assert -signal.SIGKILL == child.terminate(0.1)


def test_terminate_reaches_the_paused(child: ChildProcess) -> None:
    """A paused child is resumed, so that its handler of SIGTERM runs before the deadline."""
    start(child, POLITE)
    child.pause()
    assert 7 == child.terminate(10)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_pause_and_resume(child: ChildProcess) -> None:
    """A paused child is stopped and alive; resumed, it goes on."""
    start(child, SLEEPER)
    child.pause()
    wait_until(lambda: state(child.pid) == "T", 5, "the child to stop")
    assert child.alive()
    child.resume()
    wait_until(lambda: state(child.pid) == "S", 5, "the child to go on")


def test_starts_again_after_its_end(child: ChildProcess) -> None:
    """After an end the same object starts a new process, whose output starts afresh."""
    start(child, SLEEPER)
    first = child.pid
    child.kill()
    start(child, SLEEPER)
    assert first != child.pid
    assert "up\n" == child.output()


def test_refuses_a_second_start(child: ChildProcess) -> None:
    """A running child is not started twice: the first would be lost, and stay."""
    start(child, SLEEPER)
    with pytest.raises(RuntimeError, match="running already"):
        child.spawn(SLEEPER)


def test_a_missing_program_is_named(child: ChildProcess) -> None:
    """The error names the program, and nothing was started."""
    with pytest.raises(Unavailable, match="no program no-such-server"):
        child.spawn(["no-such-server"])
    assert not child.alive()


def test_an_early_end_tells_the_last_words(child: ChildProcess) -> None:
    """Waiting for a child that gave up fails at once, with its status and what it said."""
    child.spawn([sys.executable, "-c", "raise SystemExit('no space left')"])
    with pytest.raises(Unavailable, match=r"ended \(1\): no space left"):
        child.wait_ready(lambda: False, 60)


def test_a_late_child_is_killed(child: ChildProcess) -> None:
    """What is not ready in time is not left running."""
    child.spawn(SLEEPER)
    with pytest.raises(Unavailable, match=r"waited 0.1 s in vain for sleeper to be ready"):
        child.wait_ready(lambda: False, 0.1)
    assert not child.alive()


def test_leads_its_own_process_group(child: ChildProcess) -> None:
    """Ctrl-C in the terminal goes to a process group: the child must not be in ours."""
    start(child, SLEEPER)
    assert child.pid == os.getpgid(child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child to its parent")
def test_dies_with_its_parent(tmp_path: Path) -> None:
    """Even kill -9 of the parent leaves no child."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        assert "S" == state(orphan)
        parent.kill()
    wait_until(lambda: state(orphan) in {"Z", "gone"}, 5, "the orphan to end")


def test_wait_until_gives_up() -> None:
    """The message says what was awaited, and for how long."""
    with pytest.raises(Unavailable, match=r"waited 0.05 s in vain for the moon"):
        wait_until(lambda: False, 0.05, "the moon")


def test_free_port_can_be_bound() -> None:
    """A port that is said to be free is; one that is listened on is not."""
    import socket

    with socket.create_server((HOST, free_port())) as listener:
        assert not is_free(listener.getsockname()[1])
