"""The hash of a KPI's definition: it changes when what its number means, or is held to, changes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kpis.kpi import Kpi

# What a person reads beside the number.
_TEXTS = {"title", "owner", "about", "benchmarks", "review_by"}


def definition_hash(kpi: Kpi, cell_ids: Iterable[str]) -> str:
    """Twelve hex digits; `cell_ids` name the measures that it counts, with their scales.

    Titles, owners, texts and benchmarks may change without it. What is left to its default counts
    as not written, so that a new kind of setting changes no hash.
    """
    # Validated types are known to have been written as others, which Pydantic would warn of.
    written = kpi.model_dump(
        mode="json", by_alias=True, exclude=_TEXTS, exclude_defaults=True, warnings=False
    )
    content = json.dumps([written, kpi.confidence, *cell_ids], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
