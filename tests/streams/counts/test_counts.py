from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.counts.counts import Counts
from streams.counts.projection import Group, Segment
from streams.counts.windows import Span
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket
from streams.ledger.layout import Dimension, Layout, Measure, Tier

CSAT = Measure("csat", "rating", 1, 5)
LAYOUT = Layout(
    version=1,
    measures=(CSAT,),
    dimensions=(Dimension("product", 3), Dimension("channel", 2)),
    breakdowns=(("product", "channel"),),
    tiers=(Tier(10, 120), Tier(60, 1_200)),
    horizon_seconds=1_200,
    late_after_seconds=1_200,
)
WINDOWS = {"1m": Span(60, 10), "100s": Span(100, 10), "10m": Span(600, 60)}
GROUPS = [
    *(Group(CSAT.cell_id, b) for b in ((), ("product",), ("channel", "product"))),
    *(Group(CSAT.cell_id, b, by="channel") for b in ((), ("product",))),
]
START = 1_800_000_000


def field(product: str, channel: str, value: str) -> bytes:
    return encode_cell(Cell(("product", "channel"), (product, channel), CSAT.cell_id, value))


def fresh() -> Counts:
    return Counts(LAYOUT, WINDOWS, GROUPS)


def without_zeros(tallies: Mapping[Segment, Mapping[str, int]]) -> dict[Segment, dict[str, int]]:
    return {s: {v: n for v, n in tally.items() if n} for s, tally in tallies.items()}


fields = st.dictionaries(
    st.builds(
        field, st.sampled_from("rst"), st.sampled_from(["chat", "mail"]), st.sampled_from("135")
    ),
    st.integers(0, 3).map(lambda n: b"%d" % n),
    max_size=4,
)
buckets = st.one_of(
    st.integers(-14, 30).map(lambda n: Bucket(10, START + 10 * n)),
    st.integers(-14, 8).map(lambda n: Bucket(60, START + 60 * n)),
)
partitions = st.integers(0, 2)


class CountsAgainstRecomputation(RuleBasedStateMachine):
    """Whatever is fed in whatever order, tallies equal a sum over the buckets from scratch."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = fresh()
        self.model: dict[tuple[int, Bucket], dict[bytes, bytes]] = {}
        self.end: float | None = None

    @rule(partition=partitions, bucket=buckets, content=fields)
    def bucket_changes(self, partition: int, bucket: Bucket, content: dict[bytes, bytes]) -> None:
        """New, late and revised answers all arrive as a bucket's new content."""
        self.counts.put(partition, bucket, content)
        self.model[partition, bucket] = content

    @rule(partition=partitions, content=st.dictionaries(buckets, fields, max_size=3))
    def partition_is_reloaded(
        self, partition: int, content: dict[Bucket, dict[bytes, bytes]]
    ) -> None:
        """A new epoch: buckets that are not named are gone."""
        self.counts.replace(partition, content)
        self.model = {k: v for k, v in self.model.items() if k[0] != partition}
        self.model |= {(partition, b): c for b, c in content.items()}

    @rule(step=st.floats(-25, 700))
    def end_moves(self, step: float) -> None:
        """The end advances, jumps, and steps back a little."""
        self.end = (self.end or START) + step
        self.counts.advance(self.end)

    @rule(now=st.integers(START + 7_000, START + 8_800))
    def buckets_expire(self, now: int) -> None:
        """A bucket goes with its retention and two hours, as in Redis."""
        self.counts.expire(now)
        keep = {10: 10 + 120 + 7_200, 60: 60 + 1_200 + 7_200}
        self.model = {k: v for k, v in self.model.items() if k[1].start + keep[k[1].seconds] > now}

    @invariant()
    def tallies_equal_recomputation(self) -> None:
        """Every window, total and breakdown."""
        self.counts.settle()
        for name, span in WINDOWS.items():
            for group in GROUPS:
                expected = self.recomputed(span, group)
                actual = without_zeros(self.counts.tallies(name, group))
                assert expected == actual

    @invariant()
    def cells_are_bounded_by_what_exists(self) -> None:
        """A parsed field is forgotten with its last bucket."""
        self.counts.settle()
        existing = {f for content in self.model.values() for f in content}
        assert len(existing) == self.counts.cells_known

    def recomputed(self, span: Span, group: Group) -> dict[Segment, dict[str, int]]:
        """The definition, cell by cell."""
        stop = -math.inf
        if self.end is not None:
            stop = (math.floor(self.end / span.tier_seconds) + 1) * span.tier_seconds
        tallies: dict[Segment, Counter[str]] = {} if group.breakdown else {(): Counter()}
        for (_, bucket), content in self.model.items():
            inside = stop - span.seconds <= bucket.start < stop
            for raw, count in content.items():
                _, product, channel, _, value = raw.decode().split("\x1f")
                values = {"product": product, "channel": channel}
                tally = tallies.setdefault(tuple(values[n] for n in group.breakdown), Counter())
                if inside and bucket.seconds == span.tier_seconds:
                    tally[f"{channel}\x1f{value}" if group.by else value] += int(count)
        return without_zeros(tallies)


