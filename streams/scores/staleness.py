"""Why a reader of the counts can't trust a window now: what `scores.states` knows, and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.scores.states import staleness

if TYPE_CHECKING:
    from streams.counts.reader import Report


def stale_reason(report: Report, layout_token: str, window_seconds: float) -> str | None:
    """Why a window can't be trusted as of `report`, in words; None where it can.

    While Redis is away nothing is stale before the partitions' last health reports are.
    """
    reason = staleness(
        report.healths, report.expected_partitions, window_seconds, report.now
    ) or _unsettled(report)
    if reason and report.problem:
        return report.problem
    return layout_problem(report, layout_token) or reason


def layout_problem(report: Report, layout_token: str) -> str | None:
    """How the stored counts differ from what the KPI file says is stored; None where they agree.

    Workers raise a partition's layout when they open it, so an older one is theirs to raise.
    """
    strangers = [p.layout for p in report.partitions if p.layout != layout_token]
    if not strangers:
        return None
    stored, ours = max(map(_version, strangers)), _version(layout_token)
    if stored > ours:
        return (
            f"the counts are of version {stored} of the KPI file, this process has version {ours}; "
            "start it with the newer file"
        )
    if stored == ours:
        return (
            f"the counts are of another KPI file with the same version {ours}; start this process "
            "with the workers' file, or raise `version` and start both with it"
        )
    return (
        f"the workers still count by version {stored} of the KPI file; start them with "
        f"version {ours}, which this process has"
    )


def is_refused(report: Report, layout_token: str) -> bool:
    """Whether only another KPI file can help: the stored layout will not become ours."""
    ours = _version(layout_token)
    return any(p.layout != layout_token and _version(p.layout) >= ours for p in report.partitions)


def _version(token: str) -> int:
    version = token.partition(":")[0]
    return int(version) if version.isdigit() else 0


def _unsettled(report: Report) -> str | None:
    unsettled = [str(p.partition) for p in report.partitions if not p.settled]
    if not unsettled:
        return None
    return f"partition {', '.join(unsettled)}: changes faster than it can be read at one moment"
