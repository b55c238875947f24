"""`feedback score FILE`: the KPIs of a file of events, with no server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.board.as_json import more_said
from agents.board.words import interval_words, movement_words, score_words, segment_words
from agents.commands.explaining import explain_option, print_explanation, segment_option
from agents.publish.event_file import CsvRows, EventFile, JsonLines
from agents.settings import load_settings
from agents.standard_error import StandardError
from streams.durations import Duration
from streams.events.event import Refusal
from streams.kpis.load import load_kpis
from streams.scores.score_file import WHOLE_FILE, FileScores

if TYPE_CHECKING:
    from streams.kpis.file import KpiFile
    from streams.scores.rows import Row

# Enough to see what is wrong; the totals tell of the rest.
_REFUSALS_SHOWN: Final = 20
_COLOURS: Final = {"ok": "green", "watch": "yellow", "breach": "bold red"}

EXAMPLES = """\b
Examples:
  feedback score answers.jsonl
  feedback score answers.jsonl --breakdown product,channel --window 7d
  feedback score - --format json < answers.jsonl
  feedback score answers.jsonl --explain csat --segment product=router
"""


@click.command(epilog=EXAMPLES)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--kpis",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The KPI file; default FEEDBACK_KPI_FILE, else kpis.yaml.",
)
@click.option(
    "--breakdown",
    "breakdowns",
    multiple=True,
    metavar="DIMENSION,…",
    help="Split by these dimensions too, declared as a breakdown or not. May be repeated.",
)
@click.option(
    "--window",
    default=WHOLE_FILE,
    show_default=True,
    help="Length of time up to the last answer, such as 24h, or all of the file.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@explain_option
@segment_option
def command(
    file: Path,
    kpis: Path | None,
    breakdowns: tuple[str, ...],
    window: str,
    form: Literal["table", "json"],
    explained: str | None,
    segments: tuple[str, ...],
) -> None:
    """Score the events in FILE: JSON lines, or CSV named .csv; - reads standard input.

    Numbers, intervals and states are those of the live board: the same code counts. Events are
    judged at their own time, so a file of any age can be scored; nothing is ever stale. Breach
    means that the evidence against the floor reaches the alert's limit. Below the table stands what
    moved each KPI with an alert, in the alert's window at the file's end, from the 28 days before.

    With --explain it prints instead how one score at the file's end came about, in the alert's
    window or that of --window, so that it can be followed with a pocket calculator.

    Refused events are reported on standard error by line and reason, and are not scored.

    Exit status: 0, 1 when any event was refused (the others are scored), 2 for wrong use.
    """
    found = load_kpis(load_settings(kpi_file=kpis).kpi_file)
    length = _window(window)
    split = [_breakdown(text, found) for text in breakdowns]
    scores = FileScores(found)
    _take_all(scores, _events(file, found), StandardError())
    if explained is not None:
        print_explanation(
            *scores.board(),
            found,
            kpi=explained,
            window=length.name if length else None,
            segments=segments,
            form=form,
        )
        _end(scores)
        return
    rows = scores.rows(length, split)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode([as_json(row) for row in rows])))
    else:
        _print(rows, found)
        _print_movements(scores, found)
    _end(scores)


def _end(scores: FileScores) -> None:
    if scores.outcomes["refused"]:
        sys.exit(1)


def as_json(row: Row) -> dict[str, Any]:
    """A row as `--format json` prints it; scores and bounds are null without answers.

    Some kinds of KPI say more: `parts`, `chance` and `gap` (`more_said`).
    """
    return {
        "kpi": row.kpi,
        "breakdown": row.breakdown,
        "segment": dict(row.segment),
        "window": row.window,
        "answers": row.answers,
        "score": row.score,
        "lower": row.lower,
        "upper": row.upper,
        "state": row.state,
        **more_said(row),
    }


def _window(text: str) -> Duration | None:
    if text == WHOLE_FILE:
        return None
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, or all", param_hint="--window") from None


def _breakdown(text: str, kpis: KpiFile) -> tuple[str, ...]:
    """The dimensions named, in the order of the KPI file."""
    names = [name.strip() for name in text.split(",")]
    known = list(kpis.dimensions)
    for name in names:
        if name not in known:
            has = f"the KPI file has {', '.join(known)}" if known else "the KPI file has none"
            raise click.BadParameter(f"{name!r} is no dimension; {has}", param_hint="--breakdown")
    return tuple(name for name in known if name in names)


def _events(file: Path, kpis: KpiFile) -> EventFile:
    if file.suffix.lower() == ".csv":
        return CsvRows(file, sys.stdin.buffer, kpis.layout)
    return JsonLines(file, sys.stdin.buffer)


def _take_all(scores: FileScores, lines: EventFile, stderr: StandardError) -> None:
    """Count every line, and say on standard error what became of them."""
    for line in stderr.track(lines, "scoring", None):
        if isinstance(line.value, Refusal):
            scores.refuse()
            refusal: Refusal | None = line.value
        else:
            refusal = scores.take(line.value)
        if refusal and scores.outcomes["refused"] <= _REFUSALS_SHOWN:
            stderr.say(f"{line.place}: {refusal.reason}: {refusal.detail}")
    stderr.say(_summary(scores))


def _summary(scores: FileScores) -> str:
    outcomes = scores.outcomes
    each = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    return f"{outcomes.total():,} events: {each}" if outcomes else "no events"


def _print(rows: list[Row], kpis: KpiFile) -> None:
    table = Table("KPI", "Segment")
    for heading in ("Answers", "Score", f"{100 * kpis.confidence:g} % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("State")
    for row in rows:
        colour = _COLOURS.get(row.state, "dim")
        table.add_row(
            escape(kpis.kpis[row.kpi].title),
            escape(segment_words(row)),
            f"{row.answers:,}",
            score_words(row, kpis),
            interval_words(row, kpis),
            f"[{colour}]{row.state}[/]{_said(row)}",
        )
    Console().print(table)


def _print_movements(scores: FileScores, kpis: KpiFile) -> None:
    """What moved each KPI that alerts, at the file's end, from the 28 days before."""
    board, report = scores.board()
    for movement in board.movements(report):
        if movement.score is not None and movement.baseline is not None:
            title = kpis.kpis[movement.kpi].title
            words = f"{title}, last {movement.window}: {movement_words(movement, kpis)}"
            Console().print(escape(words), highlight=False)


def _said(row: Row) -> str:
    """What only some kinds of KPI say, after the state."""
    if row.gap is not None:
        return f", {row.gap}"
    if row.chance is not None:
        return f", p = {row.chance:.3f}"
    return ""
