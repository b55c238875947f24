"""The board for programs: one JSON object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from agents.board.board import Pipeline, View
    from streams.scores.rows import Row


def view_json(view: View) -> str:
    """`now` (Unix seconds), `pipeline`, `rows` and `alerts` (the rows whose alert is raised)."""
    whole = {
        "now": view.now,
        "pipeline": _pipeline(view.pipeline),
        "rows": [_row(row) for row in view.rows],
        "alerts": [_row(row) for row in view.alerts],
    }
    return msgspec.json.format(msgspec.json.encode(whole)).decode()


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
    }
