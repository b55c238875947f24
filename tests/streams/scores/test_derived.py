from __future__ import annotations

import msgspec
import pytest

from streams.durations import Duration
from streams.kpis.load import parse_kpis
from streams.ledger.cells import CellFields
from streams.ledger.keys import Bucket
from streams.scores.rows import Row
from streams.scores.score_file import FileScores
from streams.scores.scoreboard import Scoreboard
from tests.streams.scores.test_scoreboard import NOW, report

KPIS = parse_kpis(
    """
measures:
  csat: {kind: rating, scale: [1, 5]}
  sla_met: {kind: flag}
  renewed: {kind: flag}
  value: {kind: amount, unit: EUR, max: 1000}
dimensions: {product: {max: 2}, channel: {max: 2}}
windows: [1h, 2h]
retention: {1m: 6h}
kpis:
  gap:
    title: Perception gap
    formula: {gap: {delivered: sla, perceived: csat}}
    target: {at_most: 10, from: 30, start: 2020-01-01, by: 2020-12-31}
    windows: [1h]
    breakdowns: [[product]]
    alert: {window: 1h, severity: page, segments: [[product]]}
    owner: us
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    breakdowns: [[product], [channel]]
    alert: {window: 1h, segments: [[product]]}
    owner: us
  sla:
    title: Promises kept
    formula: {share: {measure: sla_met}}
    target: 95
    breakdowns: [[product], [channel]]
    owner: us
  even:
    title: Channels alike
    formula: {consistency: {of: csat, by: channel}}
    target: {at_most: 5}
    breakdowns: [[product]]
    owner: us
  sales:
    title: Sales
    formula: {sum: {measure: value}}
    windows: [1h]
    target: 9
    owner: us
  stay: {title: Retention, formula: {share: {measure: renewed}}, target: 80, owner: us}
  life:
    title: Lifetime value
    formula: {product: {revenue: sales, active_customers: 100, retention: stay}}
    target: 500
    owner: us
"""
)

# Product, channel, csat, whether the promise was kept, whether renewed, value; and how many.
PEOPLE = [
    ("router", "chat", 1, 1, 1, 20, 60),
    ("router", "mail", 5, 1, 0, 30, 40),
    ("phone", "chat", 5, 0, 1, 25, 50),
    ("phone", "mail", 4, 1, 1, 25, 50),
]

Rows = dict[tuple[str, str], Row]


def by_place(rows: list[Row]) -> Rows:
    return {(row.kpi, "/".join(v for _, v in row.segment) or "all"): row for row in rows}


def of_a_file(window: Duration | None = KPIS.windows[0]) -> Rows:
    found = FileScores(KPIS)
    for product, channel, csat, sla, renewed, value, count in PEOPLE:
        for number in range(count):
            event = {
                "event_id": f"{product}{channel}{number}",
                "occurred_at": "2027-01-15T08:00:00Z",
                "measures": {"csat": csat, "sla_met": bool(sla), "renewed": bool(renewed)},
                "dimensions": {"product": product, "channel": channel},
            }
            event["measures"] |= {"value": value}  # type: ignore[operator]
            assert found.take(msgspec.json.encode(event)) is None
    return by_place(found.rows(window, [("product",), ("channel",)]))


def of_the_board(window: str = "1h") -> Rows:
    board = Scoreboard(KPIS)
    layout = KPIS.layout
    fields = CellFields(layout)
    cells: dict[bytes, int] = {}
    for product, channel, *answers, count in PEOPLE:
        given = dict(zip(("csat", "sla_met", "renewed", "value"), answers, strict=True))
        ordered = tuple(given[measure.name] for measure in layout.measures)
        for field, amount in fields.increments(((product, channel), ordered, None)):
            cells[field] = cells.get(field, 0) + amount * count
    board.counts.put(0, Bucket(60, NOW), {field: b"%d" % n for field, n in cells.items()})
    board.counts.advance(NOW)
    board.counts.settle()
    return by_place([row for row in board.rows(report(KPIS)) if row.window == window])


def timeless(row: Row) -> Row:
    alert = msgspec.structs.replace(row.alert, since=None) if row.alert else None
    return msgspec.structs.replace(row, alert=alert)


def test_a_file_and_the_board_say_the_same() -> None:
    """Of all that is made of others, in each place that both show; a file has no past."""
    file, board = ({k: timeless(row) for k, row in f().items()} for f in (of_a_file, of_the_board))
    made = {place for place in board if place[0] in {"gap", "even", "life"}}
    assert {
        ("gap", "all"), ("gap", "router"), ("gap", "phone"),
        ("even", "all"), ("even", "router"), ("even", "phone"), ("life", "all"),
    } == made  # fmt: skip
    assert [board[place] for place in sorted(made)] == [file[place] for place in sorted(made)]


def test_rows_stand_in_the_order_of_the_file() -> None:
    """Though a gap is made of rows that come after it."""
    assert [*KPIS.kpis] == list(dict.fromkeys(kpi for kpi, _ in of_the_board()))


def test_numbers_by_hand() -> None:
    """Of routers 40 % are satisfied, all by mail, while every promise was kept."""
    found = of_the_board()
    router = found["gap", "router"]
    assert (60, "watermelon", "breach") == (router.score, router.gap, router.state)
    assert router.alert is not None
    assert ("gap", "page", True) == (router.alert.rule, router.alert.severity, router.alert.raised)
    assert found["gap", "phone"].alert is not None
    assert not found["gap", "phone"].alert.raised
    assert 100 == found["even", "router"].score
    assert 100 * (1 - 50 / 110) == pytest.approx(found["even", "all"].score)
    chance = found["even", "all"].chance
    assert chance is not None
    assert chance < 1e-9
    # 4,900 in an hour, of 100 customers; 160 of 200 renewed, so they stay five years.
    assert 4_900 * 24 * 365 / 100 * 5 == pytest.approx(found["life", "all"].score)


def test_targets_are_those_of_the_day() -> None:
    """The path of the gap's target has ended: 10 is asked for, and held."""
    assert 10 == of_the_board()["gap", "all"].target == of_a_file()["gap", "all"].target


def test_a_file_may_be_split_by_what_is_not_declared() -> None:
    """A gap is declared by product only; what compares channels is never split by them."""
    found = of_a_file()
    assert found["gap", "chat"].score == pytest.approx(100 * (60 / 110 - 50 / 110))
    assert ("even", "chat") not in found


def test_the_window_without_a_name_is_as_long_as_the_file() -> None:
    """All answers of this one were given at one moment, so nothing is known of a year."""
    assert of_a_file(None)["life", "all"].score is None
    assert "insufficient" == of_a_file(None)["life", "all"].state


def test_what_is_made_of_others_has_windows_of_its_own() -> None:
    """The gap is declared for an hour only, and revenue, so that lifetime value has no more."""
    two_hours = {kpi for kpi, _ in of_the_board("2h")}
    assert {"csat", "sla", "even", "stay"} == two_hours
