from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.counts.projection import Segment
from streams.kpis.formulas import NET, PERCENT, Range
from streams.scores.drivers import Attribution, attribute
from streams.scores.moments import Moments

VECTORS = json.loads((Path(__file__).parents[2] / "data/survey_vectors.json").read_text())

SIMULATED = 400
# Of 400 repetitions at 5 %: 20 expected, and two standard errors (4.4) above.
AT_MOST_NAMED = 29


def satisfied(count: int, answers: int) -> Moments:
    """`count` satisfied of `answers`, in percent."""
    return Moments(answers, 100 * count, 10_000 * count)


def segments(**moments: Moments) -> dict[Segment, Moments]:
    return {(name,): each for name, each in moments.items()}


def attributed(
    before: Mapping[Segment, Moments], now: Mapping[Segment, Moments], min_answers: int = 30
) -> Attribution:
    found = attribute(before, now, scale=PERCENT, min_answers=min_answers)
    assert found is not None
    return found


def names(found: Attribution) -> list[str]:
    return [part.segment[0] for part in found.named if part.segment]


def _of_shares(shares: list[float], rates: list[float]) -> dict[Segment, Moments]:
    """A thousand answers, divided among segments that score `rates`."""
    return {
        (str(place),): Moments(round(1000 * share), 1000 * share * rate, 1e7 * share)
        for place, (share, rate) in enumerate(zip(shares, rates, strict=True))
    }


@st.composite
def periods(draw: st.DrawFn) -> dict[Segment, Moments]:
    """Answers worth -100, 0 or 100 in up to eight segments, at least one answer in all."""
    found: dict[Segment, Moments] = {}
    for name in draw(st.sets(st.sampled_from("abcdefgh"), min_size=1)):
        plus, none, minus = (draw(st.integers(0, 500)) for _ in range(3))
        total = 100 * (plus - minus)
        found[(name,)] = Moments(plus + none + minus, total, 10_000 * (plus + minus))
    found[("z",)] = Moments(1, 100, 10_000)
    return found


class TestParts:
    """Rate and mix."""

    @given(periods(), periods(), st.integers(1, 400))
    def test_parts_sum_to_the_change(
        self, before: dict[Segment, Moments], now: dict[Segment, Moments], least: int
    ) -> None:
        """Nothing is left over, whatever is pooled, new or gone."""
        found = attribute(before, now, scale=NET, min_answers=least)
        assert found is not None
        parts = math.fsum([part.rate + part.mix for part in found.parts])
        assert found.change == pytest.approx(parts, abs=1e-9)
        named = math.fsum([part.rate for part in found.named])
        assert found.change == pytest.approx(named + found.rest + found.mix, abs=1e-9)

    @pytest.mark.parametrize(
        "vector",
        [v for v in VECTORS if v["kind"] == "decomposition_rate_mix_centred"],
        ids=lambda v: v["name"],
    )
    def test_numbers_by_hand(self, vector: dict[str, Any]) -> None:
        """Midpoint rates and mix, as computed by hand for three segments of known shares."""
        inputs, expected = vector["inputs"], vector["expected"]
        before, now = (
            _of_shares(inputs[f"share{period}"], inputs[f"rate{period}"]) for period in (0, 1)
        )
        found = attributed(before, now)
        by_name = sorted(found.parts, key=lambda part: str(part.segment))
        assert expected["mix_effect"] == pytest.approx([part.mix for part in by_name], abs=1e-9)
        assert expected["sum_mix"] == pytest.approx(found.mix, abs=1e-9)
        rates = math.fsum([part.rate for part in found.parts])
        assert expected["sum_rate"] == pytest.approx(rates, abs=1e-9)

    def test_only_the_mix_moved(self) -> None:
        """Where every segment scores as before, all of the change is mix, and none is named."""
        before = segments(router=satisfied(600, 1000), phone=satisfied(900, 1000))
        now = segments(router=satisfied(360, 600), phone=satisfied(180, 200))
        found = attributed(before, now)
        assert (-7.5, -7.5) == pytest.approx((found.change, found.mix))
        assert [] == names(found)

    def test_a_new_segment_is_mix(self) -> None:
        """A product that nobody had before can't have scored otherwise: what it gave is mix."""
        before = segments(router=satisfied(900, 1000))
        now = segments(router=satisfied(90, 100), tablet=satisfied(40, 100))
        found = attributed(before, now)
        assert (-25.0, -25.0) == pytest.approx((found.change, found.mix))

    def test_all_segments_are_new(self) -> None:
        """After every product was renamed, all of the change is mix and nobody is named."""
        found = attributed(segments(old=satisfied(90, 100)), segments(new=satisfied(60, 100)))
        assert (-30.0, -30.0, []) == (found.change, found.mix, names(found))

    def test_few_answers_are_pooled(self) -> None:
        """Segments under min_answers in a period are one part without a name."""
        before = segments(a=satisfied(80, 100), b=satisfied(8, 10), c=satisfied(40, 50))
        now = segments(a=satisfied(80, 100), b=satisfied(8, 40), c=satisfied(1, 20))
        found = attributed(before, now)
        assert {("a",), None} == {part.segment for part in found.parts}
        pool = next(part for part in found.parts if part.segment is None)
        assert (satisfied(48, 60), satisfied(9, 60)) == (pool.before, pool.now)

    def test_the_pool_is_never_named(self) -> None:
        """However far the pool fell, it has no name to tell."""
        before = segments(a=satisfied(800, 1000), b=satisfied(23, 29), c=satisfied(23, 29))
        now = segments(a=satisfied(800, 1000), b=satisfied(0, 29), c=satisfied(0, 29))
        found = attributed(before, now)
        assert [] == names(found)
        assert found.rest < -1

    def test_without_answers(self) -> None:
        """A period without answers has no score, so there is no change to explain."""
        some = segments(a=satisfied(8, 10))
        nothing = segments(a=satisfied(0, 0))
        for before, now in [(some, {}), ({}, some), (some, nothing), (nothing, some)]:
            assert attribute(before, now, scale=PERCENT, min_answers=1) is None


