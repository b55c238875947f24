"""The state of a row, the target, and the alert: which questions were asked, and their answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streams.counts.outcomes import outcomes
from streams.explanation.steps import Line, Step, calculation, plain
from streams.kpis.formulas import Share, TopBox
from streams.scores.scores import below, probability_below
from streams.scores.states import WATCH_ABOVE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from streams.kpis.kpi import Kpi
    from streams.scores.rows import AlertView, Row
    from streams.scores.scores import Tally

_STATE_RULE = "The first question that is answered with yes gives the state."


def state_step(kpi: Kpi, row: Row, tally: Tally) -> Step:
    """Each question in its order, up to the one that gives the state."""
    lines: list[Line] = [_STATE_RULE]
    for question, answer, facts in _questions(kpi, row, tally):
        lines.extend(facts)
        lines.append(f"{question}: {'yes' if answer else 'no'}")
        if answer:
            break
    return Step(f"State: {row.state}", tuple(lines))


def _questions(kpi: Kpi, row: Row, tally: Tally) -> Iterator[tuple[str, bool, list[Line]]]:
    reason = row.reason or "every partition reports, is counted, and holds the whole window"
    yield "stale, the counts can't be trusted now", row.state == "stale", [reason]
    raised = row.alert is not None and row.alert.raised
    yield "breach, an alert has raised and no answers have cleared it", raised, []
    yield f"idle, nobody answered ({row.answers} answers)", not row.answers, []
    few = row.answers < kpi.min_answers or row.score is None
    least = f"{row.answers} answers, {kpi.min_answers} are needed"
    yield f"insufficient, too few answers for the score ({least})", few, []
    if row.floor is not None:
        found, facts = _probability(kpi, row.floor, tally)
        beyond = "above" if kpi.lower_is_better else "below"
        question = f"watch, the true score is probably {beyond} the floor of {row.floor:g}"
        yield f"{question} (more than {WATCH_ABOVE:g})", found > WATCH_ABOVE, facts
    yield "ok, none of these", True, []


def _probability(kpi: Kpi, floor: float, tally: Tally) -> tuple[float, list[Line]]:
    """P(the true score lies on the wrong side of the floor), and how it came about."""
    z = below(kpi.formula, kpi.measure, tally, floor, kpi.design_effect)
    lines: list[Line] = []
    if isinstance(kpi.formula, TopBox | Share) and 0 < floor < 100:
        lines.append(_share_evidence(kpi, floor, tally, z))
    else:
        lines.append(f"z = {z:.6g}, by how much the floor lies beyond the score, as its interval")
    z = -z if kpi.lower_is_better else z
    found = probability_below(z)
    sign = "−" if kpi.lower_is_better else ""
    lines.append(f"P = {found:.4f}, from a table of the normal distribution at {sign}z")
    return found, lines


def _share_evidence(kpi: Kpi, floor: float, tally: Tally, z: float) -> Line:
    counted = outcomes(kpi.formula, kpi.measure, tally)
    successes, answers = counted.get("satisfied", counted.get("yes", 0)), sum(counted.values())
    return calculation(
        "z", "({f} − {k} ÷ {n}) ÷ √({f} × (1 − {f}) ÷ {m})", z,
        f=floor / 100, k=successes, n=answers, m=answers / kpi.design_effect,
    )  # fmt: skip


def target_step(kpi: Kpi, row: Row, day: dt.date) -> Step:
    """What the path to the target asks for on `day`."""
    target = kpi.target
    end = f"{target.score:g} is to be reached"
    if target.from_ is None or target.start is None or target.by is None:
        return Step("Target", (f"target = {end}",))
    gone = min(max((day - target.start).days, 0), (target.by - target.start).days)
    return Step(
        "Target",
        (
            f"From {target.from_:g} on {target.start} straight to {target.score:g} on {target.by}.",
            f"{day} is day {gone} of {(target.by - target.start).days}.",
            calculation(
                "target", "{a} + ({b} − {a}) × {d} ÷ {n}", row.target,
                a=target.from_, b=target.score, d=gone, n=(target.by - target.start).days,
            ),
        ),
    )  # fmt: skip


def alert_step(view: AlertView) -> Step:
    """What the alert rule compares, and since when."""
    state = "raised" if view.raised else "not raised"
    since = ""
    if view.since is not None:
        since = f" since {datetime.fromtimestamp(view.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Step(
        f"Alert: rule {view.rule}, {state}{since}",
        (
            f"evidence = {plain(view.evidence)}; it raises at {plain(view.limit)}",
            f"It tells the owner as a {view.severity}.",
        ),
    )
