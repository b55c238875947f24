"""A small HTTP server for /metrics and /healthz, a thread a request."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import CollectorRegistry

# A client that sends nothing for so long gives its thread back.
_SILENCE_SECONDS: Final = 30


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 32


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in Python
        """Log nothing: a line a scrape tells nobody anything."""


def serve(
    host: str, port: int, registry: CollectorRegistry, unwell: Callable[[], str | None]
) -> WSGIServer:
    """Serve `registry` on a thread of its own; `unwell` says why the process is, or None.

    Port 0 takes a free one (`server_port`). Raises `ConfigurationError` where it can't listen.
    """
    server_class = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, _application(registry, unwell), server_class, _Handler)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"can't listen on {host} port {port}: {error}; choose another with --host and --port"
        ) from error
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def _application(registry: CollectorRegistry, unwell: Callable[[], str | None]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                # The text format, not compressed: for 10,000 series OpenMetrics takes 1.5 times as
                # long and gzip another tenth, and neither would tell Prometheus anything more.
                body = generate_latest(registry)
                return _answer(start, HTTPStatus.OK, body, CONTENT_TYPE_PLAIN_0_0_4)
            case "/healthz":
                problem = unwell()
                status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
                return _text(start, status, problem or "ok")
        return _text(start, HTTPStatus.NOT_FOUND, "here are /metrics and /healthz")

    return application


def _text(start: StartResponse, status: HTTPStatus, text: str) -> list[bytes]:
    return _answer(start, status, f"{text}\n".encode(), "text/plain; charset=utf-8")


def _answer(
    start: StartResponse, status: HTTPStatus, body: bytes, content_type: str
) -> list[bytes]:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start(f"{status.value} {status.phrase}", headers)
    return [body]
