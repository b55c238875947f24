"""The tables of the board: scores, segments, alerts and the pipeline.

Each table is made for a width and a number of lines, its heading among them. Narrow terminals lose
columns from the least important on; few lines lose rows, and the last line says how many.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agents.board.words import (
    NOTHING,
    bytes_words,
    duration_words,
    interval_words,
    movement_words,
    number,
    score_words,
    segment_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.board.board import Pipeline, View
    from streams.kpis.file import KpiFile
    from streams.scores.rows import Row
    from streams.scores.states import State

# Words tell the states apart; colour and weight only draw the eye. Breach and stale are also
# reversed, which a terminal without colour shows.
STATE_STYLES: Final[dict[State, str]] = {
    "ok": "green",
    "watch": "bold yellow",
    "breach": "bold reverse red",
    "insufficient": "cyan",
    "idle": "dim",
    "stale": "reverse magenta",
}

_GAP: Final = 2
_FLEXIBLE_AT_LEAST: Final = 16
_NAME_AT_MOST: Final = 16


class Column(NamedTuple):
    """A column and what a row says in it.

    `width` 0 takes what the others leave, and only there a text may be cut. Of those with an
    `expendable` above 0, the highest goes first where the terminal is narrow.
    """

    heading: str
    width: int
    cell: Callable[[Row], str | Text]
    side: Literal["left", "right"] = "right"
    expendable: int = 0


def kpi_table(view: View, width: int, lines: int) -> Group:
    """Every KPI and window. Where lines are few, what is bad stays, then the first windows."""
    kpis, totals = view.kpis, view.totals
    kept = _most_telling(totals, kpis, _rows_in(lines, len(totals)))
    firsts = {row.kpi: row for row in reversed(kept)}
    columns = [
        Column("KPI", 0, lambda row: _title(row, kpis) if firsts[row.kpi] is row else "", "left"),
        _window(),
        _score(kpis),
        _interval(kpis, 3),
        _answers(2),
        _state(),
        Column("target", 6, lambda row: number(row.target, row, kpis), expendable=4),
        Column("floor", 6, lambda row: number(row.floor, row, kpis), expendable=5),
    ]
    return _table(columns, kept, len(totals), width)


def segment_table(view: View, width: int, lines: int) -> Group:
    """The worst segments, in breach and watch first."""
    kpis, worst = view.kpis, view.worst_segments
    longest = max(map(len, kpis.kpis), default=0)
    columns = [
        Column("worst segments", 0, segment_words, "left"),
        # The name and not the title, as in alerts: a segment's own name needs the room.
        Column("KPI", min(longest, _NAME_AT_MOST), lambda row: row.kpi, "left", 2),
        _window(),
        _score(kpis),
        _interval(kpis, 4),
        _answers(3),
        _state(),
    ]
    kept = worst[: _rows_in(lines, len(worst))]
    return _table(columns, kept, len(worst), width, "none has enough answers to be judged")


def alert_table(view: View, width: int, lines: int) -> Group:
    """The alerts that are raised, with the evidence for them; the latest first."""
    kpis, now, alerts = view.kpis, view.now, view.alerts
    columns = [
        Column("raised alerts", 0, _alert_words, "left"),
        Column("severity", 8, lambda row: row.alert.severity if row.alert else "", "left", 2),
        Column("since (UTC)", 16, lambda row: _since(row, now), "left", 1),
        _score(kpis),
        Column("evidence", 15, _evidence, "right", 3),
    ]
    kept = alerts[: _rows_in(lines, len(alerts))]
    return _table(columns, kept, len(alerts), width, "none")


def movement_lines(view: View) -> list[Text]:
    """What moved each KPI from its baseline, a paragraph a KPI under a heading."""
    said = [
        Text.assemble((f"{each.kpi} {each.window} ", "bold"), movement_words(each, view.kpis))
        for each in view.movements
    ]
    return [Text("why it moved", style="bold"), *said] if said else []


def pipeline_lines(pipeline: Pipeline) -> list[Text]:
    """The pipeline's health, what is wrong first."""
    reported = pipeline.oldest_report_seconds
    counted = f"{pipeline.topic}: "
    if reported is None:
        counted += "no worker has reported yet"
    else:
        counted += (
            f"{pipeline.partitions} partitions, {pipeline.lag_events:,} events and "
            f"{duration_words(pipeline.lag_seconds)} behind; last health report "
            f"{duration_words(reported)} ago"
        )
    refused = (
        f"{pipeline.read:,} events read; {pipeline.refused:,} refused, now dead letters "
        f"({pipeline.refused_share:.2%}); {pipeline.outcomes.get('late', 0):,} late"
    )
    return [*_stale(pipeline), Text(counted), Text(refused), _redis(pipeline)]


