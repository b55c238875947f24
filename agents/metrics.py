"""Every metric of every process: name, type, help text and labels. None is declared elsewhere.

Counters alone end in `_total`, units are base units, and a label's values are bounded: nothing
that a customer wrote is ever a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

from streams.events.event import REASONS
from streams.ledger.folded import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry


class Gauge(NamedTuple):
    """A gauge that the exporter computes anew for each scrape."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def family(self, further_labels: Sequence[str] = ()) -> GaugeMetricFamily:
        """An empty family; `further_labels` come after its own."""
        return GaugeMetricFamily(self.name, self.help, labels=[*self.labels, *further_labels])


# Scores. The KPI file's dimensions are further labels of each, under their own names, empty where
# a score is not split by them.
SCORE_LABELS: Final = ("kpi", "window", "breakdown")

KPI_SCORE: Final = Gauge(
    "feedback_kpi_score", "Score in the unit of its formula; absent without answers.", SCORE_LABELS
)
KPI_SCORE_LOWER: Final = Gauge(
    "feedback_kpi_score_lower", "Lower bound of the score's interval.", SCORE_LABELS
)
KPI_SCORE_UPPER: Final = Gauge(
    "feedback_kpi_score_upper", "Upper bound of the score's interval.", SCORE_LABELS
)
KPI_ANSWERS: Final = Gauge("feedback_kpi_answers", "Answers behind the score.", SCORE_LABELS)
KPI_STATE: Final = Gauge(
    "feedback_kpi_state", "1 for the state that the score is in, 0 for the others.",
    (*SCORE_LABELS, "state"),
)  # fmt: skip
KPI_ALERT: Final = Gauge(
    "feedback_kpi_alert", "1 while the alert rule is raised, 0 while it is not.",
    (*SCORE_LABELS, "rule", "severity"),
)  # fmt: skip
KPI_ALERT_EVIDENCE: Final = Gauge(
    "feedback_kpi_alert_evidence", "What the alert rule compares with its limit.",
    (*SCORE_LABELS, "rule"),
)  # fmt: skip
KPI_ALERT_LIMIT: Final = Gauge(
    "feedback_kpi_alert_limit", "The evidence from which the alert rule raises.",
    (*SCORE_LABELS, "rule"),
)  # fmt: skip
KPI_CHANCE: Final = Gauge(
    "feedback_kpi_chance_probability",
    "How probable such differences between segments are by chance alone (G-test).",
    SCORE_LABELS,
)
KPI_GAP_STATE: Final = Gauge(
    "feedback_kpi_gap_state", "1 for what promise and perception say of each other, else 0.",
    (*SCORE_LABELS, "state"),
)  # fmt: skip
KPI_PART_WEIGHT: Final = Gauge(
    "feedback_kpi_part_weight", "Weight of a part in a composite score, 0 where it is missing.",
    (*SCORE_LABELS, "part"),
)  # fmt: skip
KPI_BASELINE_SCORE: Final = Gauge(
    "feedback_kpi_baseline_score",
    "Score of the time before the alert's window: 28 days, or as much of them as is kept.",
    SCORE_LABELS,
)
KPI_DRIVER_POINTS: Final = Gauge(
    "feedback_kpi_driver_points",
    "What moved a score since its baseline, in its unit; all of a breakdown sum to the change. "
    "rate: answers of a segment were otherwise (without a segment: of those that are not named); "
    "mix: answers came from other segments.",
    (*SCORE_LABELS, "part"),
)
ANSWERS: Final = Gauge(
    "feedback_answers",
    "Answers by outcome in the alert's window; they may be added up over segments.",
    (*SCORE_LABELS, "outcome"),
)

# KPIs.
KPI_TARGET: Final = Gauge(
    "feedback_kpi_target", "The score that the path to the target asks for today.", ("kpi",)
)
KPI_FLOOR: Final = Gauge("feedback_kpi_floor", "The score that must hold.", ("kpi",))
KPI_BENCHMARK: Final = Gauge(
    "feedback_kpi_benchmark", "A score to compare with.", ("kpi", "benchmark")
)
KPI_BENCHMARK_TIME: Final = Gauge(
    "feedback_kpi_benchmark_timestamp_seconds", "The day for which a benchmark was true.",
    ("kpi", "benchmark"),
)  # fmt: skip
KPI_REVIEW_BY: Final = Gauge(
    "feedback_kpi_review_by_timestamp_seconds", "The day by which a KPI is to be reviewed.",
    ("kpi",),
)  # fmt: skip
KPI_INFO: Final = Gauge(
    "feedback_kpi_info",
    "Always 1; says what a KPI is called and who answers for it. "
    "The hash changes with its definition.",
    ("kpi", "title", "owner", "hash"),
)  # fmt: skip

