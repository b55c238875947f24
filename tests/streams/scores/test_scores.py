from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, TopBox
from streams.ledger.layout import Measure
from streams.scores.scores import NOBODY, Score, answers, below, probability_below, score
from streams.statistics.intervals import moments_interval, normal_quantile, wilson
from streams.statistics.rating_mean import mean_interval

VECTORS = json.loads((Path(__file__).parents[2] / "data/survey_vectors.json").read_text())

CSAT = Measure("csat", "rating", 1, 5)
NPS = Measure("nps", "rating", 0, 10)
CES = Measure("ces", "rating", 1, 7)
SLA = Measure("sla", "flag")
SENTIMENT = Measure("sentiment", "sentiment")

TOP_BOX = TopBox(measure="csat", at_least=4)
NET = Net(measure="nps")
MEAN = Mean(measure="ces")
PERCENT_MEAN = Mean(measure="ces", as_percent=True)
SHARE = Share(measure="sla")
SENTIMENT_NET = Sentiment(statistic="net")
SENTIMENT_MEAN = Sentiment(statistic="mean")


class Kind(NamedTuple):
    """A formula with its measure and the ends of its scale."""

    formula: Formula
    measure: Measure
    low: float
    high: float


KINDS = [
    Kind(TOP_BOX, CSAT, 0, 100),
    Kind(NET, NPS, -100, 100),
    Kind(MEAN, CES, 1, 7),
    Kind(PERCENT_MEAN, CES, 0, 100),
    Kind(SHARE, SLA, 0, 100),
    Kind(SENTIMENT_NET, SENTIMENT, -100, 100),
    Kind(SENTIMENT_MEAN, SENTIMENT, -1, 1),
]
every_kind = pytest.mark.parametrize("kind", KINDS)


def vectors(kind: str) -> list[Any]:
    """The published or reference numbers of one kind, each named in the test's id."""
    found = [pytest.param(v, id=v["name"]) for v in VECTORS if v["kind"] == kind]
    assert found
    return found


def nps_tally(detractors: int, passives: int, promoters: int) -> dict[str, int]:
    """Answers of all three kinds, spread over the values that count as them."""
    return {
        "0": detractors // 2,
        "6": detractors - detractors // 2,
        "7": passives // 2,
        "8": passives - passives // 2,
        "9": promoters // 2,
        "10": promoters - promoters // 2,
    }


def sentiment_tally(compounds: list[int]) -> dict[str, int]:
    """The cells of comments with these compound scores, in 1/10,000."""
    return {
        "positive": sum(c >= 500 for c in compounds),
        "neutral": sum(-500 < c < 500 for c in compounds),
        "negative": sum(c <= -500 for c in compounds),
        "sum": sum(compounds),
        "sum_squares": sum(c * c for c in compounds),
    }


counts = st.one_of(st.integers(0, 4), st.integers(0, 20_000))
kinds = st.sampled_from(KINDS)
compounds = st.lists(st.integers(-10_000, 10_000), max_size=40).map(sentiment_tally)


def tallies(measure: Measure) -> st.SearchStrategy[dict[str, int]]:
    """Any tally of a measure, the empty one and cells at 0 included."""
    if measure.kind == "sentiment":
        return compounds
    values = range(measure.low, measure.high + 1)
    return st.dictionaries(st.sampled_from([str(v) for v in values]), counts)


