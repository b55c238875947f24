"""The one rule of the layout: the domain knows nothing of the processes around it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
MODULES = sorted((REPOSITORY / "streams").rglob("*.py"))
FORBIDDEN = {"agents", "faust", "mode", "aiokafka", "kafka", "confluent_kafka"}
LOAD_ALL = """
import importlib, pkgutil, sys, streams
for module in pkgutil.walk_packages(streams.__path__, "streams."):
    importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def imported(source: str) -> set[str]:
    """Name the top-level packages that `source` imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_of_streams_imports_no_process(module: Path) -> None:
    """No module of streams/ imports agents/, Faust or a Kafka client, not even in a function."""
    assert set() == imported(module.read_text()) & FORBIDDEN


def test_loading_streams_loads_no_process() -> None:
    """Nor by a detour: with all of streams/ loaded, none of them is."""
    command = [sys.executable, "-c", LOAD_ALL]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert set() == set(loaded.stdout.split()) & FORBIDDEN


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import faust.types", {"faust"}),
        ("from agents.settings import Settings as S", {"agents"}),
        ("def lazily():\n    import aiokafka, kafka", {"aiokafka", "kafka"}),
        ("from . import kafka", set()),
        ("from streams.ledger.keys import Bucket", {"streams"}),
    ],
)
def test_imports_are_found(source: str, expected: set[str]) -> None:
    """The check sees every form of import, and takes a relative one for what it is."""
    assert expected == imported(source)