TestCountsAgainstRecomputation = CountsAgainstRecomputation.TestCase
TestCountsAgainstRecomputation.settings = settings(max_examples=60, stateful_step_count=25)


def test_window_covers_the_bucket_of_its_end() -> None:
    """The window [floor(end/t)·t + t - W, floor(end/t)·t + t) holds the end's own bucket."""
    assert range(-30, 30, 10) == Span(60, 10).starts(20)
    assert range(-30, 30, 10) == Span(60, 10).starts(29.999)
    assert range(-20, 40, 10) == Span(60, 10).starts(30)


def test_unchanged_tally_is_the_same_object() -> None:
    """A tally that nothing touched stays the same object, so a score computed of it still holds."""
    counts = fresh()
    counts.put(0, Bucket(10, START), {field("r", "chat", "5"): b"1"})
    counts.put(0, Bucket(10, START), {field("r", "chat", "5"): b"1", field("s", "chat", "1"): b"1"})
    counts.advance(START)
    counts.settle()
    before = counts.tallies("1m", GROUPS[1])
    counts.put(0, Bucket(10, START), {field("r", "chat", "5"): b"1", field("s", "chat", "1"): b"2"})
    counts.settle()
    after = counts.tallies("1m", GROUPS[1])
    assert before[("r",)] is after[("r",)]
    assert ({"1": 1}, {"1": 2}) == (before[("s",)], after[("s",)])


def test_segment_stays_while_any_bucket_holds_it() -> None:
    """A segment without answers in the window stays, with an empty tally, until its last bucket."""
    counts = fresh()
    counts.put(0, Bucket(10, START), {field("r", "chat", "5"): b"1"})
    counts.advance(START)
    counts.settle()
    counts.advance(START + 3_600)
    counts.settle()
    assert {("r",): {}} == without_zeros(counts.tallies("1m", GROUPS[1]))
    counts.put(0, Bucket(10, START), {})
    counts.settle()
    assert {} == counts.tallies("1m", GROUPS[1])


def test_cells_of_another_layout_count_in_nothing() -> None:
    """Cells of an older breakdown, another scale or no cell at all never reach a tally."""
    counts = fresh()
    strangers = (
        encode_cell(Cell(("product",), ("r",), CSAT.cell_id, "5")),
        encode_cell(Cell(("product", "channel"), ("r", "chat"), "csat@0..10", "5")),
        b"nonsense",
        b"\xff\x1f\x1f",
    )
    counts.put(0, Bucket(10, START), dict.fromkeys(strangers, b"1"))
    counts.advance(START)
    counts.settle()
    assert {(): {}} == counts.tallies("1m", GROUPS[0])


def test_a_group_is_summed_over_a_breakdown_with_all_its_dimensions() -> None:
    """What is told by channel is not read where answers are split by product only."""
    layout = msgspec.structs.replace(LAYOUT, breakdowns=(("product",), ("channel",)))
    group = Group(CSAT.cell_id, (), by="channel")
    counts = Counts(layout, WINDOWS, [group])
    fields = {
        encode_cell(Cell((dimension,), (value,), CSAT.cell_id, "5")): b"1"
        for dimension, value in (("product", "r"), ("channel", "chat"))
    }
    counts.put(0, Bucket(10, START), fields)
    counts.advance(START)
    counts.settle()
    assert {(): {"chat\x1f5": 1}} == counts.tallies("1m", group)
