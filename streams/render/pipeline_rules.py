"""The alerts about the pipeline itself. Their owner is whoever runs it: together one incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.render.catalogue import runbook

if TYPE_CHECKING:
    from streams.render.catalogue import Catalogue

EXPORTER_JOB = "feedback-exporter"
WORKER_JOB = "feedback-worker"
PIPELINE_OWNER = "operations"

# Shares and limits at which somebody should look; each leaves time to act before data is lost.
REFUSED_SHARE = 0.01
REFUSED_AT_LEAST = 5  # below this, a share says more about the quiet hour than about a producer
MEMORY_SHARE = 0.8

# The exporter calls a window stale after 15 s. This is for an exporter that answers but no longer
# reads: its states stay as they were, while the health time that it repeats grows old.
FROZEN_SECONDS = 60


def pipeline_rules(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The alerts about the pipeline. Their owner is whoever runs it, so they are one incident."""
    return [
        _stale(catalogue),
        _worker_down(),
        _no_exporter(),
        _exporter_down(),
        _dead_letters_high(),
        _redis_down(),
        _redis_near_limit(),
        _history_lost(catalogue),
    ]


def _pipeline_alert(
    name: str, severity: str, expr: str, *, lasting: str = "", summary: str, description: str
) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": name, "expr": expr}
    if lasting:
        rule["for"] = lasting
    rule["labels"] = {"severity": severity, "owner": PIPELINE_OWNER}
    rule["annotations"] = {
        "summary": summary,
        "description": description,
        "runbook": runbook(name),
    }
    return rule


def _stale(catalogue: Catalogue) -> dict[str, Any]:
    # Age by the time of the scrape, not of the evaluation: between two scrapes every value ages.
    health = "feedback_partition_health_timestamp_seconds"
    window = catalogue.shortest_window
    return _pipeline_alert(
        "FeedbackPipelineStale",
        "page",
        f'max(feedback_kpi_state{{state="stale",breakdown="all",window="{window}"}}) == 1\n'
        f"or\nmax(timestamp({health}) - {health}) > {FROZEN_SECONDS}\n",
        lasting="30s",  # a rebalance takes up to the session timeout (10 s) and a little more
        summary="Scores are stale: answers are not being counted up to now",
        description=(
            "A partition has no worker, counting is behind, or its history is incomplete. Scores "
            "stand still and their alerts hold. Oldest sign of life of a partition: "
            f'{{{{ with query "max(time() - max by (topic, partition) ({health}))" }}}}'
            "{{ . | first | value | humanizeDuration }} ago{{ else }}none{{ end }}."
        ),
    )


def _worker_down() -> dict[str, Any]:
    return _pipeline_alert(
        "FeedbackWorkerDown",
        "ticket",
        _down_or_absent(WORKER_JOB),
        lasting="1m",
        summary="Worker {{ with $labels.instance }}{{ . }} {{ end }}does not answer",
        description="The other workers take over its partitions; without any, scores become stale.",
    )


def _no_exporter() -> dict[str, Any]:
    return _pipeline_alert(
        "FeedbackNoExporter",
        "page",
        f'max(up{{job="{EXPORTER_JOB}"}}) == 0\nor\nabsent(up{{job="{EXPORTER_JOB}"}})\n',
        lasting="1m",
        summary="No exporter answers: there are no scores",
        description="Score alerts hold what they last said, and no new one can fire.",
    )


def _exporter_down() -> dict[str, Any]:
    up = f'up{{job="{EXPORTER_JOB}"}}'
    return _pipeline_alert(
        "FeedbackExporterDown",
        "ticket",
        f"{up} == 0 and on () max({up}) == 1",
        lasting="1m",
        summary="Exporter {{ $labels.instance }} does not answer",
        description="Another one does, so scores go on; there is no spare now.",
    )


def _down_or_absent(job: str) -> str:
    return f'up{{job="{job}"}} == 0\nor\nabsent(up{{job="{job}"}})\n'


def _dead_letters_high() -> dict[str, Any]:
    refused = 'sum(increase(feedback_events_total{outcome="refused"}[10m]))'
    read = "sum(increase(feedback_events_total[10m]))"
    top = "topk(3, sum by (reason) (increase(feedback_refused_total[10m])) > 0)"
    return _pipeline_alert(
        "FeedbackDeadLettersHigh",
        "ticket",
        f"{refused} / {read} > {REFUSED_SHARE}\nand\n{refused} >= {REFUSED_AT_LEAST}\n",
        summary="{{ $value | humanizePercentage }} of the events of 10 minutes were refused",
        description=(
            "They are in the dead-letter topic and not in any score. Reasons: "
            f'{{{{ range $i, $refused := query "{top}" | sortByLabel "reason" }}}}'
            "{{ if $i }}, {{ end }}{{ $refused.Labels.reason }} "
            '{{ $refused.Value | printf "%.0f" }}'
            "{{ else }}not known{{ end }}."
        ),
    )


def _redis_down() -> dict[str, Any]:
    return _pipeline_alert(
        "FeedbackRedisDown",
        "page",
        "max(feedback_redis_up) == 0",
        lasting="30s",  # a restart with its AOF at hand
        summary="Redis does not answer: nothing is counted",
        description="Events wait in Kafka; nothing is lost while its retention lasts.",
    )


def _redis_near_limit() -> dict[str, Any]:
    used = "max(feedback_redis_memory_used_bytes)"
    limit = "(max(feedback_redis_memory_limit_bytes) > 0)"
    return _pipeline_alert(
        "FeedbackRedisNearLimit",
        "ticket",
        f"{used} / {limit} > {MEMORY_SHARE}",
        lasting="5m",
        summary="Redis uses {{ $value | humanizePercentage }} of its memory",
        description="When it is full, Redis refuses writes (noeviction) and counting stops.",
    )


def _history_lost(catalogue: Catalogue) -> dict[str, Any]:
    window = catalogue.longest_window
    since = "max by (topic) (feedback_complete_from_timestamp_seconds)"
    return _pipeline_alert(
        "FeedbackHistoryLost",
        "ticket",
        f"{since} > time() - {window.seconds}",
        summary="Counts of {{ $labels.topic }} are complete only since "
        "{{ $value | humanizeTimestamp }}",
        description=(
            f"Windows that reach further back, up to {window.name}, are stale until they no longer "
            "do. Restore Redis, or count again from the topic."
        ),
    )
