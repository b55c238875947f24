from __future__ import annotations

import pytest

from streams.kpis.load import parse_kpis
from tests.kpi_texts import kpi_text


def changed(**text: str) -> bool:
    before, after = parse_kpis(kpi_text()), parse_kpis(kpi_text(**text))
    return before.definition_hash(before.kpis["csat"]) != after.definition_hash(after.kpis["csat"])


@pytest.mark.parametrize(
    "text",
    [
        {"formula": "{top_box: {measure: csat, at_least: 5}}"},
        {"formula": "{top_box: {measure: nps, at_least: 4}}"},
        {"target": "86"},
        {"target": "{at_most: 85}"},
        {"kpi": "floor: 80"},
        {"kpi": "min_answers: 31"},
        {"kpi": "design_effect: 1.5"},
        {"top": "confidence: 0.9"},
    ],
)
def test_what_a_number_means_or_is_held_to_is_its_definition(text: dict[str, str]) -> None:
    """Another formula, measure, target, floor, or confidence: another hash."""
    assert changed(**text)


@pytest.mark.parametrize(
    "text",
    [
        {"kpi": "about: {trend: Up}"},
        {"kpi": "benchmarks: {industry: 78}\nreview_by: 2027-01-01"},
        {"kpi": "min_answers: 30"},
        {"top": "windows: [1h]"},
    ],
)
def test_what_is_only_read_beside_it_is_not(text: dict[str, str]) -> None:
    """Texts, benchmarks and defaults that are written out change no hash."""
    assert not changed(**text)


def test_a_changed_scale_changes_it() -> None:
    """The same formula over another scale is another number."""
    text = kpi_text(formula="{mean: {measure: csat}}", target="4")
    before, after = parse_kpis(text), parse_kpis(text.replace("[1, 5]", "[1, 7]"))
    assert before.definition_hash(before.kpis["csat"]) != after.definition_hash(after.kpis["csat"])
