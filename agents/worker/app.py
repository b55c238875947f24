"""The Faust app: one agent for the events topic, on the ledger transport."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import faust
from faust.transport.drivers import TRANSPORTS
from prometheus_client import CollectorRegistry

from agents.metrics import WorkerMetrics
from agents.redis_clients import writing_client
from agents.worker.append_only_file import AppendOnlyFile
from agents.worker.counting import Counting
from agents.worker.letters import DeadLetters
from agents.worker.topic_guard import TopicGuard
from agents.worker.transport import BatchSchema, Consumer
from agents.worker.web import add_pages
from streams.errors import ConfigurationError
from streams.ledger.fold import Fold
from streams.ledger.ledger import Ledger

if TYPE_CHECKING:
    from agents.settings import Settings
    from agents.worker.reading import Batch
    from agents.worker.topic_guard import TopicFacts
    from streams.ledger.layout import Layout

logger = logging.getLogger(__name__)

TRANSPORTS.aliases["ledger"] = "agents.worker.transport:Transport"

HEALTH_SECONDS: Final = 2.0
# A topic that was created again must be found before much of it is taken for the old one's.
TOPIC_SECONDS: Final = 15.0
# A partition that is added must be noticed before many revisions went to the wrong one.
_METADATA_MILLISECONDS: Final = 30_000
# Fetching has a thread of its own, that waits for the interpreter's lock while batches are folded.
# Python's default of 5 ms an exchange costs up to a fifth of a worker's throughput.
_SWITCH_SECONDS: Final = 0.001


class App(faust.App):
    """A Faust app that stops in time and remembers why."""

    counting: Counting
    stop_within_seconds: float = 8.0
    fatal: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Stop the process with an error that no retry can mend."""
        if self.fatal is None:
            self.fatal = error
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self.crash(error)))

    def _crash(self, reason: BaseException) -> None:
        """Called by Faust when any part of the app has failed; the first reason is remembered."""
        # A fetcher that is stopped in a rebalance "crashes" with its own cancellation.
        if self.fatal is None and not isinstance(reason, asyncio.CancelledError):
            self.fatal = reason
        super()._crash(reason)

    @property
    def exit_status(self) -> int:
        """0 stopped as asked, 2 the configuration does not fit what is stored, 1 otherwise."""
        if self.fatal is None:
            return 0
        return 2 if isinstance(self.fatal, ConfigurationError) else 1

    @property
    def last_words(self) -> str:
        """Why the process ends."""
        return f"stopped: {self.fatal}" if self.fatal else "stopped: asked to by a signal"

    async def on_stop(self) -> None:
        """Stop, or leave: while the broker is away Faust would wait for it for 45 s and more.

        Leaving at any moment is safe, because only the ledger says what has been counted.
        """
        timer = threading.Timer(self.stop_within_seconds, self._leave)
        timer.daemon = True
        timer.start()
        await super().on_stop()

    def _leave(self) -> None:
        logger.warning("not waiting for Kafka any longer")
        logger.info("feedback worker %s", self.last_words)
        os._exit(self.exit_status)


def create_app(settings: Settings, layout: Layout, facts: TopicFacts) -> App:
    """The worker's app for an events topic that exists. Connects to nothing yet."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    app = App(settings.group, **faust_settings(settings))
    app.stop_within_seconds = settings.stop_within_seconds
    registry = CollectorRegistry()
    redis = writing_client(settings)
    counting = app.counting = Counting(
        ledger=Ledger(redis, settings.topic, layout),
        fold=Fold(layout, customer_key=settings.customer_key.get_secret_value().encode()),
        letters=DeadLetters(settings, facts.max_message_bytes),
        guard=TopicGuard(settings, redis, facts),
        metrics=WorkerMetrics(registry),
        fail=app.fail,
        append_only_file=AppendOnlyFile(redis),
    )
    # Without acknowledgements Faust's own tracking of offsets plays no part.
    topic = app.topic(settings.topic, schema=BatchSchema(), acks=False)

    @app.agent(topic, name="count")
    async def count(stream: faust.StreamT[Batch]) -> None:
        """Give each batch to its reading, which counts them in order."""
        async for batch in stream:
            batch.reading.queue.put_nowait(batch)

    @app.timer(HEALTH_SECONDS)  # type: ignore[untyped-decorator]
    async def beat() -> None:
        consumer = app.consumer
        if isinstance(consumer, Consumer):
            await counting.beat(log_is_seen=consumer.log_is_seen)

    @app.timer(TOPIC_SECONDS)  # type: ignore[untyped-decorator]
    async def watch() -> None:
        await counting.watch_topic()

    add_pages(app, counting, registry)
    return app


def faust_settings(settings: Settings) -> dict[str, Any]:
    """Faust's configuration: no tables, no leader, no transactions, the ledger's transport."""
    return {
        "broker": [f"ledger://{broker}" for broker in settings.brokers],
        "broker_credentials": _credentials(settings),
        "store": "memory://",
        "datadir": Path("/nonexistent"),
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "table_standby_replicas": 0,
        # aiokafka must never move a position by itself: the ledger says what expired offsets mean.
        "consumer_auto_offset_reset": "none",
        "consumer_max_fetch_size": settings.fetch_bytes,
        "consumer_metadata_max_age_ms": _METADATA_MILLISECONDS,
        "broker_max_poll_records": settings.poll_records,
        "broker_session_timeout": settings.session_timeout_seconds,
        "broker_heartbeat_interval": settings.session_timeout_seconds / 4,
        "broker_commit_interval": 5.0,
        "stream_buffer_maxsize": 64,
        # Writes are fenced by the ledger, so nothing need be waited for in a rebalance.
        "stream_wait_empty": False,
        "worker_redirect_stdouts": False,
        "web_enabled": True,
        "web_bind": settings.web_host,
        "web_port": settings.web_port,
        "loghandlers": [],
    }


def _credentials(settings: Settings) -> faust.auth.Credentials | None:
    tls = settings.kafka_tls
    if settings.kafka_login is not None:
        username, password = settings.kafka_login
        return faust.SASLCredentials(
            username=username,
            password=password,
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=tls,
        )
    return faust.SSLCredentials(tls) if tls else None
