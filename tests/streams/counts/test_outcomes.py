from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.counts.outcomes import outcomes
from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, TopBox
from streams.ledger.layout import Measure
from streams.scores import scores

CSAT = Measure("csat", "rating", 1, 5)
NPS = Measure("nps", "rating", 0, 10)
SLA = Measure("sla", "flag")
SENTIMENT = Measure("sentiment", "sentiment")

FORMULAS: list[tuple[Formula, Measure]] = [
    (TopBox(measure="csat", at_least=4), CSAT),
    (Net(measure="nps"), NPS),
    (Mean(measure="csat"), CSAT),
    (Share(measure="sla"), SLA),
    (Sentiment(statistic="net"), SENTIMENT),
    (Sentiment(statistic="mean"), SENTIMENT),
]


def test_outcomes_speak_the_words_of_the_formula() -> None:
    """Each formula has its own words, and an outcome that nobody had is 0, not absent."""
    ratings = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5}
    nps = {"0": 1, "6": 2, "7": 3, "8": 4, "9": 5, "10": 6}
    comments = {"positive": 3, "negative": 1, "sum": 12_000, "sum_squares": 9}
    assert {"satisfied": 9, "unsatisfied": 6} == outcomes(*FORMULAS[0], ratings)
    assert {"promoter": 11, "passive": 7, "detractor": 3} == outcomes(*FORMULAS[1], nps)
    assert ratings == outcomes(*FORMULAS[2], ratings)
    assert {"yes": 0, "no": 4} == outcomes(*FORMULAS[3], {"0": 4})
    assert {"positive": 3, "neutral": 0, "negative": 1} == outcomes(*FORMULAS[4], comments)


@pytest.mark.parametrize(("formula", "measure"), FORMULAS, ids=lambda x: type(x).__name__)
@given(data=st.data())
def test_outcomes_sum_to_the_answers_of_the_score(
    formula: Formula, measure: Measure, data: st.DataObject
) -> None:
    """Every answer behind a score has exactly one outcome."""
    values = {
        "rating": [str(value) for value in range(measure.low, measure.high + 1)],
        "flag": ["0", "1"],
        "sentiment": ["positive", "neutral", "negative"],
    }[measure.kind]
    tally = data.draw(st.dictionaries(st.sampled_from(values), st.integers(0, 50)))
    found = outcomes(formula, measure, tally)
    assert scores.answers(formula, measure, tally) == sum(found.values())
