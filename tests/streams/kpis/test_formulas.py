from __future__ import annotations

import pytest

from streams.kpis.formulas import (
    Formula,
    FormulaChoice,
    Mean,
    Net,
    Range,
    Sentiment,
    Share,
    TopBox,
    score_range,
)
from streams.ledger.layout import Measure

CSAT = Measure("csat", "rating", 1, 5)
FLAG = Measure("sla_met", "flag")
COMMENT = Measure("sentiment", "sentiment")


@pytest.mark.parametrize(
    ("formula", "measure", "expected"),
    [
        (TopBox(measure="csat", at_least=4), CSAT, Range(0, 100)),
        (Net(measure="csat", promoters=5, detractors=3), CSAT, Range(-100, 100)),
        (Mean(measure="csat"), CSAT, Range(1, 5)),
        (Mean(measure="csat", as_percent=True), CSAT, Range(0, 100)),
        (Share(measure="sla_met"), FLAG, Range(0, 100)),
        (Sentiment(statistic="net"), COMMENT, Range(-100, 100)),
        (Sentiment(statistic="mean"), COMMENT, Range(-1, 1)),
    ],
)
def test_the_range_of_a_formula(formula: Formula, measure: Measure, expected: Range) -> None:
    """Percent, points, or the scale itself."""
    assert expected == score_range(formula, measure)


@pytest.mark.parametrize(
    ("written", "formula"),
    [
        ({"top_box": {"measure": "csat", "at_least": 4}}, TopBox(measure="csat", at_least=4)),
        ({"net": {"measure": "nps"}}, Net(measure="nps", promoters=9, detractors=6)),
        ({"mean": {"measure": "ces"}}, Mean(measure="ces", as_percent=False)),
        ({"share": {"measure": "sla_met"}}, Share(measure="sla_met")),
        ({"sentiment": "mean"}, Sentiment(statistic="mean")),
    ],
)
def test_the_one_formula_that_was_written(written: dict[str, object], formula: Formula) -> None:
    """A formula stands under its name; what it leaves out has a default."""
    assert formula == FormulaChoice.model_validate(written).chosen


def test_sentiment_has_the_measure_of_comments() -> None:
    """It names none in the file."""
    assert Sentiment(statistic="net").measure == "sentiment"
