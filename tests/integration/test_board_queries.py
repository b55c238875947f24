"""Every query of the board, asked of a real Prometheus that scraped what the processes serve.

The scores are made up, but they pass through the exporter's own families, so that names and labels
are those of a real run.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from agents import metrics
from agents.embedded.process import wait_until
from agents.embedded.prometheus import Prometheus
from agents.exporter.families import (
    kpi_families,
    movement_families,
    pipeline_families,
    score_families,
    single,
)
from agents.exporter.metrics_server import serve
from streams.counts.reader import PartitionReport, Report
from streams.kpis.formulas import PERCENT
from streams.kpis.load import load_kpis
from streams.render.board_queries import Queries
from streams.render.catalogue import Catalogue
from streams.render.files import Deployment, render, write
from streams.render.prometheus import Targets
from streams.scores.drivers import attribute
from streams.scores.moments import Moments
from streams.scores.movements import Movement
from streams.scores.rows import AlertView, Row, breakdown_label
from streams.scores.states import STATES, PartitionHealth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi

pytestmark = pytest.mark.prometheus

KPIS = load_kpis(Path(__file__).parents[2] / "kpis.yaml")
TOPIC = "feedback.events"
ROUTER = 'Wi-Fi "router"'
CHOSEN = {"product": ROUTER, "channel": "chat", "region": "EU"}

Variables = dict[str, str]
Tallied = dict[tuple[str, ...], Moments]


def satisfied(count: int, answers: int) -> Moments:
    return Moments(answers, 100 * count, 10_000 * count)


def moved() -> Movement:
    """Csat fell from 85 to 60: the router's by 50, phone's not."""
    before: Tallied = {(ROUTER,): satisfied(850, 1_000), ("phone",): satisfied(850, 1_000)}
    now: Tallied = {(ROUTER,): satisfied(70, 200), ("phone",): satisfied(170, 200)}
    found = attribute(before, now, scale=PERCENT, min_answers=30)
    assert found is not None
    baselines = {((), ()): 85.0, (("product",), (ROUTER,)): 85.0}
    return Movement("csat", "24h", 60.0, baselines, {("product",): found})


MOVED = moved()


def row(kpi: Kpi, window: str, breakdown: tuple[str, ...], state: str) -> Row:
    """A score of the chosen segment; one in breach alerts."""
    raised = AlertView("floor", "page", raised=True, evidence=4.0, limit=3.3, since=0.0)
    return Row(
        kpi=kpi.name,
        window=window,
        breakdown=breakdown_label(breakdown),
        segment=tuple((name, CHOSEN[name]) for name in breakdown),
        answers=400,
        score=60.0,
        lower=55.0,
        upper=65.0,
        state=state,  # type: ignore[arg-type]
        reason=None,
        target=kpi.target.score,
        floor=kpi.floor,
        benchmarks={name: each.score for name, each in kpi.benchmarks.items()},
        outcomes={"yes": 240, "no": 160},
        alert=raised if state == "breach" else None,
    )


def rows(kpis: KpiFile) -> list[Row]:
    """Each KPI, window and breakdown; splits are in breach, and the first KPI's whole."""
    return [
        row(kpi, window.name, split, "breach" if split or kpi.name == "csat" else "ok")
        for kpi in kpis.kpis.values()
        for window in kpis.windows
        for split in ((), *kpi.breakdowns)
    ]


class Exporter(Collector):
    """What an exporter of healthy partitions serves."""

    def describe(self) -> Iterable[Metric]:
        """Claim no names."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All families, as of now."""
        now = time.time()
        health = PartitionHealth(0, 1_000, 990, now - 1, now, 0.0)
        partition = PartitionReport(0, 990, "1:x", 0.0, {"applied": 990}, health, settled=True)
        report = Report(now, 1, (partition,), 400_000_000, 1_000_000_000)
        return [
            *score_families(rows(KPIS), KPIS),
            *movement_families([MOVED], KPIS),
            *kpi_families(KPIS, now),
            *pipeline_families(report, TOPIC),
            single(metrics.REDIS_UP, 1),
            single(metrics.SNAPSHOT_SECONDS, 0.02),
        ]


