"""Catalogues for tests of what is generated."""

from __future__ import annotations

from streams.durations import Duration
from streams.render.catalogue import Catalogue

HOUR, DAY = Duration.parse("1h"), Duration.parse("24h")

SPLIT = Catalogue(("csat", "nps"), ("product", "channel"), (HOUR, DAY))
WHOLE_ONLY = Catalogue(("csat",), (), (DAY,))
"""No dimensions and a single window: the least that a KPI file may declare."""
