"""From an answer on Kafka to a notification: every server and process real, every file rendered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.integration.patients import BAD, HEALTHY, SERVICES, TROUBLED
from tests.integration.traffic import Publisher
from tests.integration.world import running_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.monitoring import Monitoring
    from tests.integration.traffic import Traffic
    from tests.integration.webhook_receiver import Notification
    from tests.integration.world import World
    from tests.servers import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus]

KPI_FILE = Path(__file__).with_name("kpis_end_to_end.yaml")
RATE = 120  # answers a second: 600 of each service in the alert's window of 30 s

# What is healthy must be looked at often before "it fired nothing" says much: 720 windows of the
# hour before the start for each of seven scores, with some 50 answers of a service in each, and
# then a minute of live ones with every rule evaluated each second.
HEALTHY_EVALUATIONS = 60

# Without workers: a window of 30 s and a stale limit of 15 s have passed by then, and Alertmanager
# has looked at the group of the score's alert several times.
SILENT_EVALUATIONS = 80
# Prometheus sends a firing alert again after 5 s, so a notification tells of a moment before it.
TOLD_WITHIN_SECONDS = 12.0

SCORE, STALE = "FeedbackScorePage", "FeedbackPipelineStale"
LABELS = {
    "alertname": SCORE,
    "severity": "page",
    "owner": "care-team",
    "kpi": "csat",
    "window": "30s",
    "breakdown": "service",
    "service": TROUBLED,
}
# PromQL quotes as JSON does.
SEGMENT = f'{{kpi="csat",window="30s",breakdown="service",service={json.dumps(TROUBLED)}}}'
NUMBERS = {"score": ".4g", "score_lower": ".4g", "score_upper": ".4g", "answers": ".0f"}
SUMMARY = re.compile(
    rf"Patient satisfaction, over 30s, service {re.escape(TROUBLED)}: "
    r"(\S+) \(interval (\S+) to (\S+), n = (\d+)\)"
)


@pytest.fixture
def world(kafka_broker: KafkaBroker, tmp_path: Path) -> Iterator[World]:
    """Give everything running, with an hour of healthy answers."""
    with running_world(kafka_broker, tmp_path, KPI_FILE) as world:
        yield world


# The moments before a notification at which the file is scored, and what may lie between them.
SECONDS_AGO = (0, 2, 4, 6, 8, 10)
DRIFT_POINTS = 1.0


def test_an_alert_fires_once_for_a_bad_spell_and_holds_while_nothing_is_counted(
    world: World,
) -> None:
    """Healthy answers tell nobody; a bad spell is one incident; no data is never recovery.

    1. Healthy: no alert fires.
    2. One service turns bad: one notification, whose words and numbers are the exporter's.
    3. It recovers: one notification that it has.
    4. It turns bad again, and the workers stop: stale is told, and nothing of the score.
    5. They start again: stale ends, but the score's alert only when patients are satisfied.
    6. What was counted all the while is what was published, cell by cell.
    """
    pipeline, patients, monitoring = world.pipeline, world.patients, world.monitoring
    live = cast("Traffic", patients)
    with Publisher(pipeline.broker.bootstrap, pipeline.topic, live, rate=RATE) as publisher:
        # 1.
        stays_quiet(world)
        # 2.
        patients.satisfied[TROUBLED] = BAD
        names_what_happened(world, world.notified(SCORE, 1))
        # 3.
        patients.satisfied[TROUBLED] = HEALTHY
        assert "resolved" == world.notified(SCORE, 2).status
        assert 1 == monitoring.incidents(SCORE)
        # 4.
        patients.satisfied[TROUBLED] = BAD
        assert "firing" == world.notified(SCORE, 3).status
        holds_without_workers(world)
        # 5.
        starts_again(world)
        patients.satisfied[TROUBLED] = HEALTHY
        assert "resolved" == world.notified(SCORE, 4).status
        assert 2 == monitoring.incidents(SCORE)
        assert ["firing", "resolved"] == [told.status for told in world.webhook.about(STALE)]
        assert publisher.active
    # 6.
    assert "" == pipeline.differences()


def stays_quiet(world: World) -> None:
    """Every score is ok, nothing has fired, and nobody was told."""
    world.evaluated(HEALTHY_EVALUATIONS)
    assert set() == world.monitoring.ever_fired()
    assert [] == [str(told) for told in world.webhook.notifications]
    world.wait(lambda: all_are_ok(world.monitoring), "every score to be ok")


def all_are_ok(monitoring: Monitoring) -> bool:
    """Whether both exporters know every score of the KPIs that alert, and call each ok."""
    state = 'feedback_kpi_state{kpi=~"csat|nps"} == 1'
    counted = monitoring.ask(f"count by (state, instance) ({state})")
    scores = 2 * 2 * (1 + len(SERVICES))  # KPIs, windows, the whole and each service
    return [("ok", scores)] * 2 == [(labels["state"], number) for labels, number in counted]


def names_what_happened(world: World, told: Notification) -> None:
    """One alert, of the troubled service alone, whose numbers were all true at one moment."""
    assert "firing" == told.status
    assert {"owner": "care-team", "kpi": "csat"} == told.group
    assert [LABELS] == [alert["labels"] for alert in told.alerts]
    assert [LABELS] == world.monitoring.firing(SCORE)
    assert {SCORE} == world.monitoring.ever_fired()
    annotations = told.alerts[0]["annotations"]
    match = SUMMARY.fullmatch(annotations["summary"])
    assert match is not None, annotations["summary"]
    numbers = [annotations[name] for name in ("score", "lower", "upper", "answers")]
    assert numbers == list(match.groups())
    assert "(floor 75). Raised by: floor." in annotations["description"]
    agree_with_the_file(world, moment_of(world, told, numbers), [float(each) for each in numbers])


def moment_of(world: World, told: Notification, numbers: list[str]) -> float:
    """When an exporter said exactly these numbers, all in one scrape: shortly before."""
    scrapes = world.monitoring.values(f"feedback_kpi_answers{SEGMENT}[2m]")
    recent = [at for at, _ in scrapes if 0 <= told.received_at - at <= TOLD_WITHIN_SECONDS]
    said = {at: exported(world.monitoring, at) for at in recent}
    assert any(numbers in each for each in said.values()), f"{numbers} is none of {said}"
    return next(at for at, each in said.items() if numbers in each)


def exported(monitoring: Monitoring, at: float) -> list[list[str]]:
    """What each exporter had said at `at` of the troubled service, as texts show it."""
    said: dict[str, list[str]] = {}
    for metric, form in NUMBERS.items():
        for labels, value in monitoring.ask(f"feedback_kpi_{metric}{SEGMENT}", at):
            said.setdefault(labels["instance"], []).append(format(value, form))
    return list(said.values())


def agree_with_the_file(world: World, moment: float, numbers: list[float]) -> None:
    """`feedback score`, of what patients had said by then and some seconds before, brackets them.

    An exporter's window ends up to a bucket and a health report before now. Between two of the
    moments tried, the answers of a second may move a score by less than `DRIFT_POINTS`.
    """
    *scores, answers = numbers
    *columns, known = zip(*[scored(world, moment - ago) for ago in SECONDS_AGO], strict=True)
    for score, seen in zip(scores, columns, strict=True):
        assert min(seen) - DRIFT_POINTS <= score <= max(seen) + DRIFT_POINTS
    assert isclose(known[0], answers, rel_tol=0.25)


def scored(world: World, until: float) -> list[float]:
    """What `feedback score` says of the troubled service's last 30 s before `until`."""
    file = world.pipeline.directory / "said.jsonl"
    world.patients.write_said(file, seconds=40, until=until)
    options = (f"--kpis={KPI_FILE}", "--breakdown=service", "--window=30s", "--format=json")
    done = subprocess.run(
        [sys.executable, "-m", "agents.cli", "score", str(file), *options],
        check=True,
        capture_output=True,
    )
    troubled = {"service": TROUBLED}
    for row in json.loads(done.stdout):
        if (row["kpi"], row["segment"]) == ("csat", troubled):
            return [row[name] for name in ("score", "lower", "upper", "answers")]
    raise AssertionError(done.stdout)


def holds_without_workers(world: World) -> None:
    """Stale is told, the score's alert stands in Prometheus, and no word of it goes out."""
    before = world.monitoring.evaluations()
    for worker in world.workers:
        world.pipeline.stop(worker)
    assert "firing" == world.notified(STALE, 1).status
    world.evaluated(SILENT_EVALUATIONS - (world.monitoring.evaluations() - before))
    assert [LABELS] == world.monitoring.firing(SCORE)
    assert 2 == world.monitoring.incidents(SCORE)
    assert ["suppressed"] == world.monitoring.notified_state(SCORE)
    assert 3 == len(world.webhook.about(SCORE))


def starts_again(world: World) -> None:
    """Stale ends while patients are still unhappy, and nobody is told anew what they know."""
    for worker in world.workers:
        world.pipeline.start(worker)
    assert "resolved" == world.notified(STALE, 2).status
    assert [LABELS] == world.monitoring.firing(SCORE)
    assert 3 == len(world.webhook.about(SCORE))
