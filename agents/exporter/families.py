"""From rows and reports to Prometheus families, fresh for each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import metrics
from streams.scores.gap import GAP_STATES
from streams.scores.rows import breakdown_label
from streams.scores.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import GaugeMetricFamily

    from streams.counts.reader import PartitionReport, Report
    from streams.kpis.file import KpiFile
    from streams.scores.movements import Movement
    from streams.scores.rows import AlertView, Row


def score_families(rows: Iterable[Row], kpis: KpiFile) -> list[GaugeMetricFamily]:
    """The families of scores: one series or more for each row."""
    dimensions = tuple(kpis.dimensions)
    (
        score, lower, upper, answers, state, alert, evidence, limit, by_outcome, part, chance, gap
    ) = families = [
        gauge.family(dimensions)
        for gauge in (
            metrics.KPI_SCORE, metrics.KPI_SCORE_LOWER, metrics.KPI_SCORE_UPPER,
            metrics.KPI_ANSWERS, metrics.KPI_STATE, metrics.KPI_ALERT,
            metrics.KPI_ALERT_EVIDENCE, metrics.KPI_ALERT_LIMIT, metrics.ANSWERS,
            metrics.KPI_PART_WEIGHT, metrics.KPI_CHANCE, metrics.KPI_GAP_STATE,
        )
    ]  # fmt: skip
    additive = _additive_windows(kpis)
    for row in rows:
        place = [row.kpi, row.window, row.breakdown]
        segment = dict(row.segment)
        values = [segment.get(name, "") for name in dimensions]
        answers.add_metric([*place, *values], row.answers)
        if row.score is not None and row.lower is not None and row.upper is not None:
            score.add_metric([*place, *values], row.score)
            lower.add_metric([*place, *values], row.lower)
            upper.add_metric([*place, *values], row.upper)
        for name in STATES:
            state.add_metric([*place, name, *values], float(name == row.state))
        if row.window == additive[row.kpi]:
            for outcome, count in row.outcomes.items():
                by_outcome.add_metric([*place, outcome, *values], count)
        for part_name, weight in row.parts.items():
            part.add_metric([*place, part_name, *values], weight)
        if row.chance is not None:
            chance.add_metric([*place, *values], row.chance)
        if row.gap is not None:
            for said in GAP_STATES:
                gap.add_metric([*place, said, *values], float(said == row.gap))
        if row.alert is not None:
            _add_alert(row.alert, place, values, alert, evidence, limit)
    return families


def _add_alert(
    view: AlertView,
    place: list[str],
    values: list[str],
    alert: GaugeMetricFamily,
    evidence: GaugeMetricFamily,
    limit: GaugeMetricFamily,
) -> None:
    alert.add_metric([*place, view.rule, view.severity, *values], float(view.raised))
    evidence.add_metric([*place, view.rule, *values], view.evidence)
    limit.add_metric([*place, view.rule, *values], view.limit)


def movement_families(movements: Iterable[Movement], kpis: KpiFile) -> list[GaugeMetricFamily]:
    """The families of baselines and of what moved scores since.

    Of each breakdown the segments that may be named, and all others together.
    """
    dimensions = tuple(kpis.dimensions)
    baseline = metrics.KPI_BASELINE_SCORE.family(dimensions)
    driver = metrics.KPI_DRIVER_POINTS.family(dimensions)
    for movement in movements:
        place = [movement.kpi, movement.window]
        for (breakdown, segment), value in movement.baselines.items():
            values = _values(breakdown, segment, dimensions)
            baseline.add_metric([*place, breakdown_label(breakdown), *values], value)
        for breakdown, found in movement.attributions.items():
            label = breakdown_label(breakdown)
            others = [""] * len(dimensions)
            driver.add_metric([*place, label, "mix", *others], found.mix)
            driver.add_metric([*place, label, "rate", *others], found.rest)
            for part in found.named:
                values = _values(breakdown, part.segment or (), dimensions)
                driver.add_metric([*place, label, "rate", *values], part.rate)
    return [baseline, driver]


def _values(
    breakdown: tuple[str, ...], segment: Iterable[str], dimensions: Iterable[str]
) -> list[str]:
    """The segment's value of each declared dimension; empty where it is not split."""
    named = dict(zip(breakdown, segment, strict=True))
    return [named.get(name, "") for name in dimensions]