class Worker(metrics.WorkerMetrics):
    """A worker that counts a little with each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        registry.register(Ticking(self))


class Ticking(Collector):
    """Moves a worker's counters before they are read."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def describe(self) -> Iterable[Metric]:
        """Claim no names."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Count some events, and give no family of its own."""
        self._worker.events.labels("applied").inc(50)
        self._worker.events.labels("refused").inc()
        self._worker.refused.labels("unknown_measure").inc()
        return []


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give Prometheus with the rendered files, once it has rates and a firing alert."""
    exporter, worker = CollectorRegistry(), CollectorRegistry()
    exporter.register(Exporter())
    Worker(worker)
    servers = [serve("127.0.0.1", 0, registry, lambda: None) for registry in (exporter, worker)]
    addresses = [f"127.0.0.1:{server.server_port}" for server in servers]
    folder = tmp_path_factory.mktemp("rendered")
    targets = Targets((addresses[0],), (addresses[1],), ("127.0.0.1:9",), "1s")
    write(render(Catalogue.of(KPIS), Deployment(targets)), folder)
    with Prometheus(folder / "prometheus/prometheus.yml") as server:
        wait_until(lambda: bool(ask(server, 'ALERTS{alertstate="firing"}')), 60, "an alert")
        rate = "rate(feedback_refused_total[1m])"
        wait_until(lambda: bool(ask(server, rate)), 60, "a rate")
        yield server
    for each in servers:
        each.shutdown()
        each.server_close()


def ask(server: Prometheus, expr: str) -> list[dict[str, Any]]:
    """The series that `expr` gives now; an error with Prometheus's words when it is wrong."""
    url = f"{server.url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - our own server
            found: list[dict[str, Any]] = json.load(reply)["data"]["result"]
            return found
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{expr}\n{error.read().decode()}") from None


def board() -> dict[str, Any]:
    files = {file.path: file.text for file in render(Catalogue.of(KPIS))}
    content: dict[str, Any] = json.loads(files["grafana/dashboards/feedback.json"])
    return content


def queries() -> list[Any]:
    """Each query of each panel, named by both."""
    return [
        pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
        for panel in board()["panels"]
        for target in panel.get("targets", [])
    ]


def variables(**chosen: str) -> Variables:
    """The variables' values: what is chosen, else Grafana's All."""
    every = dict.fromkeys(KPIS.dimensions, "^$")
    return {"kpi": ".+", "window": "24h", "__rate_interval": "1m", **every, **chosen}


