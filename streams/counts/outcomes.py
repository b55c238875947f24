"""Outcomes: a tally in the words of its formula, as counts that may be added over segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streams.kpis.combined import Combined
from streams.kpis.formulas import Mean, Net, Sentiment, Share, Sum, TopBox

if TYPE_CHECKING:
    from streams.kpis.combined import Resolved
    from streams.ledger.layout import Measure
    from streams.scores.scores import Tally


def outcomes(formula: Resolved, measure: Measure, tally: Tally) -> dict[str, int]:
    """How many answers had each outcome, zeros included; they sum to the answers of the score.

    `top_box`: satisfied, unsatisfied. `net`: promoter, passive, detractor. `share`: yes, no.
    `mean`: each rating. `sentiment`: positive, neutral, negative. Amounts: counted. A score over
    several measures has none: what one answers need not be what another does.
    """
    if isinstance(formula, Combined):
        return {}
    if measure.kind == "amount":
        return {"counted": tally.get("count", 0)}
    match formula:
        case TopBox(at_least=least):
            satisfied = _ratings(tally, least, measure.high)
            unsatisfied = _ratings(tally, measure.low, least - 1)
            return {"satisfied": satisfied, "unsatisfied": unsatisfied}
        case Net(promoters=least, detractors=most):
            return {
                "promoter": _ratings(tally, least, measure.high),
                "passive": _ratings(tally, most + 1, least - 1),
                "detractor": _ratings(tally, measure.low, most),
            }
        case Share():
            return {"yes": tally.get("1", 0), "no": tally.get("0", 0)}
        case Mean():
            values = [str(rating) for rating in range(measure.low, measure.high + 1)]
        case Sentiment():
            values = ["positive", "neutral", "negative"]
        case Sum():
            return {}
        case _:
            assert_never(formula)
    return {value: tally.get(value, 0) for value in values}


def _ratings(tally: Tally, least: int, most: int) -> int:
    return sum([tally.get(str(rating), 0) for rating in range(least, most + 1)])
