"""Grafana's typed builders, imported in one place.

They recommend the second dashboard schema when the first is imported. Ours is the first: every
Grafana reads it from a provisioned file, the second only recent ones do.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        common as build_common,
    )
    from grafana_foundation_sdk.builders import (
        dashboard as build_dashboard,
    )
    from grafana_foundation_sdk.builders import (
        prometheus,
        stat,
        statetimeline,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common, dashboard, units
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = [
    "JSONEncoder",
    "PromQueryFormat",
    "build_common",
    "build_dashboard",
    "common",
    "dashboard",
    "prometheus",
    "stat",
    "statetimeline",
    "table",
    "timeseries",
    "units",
]
