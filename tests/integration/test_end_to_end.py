"""From an answer on Kafka to a notification: every server and process real, every file rendered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from agents.embedded.ports import HOST, free_port
from tests.integration.harness import CountingWorker, Pipeline
from tests.integration.monitoring import Monitoring
from tests.integration.patients import BAD, HEALTHY, SERVICES, TROUBLED, Patients
from tests.integration.traffic import Publisher, Traffic
from tests.integration.webhook_receiver import WebhookReceiver
from tests.servers import FeedbackProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.webhook_receiver import Notification
    from tests.servers import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus]

KPI_FILE = Path(__file__).with_name("kpis_end_to_end.yaml")
RATE = 120  # answers a second: 600 of each service in the alert's window of 30 s

# What is healthy must be looked at often before "it fired nothing" says much: 720 windows of the
# hour before the start for each of seven scores, with some 50 answers of a service in each, and
# then a minute and more of live ones with every rule evaluated each second.
HISTORY_SECONDS = 3_600
HISTORY_RATE = 10
HEALTHY_EVALUATIONS = 60

# Without workers: a window of 30 s and a stale limit of 15 s have passed by then, and Alertmanager
# has looked at the group of the score's alert several times.
SILENT_EVALUATIONS = 80
PATIENCE_SECONDS = 120.0
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
    r"(\S+) \(95% interval (\S+) to (\S+), n = (\d+)\)"
)


class World(NamedTuple):
    """Everything that runs."""

    pipeline: Pipeline
    workers: list[CountingWorker]
    monitoring: Monitoring
    webhook: WebhookReceiver
    patients: Patients

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition while the workers that should live do."""
        self.pipeline.wait(seldom(condition), what, PATIENCE_SECONDS)

    def notified(self, alertname: str, number: int) -> Notification:
        """The last notification about an alert, once there are so many; never one more."""
        about = self.webhook.about
        self.wait(lambda: len(about(alertname)) >= number, f"notification {number} of {alertname}")
        assert number == len(about(alertname)), [str(each) for each in about(alertname)]
        return about(alertname)[-1]

    def evaluated(self, times: int) -> None:
        """Wait until the rules have been evaluated so often from now on."""
        goal = self.monitoring.evaluations() + times
        self.wait(lambda: self.monitoring.evaluations() >= goal, f"{times} evaluations")


def seldom(condition: Callable[[], bool]) -> Callable[[], bool]:
    """A condition that is looked at five times a second at most: questions cost the asked."""
    looked_at = 0.0

    def look() -> bool:
        nonlocal looked_at
        if time.monotonic() - looked_at < 0.2:
            return False
        looked_at = time.monotonic()
        return condition()

    return look


@pytest.fixture
def world(kafka_broker: KafkaBroker, tmp_path: Path) -> Iterator[World]:
    """Give two workers, two exporters and their monitoring, with an hour of healthy answers."""
    with ExitStack() as stack:
        pipeline = Pipeline(kafka_broker, tmp_path)
        pipeline.kpi_file = KPI_FILE
        stack.enter_context(pipeline)
        workers = [pipeline.worker(), pipeline.worker()]
        exporters = [free_port(), free_port()]
        for port in exporters:
            stack.enter_context(exporter(pipeline, port))
        patients = Patients(seed=1)
        publish_history(pipeline, patients)
        webhook = stack.enter_context(WebhookReceiver())
        monitoring = Monitoring(
            tmp_path / "rendered",
            KPI_FILE,
            exporters=[f"{HOST}:{port}" for port in exporters],
            workers=[f"{HOST}:{worker.web_port}" for worker in workers],
            webhook_url=webhook.url,
        )
        yield World(pipeline, workers, stack.enter_context(monitoring), webhook, patients)


def exporter(pipeline: Pipeline, port: int) -> FeedbackProcess:
    """An exporter that reads Redis every second."""
    options = (f"--port={port}", "--interval=1")
    return FeedbackProcess(
        "exporter", *options, directory=pipeline.directory, environment=pipeline.environment()
    )


def publish_history(pipeline: Pipeline, patients: Patients) -> None:
    """Publish the hour before now with `feedback publish`, and wait until it is counted."""
    file = pipeline.directory / "history.jsonl"
    number = patients.write_history(file, seconds=HISTORY_SECONDS, rate=HISTORY_RATE)
    with FeedbackProcess(
        "publish", str(file), directory=pipeline.directory, environment=pipeline.environment()
    ) as publishing:
        pipeline.wait(lambda: not publishing.alive(), "the history to be published")
        assert 0 == publishing.exit_status, publishing.output()
    pipeline.wait(lambda: pipeline.counted() == number, "the history to be counted")


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
    scores = 2 * (1 + len(SERVICES))  # two KPIs: the whole and each service
    for window in ("30s", "5m"):
        state = f'feedback_kpi_state{{kpi=~"csat|nps",window="{window}"}} == 1'
        counted = world.monitoring.ask(f"count by (state, instance) ({state})")
        assert [("ok", scores)] * 2 == [(labels["state"], number) for labels, number in counted]


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

    The score falls, and an exporter's window ends up to a bucket and a health report before now.
    """
    *scores, answers = numbers
    *after, known = scored(world, moment)
    *before, _ = scored(world, moment - 8)
    for low, score, high in zip(after, scores, before, strict=True):
        assert low <= score <= high
    assert isclose(known, answers, rel_tol=0.25)


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
