"""Catalogues for tests of what is generated."""

from __future__ import annotations

from streams.durations import Duration
from streams.kpis.kpi import Bands
from streams.render.catalogue import Catalogue, Face

HOUR, DAY = Duration.parse("1h"), Duration.parse("24h")

CSAT = Face("csat", "Customer satisfaction", "%", bands=Bands(good=85, poor=75))
NPS = Face("nps", "Net promoter score", "-100 to 100")

SPLIT = Catalogue(("csat", "nps"), ("product", "channel"), (HOUR, DAY), (CSAT, NPS))
WHOLE_ONLY = Catalogue(("csat",), (), (DAY,), (CSAT._replace(bands=None),))
"""No dimensions and a single window: the least that a KPI file may declare."""