class TestNamed:
    """Who is named."""

    def test_the_one_that_fell(self) -> None:
        """Beside one that fell far the others look as if they had risen; only the one is named."""
        before = segments(**{name: satisfied(850, 1000) for name in "abcdefgh"})
        now = before | segments(a=satisfied(550, 1000))
        assert ["a"] == names(attributed(before, now))

    def test_repeat_respondents_prove_less(self) -> None:
        """A fall that names a segment is chance where each answer was given four times."""
        before = segments(**{name: satisfied(850, 1000) for name in "abcdefgh"})
        now = before | segments(a=satisfied(790, 1000))
        found = [
            attribute(before, now, scale=PERCENT, min_answers=30, design_effect=effect)
            for effect in (1, 4)
        ]
        assert [["a"], []] == [names(each) for each in found if each]

    def test_of_two_the_one_that_moved_as_the_score(self) -> None:
        """Two segments differ from each other alike: the one that explains the change is named."""
        before = segments(a=satisfied(850, 1000), b=satisfied(850, 1000))
        fell = attributed(before, before | segments(b=satisfied(700, 1000)))
        rose = attributed(before, before | segments(b=satisfied(950, 1000)))
        assert [["b"], ["b"]] == [names(fell), names(rose)]

    def test_half_of_them_fell(self) -> None:
        """Where half fell, these are named and not those that stayed; the largest part first."""
        before = segments(**{name: satisfied(850, 1000) for name in "abcdef"})
        now = before | segments(
            a=satisfied(650, 1000), b=satisfied(600, 1000), c=satisfied(700, 1000)
        )
        assert ["b", "a", "c"] == names(attributed(before, now))

    def test_one_that_rose_against_a_fall(self) -> None:
        """The one that alone rose stands out, not the seven that fell alike.

        With so many answers it is sure that each of these differs from the others, too.
        """
        before = segments(**{name: satisfied(85_000, 100_000) for name in "abcdefgh"})
        now = dict.fromkeys(before, satisfied(75_000, 100_000))
        now[("h",)] = satisfied(95_000, 100_000)
        assert ["h"] == names(attributed(before, now))

    def test_one_segment(self) -> None:
        """A segment that is all there is differs from nobody."""
        assert [] == names(
            attributed(segments(a=satisfied(9, 10)), segments(a=satisfied(1, 10)), 1)
        )

    @pytest.mark.parametrize(
        ("count", "before", "now", "level", "fall"),
        [(2, 3000, 100, 0.85, 0.1), (8, 300, 30, 0.9, 0.1), (8, 2000, 400, 0.85, 0.0)],
    )
    def test_shares_that_all_fell_alike(
        self, count: int, before: int, now: int, level: float, fall: float
    ) -> None:
        """With the same drop everywhere somebody is named no more often than declared."""
        chance = np.random.default_rng(count)

        def drawn(answers: int, share: float) -> Moments:
            return satisfied(int(chance.binomial(answers, share)), answers)

        named = _times_named(
            PERCENT,
            lambda: {(str(i),): drawn(before, level) for i in range(count)},
            lambda: {(str(i),): drawn(now, level - fall) for i in range(count)},
        )
        assert named <= AT_MOST_NAMED

    def test_levels_and_sizes_that_differ(self) -> None:
        """Nor where segments have levels from 60 to 95 % and a tenth to all of the answers."""
        chance = np.random.default_rng(3)
        sizes = [(3000 // place, 600 // place) for place in range(1, 9)]
        levels = [0.6 + 0.05 * place for place in range(8)]

        def drawn(period: int, fall: float) -> dict[Segment, Moments]:
            return {
                (str(i),): satisfied(int(chance.binomial(size[period], level - fall)), size[period])
                for i, (size, level) in enumerate(zip(sizes, levels, strict=True))
            }

        assert _times_named(PERCENT, lambda: drawn(0, 0), lambda: drawn(1, 0.08)) <= AT_MOST_NAMED

    def test_nets_and_ratings(self) -> None:
        """Nor where answers have three values, or the five of a rating."""
        chance = np.random.default_rng(5)

        def drawn(values: list[int], weights: list[int], answers: int) -> Moments:
            counts = chance.multinomial(answers, [weight / sum(weights) for weight in weights])
            worth = [(int(count), value) for count, value in zip(counts, values, strict=True)]
            return Moments(answers, sum(c * v for c, v in worth), sum(c * v * v for c, v in worth))

        def period(values: list[int], weights: list[int], answers: int) -> dict[Segment, Moments]:
            return {(str(i),): drawn(values, weights, answers) for i in range(6)}

        for scale, values, before, now in (
            (NET, [-100, 0, 100], [15, 25, 60], [20, 30, 50]),
            (Range(1, 5), [1, 2, 3, 4, 5], [5, 5, 10, 30, 50], [8, 7, 15, 35, 35]),
        ):
            named = _times_named(
                scale,
                partial(period, values, before, 400),
                partial(period, values, now, 80),
            )
            assert named <= AT_MOST_NAMED


def _times_named(
    scale: Range,
    before: Callable[[], dict[Segment, Moments]],
    now: Callable[[], dict[Segment, Moments]],
) -> int:
    found = [attribute(before(), now(), scale=scale, min_answers=30) for _ in range(SIMULATED)]
    return sum(bool(each and each.named) for each in found)
