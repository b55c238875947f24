"""`--explain KPI`, of `feedback score` and `feedback top`: how one number came about."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
import msgspec

from streams.explanation.explain import explain_row
from streams.explanation.steps import Calculation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.counts.reader import Report
    from streams.explanation.steps import Line, Step
    from streams.kpis.file import KpiFile
    from streams.scores.scoreboard import Scoreboard

_INDENT: Final = "   "

explain_option = click.option(
    "--explain",
    "explained",
    metavar="KPI",
    help="Print how this KPI's score, interval, state and alert came about, step by step.",
)
segment_option = click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="With --explain: of this segment instead of all answers. May be repeated.",
)


def print_explanation(
    board: Scoreboard,
    report: Report,
    kpis: KpiFile,
    *,
    kpi: str,
    window: str | None,
    segments: Iterable[str],
    form: str,
) -> None:
    """Print the steps of one row. Wrong names are wrong use, a segment without answers too."""
    if kpi not in kpis.kpis:
        _wrong("--explain", f"{kpi!r} is no KPI; the KPI file has {', '.join(kpis.kpis)}")
    declared = kpis.kpis[kpi]
    names = [each.name for each in kpis.windows_of(declared)]
    chosen = window or (declared.alert.window.name if declared.alert else names[-1])
    if chosen not in names:
        _wrong("--window", f"{chosen!r} is no window of {kpi}; it has {', '.join(names)}")
    steps = explain_row(board, report, kpis, kpi, chosen, dict(map(_segment, segments)))
    if steps is None:
        _wrong("--segment", f"no answers of it were ever seen, or {kpi} is not split like this")
    if form == "json":
        whole = {"kpi": kpi, "window": chosen, "steps": [_as_json(step) for step in steps]}
        click.echo(msgspec.json.format(msgspec.json.encode(whole)))
    else:
        click.echo(f"{declared.title}, {chosen}\n" + "\n".join(_texts(steps)))
    if report.problem:
        click.echo(report.problem, err=True)
        sys.exit(1)


def _segment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        _wrong("--segment", f"{text!r} names no value; write it as in product=router")
    return name, value


def _wrong(option: str, sentence: str) -> NoReturn:
    raise click.BadParameter(sentence, param_hint=option)


def _texts(steps: Iterable[Step]) -> Iterable[str]:
    for number, step in enumerate(steps, start=1):
        yield f"\n{number}. {step.title}"
        yield from (_INDENT + _text(line) for line in step.lines)


def _text(line: Line) -> str:
    return line.text if isinstance(line, Calculation) else line


def _as_json(step: Step) -> dict[str, Any]:
    """A remark has only `text`; a calculation also its parts."""
    return {
        "title": step.title,
        "lines": [
            {"text": line.text, **line._asdict()}
            if isinstance(line, Calculation)
            else {"text": line}
            for line in step.lines
        ],
    }
