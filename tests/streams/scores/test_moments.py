from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, TopBox
from streams.ledger.layout import Measure
from streams.scores.moments import NOTHING, Moments, moments, pooled
from streams.scores.samples import Tally
from streams.scores.scores import score

RATING = Measure("csat", "rating", 1, 5)
COMMENTS = Measure("sentiment", "sentiment")

RATINGS = st.fixed_dictionaries({str(rating): st.integers(0, 200) for rating in range(1, 6)})


@given(
    RATINGS,
    st.sampled_from(
        [
            TopBox.model_construct(measure="csat", at_least=4),
            Net.model_construct(measure="csat", promoters=5, detractors=3),
            Mean.model_construct(measure="csat", as_percent=False),
            Mean.model_construct(measure="csat", as_percent=True),
        ]
    ),
)
def test_mean_is_the_score(tally: Tally, formula: Formula) -> None:
    """What answers are worth on average is the score, whatever the formula of a rating."""
    found = moments(formula, RATING, tally)
    expected = score(formula, RATING, tally)
    assert found is not None
    assert expected.answers == found.answers
    if found.answers:
        assert expected.value == pytest.approx(found.mean, abs=1e-9)


def test_flag() -> None:
    """A yes is worth 100, a no nothing."""
    formula = Share.model_construct(measure="sla_met")
    found = moments(formula, Measure("sla_met", "flag"), {"1": 3, "0": 1})
    assert Moments(4, 300, 30_000) == found


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("net", Moments(4, 100, 30_000)), ("mean", Moments(4, 0.9, 0.65))],
)
def test_sentiment(statistic: str, expected: Moments) -> None:
    """Net counts positive and negative comments; the mean has the sums that are stored."""
    tally = {"positive": 2, "neutral": 1, "negative": 1, "sum": 9_000, "sum_squares": 65_000_000}
    formula = Sentiment.model_construct(statistic=statistic)
    assert expected == moments(formula, COMMENTS, tally)


def test_squares_are_those_of_each_answer() -> None:
    """Two promoters and a detractor: 3 answers, 100 in all, 10,000 each squared."""
    formula = Net.model_construct(measure="csat", promoters=5, detractors=3)
    assert Moments(3, 100, 30_000) == moments(formula, RATING, {"5": 2, "1": 1})


def test_pooled() -> None:
    """Pooling adds; of none it is nothing."""
    assert Moments(3, 5.0, 9.0) == pooled([Moments(1, 2.0, 4.0), Moments(2, 3.0, 5.0)])
    assert pooled([]) == NOTHING
