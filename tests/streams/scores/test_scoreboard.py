from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.counts.reader import PartitionReport, Report
from streams.kpis.load import parse_kpis
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket
from streams.scores.scoreboard import Scoreboard
from streams.scores.states import PartitionHealth

if TYPE_CHECKING:
    from streams.kpis.file import KpiFile
    from streams.scores.rows import Row

NOW = 1_800_000_000

KPIS = """
measures: {csat: {kind: rating, scale: [1, 5]}, sla: {kind: flag}}
dimensions: {product: {max: 2}, channel: {max: 5}}
windows: [10m, 1h]
retention: {10s: 30m, 1m: 6h}
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    min_answers: 10
    benchmarks: {industry: 78}
    breakdowns: [[product, channel]]
    alert: {window: 10m, severity: page, segments: [[product]]}
    owner: support
  sla:
    title: Promises kept
    formula: {share: {measure: sla}}
    target: 90
    owner: support
"""


def kpi_file() -> KpiFile:
    return parse_kpis(KPIS)


def report(kpis: KpiFile, **health: object) -> Report:
    """One healthy partition, counted up to `NOW`."""
    fields: dict[str, object] = {
        "partition": 0,
        "log_end": 5,
        "position": 5,
        "last_record_time": None,
        "time": float(NOW),
        "complete_from": 0.0,
    }
    found = msgspec.convert(fields | health, PartitionHealth)
    return Report(
        now=float(NOW),
        expected_partitions=1,
        partitions=(
            PartitionReport(
                partition=0,
                position=5,
                layout=kpis.layout.token,
                complete_from=found.complete_from,
                outcomes={},
                health=found,
                settled=True,
            ),
        ),
    )


