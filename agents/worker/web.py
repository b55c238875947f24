"""The worker's pages: /healthz (alive), /readyz (at work) and /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    import faust
    from prometheus_client import CollectorRegistry

    from agents.worker.counting import Counting


def add_pages(app: faust.App, counting: Counting, registry: CollectorRegistry) -> None:
    """Serve the pages on Faust's own web server."""

    @app.page("/healthz")
    async def healthz(web: Any, request: Any) -> Any:
        """Answer at all: the event loop runs."""
        del request
        return web.json({"status": "ok"})

    @app.page("/readyz")
    async def readyz(web: Any, request: Any) -> Any:
        """200 when assigned (or standing by) and making progress, else 503 and the reasons."""
        del request
        problems = counting.problems()
        status = {"status": "waiting" if problems else "ready", "problems": problems}
        return web.json(status, status=503 if problems else 200)

    @app.page("/metrics")
    async def metrics(web: Any, request: Any) -> Any:
        """Prometheus text."""
        del request
        return web.bytes(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
