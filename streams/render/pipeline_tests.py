"""promtool's unit tests of the pipeline alerts. Each alert: firing, quiet, no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.render.catalogue import RUNBOOK
from streams.render.pipeline_rules import PIPELINE_OWNER, pipeline_rules
from streams.render.rule_cases import (
    Case,
    Expected,
    Labels,
    Series,
    case,
    firing,
    series,
    write_cases,
)

if TYPE_CHECKING:
    from streams.render.catalogue import Catalogue
    from streams.render.rule_cases import Alert

TESTS_PATH = "prometheus/tests/pipeline.yml"

EXPORTER = {"job": "feedback-exporter", "instance": "exporter:9108"}
WORKER = {"job": "feedback-worker", "instance": "worker-1:6066"}
PARTITION = {**EXPORTER, "topic": "feedback.events", "partition": "0"}

MEGABYTE = 1_000_000


def render_pipeline_tests(catalogue: Catalogue) -> str:
    """The tests of every pipeline alert."""
    return write_cases(
        [
            _no_data(catalogue),
            *_stale(catalogue),
            *_workers(),
            *_exporters(),
            *_dead_letters(),
            *_redis(),
            *_history(catalogue),
        ]
    )


def _alert(name: str, severity: str, summary: str, description: str, **labels: str) -> Alert:
    return firing(
        {"severity": severity, "owner": PIPELINE_OWNER, **labels},
        {
            "summary": summary,
            "description": description,
            "runbook": f"{RUNBOOK}#{name.lower()}",
        },
    )


def _no_data(catalogue: Catalogue) -> Case:
    """No data is quiet, except that who should answer and does not is down."""
    absent = {"FeedbackWorkerDown", "FeedbackNoExporter"}
    names = [str(rule["alert"]) for rule in pipeline_rules(catalogue)]
    down = Expected("1m15s", "FeedbackWorkerDown", (_worker_down("", job="feedback-worker"),))
    none = Expected("1m15s", "FeedbackNoExporter", (_no_exporter(job="feedback-exporter"),))
    quiet = (Expected("10m", name) for name in names if name not in absent)
    return case("without any data, who should answer is down", [], down, none, *quiet)


def _up(labels: Labels, values: str) -> Series:
    return series("up", labels, values)


def _stale_alert(age: str) -> Alert:
    return _alert(
        "FeedbackPipelineStale",
        "page",
        "Scores are stale: answers are not being counted up to now",
        "A partition has no worker, counting is behind, or its history is incomplete. Scores stand "
        f"still and their alerts hold. Oldest sign of life of a partition: {age}.",
    )


def _state(window: str, values: str) -> Series:
    labels = {"kpi": "csat", "window": window, "breakdown": "all", "state": "stale"}
    return series("feedback_kpi_state", {**EXPORTER, **labels}, values)


def _health(values: str, partition: str = "0") -> Series:
    labels = {**PARTITION, "partition": partition}
    return series("feedback_partition_health_timestamp_seconds", labels, values)


def _stale(catalogue: Catalogue) -> list[Case]:
    """Health times count from 0, as promtool's clock does."""
    name = "FeedbackPipelineStale"
    window = catalogue.shortest_window
    healthy = _health("0+15x40")
    cases = [
        case(
            "stale fires after half a minute and ends with the state",
            [_state(window, "0x3 1x7 0x20"), healthy],
            Expected("1m15s", name),
            Expected("1m30s", name, (_stale_alert("0s ago"),)),
            Expected("2m45s", name, (_stale_alert("0s ago"),)),
            Expected("3m", name),
        ),
        case(
            "stale fires when an exporter repeats an old health time of one partition",
            [_state(window, "0x40"), healthy, _health("0+15x3 45x36", "1")],
            Expected("2m", name),
            Expected("2m30s", name, (_stale_alert("1m 45s ago"),)),
        ),
        case(
            "stale is quiet while partitions are healthy",
            [_state(window, "0x40"), healthy],
            Expected("10m", name),
        ),
    ]
    if catalogue.longest_window.name != window:
        cases.append(
            case(
                "stale is quiet while only the history of a long window is incomplete",
                [_state(window, "0x40"), _state(catalogue.longest_window.name, "1x40"), healthy],
                Expected("10m", name),
            )
        )
    return cases


def _worker_down(shown: str, **labels: str) -> Alert:
    return _alert(
        "FeedbackWorkerDown",
        "ticket",
        f"Worker {shown}does not answer",
        "The other workers take over its partitions; without any, scores become stale.",
        **labels,
    )


def _workers() -> list[Case]:
    name = "FeedbackWorkerDown"
    other = {**WORKER, "instance": "worker-2:6066"}
    return [
        case(
            "one worker of two is down",
            [_up(WORKER, "1x3 0x20"), _up(other, "1x40")],
            Expected("1m45s", name),
            Expected("2m", name, (_worker_down("worker-1:6066 ", **WORKER),)),
        ),
        case("workers that answer are quiet", [_up(WORKER, "1x40")], Expected("10m", name)),
    ]


def _no_exporter(**labels: str) -> Alert:
    return _alert(
        "FeedbackNoExporter",
        "page",
        "No exporter answers: there are no scores",
        "Score alerts hold what they last said, and no new one can fire.",
        **labels,
    )


