from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.counts.projection import Group, Segment
from streams.ledger.layout import Dimension, Layout, Measure
from streams.scores.ranking import Shown, ranking_groups, shown_values, summed_rest
from streams.scores.scores import Tally

PRODUCT = Dimension("product", 2)
BY_PRODUCT = Group("csat", ("product",))


def shown(tallies: dict[Group, dict[Segment, Tally]]) -> Shown:
    return shown_values([PRODUCT], list(tallies), tallies.__getitem__)["product"]


def test_most_answered_values_are_shown_ties_by_name() -> None:
    """`max` values are shown: those with the most answers, of equals the first by name."""
    tallies: dict[Segment, Tally] = {("c",): {"5": 2}, ("b",): {"1": 1, "5": 1}, ("a",): {"5": 1}}
    assert frozenset({"b", "c", "unknown"}) == shown({BY_PRODUCT: tallies})


def test_all_values_are_shown_where_they_fit() -> None:
    """`unknown` and `other` take no place."""
    tallies: dict[Segment, Tally] = {(value,): {"5": 1} for value in ("a", "b", "unknown", "other")}
    assert shown({BY_PRODUCT: tallies}) is None


def test_answers_of_every_measure_count() -> None:
    """Values rank by their answers to all measures, whichever of them a KPI shows."""
    found = shown(
        {
            BY_PRODUCT: {("a",): {"5": 3}, ("b",): {"5": 2}, ("c",): {}},
            Group("nps", ("product",)): {("c",): {"9": 4}},
        }
    )
    assert frozenset({"c", "a", "unknown"}) == found


def test_every_measure_ranks_each_dimension_that_is_split_by() -> None:
    """A dimension that nothing is split by is not ranked."""
    layout = Layout(
        version=1,
        measures=(Measure("csat", "flag"), Measure("sla", "flag")),
        dimensions=(PRODUCT, Dimension("region", 5)),
        breakdowns=(("product",),),
        tiers=(),
        horizon_seconds=None,
        late_after_seconds=1,
    )
    expected = [Group("csat@flag", ("product",)), Group("sla@flag", ("product",))]
    assert expected == ranking_groups(layout, [(), ("product",)])


def test_sums_of_sentiment_are_no_answers() -> None:
    """A comment counts once for its value, whatever its compound score sums to."""
    sentiment = Group("sentiment@vader3", ("product",))
    loud: Tally = {"positive": 1, "sum": 9_000, "sum_squares": 81_000_000}
    found = shown({sentiment: {("a",): loud, ("b",): {"neutral": 2}, ("c",): {"neutral": 3}}})
    assert frozenset({"b", "c", "unknown"}) == found


values = st.sampled_from(["a", "b", "c", "other", "unknown"])
segments = st.dictionaries(
    st.tuples(values, values), st.dictionaries(st.sampled_from("15"), st.integers(0, 9))
)


@given(segments, st.frozensets(values.filter("other".__ne__)))
def test_summing_the_rest_loses_no_answer(
    tallies: dict[Segment, Tally], named: frozenset[str]
) -> None:
    """Whatever is shown, every answer is in exactly one segment."""

    def total(of: dict[Segment, Tally]) -> Counter[str]:
        found: Counter[str] = Counter()
        for tally in of.values():
            found.update(tally)
        return found

    kept = summed_rest(tallies, (named, None))
    assert total(tallies) == total(kept)
    assert {first for first, _ in kept} <= named | {"other"}
