"""The reason codes of refusals."""

from __future__ import annotations

import ast
from pathlib import Path

from streams.events.event import REASONS

STREAMS = Path(__file__).resolve().parents[3] / "streams"


def _codes(path: Path) -> set[str]:
    """Each code given to `Refusal(...)` in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "Refusal"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def test_every_reason_code_is_listed_once() -> None:
    """Counters exist for each code from the start, so no burst of refusals goes unseen."""
    used = {code for path in STREAMS.rglob("*.py") for code in _codes(path)}
    assert used == set(REASONS)
    assert len(REASONS) == len(set(REASONS))
