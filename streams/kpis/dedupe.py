"""How long the ids of answers are remembered."""

from __future__ import annotations

from streams.kpis.model import DurationText, Model


class Dedupe(Model):
    """How long an answer's id is remembered, to count duplicates once and to accept edits."""

    horizon: DurationText | None = None
    """Older answers are late: not counted. Default: the longest retention that is stored."""