def _additive_windows(kpis: KpiFile) -> dict[str, str]:
    """The window whose outcomes are shown: the alert's, else the longest."""
    return {
        kpi.name: kpi.alert.window.name
        if kpi.alert
        else max(kpis.windows_of(kpi), key=lambda window: window.seconds).name
        for kpi in kpis.kpis.values()
    }


def kpi_families(kpis: KpiFile, now: float) -> list[GaugeMetricFamily]:
    """What the KPI file says of each KPI, today being where `now` (Unix seconds) falls."""
    info, target, floor, benchmark, benchmark_time, review = families = [
        gauge.family()
        for gauge in (
            metrics.KPI_INFO, metrics.KPI_TARGET, metrics.KPI_FLOOR,
            metrics.KPI_BENCHMARK, metrics.KPI_BENCHMARK_TIME, metrics.KPI_REVIEW_BY,
        )
    ]  # fmt: skip
    today = kpis.day(now)
    for name, kpi in kpis.kpis.items():
        info.add_metric([name, kpi.title, kpi.owner, kpis.definition_hash(kpi)], 1)
        target.add_metric([name], kpi.target.on(today))
        if kpi.floor is not None:
            floor.add_metric([name], kpi.floor)
        for benchmark_name, compared in kpi.benchmarks.items():
            benchmark.add_metric([name, benchmark_name], compared.score)
            if compared.date is not None:
                benchmark_time.add_metric([name, benchmark_name], kpis.midnight(compared.date))
        if kpi.review_by is not None:
            review.add_metric([name], kpis.midnight(kpi.review_by))
    return families


def pipeline_families(report: Report, topic: str) -> list[GaugeMetricFamily]:
    """The ledgers and Redis itself, as last read."""
    families = {
        gauge: gauge.family()
        for gauge in (
            metrics.LEDGER_EVENTS, metrics.LEDGER_POSITION, metrics.LOG_END_OFFSET,
            metrics.PARTITION_HEALTH, metrics.LAST_EVENT, metrics.COMPLETE_FROM,
            metrics.REDIS_MEMORY_USED, metrics.REDIS_MEMORY_LIMIT,
        )
    }  # fmt: skip
    for partition in report.partitions:
        labels = [topic, str(partition.partition)]
        for outcome, count in partition.outcomes.items():
            families[metrics.LEDGER_EVENTS].add_metric([*labels, outcome], count)
        for gauge, value in _of_partition(partition, report.now):
            families[gauge].add_metric(labels, value)
    if report.memory_bytes:
        families[metrics.REDIS_MEMORY_USED].add_metric([], report.memory_bytes)
        families[metrics.REDIS_MEMORY_LIMIT].add_metric([], report.memory_limit_bytes)
    return list(families.values())


def _of_partition(partition: PartitionReport, now: float) -> Iterator[tuple[metrics.Gauge, Any]]:
    yield metrics.LEDGER_POSITION, partition.position
    unknown = partition.complete_from is None
    yield metrics.COMPLETE_FROM, now if unknown else partition.complete_from
    health = partition.health
    if health is not None:
        yield metrics.LOG_END_OFFSET, health.log_end
        yield metrics.PARTITION_HEALTH, health.time
        if health.last_record_time is not None:
            yield metrics.LAST_EVENT, health.last_record_time


def single(gauge: metrics.Gauge, value: float) -> GaugeMetricFamily:
    """A family of one series without labels."""
    family = gauge.family()
    family.add_metric([], value)
    return family