def filled(expr: str, values: Variables) -> str:
    """The query as Grafana would send it."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${name}", values[name])
    assert "$" not in expr.replace("^$", "")
    return expr


def escaped(value: str) -> str:
    """A value as Grafana puts it into a regular expression within a PromQL string."""
    return value.replace('"', '\\"')


@pytest.mark.parametrize("expr", queries())
def test_every_query_finds_data(prometheus: Prometheus, expr: str) -> None:
    """With nothing chosen: no panel is empty while all is well known."""
    assert ask(prometheus, filled(expr, variables()))


@pytest.mark.parametrize(
    "chosen", [("product",), ("channel",), ("region",), ("product", "channel")], ids=",".join
)
@pytest.mark.parametrize("metric", ["A", "B", "C", "D", "E"])
def test_a_chosen_segment_is_found(
    prometheus: Prometheus, chosen: tuple[str, ...], metric: str
) -> None:
    """The variables choose the breakdown, and every KPI has one series at most."""
    table = next(panel for panel in board()["panels"] if panel["title"] == "Scores now")
    expr = next(target["expr"] for target in table["targets"] if target["refId"] == metric)
    values = variables(**{name: escaped(CHOSEN[name]) for name in chosen})
    found = [series["metric"]["kpi"] for series in ask(prometheus, filled(expr, values))]
    declared = [name for name, kpi in KPIS.kpis.items() if chosen in kpi.breakdowns]
    assert sorted(declared) == sorted(found)


def test_states_are_shown_as_their_numbers(prometheus: Prometheus) -> None:
    """Csat is in breach, the others are ok."""
    table = next(panel for panel in board()["panels"] if panel["title"] == "Scores now")
    found = ask(prometheus, filled(table["targets"][4]["expr"], variables()))
    shown = {series["metric"]["kpi"]: float(series["value"][1]) for series in found}
    breach, ok = STATES.index("breach") + 1.0, STATES.index("ok") + 1.0
    assert {name: breach if name == "csat" else ok for name in KPIS.kpis} == shown


def test_the_worst_of_both_directions(prometheus: Prometheus) -> None:
    """One query ranks KPIs for which higher is better and those for which lower is."""
    catalogue = Catalogue.of(KPIS)
    faces = tuple(face._replace(lower_is_better=face.kpi == "ces") for face in catalogue.faces)
    expr = Queries(catalogue._replace(faces=faces)).worst("score")
    found = {series["metric"]["kpi"] for series in ask(prometheus, filled(expr, variables()))}
    assert {name for name, kpi in KPIS.kpis.items() if kpi.breakdowns} == found


def test_the_variables_find_their_values(prometheus: Prometheus) -> None:
    """`label_values(metric, label)` is this request."""
    listed = {each["name"]: each for each in board()["templating"]["list"]}
    for name, value in CHOSEN.items():
        assert f"label_values(feedback_kpi_answers, {name})" == listed[name]["query"]
        query = urllib.parse.urlencode({"match[]": "feedback_kpi_answers"})
        url = f"{prometheus.url}/api/v1/label/{name}/values?{query}"
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - our own server
            assert value in json.load(reply)["data"]


def fired(server: Prometheus, kpi: str, breakdown: str) -> dict[str, Any]:
    """The one alert of a KPI's daily scores in a breakdown."""
    with urllib.request.urlopen(f"{server.url}/api/v1/alerts", timeout=10) as reply:  # noqa: S310 - our own server
        alerts = json.load(reply)["data"]["alerts"]
    place = (kpi, breakdown, "24h")
    (found,) = (
        alert
        for alert in alerts
        if tuple(alert["labels"].get(name) for name in ("kpi", "breakdown", "window")) == place
    )
    alert: dict[str, Any] = found
    return alert


def test_a_fired_alert_names_segment_value_interval_and_answers(prometheus: Prometheus) -> None:
    """In the words that a person gets."""
    alert = fired(prometheus, "csat", "product")
    assert "FeedbackScorePage" == alert["labels"]["alertname"]
    assert "support-team" == alert["labels"]["owner"]
    assert (
        f"Customer satisfaction, over 24h, product {ROUTER}: 60 (interval 55 to 65, n = 400)"
    ) == alert["annotations"]["summary"]
    assert "floor" == alert["annotations"]["reason"]


def test_a_fired_alert_says_why(prometheus: Prometheus) -> None:
    """How far from its baseline, and of the whole what moved it; parts of 0.0 are left out."""
    assert (
        f"25.0 below its baseline of 85. By product: {ROUTER} −25.0. "
        "A drop measured when an alert is raised is likely overstated."
    ) == fired(prometheus, "csat", "all")["annotations"]["why"]
    assert (
        "25.0 below its baseline of 85. "
        "A drop measured when an alert is raised is likely overstated."
    ) == fired(prometheus, "csat", "product")["annotations"]["why"]
    assert ("There is no baseline yet to compare it with.") == fired(prometheus, "ces", "channel")[
        "annotations"
    ]["why"]
