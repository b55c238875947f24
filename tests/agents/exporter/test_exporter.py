from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from redis.backoff import NoBackoff
from redis.retry import Retry

from agents.exporter.exporter import Exporter
from agents.exporter.metrics_server import serve
from agents.metrics import WorkerMetrics
from streams.errors import ConfigurationError
from streams.kpis.load import parse_kpis

if TYPE_CHECKING:
    from pathlib import Path

    from agents.embedded.redis import RedisServer

TOPIC = "feedback.events"
KPI_FILE = """
version: 3
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {product: {max: 5}}
windows: [1h]
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    min_answers: 10
    breakdowns: [[product]]
    alert: {window: 1h, segments: [[product]]}
    owner: support
"""
KPIS = parse_kpis(KPI_FILE)

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(text: str) -> Series:
    """Value by name and labels that are not empty."""
    return {
        (s.name, tuple(sorted((k, v) for k, v in s.labels.items() if v))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def exported(exporter: Exporter) -> Series:
    registry = CollectorRegistry()
    registry.register(exporter)
    return series(generate_latest(registry).decode())


def nobody_listens() -> redis.Redis:
    return redis.Redis(port=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))


def at(state: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    labels = {"kpi": "csat", "window": "1h", "breakdown": "all", "state": state}
    return "feedback_kpi_state", tuple(sorted(labels.items()))


def test_redis_that_was_never_there_is_stale_not_an_error() -> None:
    """A scrape never fails: without Redis there are states, all stale, and redis_up 0."""
    exporter = Exporter(KPIS, nobody_listens(), TOPIC)
    exporter.refresh()
    found = exported(exporter)
    assert 0 == found["feedback_redis_up", ()]
    assert (1, 0) == (found[at("stale")], found[at("idle")])
    assert 0 == found["feedback_exporter_errors", ()]


@pytest.mark.redis
def test_view_that_is_not_refreshed_becomes_stale(redis_server: RedisServer) -> None:
    """Should refreshing hang, the last view is not shown as if it were now."""
    moment = 100.0
    with redis.from_url(redis_server.url) as client:
        counted_by(client, KPIS.layout.token)
        exporter = Exporter(KPIS, client, TOPIC, monotonic=lambda: moment)
        exporter.refresh()
    before = exported(exporter)
    assert (1, 1) == (before["feedback_redis_up", ()], before[at("idle")])
    moment = 116.0
    after = exported(exporter)
    assert (0, 0) == (after["feedback_redis_up", ()], after[at("idle")])
    assert 1 == after[at("stale")]


def counted_by(client: redis.Redis, token: str) -> None:
    """A topic of one partition, counted by the layout of `token`, empty and healthy."""
    now = client.time()[0]
    ledger: dict[Any, Any] = {"position": 0, "epoch": "a", "layout": token, "complete_from": "0"}
    health: dict[Any, Any] = {"log_end": 0, "position": 0, "last_record_time": "", "time": now}
    client.hset(f"{{fb:{TOPIC}}}:topic", "partitions", "1")
    client.hset(f"{{fb:{TOPIC}:0}}:ledger", mapping=ledger)
    client.hset(f"{{fb:{TOPIC}:0}}:health", mapping=health)


def test_collecting_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours is counted and logged; the scrape says at least that something is wrong."""
    exporter = Exporter(KPIS, nobody_listens(), TOPIC)
    monkeypatch.setattr("agents.exporter.exporter.score_families", lambda *_: 1 / 0)
    found = exported(exporter)
    assert {("feedback_redis_up", ()): 0.0, ("feedback_exporter_errors", ()): 1.0} == found


def test_registering_collects_nothing() -> None:
    """Names are not claimed, so a registry does not have to collect to know them."""
    assert [] == list(Exporter(KPIS, nobody_listens(), TOPIC).describe())


def test_worker_counters_have_the_promised_names() -> None:
    """Rules and boards name these series; counters alone end in _total."""
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    metrics.events.labels(outcome="applied").inc()
    metrics.refused.labels(reason="not_json").inc()
    names = {line.partition("{")[0].partition(" ")[0] for line in
             generate_latest(registry).decode().splitlines() if line[0] != "#"}  # fmt: skip
    totals = {
        "feedback_events_total",
        "feedback_refused_total",
        "feedback_unknown_dimensions_total",
        "feedback_rebalances_total",
        "feedback_rewinds_total",
        "feedback_history_lost_total",
    }
    histograms = {"feedback_batch_seconds", "feedback_batch_events", "feedback_redis_seconds"}
    assert totals == {name for name in names if name.endswith("_total")}
    assert histograms == {name.removesuffix("_count") for name in names if "_count" in name}


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own server
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_server_answers_metrics_and_health() -> None:
    """/metrics is the registry, /healthz says whether the process is well and why not."""
    registry = CollectorRegistry()
    registry.register(Exporter(KPIS, nobody_listens(), TOPIC))
    problem: str | None = None
    server = serve("127.0.0.1", 0, registry, lambda: problem)
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        status, body = fetch(f"{url}/metrics")
        assert (200, 0.0) == (status, series(body)["feedback_redis_up", ()])
        assert (200, "ok\n") == fetch(f"{url}/healthz")
        problem = "no refresh for 130 s"
        assert (503, "no refresh for 130 s\n") == fetch(f"{url}/healthz")
        assert 404 == fetch(f"{url}/else")[0]
        with pytest.raises(ConfigurationError, match="choose another with --host and --port"):
            serve("127.0.0.1", server.server_port, registry, lambda: None)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.redis
class TestProcess:
    """The process itself, against a real Redis."""

    def test_it_serves_waits_and_leaves_at_once(
        self, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        """It serves before any worker started, survives Redis's absence, and ends by SIGTERM."""
        from agents.embedded.ports import free_port
        from agents.embedded.process import wait_until
        from tests.servers import FeedbackProcess

        (tmp_path / "kpis.yaml").write_text(KPI_FILE)
        port = free_port()
        environment = {"FEEDBACK_REDIS_URL": redis_server.url}
        options = ("--kpis", str(tmp_path / "kpis.yaml"), "--port", str(port), "--interval", ".1")
        url = f"http://127.0.0.1:{port}/metrics"

        def redis_up(expected: float) -> bool:
            try:
                return series(fetch(url)[1]).get(("feedback_redis_up", ())) == expected
            except OSError:
                return False

        exporter = FeedbackProcess(
            "exporter", *options, directory=tmp_path, environment=environment
        )
        with exporter:
            wait_until(lambda: redis_up(1), 20, "a refresh")
            redis_server.kill()
            try:
                wait_until(lambda: redis_up(0), 20, "Redis to be missed")
            finally:
                redis_server.start()
            wait_until(lambda: redis_up(1), 20, "Redis to be back")
            started = time.monotonic()
            assert 0 == exporter.terminate()
            assert time.monotonic() - started < 2
        assert "waiting for Redis at" in exporter.output()
        assert "waiting for a worker" in exporter.output()

    @pytest.mark.parametrize(
        ("file", "token", "words"),
        [
            ("kpis: {}", None, "kpis.yaml:1"),
            (KPI_FILE, "4:000000000000", "the counts are of version 4"),
            (KPI_FILE, "3:000000000000", "another KPI file with the same version 3"),
        ],
        ids=["wrong", "older", "other"],
    )
    def test_kpi_file_that_can_not_do_ends_it(
        self,
        redis_server: RedisServer,
        tmp_path: Path,
        file: str,
        token: str | None,
        words: str,
    ) -> None:
        """A wrong KPI file, or one that is not what was counted by, is exit status 2 and why."""
        from agents.embedded.process import wait_until
        from tests.servers import FeedbackProcess

        (tmp_path / "kpis.yaml").write_text(file)
        if token:
            with redis.from_url(redis_server.url) as client:
                counted_by(client, token)
        exporter = FeedbackProcess(
            "exporter", "--kpis", str(tmp_path / "kpis.yaml"), "--port", "0",
            directory=tmp_path, environment={"FEEDBACK_REDIS_URL": redis_server.url},
        )  # fmt: skip
        with exporter:
            wait_until(lambda: not exporter.alive(), 20, "it to end")
            assert 2 == exporter.exit_status
            assert words in exporter.output()