class TestDesignEffect:
    """Answers of the same people are worth fewer."""

    @pytest.mark.parametrize("kind", [k for k in KINDS if k.measure.kind != "sentiment"])
    def test_it_is_as_if_there_were_fewer(self, kind: Kind) -> None:
        """With a design effect of 3, 300 answers have the interval and evidence of 100."""
        values = range(kind.measure.low, kind.measure.high + 1)
        few = {str(value): 100 // len(values) for value in values}
        many = {value: 3 * count for value, count in few.items()}
        expected = score(kind.formula, kind.measure, few)
        found = score(kind.formula, kind.measure, many, design_effect=3)

        assert found.answers == 3 * expected.answers
        assert found.value == pytest.approx(expected.value)
        assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
        floor = (kind.low + 3 * kind.high) / 4
        assert below(kind.formula, kind.measure, many, floor, 3) == pytest.approx(
            below(kind.formula, kind.measure, few, floor)
        )


class TestScore:
    """The score and its interval, in the formula's unit."""

    @pytest.mark.parametrize("vector", vectors("csat_top2"))
    def test_top_box(self, vector: dict[str, Any]) -> None:
        """CSAT is the percent of answers in the box, in published examples."""
        found = score(TOP_BOX, CSAT, vector["inputs"]["counts"])

        # Delighted prints 69.16 of 69.1588...
        assert vector["expected"]["percent"] == pytest.approx(found.value, abs=0.005)

    @pytest.mark.parametrize("vector", vectors("nps_point"))
    def test_net(self, vector: dict[str, Any]) -> None:
        """NPS is points of promoters minus detractors, in the tests of the R package NPS."""
        inputs = vector["inputs"]
        tally = (
            {str(value): inputs["scores"].count(value) for value in inputs["scores"]}
            if "scores" in inputs
            else nps_tally(**inputs)
        )

        assert 100 * vector["expected"]["nps"] == pytest.approx(score(NET, NPS, tally).value)

    @pytest.mark.parametrize("vector", vectors("nps_ci_adjusted_wald"))
    def test_net_interval(self, vector: dict[str, Any]) -> None:
        """NPS has the adjusted Wald interval of Rocks (2016)."""
        inputs, expected = vector["inputs"], vector["expected"]
        tally = nps_tally(inputs["detractors"], inputs["passives"], inputs["promoters"])

        found = score(NET, NPS, tally, inputs["conf"])

        assert (100 * expected["low"], 100 * expected["high"]) == pytest.approx(
            (found.lower, found.upper), abs=100 * vector["tolerance"]
        )

    @pytest.mark.parametrize("vector", vectors("ces_mean"))
    def test_mean(self, vector: dict[str, Any]) -> None:
        """CES is the mean on its own scale, in a published example."""
        found = score(MEAN, CES, vector["inputs"]["counts"])

        assert vector["expected"]["mean"] == pytest.approx(found.value, abs=vector["tolerance"])

    @pytest.mark.parametrize("vector", vectors("ces_boxes"))
    def test_boxes_of_ces(self, vector: dict[str, Any]) -> None:
        """Boxes and net of CES 2.0 are the same formulas with other limits."""
        tally, expected = vector["inputs"]["counts"], vector["expected"]
        easy = Net(measure="ces", promoters=6, detractors=3)

        found = [
            score(TopBox(measure="ces", at_least=5), CES, tally).value,
            score(TopBox(measure="ces", at_least=6), CES, tally).value,
            score(easy, CES, tally).value,
        ]

        names = ("top3_5to7", "top2_6to7", "index_67_minus_123")
        assert [100 * expected[name] for name in names] == pytest.approx(found)

    def test_mean_as_percent(self) -> None:
        """As percent, the scale's low end is 0, its high end 100 and its middle 50."""
        means = [score(PERCENT_MEAN, CES, {rating: 3}).value for rating in ("1", "4", "7")]

        assert [0, 50, 100] == means

    def test_share(self) -> None:
        """A share is the percent of flags that are yes, with Wilson's interval."""
        lower, upper = wilson(3, 10)

        found = score(SHARE, SLA, {"1": 3, "0": 7})

        assert Score(10, 30, 100 * lower, 100 * upper) == found

    def test_sentiment_net(self) -> None:
        """Net sentiment is points of positive minus negative comments; sums are no comments."""
        tally = {"positive": 5, "neutral": 3, "negative": 2, "sum": 9_999, "sum_squares": 10**8}
        lower, upper = moments_interval(10, 3, 7)

        found = score(SENTIMENT_NET, SENTIMENT, tally)

        assert Score(10, 30, 100 * lower, 100 * upper) == found

    def test_sentiment_mean(self) -> None:
        """Mean sentiment is the mean compound score, kept as a sum of ten thousandths."""
        lower, upper = moments_interval(2, 0.25, 0.3125)

        found = score(SENTIMENT_MEAN, SENTIMENT, sentiment_tally([5_000, -2_500]))

        assert (2, 0.125) == (found.answers, found.value)
        assert (lower, upper) == pytest.approx((found.lower, found.upper))

    def test_mean_interval(self) -> None:
        """A mean has the score interval of its ratings."""
        tally = {"1": 1, "5": 3, "6": 4, "7": 9}

        found = score(MEAN, CES, tally)

        assert mean_interval({1: 1, 5: 3, 6: 4, 7: 9}, 1, 7) == (found.lower, found.upper)

    def test_never_rounded(self) -> None:
        """81 of 108 is 75 exactly, and 74.99 of 100 does not become 75."""
        assert score(TOP_BOX, CSAT, {"5": 81, "1": 27}).value == 75
        assert score(TOP_BOX, CSAT, {"5": 7_499, "1": 2_501}).value == 74.99

    def test_one_answer_lies_in_its_interval(self) -> None:
        """One promoter scores 100 and Rocks' interval ends at 98.5: it is widened to hold it."""
        found = score(NET, NPS, {"10": 1})

        assert (100, 100) == (found.value, found.upper)

    @every_kind
    def test_nobody(self, kind: Kind) -> None:
        """Without answers there is no score: not 0, not the scale's middle."""
        taken_back = {"1": 0, "positive": 0}

        assert NOBODY == score(kind.formula, kind.measure, {})
        assert Score(0, None, None, None) == score(kind.formula, kind.measure, taken_back)

    @given(kind=kinds, data=st.data())
    def test_in_order_and_on_the_scale(self, kind: Kind, data: st.DataObject) -> None:
        """The scale holds the interval, and the interval the score."""
        formula, measure, low, high = kind
        found = score(formula, measure, data.draw(tallies(measure)))

        if found.value is not None and found.lower is not None and found.upper is not None:
            rounding = 1e-9 * (high - low)
            assert low - rounding <= found.lower <= found.value + rounding
            assert found.value - rounding <= found.upper <= high + rounding

    @given(kind=kinds, data=st.data())
    def test_cells_at_0_change_nothing(self, kind: Kind, data: st.DataObject) -> None:
        """A value that was all taken back counts as one that nobody ever gave."""
        tally = data.draw(tallies(kind.measure))
        without = {value: count for value, count in tally.items() if count}

        assert score(kind.formula, kind.measure, without) == score(
            kind.formula, kind.measure, tally
        )


class TestBelow:
    """Evidence against a floor."""

    @given(kind=kinds, data=st.data(), confidence=st.sampled_from([0.5, 0.95, 0.999]))
    def test_agrees_with_the_interval(
        self, kind: Kind, data: st.DataObject, confidence: float
    ) -> None:
        """Evidence exceeds the confidence's z exactly where the interval lies below the floor."""
        formula, measure, low, high = kind
        tally = data.draw(tallies(measure))
        floor = data.draw(st.floats(low + 0.05 * (high - low), high - 0.05 * (high - low)))
        found = score(formula, measure, tally, confidence)
        evidence, z = below(formula, measure, tally, floor), normal_quantile(confidence)

        if found.upper is None or found.lower is None:
            assert evidence == 0
        elif found.value in (low, high):
            pass  # an interval reaches to the end of the scale where all answers are
        elif not math.isclose(abs(evidence), z, rel_tol=1e-6) and found.answers > 1:
            assert (found.upper < floor) == (evidence > z)
            assert (found.lower > floor) == (evidence < -z)

    @every_kind
    def test_no_answers_are_no_evidence(self, kind: Kind) -> None:
        """Silence speaks neither for nor against a floor."""
        assert below(kind.formula, kind.measure, {}, (kind.low + kind.high) / 2) == 0

    @pytest.mark.parametrize(
        ("formula", "measure", "tally"),
        [
            (TOP_BOX, CSAT, {"5": 75, "1": 25}),
            (SHARE, SLA, {"1": 75, "0": 25}),
            (PERCENT_MEAN, CES, {"7": 75, "1": 25}),
        ],
    )
    def test_unit_of_the_floor(
        self, formula: Formula, measure: Measure, tally: Mapping[str, int]
    ) -> None:
        """A floor is in the score's unit: at 75 %, 75 of 100 are no evidence, 60 are 3.46."""
        worse = dict(zip(tally, (60, 40), strict=True))

        assert below(formula, measure, tally, 75) == pytest.approx(0, abs=1e-9)
        assert 0.15 / math.sqrt(0.75 * 0.25 / 100) == pytest.approx(
            below(formula, measure, worse, 75)
        )

    def test_net_on_its_own_unit(self) -> None:
        """A floor of a net is in points, and the evidence has the interval's standard error."""
        tally = nps_tally(20, 30, 50)
        found = score(NET, NPS, tally)
        assert found.lower is not None
        assert found.upper is not None
        middle = (found.lower + found.upper) / 2
        error = (found.upper - found.lower) / 2 / normal_quantile(0.95)

        assert (40 - middle) / error == pytest.approx(below(NET, NPS, tally, 40))


@pytest.mark.parametrize(
    ("evidence", "probability"), [(0, 0.5), (0.8416, 0.8), (math.inf, 1), (-math.inf, 0)]
)
def test_probability_below(evidence: float, probability: float) -> None:
    """A z becomes a probability by the normal distribution; without evidence it is one half."""
    assert probability == pytest.approx(probability_below(evidence), abs=1e-4)


@given(kind=kinds, data=st.data())
def test_answers(kind: Kind, data: st.DataObject) -> None:
    """The number of answers is the score's own."""
    tally = data.draw(tallies(kind.measure))

    assert score(kind.formula, kind.measure, tally).answers == answers(
        kind.formula, kind.measure, tally
    )
