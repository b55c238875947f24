from __future__ import annotations

import math

import pytest

from streams.counts.reader import PartitionReport, Report
from streams.kpis.load import parse_kpis
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket
from streams.scores.movements import Movement
from streams.scores.scoreboard import Scoreboard
from streams.scores.states import PartitionHealth

NOW = 1_800_000_000
DAY = 86_400

KPIS = """
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {product: {max: 3}, channel: {max: 5}}
windows: [24h, 7d]
retention: {10m: 2d, 1h: 62d}
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    breakdowns: [[product, channel], [product]]
    alert: {window: 24h, segments: [[product]]}
    owner: support
  ratings:
    title: Average
    formula: {mean: {measure: csat}}
    target: 4
    owner: support
"""

# Satisfied and not, by product.
Answers = dict[str, tuple[int, int]]


def movements(
    before: Answers, now: Answers, *, age: int = 3 * DAY, **health: float
) -> list[Movement]:
    """What is known where a month ago answers were `before`, and within the last day `now`."""
    kpis = parse_kpis(KPIS)
    board = Scoreboard(kpis)
    put(board, Bucket(3600, (NOW - age) // 3600 * 3600), before)
    put(board, Bucket(600, (NOW - 3_600) // 600 * 600), now)
    board.counts.advance(NOW)
    board.counts.settle()
    return board.movements(report(kpis.layout.token, **health))


def put(board: Scoreboard, bucket: Bucket, answers: Answers) -> None:
    fields = {
        encode_cell(Cell(("product", "channel"), (product, "chat"), "csat@1..5", value)): b"%d" % n
        for product, counts in answers.items()
        for value, n in zip("52", counts, strict=True)
    }
    board.counts.put(0, bucket, fields)


def report(token: str, *, complete_from: float = 0.0, time: float = NOW) -> Report:
    health = PartitionHealth(0, 5, 5, None, time, complete_from)
    partition = PartitionReport(
        partition=0,
        position=5,
        layout=token,
        complete_from=complete_from,
        outcomes={},
        health=health,
        settled=True,
    )
    return Report(now=float(NOW), expected_partitions=1, partitions=(partition,))


USUAL = {"router": (425, 75), "phone": (850, 150), "tv": (425, 75)}
ROUTERS_FALL = USUAL | {"router": (300, 200)}


def moved(before: Answers, now: Answers) -> Movement:
    (found,) = movements(before, now)
    return found


def test_what_one_product_gave() -> None:
    """500 of 2,000 answers fell from 85 to 60: 6.25 points, all of them the router's."""
    attribution = moved(USUAL, ROUTERS_FALL).attributions[("product",)]
    assert (85, 78.75) == (attribution.before, attribution.now)
    assert [(("router",), -6.25)] == [(part.segment, part.rate) for part in attribution.named]
    assert (0, 0) == (attribution.mix, attribution.rest)


def test_parts_of_each_breakdown_sum_to_the_change() -> None:
    """Named, rest and mix leave nothing over, in each declared breakdown."""
    now = {"router": (30, 31), "phone": (900, 77), "tv": (5, 3), "new": (44, 9)}
    found = moved(USUAL, now).attributions
    assert [("product", "channel"), ("product",)] == list(found)
    for attribution in found.values():
        named = [part.rate for part in attribution.named]
        parts = math.fsum([*named, attribution.rest, attribution.mix])
        assert attribution.change == pytest.approx(parts, abs=1e-9)


def test_baselines_of_all_that_alerts() -> None:
    """The whole and each product have a baseline; pairs, which alert nobody, have none."""
    baselines = moved(USUAL | {"tv": (40, 60)}, USUAL).baselines
    assert {
        ((), ()): pytest.approx(100 * 1315 / 1600),
        (("product",), ("phone",)): 85,
        (("product",), ("router",)): 85,
        (("product",), ("tv",)): 40,
    } == baselines


def test_values_beyond_max_are_one_segment() -> None:
    """What `other` holds is chosen now, for both periods; without an alert it has no baseline."""
    before = dict.fromkeys("abcde", (85, 15))
    now = dict.fromkeys("abc", (850, 150)) | {"d": (85, 15), "e": (40, 60)}
    found = moved(before, now)
    products = [part.segment for part in found.attributions[("product",)].parts]
    assert {("a",), ("b",), ("c",), ("other",)} == set(products)
    assert (("product",), ("other",)) not in found.baselines


def test_no_drivers_without_enough_answers() -> None:
    """With 29 answers in the window, or in the baseline, there is nothing to explain."""
    few = {"router": (20, 9)}
    assert {} == moved(USUAL, few).attributions
    assert {} == moved(few, USUAL).attributions
    assert {} == moved(few, USUAL).baselines


@pytest.mark.parametrize("age", [3_600, 30 * DAY])
def test_the_baseline_is_the_28_days_before_the_window(age: int) -> None:
    """What lies within the window, or more than 28 days before it, is in no baseline."""
    (found,) = movements(USUAL, USUAL, age=age)
    assert {} == found.baselines


def test_nothing_is_said_of_what_is_stale() -> None:
    """A window that can't be trusted moved nowhere."""
    assert [] == movements(USUAL, ROUTERS_FALL, time=NOW - 60)


def test_a_baseline_that_was_lost_is_none() -> None:
    """A quarter of the baseline, 7 days, must surely have been counted."""
    assert 1 == len(movements(USUAL, ROUTERS_FALL, complete_from=NOW - 9 * DAY))
    assert [] == movements(USUAL, ROUTERS_FALL, complete_from=NOW - 7 * DAY)
