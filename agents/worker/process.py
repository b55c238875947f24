"""The worker process: settings, preflight, the Faust worker, and a last line that says why."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import faust

from agents.logs import set_up_logs
from agents.redis_clients import writing_client
from agents.settings import load_settings
from agents.worker.app import create_app
from agents.worker.preflight import wait_for_servers
from streams.errors import ConfigurationError
from streams.kpis.load import load_kpis

if TYPE_CHECKING:
    from agents.settings import Settings
    from agents.worker.app import App
    from agents.worker.topic_guard import TopicFacts
    from streams.ledger.layout import Layout

logger = logging.getLogger("feedback")


def run_worker(settings: Settings) -> int:
    """Run until stopped by a signal or an error that no retry can mend; gives the exit status.

    Raises `ConfigurationError` before anything is connected where settings or KPI file are wrong.
    """
    set_up_logs(settings.log_level)
    layout = load_kpis(settings.kpi_file).layout
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    facts = _prepared(settings, layout, loop)
    app = create_app(settings, layout, facts)
    logger.info(
        "feedback worker: counting %s (%d partitions) into %s, KPI file version %d, health on "
        "http://%s:%d/readyz",
        settings.topic, facts.partitions, settings.redis_shown, layout.version,
        settings.web_host, settings.web_port,
    )  # fmt: skip
    _run(app, loop)
    logger.info("feedback worker %s", app.last_words)
    return app.exit_status


def _prepared(settings: Settings, layout: Layout, loop: asyncio.AbstractEventLoop) -> TopicFacts:
    """Wait for the servers; a signal meanwhile ends the process with status 0."""
    _check_port(settings)
    facts = loop.run_until_complete(_prepare(settings, layout))
    if facts is None:
        logger.info("feedback worker stopped: asked to by a signal")
        # Nothing has been begun, and a thread may still be waiting for an absent broker.
        os._exit(0)
    return facts


def _check_port(settings: Settings) -> None:
    """Raise `ConfigurationError` where the pages can't be served; Faust would only log it."""
    host, port = settings.web_host, settings.web_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on {host} port {port}: {error}; choose another with "
            "FEEDBACK_WEB_HOST and FEEDBACK_WEB_PORT"
        ) from error


async def _prepare(settings: Settings, layout: Layout) -> TopicFacts | None:
    """Wait for the servers; None when a signal came first."""
    redis = writing_client(settings)
    waiting = asyncio.ensure_future(wait_for_servers(settings, layout, redis))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, waiting.cancel)
    try:
        return await waiting
    except asyncio.CancelledError:
        return None
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await redis.aclose()


def _run(app: App, loop: asyncio.AbstractEventLoop) -> None:
    worker = faust.Worker(app, loop=loop, quiet=True, override_logging=False)
    worker.spinner = None  # it writes terminal codes to our output
    # Faust ends with either, the second when it was stopped in the middle of a rebalance.
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if ended.code and app.fatal is None:
            app.fatal = ended.__context__ or ended
    except asyncio.CancelledError:
        pass


def app_from_environment() -> App:
    """The app for Faust's own command line, once Kafka and Redis are there.

    Wrong settings and a stop while waiting end the process, as `feedback worker` does.
    """
    try:
        settings = load_settings()
        set_up_logs(settings.log_level)
        layout = load_kpis(settings.kpi_file).layout
        facts = _prepared(settings, layout, asyncio.new_event_loop())
    except ConfigurationError as error:
        logger.error("%s", error)  # noqa: TRY400 - the message is for a person, not a traceback
        sys.exit(2)
    return create_app(settings, layout, facts)