def answered(
    board: Scoreboard, answers: dict[tuple[str, str, str], int], age: int = 0, measure: str = "csat"
) -> None:
    """Put answers (product, channel, value) into the buckets `age` seconds ago."""
    cell_id = {"csat": "csat@1..5", "sla": "sla@flag"}[measure]
    fields = {
        encode_cell(Cell(("product", "channel"), (product, channel), cell_id, value)): b"%d" % n
        for (product, channel, value), n in answers.items()
    }
    for tier in (10, 60):
        board.counts.put(0, Bucket(tier, (NOW - age) // tier * tier), fields)


def rows_of(board: Scoreboard, found: Report) -> dict[tuple[str, str, str], Row]:
    """Rows by KPI, window and segment."""
    healths = found.healths
    board.counts.advance(min([NOW, *(h.time for h in healths)]))
    board.counts.settle()
    return {
        (r.kpi, r.window, "/".join(v for _, v in r.segment) or "all"): r for r in board.rows(found)
    }


def test_rows_are_every_kpi_window_and_segment_seen() -> None:
    """The total of each KPI is always there; segments are there once an answer named them."""
    board = Scoreboard(kpi_file())
    answered(board, {("router", "chat", "5"): 12, ("phone", "mail", "1"): 1})
    rows = rows_of(board, report(kpi_file()))
    expected = [
        (kpi, window, segment)
        for kpi, segments in (
            ("csat", ("all", "phone/mail", "router/chat", "phone", "router")),
            ("sla", ("all",)),
        )
        for window in ("10m", "1h")
        for segment in segments
    ]
    assert expected == list(rows)


def test_row_says_all_that_is_known() -> None:
    """Score, interval, state, target, floor, benchmarks, outcomes and alert stand in one row."""
    board = Scoreboard(kpi_file())
    answered(board, {("router", "chat", "5"): 9, ("router", "chat", "2"): 3})
    row = rows_of(board, report(kpi_file()))["csat", "10m", "router"]
    assert ("product", (("product", "router"),)) == (row.breakdown, row.segment)
    assert (12, 75.0) == (row.answers, row.score)
    assert row.lower is not None
    assert row.upper is not None
    assert 46 < row.lower < 75 < row.upper < 92
    assert ("ok", None) == (row.state, row.reason)
    assert (85, 75, {"industry": 78}) == (row.target, row.floor, row.benchmarks)
    assert {"satisfied": 9, "unsatisfied": 3} == row.outcomes
    assert row.alert is not None
    assert ("floor", "page", False, 3.3) == (
        row.alert.rule,
        row.alert.severity,
        row.alert.raised,
        row.alert.limit,
    )


LOWER = """
timezone: Pacific/Honolulu
measures: {returned: {kind: flag}}
dimensions: {product: {max: 2}, channel: {max: 5}}
windows: [10m]
retention: {10s: 30m}
kpis:
  returns:
    title: Return rate
    formula: {share: {measure: returned}}
    target: {at_most: 5, from: 10, start: 2027-01-10, by: 2027-01-20}
    floor: 10
    breakdowns: [[product, channel]]
    alert: {window: 10m}
    owner: shop
"""


def returned(yes: int, no: int) -> Row:
    """The total of the return rate with so many answers."""
    kpis = parse_kpis(LOWER)
    board = Scoreboard(kpis)
    fields = {
        encode_cell(Cell(("product", "channel"), ("a", "b"), "returned@flag", value)): b"%d" % n
        for value, n in (("1", yes), ("0", no))
    }
    board.counts.put(0, Bucket(10, NOW), fields)
    return rows_of(board, report(kpis))["returns", "10m", "all"]


def test_where_lower_is_better_too_much_is_bad() -> None:
    """States and alert look at the other side of the floor: many returns are watch, then breach."""
    assert "ok" == returned(2, 98).state
    assert "watch" == returned(14, 86).state
    assert "breach" == returned(30, 70).state
    assert "lower" == returned(2, 98).direction


def test_the_target_of_a_row_is_todays() -> None:
    """NOW is 8:00 of 15 January in UTC, and still the 14th in Honolulu: four days of ten."""
    assert 8 == returned(2, 98).target


COHORTS = """
measures: {kept: {kind: flag}}
windows: [10m, 1h]
retention: {10s: 30m, 1m: 6h}
kpis:
  retention:
    title: Retention
    formula: {share: {measure: kept}}
    target: 80
    floor: 60
    matures: 2h
    alert: {window: 1h}
    owner: sales
  now: {title: Now, formula: {share: {measure: kept}}, target: 80, owner: sales}
"""


def cohorts(ages: dict[int, str], **health: object) -> dict[tuple[str, str, str], Row]:
    """Rows with 40 answers at each age in seconds, all of this value."""
    kpis = parse_kpis(COHORTS)
    board = Scoreboard(kpis)
    for age, value in ages.items():
        field = encode_cell(Cell((), (), "kept@flag", value))
        for tier in (10, 60):
            board.counts.put(0, Bucket(tier, (NOW - age) // tier * tier), {field: b"40"})
    return rows_of(board, report(kpis, **health))


def test_what_matures_is_judged_when_it_is_old_enough() -> None:
    """Two hours on: the young cohort is in no window of it, the old one is, and may alert."""
    rows = cohorts({60: "1", 7_199: "1", 7_260: "0", 7_900: "1"})
    short, long = rows["retention", "10m", "all"], rows["retention", "1h", "all"]
    assert [(40, 0.0), (80, 50.0)] == [(row.answers, row.score) for row in (short, long)]
    assert 40 == rows["now", "1h", "all"].answers
    assert "breach" == cohorts({7_260: "0"})["retention", "1h", "all"].state


def test_a_loss_of_history_makes_the_windows_stale_that_reach_before_it() -> None:
    """Counts complete for 80 minutes hold the hour that ends now, and not the one before two."""
    rows = cohorts({60: "1"}, complete_from=NOW - 4_800.0)
    assert "stale" != rows["now", "1h", "all"].state
    assert "stale" == rows["retention", "10m", "all"].state


def test_only_the_alert_window_and_its_segments_have_a_verdict() -> None:
    """The total and the declared segments of the alert's window alert; nothing else does."""
    board = Scoreboard(kpi_file())
    answered(board, {("router", "chat", "5"): 9})
    rows = rows_of(board, report(kpi_file()))
    alerting = [place for place, row in rows.items() if row.alert is not None]
    assert [("csat", "10m", "all"), ("csat", "10m", "router")] == alerting


def test_breach_holds_through_idle_and_clears_by_answers() -> None:
    """A raised alert stays raised when nobody answers any more; only good answers clear it."""
    board = Scoreboard(kpi_file())
    answered(board, {("router", "chat", "1"): 30}, age=1_500)
    row = rows_of(board, report(kpi_file()))["csat", "10m", "router"]
    assert (0, "breach") == (row.answers, row.state)
    answered(board, {("router", "chat", "5"): 30})
    row = rows_of(board, report(kpi_file()))["csat", "10m", "router"]
    assert (30, "ok") == (row.answers, row.state)


def test_rest_is_summed_as_other_and_does_not_alert() -> None:
    """Beyond `max` values, those with fewest answers in the longest window are `other`."""
    board = Scoreboard(kpi_file())
    few = {(product, "chat", "1"): 30 for product in ("d", "e", "other")}
    many = {(product, "chat", "5"): 50 for product in ("b", "c", "a", "unknown")}
    answered(board, few | many)
    rows = rows_of(board, report(kpi_file()))
    products = {segment: row for (kpi, window, segment), row in rows.items()
                if (kpi, window, row.breakdown) == ("csat", "10m", "product")}  # fmt: skip
    assert ["a", "b", "other", "unknown"] == list(products)
    assert 50 + 90 == products["other"].answers
    assert products["other"].alert is None
    assert "ok" != products["other"].state
    assert rows["csat", "10m", "all"].answers == sum(row.answers for row in products.values())


def test_segment_without_answers_in_the_window_is_idle_not_gone() -> None:
    """A segment seen within retention stays, with 0 answers: gone would look like recovered."""
    board = Scoreboard(kpi_file())
    answered(board, {("router", "chat", "5"): 30}, age=5_000)
    row = rows_of(board, report(kpi_file()))["csat", "10m", "router"]
    assert (0, None, "idle") == (row.answers, row.score, row.state)


def test_stale_pipeline_makes_every_row_stale_with_the_reason() -> None:
    """Rows of a pipeline that can't be trusted say why, and keep their numbers and alert."""
    kpis = kpi_file()
    board = Scoreboard(kpis)
    answered(board, {("router", "chat", "1"): 30}, age=60)
    rows = rows_of(board, report(kpis, time=NOW - 40.0))
    assert {"stale"} == {row.state for row in rows.values()}
    row = rows["csat", "10m", "router"]
    assert row.reason is not None
    assert "40 s ago" in row.reason
    assert row.alert is not None
    assert row.alert.raised
    assert 30 == row.answers


def test_no_worker_yet() -> None:
    """Before the first worker every total is there, stale, with that reason."""
    rows = rows_of(Scoreboard(kpi_file()), Report(float(NOW)))
    assert {"stale"} == {row.state for row in rows.values()}
    assert 4 == len(rows)
    assert all("no worker" in (row.reason or "") for row in rows.values())


answers = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.sampled_from("15")),
    st.integers(0, 40),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 150).map(lambda n: 10 * n), answers), max_size=12))
def test_restarted_scoreboard_shows_the_same_rows(
    changes: list[tuple[int, dict[tuple[str, str, str], int]]],
) -> None:
    """Rows are a function of the buckets: how they came to be what they are leaves no trace."""
    kpis = kpi_file()
    lived = Scoreboard(kpis)
    found = report(kpis)
    for age, content in changes:
        answered(lived, content, age)
        rows_of(lived, found)
    restarted = Scoreboard(kpis)
    for (tier, start), content in {
        (tier, (NOW - age) // tier * tier): content for age, content in changes for tier in (10, 60)
    }.items():
        answered_bucket(restarted, Bucket(tier, start), content)
    assert rows_of(restarted, found) == rows_of(lived, found)


def answered_bucket(
    board: Scoreboard, bucket: Bucket, answers: dict[tuple[str, str, str], int]
) -> None:
    fields = {
        encode_cell(Cell(("product", "channel"), (p, c), "csat@1..5", value)): b"%d" % n
        for (p, c, value), n in answers.items()
    }
    board.counts.put(0, bucket, fields)
