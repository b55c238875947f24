from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, TopBox
from streams.ledger.layout import Measure
from streams.scores.scores import score
from streams.scores.weighing import added_up, weighing

CSAT = Measure("csat", "rating", 1, 5)
NPS = Measure("nps", "rating", 0, 10)
SLA = Measure("sla_met", "flag")
COMMENTS = Measure("sentiment", "sentiment", -1, 1)

RATINGS: list[tuple[Formula, Measure]] = [
    (TopBox(measure="csat", at_least=4), CSAT),
    (Net(measure="nps"), NPS),
    (Mean(measure="csat"), CSAT),
    (Mean(measure="csat", as_percent=True), CSAT),
    (Share(measure="sla_met"), SLA),
]


@pytest.mark.parametrize("lower_is_better", [False, True])
@pytest.mark.parametrize(("formula", "measure"), RATINGS)
@given(st.data())
def test_the_score_is_the_mean_of_x(
    lower_is_better: bool, formula: Formula, measure: Measure, data: st.DataObject
) -> None:
    """By number and sum alone, whatever the formula and whichever way is better."""
    scale = range(measure.low, measure.high + 1)
    tally = {str(value): data.draw(st.integers(1, 50)) for value in scale}
    found = weighing(formula, measure, lower_is_better=lower_is_better)
    assert found is not None
    counts: dict[int, int] = {}
    for value, count in tally.items():
        column = found.columns[value]
        counts[column] = counts.get(column, 0) + count
    number, total = added_up(found, counts)
    expected = score(formula, measure, tally)
    assert expected.answers == number
    assert expected.value is not None
    assert math.isclose(expected.value, found.score(total / number), abs_tol=1e-9)
    assert math.isclose(total / number, found.at(expected.value), abs_tol=1e-9)
    assert (found.slope < 0) == lower_is_better


def test_comments_are_weighed_by_polarity_or_by_compound() -> None:
    """Net by the three polarities; the mean by number, sum and squares in 1/10,000."""
    net = weighing(Sentiment(statistic="net"), COMMENTS, lower_is_better=False)
    assert net is not None
    assert (6, 1) == added_up(net, {0: 2, 1: 1, 2: 3})
    mean = weighing(Sentiment(statistic="mean"), COMMENTS, lower_is_better=False)
    assert mean is not None
    assert (4, 20_000) == added_up(mean, {0: 4, 1: 20_000, 2: 10**8})
    assert 0.5 == mean.score(20_000 / 4)
    found = mean.reference(np.array([1000.0, 5_000_000.0, 4e10]))
    assert math.isclose(5000, found.score, rel_tol=0.01)
    assert math.isclose(4e7 - 2.5e7, found.variance, rel_tol=0.02)


def test_where_lower_is_better_worse_is_less() -> None:
    """A rise of a return rate is a fall of x; distances have no sign."""
    found = weighing(Share(measure="sla_met"), SLA, lower_is_better=True)
    assert found is not None
    assert -0.1 == pytest.approx(found.at(10))
    assert 0.05 == pytest.approx(found.span(5))
    assert found.at(15) < found.at(10)


def test_before_the_first_answer_all_are_as_likely() -> None:
    """The widest reference has as much spread as anybody could expect."""
    found = weighing(Net(measure="nps"), NPS, lower_is_better=False)
    assert found is not None
    assert (1 / 3,) * 3 == found.widest().shares
    mean = weighing(Sentiment(statistic="mean"), COMMENTS, lower_is_better=False)
    assert mean is not None
    assert mean.widest().within_reach(mean.at(-0.9))
