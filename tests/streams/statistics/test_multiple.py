from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from streams.statistics.multiple import benjamini_hochberg

VECTORS = json.loads((Path(__file__).parents[2] / "data/survey_vectors.json").read_text())


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["name"]) for v in VECTORS if v["kind"] in {"bh", "bh_edge"}]
)
def test_published_numbers(vector: dict[str, Any]) -> None:
    """Benjamini and Hochberg's own example (4 of 15 told), and p values of 1."""
    adjusted = benjamini_hochberg(vector["inputs"]["p"])
    assert vector["expected"]["adjusted"] == pytest.approx(adjusted, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_agrees_with_scipy(p_values: list[float]) -> None:
    """Adjusted values are scipy's, in the order in which the tests were given, ties included."""
    expected = list(false_discovery_control(p_values))
    assert expected == pytest.approx(benjamini_hochberg(p_values), abs=1e-12)


def test_no_test() -> None:
    """Without tests there is nothing to adjust."""
    assert [] == benjamini_hochberg([])
