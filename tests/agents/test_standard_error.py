from __future__ import annotations

import pytest

from agents.standard_error import StandardError


def test_messages_are_written_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing in a message is markup, and a long one is one line: programs read them too."""
    message = "[red]events.jsonl:1[/red]: " + "a long sentence " * 20
    StandardError().say(message)
    assert capsys.readouterr().err == message + "\n"


def test_no_bar_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal every item passes and nothing is written."""
    assert list(StandardError().track([1, 2, 3], "reading", 3)) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the bar says what is done, on standard error alone."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert list(StandardError().track([1, 2, 3], "reading", None)) == [1, 2, 3]
    out, err = capsys.readouterr()
    assert (out, "reading" in err) == ("", True)
