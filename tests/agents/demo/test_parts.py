from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from agents.board.board import View
from agents.commands import demo
from agents.demo.monitors import Monitors
from agents.demo.picture import save_picture
from agents.demo.sample import kpi_text
from agents.demo.screen import LiveScreen, PlainScreen, stamp
from agents.demo.servers import forget_settings
from agents.demo.story import BAD_SERVICE
from agents.demo.verdict import Verdict
from agents.demo.witness import KPI, Witness
from streams.kpis.load import parse_kpis
from streams.scores.rows import AlertView, Row
from tests.agents.boards import HEALTHY, NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.scores.states import State

KPIS = parse_kpis(kpi_text(60))
EQUAL = Verdict(published=10, records=10, counted=10, cells=30, ids=9, differences=())


def view(state: State) -> View:
    """The story's service in `state`, and the whole, which is ok."""
    whole = Row(
        kpi=KPI, window="1m", breakdown="all", segment=(), answers=1000, score=80.0, lower=78.0,
        upper=82.0, state="ok", reason=None, target=85.0, floor=65.0, benchmarks={}, outcomes={},
        alert=AlertView("floor", "page", raised=False, evidence=-9.0, limit=3.3, since=None),
    )  # fmt: skip
    service = msgspec.structs.replace(
        whole,
        breakdown="service",
        segment=(("service", BAD_SERVICE),),
        answers=200,
        score=50.0,
        lower=43.0,
        upper=57.0,
        state=state,
    )
    other = msgspec.structs.replace(service, window="5m", state="breach", alert=None)
    return View(NOW, KPIS, [whole, service, other], HEALTHY)


def test_witness_tells_each_change_once() -> None:
    """Watch, breach and recovery, each with its segment, value, interval and n; no more."""
    witness = Witness()
    states: list[State] = ["ok", "watch", "watch", "breach", "stale", "breach", "ok", "watch", "ok"]
    told = [line for state in states for line in witness.lines(view(state))]
    words = f"{BAD_SERVICE}, Satisfaction 1m: 50.0 % (43.0 to 57.0, n = 200), floor 65.0"
    assert [
        f"watch, nobody is told yet: {words}",
        f"BREACH: {words}",
        "all services together stand at 80.0 % (ok): the segment says where to look",
        f"RECOVERED: {words}",
    ] == told
    assert [] == witness.missed()


def test_witness_knows_what_it_missed() -> None:
    """A recovery without a breach is none."""
    witness = Witness()
    list(witness.lines(view("ok")))
    assert ["the story's breach was NOT SEEN", "the story's recovery was NOT SEEN"] == (
        witness.missed()
    )
    list(witness.lines(view("breach")))
    assert ["the story's recovery was NOT SEEN"] == witness.missed()
    assert witness.in_breach


def test_witness_looks_at_the_window_that_alerts() -> None:
    """A breach of the five-minute window is not the story's."""
    witness = Witness()
    five = [row for row in view("ok").rows if row.window == "5m"]
    assert [] == list(witness.lines(View(NOW, KPIS, five, HEALTHY)))


@pytest.mark.parametrize(
    "verdict",
    [
        EQUAL._replace(differences=("partition 0: cell …",)),
        EQUAL._replace(published=11),
        EQUAL._replace(records=9),
        EQUAL._replace(counted=9),
    ],
)
def test_verdict_is_equal_only_if_everything_is(verdict: Verdict) -> None:
    """One wrong cell, one event lost or counted twice: not equal, and the number says so."""
    assert EQUAL.equal
    assert not verdict.equal
    assert next(iter(verdict.lines())).startswith("audit: NOT EQUAL")
    assert len(list(verdict.lines())) == 2


def test_plain_screen_prints_lines_with_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Views are not printed: what changes is told."""
    now = 100.0
    screen = PlainScreen(lambda: now)
    screen.tell("begin")
    now = 165.9
    screen.show(view("ok"))
    screen.tell("end")
    assert "0:00  begin\n1:05  end\n" == capsys.readouterr().out


def test_live_screen_leaves_its_lines_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """The board is on the other screen; what was told meanwhile is printed after it, once."""
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100, height=30)
    with LiveScreen(console, lambda: 0.0) as screen:
        screen.tell("before")
        screen.show(view("breach"))
        screen.tell("during")
        assert "0:00  before\n" == capsys.readouterr().out
        screen.close()
        screen.tell("after")
        screen.show(view("ok"))
    assert "0:00  during\n0:00  after\n" == capsys.readouterr().out
    entered, left = (
        terminal.getvalue().index("\x1b[?1049h"),
        terminal.getvalue().index("\x1b[?1049l"),
    )
    board = terminal.getvalue()[entered:left]
    assert "breach" in board
    assert "during" in board
    assert "\x1b[?25h" in terminal.getvalue()[left - 20 :]  # the cursor is back


def test_stamp() -> None:
    """Minutes and seconds."""
    assert ["0:00", "0:59", "2:05"] == [stamp(seconds) for seconds in (0.9, 59.9, 125)]


def test_picture_is_the_board_as_svg(tmp_path: Path) -> None:
    """All of the board, in a file that a browser can show without loading another."""
    path = tmp_path / "board.svg"
    save_picture(path, view("breach"), ["0:01  a step"])
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "breach" in text
    assert "step" in text
    assert "url(http" not in text


def test_settings_of_another_system_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo must not meet the Kafka that the shell is set up for."""
    monkeypatch.setenv("FEEDBACK_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("OTHER", "kept")
    forget_settings()
    assert "FEEDBACK_KAFKA_SECURITY_PROTOCOL" not in os.environ
    assert "kept" == os.environ["OTHER"]


def test_alerts_are_told_when_they_fire_and_when_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, with its summary, and without the old numbers when it ends.

    An Alertmanager that does not answer changes nothing.
    """
    monitors = Monitors("http://prometheus", "http://alertmanager", 1)
    low = "Satisfaction, over 1m, service A: 53.7 (95% interval 47.4 to 59.9, n = 242)"
    alert = {
        "fingerprint": "a1",
        "labels": {"alertname": "FeedbackScorePage"},
        "annotations": {"summary": low},
    }
    answers: Iterator[list[Any] | OSError] = iter([[], [alert], OSError(), [alert], []])

    def active(self: Monitors) -> list[Any]:
        del self
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(Monitors, "_active", active)
    assert [
        [],
        [f"Alertmanager: firing: FeedbackScorePage: {low}"],
        [],
        [],
        ["Alertmanager: resolved: FeedbackScorePage: Satisfaction, over 1m, service A"],
    ] == [monitors.changes() for _ in range(5)]


@pytest.mark.parametrize("seconds", ["4", "901", "soon"])
def test_wrong_length_is_wrong_use(seconds: str) -> None:
    """Too short to see anything, or longer than the embedded Kafka remembers: exit status 2."""
    result = CliRunner().invoke(demo.command, ["--seconds", seconds])
    assert 2 == result.exit_code
