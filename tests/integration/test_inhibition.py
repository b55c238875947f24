"""Which alert silences which, asked of a real Alertmanager."""

from __future__ import annotations

import json
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from agents.embedded.process import wait_until
from agents.embedded.prometheus import Alertmanager
from streams.render.alertmanager import Receivers
from streams.render.files import Deployment, render, write
from tests.catalogues import SPLIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.prometheus

Labels = dict[str, str]


def score(severity: str, **labels: str) -> Labels:
    """The labels of a score alert; of the whole, unless a dimension is given."""
    dimensions = ",".join(name for name in ("product", "channel") if name in labels)
    return {
        "alertname": "FeedbackScorePage" if severity == "page" else "FeedbackScoreTicket",
        "severity": severity,
        "kpi": "csat",
        "owner": "a-team",
        "window": "24h",
        "breakdown": dimensions or "all",
        **labels,
    }


PAGE, TICKET = score("page"), score("ticket")
ROUTER_PAGE = score("page", product="router")
ROUTER_TICKET = score("ticket", product="router")
ROUTER_CHAT_TICKET = score("ticket", product="router", channel="chat")
STALE = {"alertname": "FeedbackPipelineStale", "severity": "page", "owner": "operations"}
LETTERS = {"alertname": "FeedbackDeadLettersHigh", "severity": "ticket", "owner": "operations"}


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """Give Alertmanager with the rendered configuration."""
    folder = tmp_path_factory.mktemp("rendered")
    write(render(SPLIT), folder)
    with Alertmanager(folder / "alertmanager/alertmanager.yml") as server:
        yield server


def send(server: Alertmanager, alerts: list[Labels], *, seconds: int = 60) -> None:
    """Let alerts fire for `seconds`; a negative number ends them."""
    ends = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    posted = [{"labels": labels, "endsAt": ends} for labels in alerts]
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{server.url}/api/v2/alerts",
        json.dumps(posted).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - our own server


def statuses(server: Alertmanager) -> list[tuple[Labels, str]]:
    """The labels and the state of every alert that fires: active or suppressed."""
    url = f"{server.url}/api/v2/alerts"
    with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own server
        return [(alert["labels"], alert["status"]["state"]) for alert in json.load(reply)]


def silenced(server: Alertmanager, alerts: list[Labels]) -> list[Labels]:
    """Which of `alerts`, firing together, Alertmanager does not notify about."""
    send(server, alerts)

    def judged() -> bool:
        # An alert is "unprocessed" until its group was looked at.
        states = [state for _, state in statuses(server)]
        return len(alerts) == len(states) and "unprocessed" not in states

    wait_until(judged, 30, "Alertmanager to judge the alerts")
    suppressed = [labels for labels, state in statuses(server) if state == "suppressed"]
    send(server, alerts, seconds=-1)
    wait_until(lambda: not statuses(server), 30, "the alerts to end")
    return [labels for labels in alerts if labels in suppressed]


@pytest.mark.parametrize(
    ("firing", "quiet"),
    [
        pytest.param([PAGE, TICKET], [TICKET], id="a page silences its ticket"),
        pytest.param([ROUTER_PAGE, TICKET], [], id="a segment's page leaves the whole's ticket"),
        pytest.param(
            [ROUTER_PAGE, ROUTER_TICKET, ROUTER_CHAT_TICKET],
            [ROUTER_TICKET],
            id="a page silences the ticket of the same segment, not of one within it",
        ),
        pytest.param([PAGE, ROUTER_PAGE], [ROUTER_PAGE], id="the whole silences its segments"),
        pytest.param(
            [PAGE, {**ROUTER_PAGE, "owner": "b-team"}],
            [],
            id="another owner's segment is not silenced",
        ),
        pytest.param(
            [PAGE, {**ROUTER_PAGE, "kpi": "nps"}], [], id="another KPI's segment is not silenced"
        ),
        pytest.param([TICKET, ROUTER_PAGE], [], id="a ticket never silences a page"),
        pytest.param(
            [TICKET, ROUTER_TICKET], [ROUTER_TICKET], id="the whole's ticket silences segments'"
        ),
        pytest.param(
            [STALE, PAGE, TICKET, ROUTER_PAGE, LETTERS],
            [PAGE, TICKET, ROUTER_PAGE],
            id="stale silences scores, not the pipeline",
        ),
        pytest.param([LETTERS, PAGE], [], id="dead letters silence nothing"),
    ],
)
def test_what_follows_from_a_graver_alert_is_silent(
    alertmanager: Alertmanager, firing: list[Labels], quiet: list[Labels]
) -> None:
    """Incidents, not storms: exactly the alerts that say nothing new."""
    assert quiet == silenced(alertmanager, firing)


@pytest.fixture
def received() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Give the address of a webhook and what it was sent."""
    bodies: list[dict[str, Any]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", bodies
        server.shutdown()


def test_segments_of_a_kpi_are_one_notification(
    received: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """Two pages of one KPI and owner: one message, which names both."""
    url, bodies = received
    write(render(SPLIT, Deployment(receivers=Receivers(webhook_url=url))), tmp_path)
    other = score("page", product="modem")
    with Alertmanager(tmp_path / "alertmanager/alertmanager.yml") as server:
        send(server, [ROUTER_PAGE, other])
        wait_until(lambda: bool(bodies), 30, "the notification")
    assert 1 == len(bodies)
    assert {"kpi": "csat", "owner": "a-team"} == bodies[0]["groupLabels"]
    assert ["modem", "router"] == sorted(a["labels"]["product"] for a in bodies[0]["alerts"])
