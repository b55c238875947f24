from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.statistics.cusum import START, Bucket, CusumTest, State, Timetable, replay
from streams.statistics.tilt import Line
from streams.statistics.trajectory import Answers, Window

TIER = 10
PLAIN = CusumTest(fall=Line(1, -2), recovery=Line(-1, 2), limit=3, clear=2)
SHY = CusumTest(fall=Line(1, -2), recovery=Line(-0.5, 1), limit=5, clear=4)
ALL = Window(0, 10_000)

changes = st.tuples(st.sampled_from(range(0, 300, TIER)), st.integers(0, 4), st.integers(0, 4)).map(
    lambda change: (change[0], change[1] + change[2], change[1])
)
tests = st.sampled_from([PLAIN, SHY, None])
timetables = st.dictionaries(st.sampled_from(range(0, 300, 30)), tests, max_size=5).map(
    lambda found: Timetable(sorted(found.items(), key=lambda change: change[0]))
)
windows = st.tuples(st.sampled_from(range(0, 150, TIER)), st.sampled_from(range(0, 300, TIER))).map(
    lambda ends: Window(ends[0], ends[1])
)


class Plain:
    """The same, replayed anew each time."""

    def __init__(self) -> None:
        self.buckets: dict[int, tuple[int, int]] = {}

    def moved(self, start: int, answers: int, total: int) -> None:
        """As `Answers`."""
        old = self.buckets.get(start, (0, 0))
        self.buckets[start] = (old[0] + answers, old[1] + total)

    def state(self, timetable: Timetable, window: Window) -> State:
        """As `Trajectory`."""
        inside = sorted(s for s in self.buckets if window.first <= s <= window.last)
        return replay(timetable, TIER, [Bucket(s + TIER, *self.buckets[s]) for s in inside])


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.lists(changes, max_size=6), st.booleans(), timetables, windows), max_size=12
    )
)
def test_is_always_the_replay_of_everything(
    rounds: list[tuple[list[tuple[int, int, int]], bool, Timetable, Window]],
) -> None:
    """Whatever changes, is withdrawn, is tested anew or leaves the window, in whatever order."""
    plain, answers = Plain(), Answers(TIER, 2)
    for moves, withdrawn, timetable, window in rounds:
        for start, number, total in moves:
            for each in (plain, answers):
                each.moved(start, number, total)
        if withdrawn and plain.buckets:
            start = max(plain.buckets)
            number, total = plain.buckets.pop(start)
            if number:
                answers.moved(start, -number, -total)
        one, other = answers.trajectories
        assert plain.state(timetable, window) == one.state(timetable, window)
        assert plain.state(Timetable([(0, SHY)]), ALL) == other.state(Timetable([(0, SHY)]), ALL)


def test_only_what_changed_is_replayed() -> None:
    """After a late answer no bucket is visited beyond the one whose state is as it was."""
    answers = Answers(TIER, 1)
    for start in range(0, 20_000, TIER):
        answers.moved(start, 2, 1 if start % 100 else 2)
    (trajectory,), window = answers.trajectories, Window(0, 20_000)
    timetable = Timetable([(0, PLAIN)])
    trajectory.state(timetable, window)
    asked: list[int] = []

    class Watched(list[int]):
        def __getitem__(self, place):  # type: ignore[no-untyped-def]
            asked.append(place)
            return super().__getitem__(place)

    answers.moved(500, 1, 0)
    answers.numbers = Watched(answers.numbers)
    trajectory.state(timetable, window)
    assert 0 < len(set(asked)) <= 11


def test_nothing_is_known_without_buckets() -> None:
    """An empty window is the start."""
    assert START == Answers(TIER, 1).trajectories[0].state(Timetable([(0, PLAIN)]), ALL)
    assert Answers(TIER, 1).empty
