"""Which windows a KPI is shown for, and whether counts and ids are kept as long as that needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from streams.kpis.formulas import Sum
from streams.kpis.problems import Problem
from streams.kpis.stored import tier_for

if TYPE_CHECKING:
    from streams.durations import Duration
    from streams.kpis.dedupe import Dedupe
    from streams.kpis.kpi import Kpi
    from streams.ledger.layout import Tier

Windows = tuple["Duration", ...]


class Kept(NamedTuple):
    """What the file says for all its KPIs. Without `dedupe` no id is kept."""

    windows: Windows
    tiers: tuple[Tier, ...]
    dedupe: Dedupe | None


def shown_windows(kpi: Kpi, windows: Windows, tiers: tuple[Tier, ...]) -> Windows:
    """The windows of the file that `kpi` is shown for, in the file's order.

    Those that it names, else all, else of a sum the longest: it grows with its window, so what it
    aims at holds for one. And only those that retention still holds once the KPI has matured.
    """
    chosen = _chosen(kpi, windows)
    return tuple(w for w in chosen if tier_for(w, tiers, kpi.matures_seconds))


def _chosen(kpi: Kpi, windows: Windows) -> Windows:
    if kpi.windows is not None:
        return tuple(window for window in windows if window in kpi.windows)
    if isinstance(kpi.choice.chosen, Sum):
        return (max(windows, key=lambda window: window.seconds),)
    return windows


def shown_problems(kpis: Mapping[str, Kpi], kept: Kept) -> Iterator[Problem]:
    """Alerts on what is not shown, and outcomes that come when counts or ids are forgotten."""
    for name, kpi in kpis.items():
        chosen = _chosen(kpi, kept.windows)
        if kpi.alert and kpi.alert.window not in chosen:
            names = ", ".join(window.name for window in chosen)
            sentence = f"is no window that this KPI is shown for; write one of {names}"
            yield Problem(sentence, (name, "alert", "window"))
        if kpi.matures is not None:
            yield from _maturity_problems(name, kpi, kept)


def _maturity_problems(name: str, kpi: Kpi, kept: Kept) -> Iterator[Problem]:
    at = (name, "matures")
    length = kpi.matures.name if kpi.matures else ""
    shown = shown_windows(kpi, kept.windows, kept.tiers)
    if not shown:
        yield Problem(
            f"no window fits before the last {length} of what retention keeps; keep longer "
            "buckets for longer, or add a longer window",
            at,
        )
    elif kpi.alert and kpi.alert.window in set(_chosen(kpi, kept.windows)) - set(shown):
        names = ", ".join(window.name for window in shown)
        sentence = f"is not kept {length} longer, as matures needs; write one of {names}"
        yield Problem(sentence, (name, "alert", "window"))
    if kept.dedupe is None:
        sentence = "an outcome is a revision of its event, and dedupe: off refuses revisions"
        yield Problem(sentence, at)
    elif kept.dedupe.horizon and kept.dedupe.horizon.seconds < kpi.matures_seconds:
        sentence = (
            f"ids are forgotten after {kept.dedupe.horizon.name}, before an outcome of {length} "
            "comes; write a longer dedupe.horizon"
        )
        yield Problem(sentence, at)
