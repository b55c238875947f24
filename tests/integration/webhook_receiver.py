"""A webhook that keeps every notification which Alertmanager sends to it."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from agents.embedded.ports import HOST

if TYPE_CHECKING:
    from types import TracebackType

Alert = dict[str, Any]


class Notification(NamedTuple):
    """One message. `received_at` is Unix seconds; `status` is `firing` or `resolved`."""

    received_at: float
    status: str
    group: dict[str, str]
    alerts: list[Alert]

    def __str__(self) -> str:
        """Who is told what, for the words of a failed test."""
        said = ", ".join(f"{a['labels']['alertname']} {a['status']}" for a in self.alerts)
        return f"{self.status} {self.group}: {said}"


class WebhookReceiver:
    """Listens on a free port of 127.0.0.1 while its context lasts; any thread may read."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self._take))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address to give to Alertmanager."""
        return f"http://{HOST}:{self._server.server_port}/alerts"

    def about(self, alertname: str) -> list[Notification]:
        """The messages that name this alert, in the order of their arrival."""
        return [
            notification
            for notification in self.notifications
            if any(alert["labels"]["alertname"] == alertname for alert in notification.alerts)
        ]

    def _take(self, body: dict[str, Any]) -> None:
        notification = Notification(
            time.time(), body["status"], body["groupLabels"], body["alerts"]
        )
        self.notifications.append(notification)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(take: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
