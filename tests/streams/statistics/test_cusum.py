from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.statistics.cusum import START, Bucket, CusumTest, State, Timetable, after, replay
from streams.statistics.tilt import Line, Reference, ratio, recovery_ratio

# Bad answers weigh 1 and good ones -1; on the way back the other way round.
PLAIN = CusumTest(fall=Line(1, -2), recovery=Line(-1, 2), limit=3, clear=2)
ALWAYS = Timetable([(0, PLAIN)])


def buckets(*answers: str) -> list[Bucket]:
    """A bucket of 10 s for each text of good (+) and bad (-) answers."""
    return [Bucket(10 * place, len(text), text.count("+")) for place, text in enumerate(answers, 1)]


class TestAfter:
    """One bucket more."""

    @pytest.mark.parametrize(
        ("answers", "expected"),
        [
            ([], START),
            (["--"], State(2)),
            (["++", "--"], State(2)),
            (["--", "+"], State(1)),
            (["--", "-"], State(0, True, 20)),
            (["----", "+"], State(1, True, 10)),
            (["----", "+", "--", "+"], State(1, True, 10)),
            (["----", "+", "+"], State(0, False, 30)),
            (["----", "++", "-"], State(1, False, 20)),
            (["---", "++", "---"], State(0, True, 30)),
        ],
    )
    def test_adds_up_raises_and_clears(self, answers: list[str], expected: State) -> None:
        """S never falls below 0; at its limit it raises, R clears at its own, S begins again."""
        assert expected == replay(ALWAYS, 10, buckets(*answers))

    def test_only_the_sum_of_a_bucket_counts(self) -> None:
        """What comes to the limit within a bucket and leaves it again has not raised."""
        assert State(1) == after(PLAIN, Bucket(10, 7, 3), START)


class TestEvidence:
    """What is shown."""

    def test_is_the_sum_and_then_what_is_left_of_the_limit(self) -> None:
        """It rises to the limit, and falls as the evidence of a recovery grows."""
        states = [State(2), State(0, True, 10), State(1, True, 10)]
        assert [2, 3, 1.5] == [state.evidence(PLAIN) for state in states]


class TestTimetable:
    """What is tested when."""

    def test_a_test_holds_from_its_change_on(self) -> None:
        """Its first bucket is the one that begins with it."""
        other = PLAIN._replace(limit=5)
        timetable = Timetable([(100, PLAIN), (200, None), (300, other)])
        found = [timetable.at(start) for start in (90, 100, 190, 200, 300, 999)]
        assert [None, PLAIN, PLAIN, None, other, other] == found

    def test_a_pause_changes_nothing(self) -> None:
        """Neither evidence nor an alert is lost while nothing can be tested."""
        paused = Timetable([(0, PLAIN), (10, None), (20, PLAIN)])
        assert State(2) == replay(paused, 10, buckets("--", "+++", ""))
        assert State(0, True, 10) == replay(paused, 10, buckets("---", "+++", ""))

    @pytest.mark.parametrize(
        ("other", "expected"),
        [
            ([(0, PLAIN), (50, None)], None),
            ([(0, PLAIN)], 50),
            ([(0, PLAIN), (40, None)], 40),
            ([(0, None), (50, None)], 0),
            ([(0, PLAIN), (50, None), (70, PLAIN)], 70),
        ],
    )
    def test_knows_where_another_may_differ(
        self, other: list[tuple[int, CusumTest | None]], expected: int | None
    ) -> None:
        """Everything before is the same; the order of the two does not matter."""
        one, two = Timetable([(0, PLAIN), (50, None)]), Timetable(other)
        assert (expected, expected) == (one.differs_from(two), two.differs_from(one))


texts = st.lists(st.text("+-", max_size=4), max_size=40)


@given(texts, st.data())
def test_empty_buckets_change_nothing(answers: list[str], data: st.DataObject) -> None:
    """Idle, insufficient and stale change nothing: no data never means recovered."""
    filled = buckets(*answers)
    empty = [Bucket(10 * place, 0, 0) for place in range(1, 60)]
    chosen = data.draw(st.lists(st.sampled_from(empty), max_size=20))
    mixed = sorted(filled + chosen, key=lambda bucket: bucket.end)
    assert replay(ALWAYS, 10, filled) == replay(ALWAYS, 10, mixed)


@given(texts)
def test_order_within_a_bucket_changes_nothing(answers: list[str]) -> None:
    """A bucket is a number and a sum: it does not matter which answer came first."""
    shuffled = ["".join(sorted(text)) for text in answers]
    assert replay(ALWAYS, 10, buckets(*answers)) == replay(ALWAYS, 10, buckets(*shuffled))


@given(texts, st.integers(0, 40))
def test_a_replay_may_be_continued(answers: list[str], at: int) -> None:
    """The state says all that the buckets before it can tell."""
    all_of_them = buckets(*answers)
    half = replay(ALWAYS, 10, all_of_them[:at])
    assert replay(ALWAYS, 10, all_of_them) == replay(ALWAYS, 10, all_of_them[at:], half)


def raises_of(test: CusumTest, share: float, per_bucket: float, seed: int) -> int:
    """Raises in a quarter of 5-minute buckets with this true share of good answers."""
    source = np.random.default_rng(seed)
    numbers = source.poisson(per_bucket, 91 * 288)
    totals = source.binomial(numbers, share)
    state, raises = START, 0
    for number, total in zip(numbers.tolist(), totals.tolist(), strict=True):
        state, before = after(test, Bucket(0, number, total), state), state
        raises += state.raised and not before.raised
    return raises


def test_a_score_half_the_drop_down_does_not_flap() -> None:
    """A mirrored recovery flaps 158 times a quarter at 5,000 answers a day; this one some 35."""
    reference = Reference((0, 1), (0.15, 0.85))
    fall, recovery = ratio(reference, 0, 0.1), recovery_ratio(reference, 0.1)
    ours = CusumTest(fall, recovery, 8.08, 4.04)
    mirrored = CusumTest(fall, -fall, 8.08, 8.08)
    found = [
        sum(raises_of(test, 0.80, 17.4, seed) for seed in (1, 2)) / 2 for test in (ours, mirrored)
    ]
    assert 25 < found[0] < 45
    assert 120 < found[1]