def _exporters() -> list[Case]:
    other = {**EXPORTER, "instance": "exporter-2:9108"}
    spare = _alert(
        "FeedbackExporterDown",
        "ticket",
        "Exporter exporter:9108 does not answer",
        "Another one does, so scores go on; there is no spare now.",
        **EXPORTER,
    )
    return [
        case(
            "one exporter of two is down: a ticket, no page",
            [_up(EXPORTER, "1x3 0x20"), _up(other, "1x40")],
            Expected("2m", "FeedbackExporterDown", (spare,)),
            Expected("2m", "FeedbackNoExporter"),
        ),
        case(
            "no exporter answers: a page, no ticket",
            [_up(EXPORTER, "1x3 0x20"), _up(other, "1x3 0x20")],
            Expected("1m45s", "FeedbackNoExporter"),
            Expected("2m", "FeedbackNoExporter", (_no_exporter(),)),
            Expected("2m", "FeedbackExporterDown"),
        ),
        case(
            "exporters that answer are quiet",
            [_up(EXPORTER, "1x40"), _up(other, "1x40")],
            Expected("10m", "FeedbackExporterDown"),
            Expected("10m", "FeedbackNoExporter"),
        ),
    ]


def _events(outcome: str, values: str) -> Series:
    return series("feedback_events_total", {**WORKER, "outcome": outcome}, values)


def _refused(reason: str, values: str) -> Series:
    return series("feedback_refused_total", {**WORKER, "reason": reason}, values)


def _dead_letters() -> list[Case]:
    name = "FeedbackDeadLettersHigh"
    alert = _alert(
        name,
        "ticket",
        "10% of the events of 10 minutes were refused",
        "They are in the dead-letter topic and not in any score. "
        "Reasons: out_of_range 80, unknown_measure 320.",
    )
    return [
        case(
            "a tenth of the events is refused",
            [
                _events("applied", "0+90x60"),
                _events("refused", "0+10x60"),
                _refused("unknown_measure", "0+8x60"),
                _refused("out_of_range", "0+2x60"),
                _refused("not_json", "0x60"),
            ],
            Expected("12m", name, (alert,)),
        ),
        case(
            "one refusal in 200 is quiet",
            [_events("applied", "0+199x60"), _events("refused", "0+1x60")],
            Expected("12m", name),
        ),
        case(
            "a few refusals in a quiet hour are quiet",
            [_events("applied", "0x60"), _events("refused", "0x20 1x39")],
            Expected("12m", name),
        ),
    ]


def _redis() -> list[Case]:
    down = _alert(
        "FeedbackRedisDown",
        "page",
        "Redis does not answer: nothing is counted",
        "Events wait in Kafka; nothing is lost while its retention lasts.",
    )
    near = _alert(
        "FeedbackRedisNearLimit",
        "ticket",
        "Redis uses 90% of its memory",
        "When it is full, Redis refuses writes (noeviction) and counting stops.",
    )
    return [
        case(
            "Redis does not answer any exporter",
            [series("feedback_redis_up", EXPORTER, "1x3 0x20")],
            Expected("1m15s", "FeedbackRedisDown"),
            Expected("1m30s", "FeedbackRedisDown", (down,)),
        ),
        case(
            "Redis answers and has room",
            [series("feedback_redis_up", EXPORTER, "1x40"), *_memory(used=70, limit=100)],
            Expected("10m", "FeedbackRedisDown"),
            Expected("10m", "FeedbackRedisNearLimit"),
        ),
        case(
            "Redis is nearly full",
            _memory(used=90, limit=100),
            Expected("4m45s", "FeedbackRedisNearLimit"),
            Expected("5m", "FeedbackRedisNearLimit", (near,)),
        ),
        case(
            "Redis without a limit is quiet",
            _memory(used=90, limit=0),
            Expected("10m", "FeedbackRedisNearLimit"),
        ),
    ]


def _memory(used: int, limit: int) -> list[Series]:
    return [
        series("feedback_redis_memory_used_bytes", EXPORTER, f"{used * MEGABYTE}x40"),
        series("feedback_redis_memory_limit_bytes", EXPORTER, f"{limit * MEGABYTE}x40"),
    ]


def _history(catalogue: Catalogue) -> list[Case]:
    name = "FeedbackHistoryLost"
    window = catalogue.longest_window
    lost = _alert(
        name,
        "ticket",
        "Counts of feedback.events are complete only since 1970-01-01 00:02:00 +0000 UTC",
        f"Windows that reach further back, up to {window.name}, are stale until they no longer do. "
        "Restore Redis, or count again from the topic.",
        topic="feedback.events",
    )
    return [
        case(
            "counts begin within the longest window",
            [_complete_from("-9000000000x7 120x20"), _complete_from("-9000000000x40", "1")],
            Expected("1m45s", name),
            Expected("2m", name, (lost,)),
        ),
        case(
            "counts that reach back far enough are quiet",
            [_complete_from("-9000000000x40")],
            Expected("10m", name),
        ),
    ]


def _complete_from(values: str, partition: str = "0") -> Series:
    labels = {**PARTITION, "partition": partition}
    return series("feedback_complete_from_timestamp_seconds", labels, values)
