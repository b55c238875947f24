from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.counts.counts import Counts
from streams.counts.projection import Group
from streams.counts.windows import Span
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket
from streams.ledger.layout import Dimension, Layout, Measure, Tier
from streams.scores.alert_history import AlertHistory
from streams.scores.floor_rule import QUIET, Step, Verdict

SLA = Measure("sla", "flag")
RETENTION = 400
LAYOUT = Layout(
    version=1,
    measures=(SLA,),
    dimensions=(Dimension("product", 3),),
    breakdowns=(("product",),),
    tiers=(Tier(10, RETENTION),),
    horizon_seconds=None,
    late_after_seconds=RETENTION,
)
GROUP = Group(SLA.cell_id, ("product",))
SPAN = Span(60, 10)
START = 1_800_000_000
ROUTER = ("router",)


def leaky(step: Step, verdict: Verdict) -> Verdict:
    """A rule whose every verdict depends on the one before, as a CUSUM's does."""
    no, yes = step.tally.get("0", 0), step.tally.get("1", 0)
    if not no + yes:
        return verdict
    evidence = max(0.0, verdict.evidence + no - 2 * yes)
    raised = evidence >= (3 if verdict.raised else 8)
    since = step.end if raised != verdict.raised else verdict.since
    return Verdict(raised, evidence, 8.0, since)


def memory() -> tuple[Counts, AlertHistory]:
    counts = Counts(LAYOUT, {}, [GROUP])
    history = AlertHistory(leaky, GROUP, SPAN, RETENTION, counts.projection)
    counts.listen(10, history)
    return counts, history


def bucket(product: str, no: int, yes: int) -> dict[bytes, bytes]:
    cells = {"0": no, "1": yes}
    return {
        encode_cell(Cell(("product",), (product,), SLA.cell_id, value)): b"%d" % n
        for value, n in cells.items()
        if n
    }


def by_definition(
    content: dict[int, tuple[int, int]], end: float, incomplete_before: float = 0
) -> Verdict:
    """Every window within retention that a bucket enters or leaves, each summed from scratch."""
    last = (int(end) // 10 + 1) * 10
    incomplete_before = min(incomplete_before, last)
    first, verdict = last - RETENTION + 60, QUIET
    for window_end in range(first, last + 1, 10):
        inside = [content.get(s, (0, 0)) for s in range(window_end - 60, window_end, 10)]
        differs = window_end - 10 in content or window_end - 70 in content or window_end == first
        if differs and not window_end - 60 < incomplete_before < window_end:
            tally = {"0": sum(c[0] for c in inside), "1": sum(c[1] for c in inside)}
            verdict = leaky(Step(window_end, tally), verdict)
    return verdict


starts = st.integers(0, 60).map(lambda n: START + 10 * n)
pairs = st.tuples(st.integers(0, 3), st.integers(0, 2)).filter(any)
moves = st.one_of(
    st.tuples(starts, pairs),
    st.tuples(starts, st.just((0, 0))),
    st.integers(-15, 90),
)


@settings(max_examples=150)
@given(
    st.dictionaries(starts, pairs, max_size=40),
    st.lists(moves, max_size=25),
    st.sampled_from([0, START + 95]),
)
def test_verdict_equals_a_replay_from_scratch(
    content: dict[int, tuple[int, int]],
    changes: list[tuple[int, tuple[int, int]] | int],
    incomplete_before: int,
) -> None:
    """Whatever changes and wherever the end moves, a restart comes to the same verdict."""
    counts, history = memory()
    for start, (no, yes) in content.items():
        counts.put(0, Bucket(10, start), bucket("router", no, yes))
    content = dict(content)
    end: float = START + 300
    for change in changes:
        if isinstance(change, int):
            end += change
        else:
            start, (no, yes) = change
            counts.put(0, Bucket(10, start), bucket("router", no, yes))
            content.pop(start, None)
            if no or yes:
                content[start] = (no, yes)
        expected = by_definition(content, end, incomplete_before)
        assert expected == history.verdict(ROUTER, end, incomplete_before)


def test_answers_after_a_long_history_fold_only_the_last_window() -> None:
    """A refresh folds what changed: one more answer now costs one window, not the whole past."""
    folded = 0

    def counting(step: Step, verdict: Verdict) -> Verdict:
        nonlocal folded
        folded += 1
        return leaky(step, verdict)

    counts = Counts(LAYOUT, {}, [GROUP])
    history = AlertHistory(counting, GROUP, SPAN, RETENTION, counts.projection)
    counts.listen(10, history)
    for number in range(40):
        counts.put(0, Bucket(10, START + 10 * number), bucket("router", 1, 1))
    end = START + 395
    history.verdict(ROUTER, end, 0)
    folded = 0
    counts.put(0, Bucket(10, START + 390), bucket("router", 2, 1))
    history.verdict(ROUTER, end, 0)
    assert 1 == folded
    history.verdict(ROUTER, end, 0)
    assert 1 == folded


def test_loss_of_history_holds_the_verdict() -> None:
    """Windows that hold a loss of history prove nothing: what was raised before stays raised."""
    counts, history = memory()
    counts.put(0, Bucket(10, START), bucket("router", 9, 0))
    counts.put(0, Bucket(10, START + 100), bucket("router", 0, 99))
    raised = Verdict(True, 9.0, 8.0, START + 10)
    assert raised == msgspec.structs.replace(
        history.verdict(ROUTER, START + 105, incomplete_before=START + 75), evidence=9.0
    )
    assert not history.verdict(ROUTER, START + 105, incomplete_before=0).raised


def test_rest_has_no_verdict() -> None:
    """What is summed as `other` changes with the ranking, so no rule judges it."""
    counts, history = memory()
    counts.put(0, Bucket(10, START), bucket("other", 99, 0))
    assert QUIET == history.verdict(("other",), START + 5, 0)
