from __future__ import annotations

import pytest

from streams.counts.reader import PartitionReport, Report
from streams.scores.staleness import is_refused, layout_problem, stale_reason
from streams.scores.states import PartitionHealth

NOW = 1_800_000_000.0
OURS = "3:abc"


def report(
    *, layout: str = OURS, age: float = 0, settled: bool = True, problem: str | None = None
) -> Report:
    health = PartitionHealth(
        partition=0,
        log_end=1,
        position=1,
        last_record_time=None,
        time=NOW - age,
        complete_from=0,
    )
    partition = PartitionReport(
        partition=0,
        position=1,
        layout=layout,
        complete_from=0,
        outcomes={},
        health=health,
        settled=settled,
    )
    return Report(NOW, expected_partitions=1, partitions=(partition,), problem=problem)


def test_healthy_report_is_not_stale() -> None:
    """Nothing is stale where every partition reports and is read at one moment."""
    assert stale_reason(report(), OURS, 3_600) is None


def test_redis_away_is_stale_only_once_the_last_reports_are_old() -> None:
    """A Redis that restarts within seconds makes nothing stale; then it is the reason given."""
    assert stale_reason(report(age=5, problem="Redis is away"), OURS, 3_600) is None
    assert "Redis is away" == stale_reason(report(age=20, problem="Redis is away"), OURS, 3_600)


def test_unsettled_partition_is_stale() -> None:
    """Buckets that were not read at one moment may show an answer twice."""
    reason = stale_reason(report(settled=False), OURS, 3_600)
    assert "partition 0: changes faster than it can be read at one moment" == reason


@pytest.mark.parametrize(
    ("layout", "words", "refused"),
    [
        ("4:def", "the counts are of version 4", True),
        ("3:def", "another KPI file with the same version 3", True),
        ("2:def", "the workers still count by version 2", False),
        ("", "the workers still count by version 0", False),
    ],
)
def test_counts_of_another_layout_are_never_shown_as_true(
    layout: str, words: str, refused: bool
) -> None:
    """Another layout is stale with what to do; only workers that are behind can be waited for."""
    found = report(layout=layout)
    assert words in (layout_problem(found, OURS) or "")
    assert layout_problem(found, OURS) == stale_reason(found, OURS, 3_600)
    assert refused == is_refused(found, OURS)