def _stale(pipeline: Pipeline) -> Iterator[Text]:
    """A line for each reason, with the windows that it holds for."""
    windows: dict[str, list[str]] = {}
    for window, reason in pipeline.stale.items():
        windows.setdefault(reason, []).append(window)
    for reason, names in windows.items():
        if reason != pipeline.problem:
            where = ", ".join(names)
            yield Text.assemble(("stale", STATE_STYLES["stale"]), f" {where}: {reason}")


def _redis(pipeline: Pipeline) -> Text:
    if pipeline.problem:
        problem = pipeline.problem.removeprefix("Redis ")
        return Text.assemble("Redis ", ("down", STATE_STYLES["breach"]), f": {problem}")
    limit = pipeline.memory_limit_bytes
    share = f"of {bytes_words(limit)}" if limit else "(it has no limit)"
    return Text.assemble(
        "Redis ", ("up", "green"), f", {bytes_words(pipeline.memory_bytes)} in use {share}"
    )


def state_text(row: Row) -> Text:
    """The state in its word, coloured."""
    return Text.assemble((row.state, STATE_STYLES[row.state]))


def _title(row: Row, kpis: KpiFile) -> str:
    return kpis.kpis[row.kpi].title


def _window() -> Column:
    return Column("window", 6, lambda row: row.window)


def _score(kpis: KpiFile) -> Column:
    return Column("score", 8, lambda row: score_words(row, kpis))


def _interval(kpis: KpiFile, expendable: int) -> Column:
    return Column(
        f"{100 * kpis.confidence:g} % interval",
        15,
        lambda row: interval_words(row, kpis),
        "right",
        expendable,
    )


def _answers(expendable: int) -> Column:
    return Column("answers", 9, lambda row: f"{row.answers:,}", "right", expendable)


def _state() -> Column:
    return Column("state", 12, state_text, "left")


def _alert_words(row: Row) -> str:
    return f"{segment_words(row)}, {row.kpi} {row.window}"


def _since(row: Row, now: float) -> str:
    if row.alert is None or row.alert.since is None:
        return NOTHING
    clock = datetime.fromtimestamp(row.alert.since, UTC).strftime("%H:%M:%S")
    return f"{clock}, {duration_words(max(0.0, now - row.alert.since))}"


def _evidence(row: Row) -> str:
    return f"{row.alert.evidence:.1f}, limit {row.alert.limit:g}" if row.alert else NOTHING


def _rows_in(lines: int, rows: int) -> int:
    """How many rows fit under the heading; the last line is needed to say how many do not."""
    return rows if rows < lines else max(lines - 2, 0)


def _most_telling(rows: Sequence[Row], kpis: KpiFile, count: int) -> list[Row]:
    """`count` of the rows, in their order: raised and watch first, then by window."""
    windows = [window.name for window in kpis.windows]
    ranked = sorted(
        range(len(rows)),
        key=lambda at: (rows[at].state not in {"breach", "watch"}, windows.index(rows[at].window)),
    )
    return [rows[at] for at in sorted(ranked[:count])]


def _table(
    columns: Sequence[Column], rows: Sequence[Row], total: int, width: int, nothing: str = ""
) -> Group:
    table = Table(
        box=None, padding=(0, _GAP, 0, 0), pad_edge=False, width=width, header_style="bold"
    )
    shown = _fitting(columns, width)
    for column in shown:
        table.add_column(
            column.heading,
            justify=column.side,
            no_wrap=True,
            width=column.width or None,
            ratio=None if column.width else 1,
        )
    for row in rows:
        table.add_row(*(column.cell(row) for column in shown))
    left = f"and {total - len(rows)} more" if total > len(rows) else "" if rows else nothing
    return Group(table, Text(left, style="dim", no_wrap=True)) if left else Group(table)


def _fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that leave the flexible one enough room."""
    shown = list(columns)
    while sum(column.width + _GAP for column in shown) - _GAP + _FLEXIBLE_AT_LEAST > width:
        last = max(shown, key=lambda column: column.expendable)
        if not last.expendable:
            break
        shown.remove(last)
    return shown
