from __future__ import annotations

import pytest

from streams.kpis.load import parse_kpis
from streams.scores.file_board import file_board

KPIS = parse_kpis(
    """
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {product: {max: 5}}
windows: [1h, 24h, 7d]
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    breakdowns: [[product]]
    alert: {window: 24h}
    owner: support
"""
)
END = 1_800_000_000
DAY = 86_400

Answered = tuple[int, tuple[tuple[str, ...], tuple[int | None, ...], int | None]]


def answers(age: int, product: str, value: int, count: int = 1) -> list[Answered]:
    """So many answers of one product, `age` seconds before the end."""
    return [(END - age, ((product,), (value,), None))] * count


def test_rows_are_those_of_the_end() -> None:
    """Windows end with the last answer, as an exporter's that has counted all."""
    board, report = file_board(KPIS, [*answers(0, "a", 5), *answers(2 * DAY, "a", 1, 3)])
    found = {row.window: (row.answers, row.score) for row in board.rows(report) if not row.segment}
    assert {"1h": (1, 100.0), "24h": (1, 100.0), "7d": (4, 25.0)} == found


def test_nothing_is_stale() -> None:
    """A file is complete, and nobody is behind."""
    board, report = file_board(KPIS, answers(0, "a", 5))
    assert {"stale"}.isdisjoint(row.state for row in board.rows(report))


def test_alerts_are_replayed() -> None:
    """What was raised half a day before the end is still raised, by answers alone."""
    board, report = file_board(KPIS, [*answers(0, "a", 5), *answers(DAY // 2, "a", 1, 200)])
    raised = [row.alert.raised for row in board.rows(report) if row.alert]
    assert [True] == raised


def test_movements_are_known() -> None:
    """The last day is compared with the days before it."""
    usual = [*answers(3 * DAY, "a", 5, 90), *answers(3 * DAY, "a", 1, 10)]
    board, report = file_board(KPIS, [*usual, *answers(0, "a", 5, 40), *answers(0, "a", 1, 40)])
    (found,) = board.movements(report)
    assert (90, 50) == (found.baseline, found.score)


@pytest.mark.parametrize("age", [0, 100 * DAY])
def test_an_empty_file_and_a_lonely_answer(age: int) -> None:
    """Nothing to compare is nothing said, not an error."""
    for held in ([], answers(age, "a", 5)):
        board, report = file_board(KPIS, held)
        assert all(found.baseline is None for found in board.movements(report))
