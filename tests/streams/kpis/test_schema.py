from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streams.kpis.schema import known_keys, kpi_schema
from streams.kpis.yaml_lines import Document
from tests.kpi_texts import kpi_text

ROOT = Path(__file__).parents[3]


def errors(text: str) -> list[str]:
    """What an editor with the schema would mark."""
    found = Draft202012Validator(kpi_schema()).iter_errors(Document(text.encode()).content)
    return sorted(error.json_path for error in found)


def test_the_schema_in_docs_is_the_one_of_the_code() -> None:
    """`feedback check --schema > docs/kpis.schema.json` after every change of the models."""
    assert json.loads((ROOT / "docs/kpis.schema.json").read_text()) == kpi_schema()


def test_it_is_a_schema() -> None:
    """Editors read the dialect that it names."""
    Draft202012Validator.check_schema(kpi_schema())


@pytest.mark.parametrize(
    "text", [(ROOT / "kpis.yaml").read_text(), kpi_text(), kpi_text(top="dedupe: off")]
)
def test_right_files_are_right_in_an_editor(text: str) -> None:
    """Shipped file and short forms have no mark."""
    assert errors(text) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (kpi_text(kpi="flor: 5"), "$.kpis.csat"),
        (kpi_text(kpi="floor: high"), "$.kpis.csat.floor"),
        (kpi_text(target="high"), "$.kpis.csat.target"),
        (kpi_text(top="windows: [24]"), "$.windows[0]"),
        (kpi_text(top="windows: []"), "$.windows"),
        (kpi_text(top="dedupe: 62d"), "$.dedupe"),
        (kpi_text(kpi="alert: {severity: pager}"), "$.kpis.csat.alert.severity"),
        (kpi_text(kpi="alert: {drop: 0}"), "$.kpis.csat.alert.drop"),
        (kpi_text(formula="{sentiment: median}"), "$.kpis.csat.formula.sentiment"),
        (kpi_text(kpi="breakdowns: [product]"), "$.kpis.csat.breakdowns[0]"),
        ("kpis: {}", "$.kpis"),
        ("version: 1", "$"),
    ],
)
def test_wrong_files_are_marked_in_an_editor(text: str, place: str) -> None:
    """What the schema can know is marked where it stands."""
    assert [place] == errors(text)


def test_every_key_of_a_kpi_is_explained() -> None:
    """An editor shows what each key is for."""
    definitions: dict[str, Any] = kpi_schema()["$defs"]
    undescribed = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value and key != "kind" and name not in {"About", "FormulaChoice"}
    ]
    assert undescribed == []


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        (("measures", "csat", "rating"), ["kind", "scale"]),
        (("measures", "csat", "flag"), ["kind"]),
        (("dimensions", "product"), ["max"]),
        (
            ("kpis", "csat", "formula"),
            [
                *("top_box", "net", "mean", "share", "sentiment", "sum"),
                *("ratio", "composite", "consistency", "gap", "product"),
            ],
        ),
        (("kpis", "csat", "formula", "net"), ["measure", "promoters", "detractors"]),
        (("kpis", "csat", "target"), ["at_least", "at_most", "from", "start", "by"]),
        (("kpis", "csat", "floor"), []),
        (("budget",), ["series", "redis"]),
    ],
)
def test_known_keys(place: tuple[str, ...], keys: list[str]) -> None:
    """What may stand at a place of the file, in the order of its declaration."""
    assert keys == known_keys(place)