# The pipeline, as the exporter sees it in Redis.
PARTITION_LABELS: Final = ("topic", "partition")

LEDGER_EVENTS: Final = Gauge(
    "feedback_ledger_events", "Records of the log by outcome, exact; falls if Redis goes back.",
    (*PARTITION_LABELS, "outcome"),
)  # fmt: skip
LEDGER_POSITION: Final = Gauge(
    "feedback_ledger_position", "The next offset to count.", PARTITION_LABELS
)
LOG_END_OFFSET: Final = Gauge(
    "feedback_log_end_offset", "The log's end as the owner last saw it.", PARTITION_LABELS
)
PARTITION_HEALTH: Final = Gauge(
    "feedback_partition_health_timestamp_seconds", "When the owner last reported (Redis's clock).",
    PARTITION_LABELS,
)  # fmt: skip
LAST_EVENT: Final = Gauge(
    "feedback_last_event_timestamp_seconds", "Record time of the last counted event.",
    PARTITION_LABELS,
)  # fmt: skip
COMPLETE_FROM: Final = Gauge(
    "feedback_complete_from_timestamp_seconds",
    "Record time from which the counts are complete; 0: from the topic's beginning.",
    PARTITION_LABELS,
)
REDIS_UP: Final = Gauge("feedback_redis_up", "1 if the last read of Redis succeeded, else 0.")
REDIS_MEMORY_USED: Final = Gauge("feedback_redis_memory_used_bytes", "Memory that Redis uses.")
REDIS_MEMORY_LIMIT: Final = Gauge(
    "feedback_redis_memory_limit_bytes", "Redis's maxmemory; 0: no limit."
)
SNAPSHOT_SECONDS: Final = Gauge(
    "feedback_snapshot_duration_seconds", "How long the last read of Redis and scoring took."
)
ROWS: Final = Gauge("feedback_rows", "Scores shown: KPI × window × segment.")
EXPORTER_ERRORS: Final = Gauge(
    "feedback_exporter_errors", "Refreshes that failed for another reason than Redis being away."
)

# From 1 ms to 16 s: a batch's usual 10 to 100 ms stand in the middle.
_SECONDS: Final = tuple(0.001 * 2**power for power in range(15))
# From single events of a quiet topic to several polls at once.
_EVENTS: Final = tuple(float(4**power) for power in range(9))


class WorkerMetrics:
    """What a worker counts about itself; alerts on rates use these, which never fall back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "feedback_events", "Records counted, by outcome.", ["outcome"], registry=registry
        )
        self.refused = Counter(
            "feedback_refused", "Refused records, by reason code.", ["reason"], registry=registry
        )
        # From 0 on: of a series that begins at its first burst, `increase()` would see nothing.
        for outcome in OUTCOMES:
            self.events.labels(outcome=outcome)
        for reason in REASONS:
            self.refused.labels(reason=reason)
        self.unknown_dimensions = Counter(
            "feedback_unknown_dimensions",
            "Dimensions of events that the KPI file does not declare; they are ignored.",
            registry=registry,
        )
        self.rebalances = Counter(
            "feedback_rebalances", "Assignments of partitions to this worker.", registry=registry
        )
        self.rewinds = Counter(
            "feedback_rewinds",
            "Times that counting began a new epoch: Redis went back, or offsets had expired.",
            registry=registry,
        )
        self.history_lost = Counter(
            "feedback_history_lost", "Losses of counts or of uncounted records.", registry=registry
        )
        self.batch_seconds = Histogram(
            "feedback_batch_seconds",
            "From a slice's decoding until Redis has applied it.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_events = Histogram(
            "feedback_batch_events", "Records in a slice.", buckets=_EVENTS, registry=registry
        )
        self.redis_seconds = Histogram(
            "feedback_redis_seconds",
            "Time of applying a slice in Redis, retries included.",
            buckets=_SECONDS,
            registry=registry,
        )
