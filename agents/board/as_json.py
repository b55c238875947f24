"""The board for programs: one JSON object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from agents.board.board import Pipeline, View
    from streams.scores.movements import Movement
    from streams.scores.rows import Row


def view_json(view: View) -> str:
    """`now` (Unix seconds), `pipeline`, `rows`, `alerts` (the raised rows), and `movements`.

    Movements are of KPIs with a baseline; the parts of each breakdown sum to the change.
    """
    whole = {
        "now": view.now,
        "pipeline": _pipeline(view.pipeline),
        "rows": [_row(row) for row in view.rows],
        "alerts": [_row(row) for row in view.alerts],
        "movements": [movement_json(movement) for movement in view.movements],
    }
    return msgspec.json.format(msgspec.json.encode(whole)).decode()


def movement_json(movement: Movement) -> dict[str, Any]:
    """What moved a KPI from its baseline; null is what is not known."""
    return {
        "kpi": movement.kpi,
        "window": movement.window,
        "score": movement.score,
        "baseline": movement.baseline,
        "drivers": [
            {
                "breakdown": list(breakdown),
                "change": found.change,
                "mix": found.mix,
                "others": found.rest,
                "segments": [
                    {"segment": list(part.segment or ()), "points": part.rate}
                    for part in found.named
                ],
            }
            for breakdown, found in movement.attributions.items()
        ],
    }


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    """What is not known is null."""
    fields = pipeline._asdict()
    if math.isinf(pipeline.lag_seconds):
        fields["lag_seconds"] = None
    return fields | {"refused": pipeline.refused, "refused_share": pipeline.refused_share}


def _row(row: Row) -> dict[str, Any]:
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
        "reason": row.reason,
        "target": row.target,
        "floor": row.floor,
        "alert": row.alert,
        **more_said(row),
    }


def more_said(row: Row) -> dict[str, Any]:
    """What only some kinds of KPI say: `parts` a composite, `chance` a consistency, `gap` a gap."""
    said = {"parts": row.parts or None, "chance": row.chance, "gap": row.gap}
    return {name: value for name, value in said.items() if value is not None}
