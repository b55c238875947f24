"""The whole product with its servers, as in production, and patients who answer."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from agents.embedded.ports import HOST, free_port
from tests.integration.harness import Pipeline
from tests.integration.monitoring import Monitoring
from tests.integration.patients import Patients
from tests.integration.webhook_receiver import WebhookReceiver
from tests.servers import FeedbackProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.harness import CountingWorker
    from tests.integration.webhook_receiver import Notification
    from tests.servers import KafkaBroker

HISTORY_SECONDS = 3_600
HISTORY_RATE = 10
PATIENCE_SECONDS = 120.0
ASKED_EVERY_SECONDS = 0.2


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
    """A condition that is looked at less often: a question costs the server that is asked."""
    looked_at = 0.0

    def look() -> bool:
        nonlocal looked_at
        if time.monotonic() - looked_at < ASKED_EVERY_SECONDS:
            return False
        looked_at = time.monotonic()
        return condition()

    return look


@contextmanager
def running_world(broker: KafkaBroker, folder: Path, kpi_file: Path) -> Iterator[World]:
    """Two workers, two exporters and their monitoring, with an hour of healthy answers counted."""
    with ExitStack() as stack:
        pipeline = Pipeline(broker, folder)
        pipeline.kpi_file = kpi_file
        stack.enter_context(pipeline)
        workers = [pipeline.worker(), pipeline.worker()]
        exporters = [free_port(), free_port()]
        for port in exporters:
            stack.enter_context(exporter(pipeline, port))
        patients = Patients(seed=1)
        publish_history(pipeline, patients)
        webhook = stack.enter_context(WebhookReceiver())
        monitoring = Monitoring(
            folder / "rendered",
            kpi_file,
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
