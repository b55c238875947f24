"""Before a worker starts: wait for Kafka and Redis, and look at what could go wrong later."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from agents.worker.topic_guard import TopicFacts, TopicGuard, describe
from streams.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from redis.asyncio import Redis

    from agents.settings import Settings
    from streams.ledger.layout import Layout

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 5.0


async def wait_for_servers(settings: Settings, layout: Layout, redis: Redis) -> TopicFacts:
    """Wait until Redis and the events topic are there; gives what Kafka says of the topic.

    Raises `ConfigurationError` for what waiting can't mend: a refused login, an eviction policy
    that loses counts, a topic that is not the one counted so far.
    """
    await _wait_for_redis(settings, redis)
    facts = await _wait_for_topic(settings)
    await TopicGuard(settings, redis, facts).compare(facts)
    _warn(settings, layout, facts)
    return facts


async def _wait_for_redis(settings: Settings, redis: Redis) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            await redis.ping()
            break
        except (AuthenticationError, NoPermissionError) as error:
            raise ConfigurationError(
                f"Redis at {settings.redis_shown} refused us: {error}. Check FEEDBACK_REDIS_URL, "
                "FEEDBACK_REDIS_USERNAME and FEEDBACK_REDIS_PASSWORD."
            ) from error
        except (RedisError, OSError) as error:
            logger.warning("waiting for Redis at %s: %s", settings.redis_shown, error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    await _check_eviction(settings, redis)


async def _check_eviction(settings: Settings, redis: Redis) -> None:
    try:
        found = await cast("Awaitable[dict[str, str]]", redis.config_get("maxmemory-policy"))
    except (NoPermissionError, ResponseError):
        logger.warning("can't read maxmemory-policy: make sure that it is noeviction")
        return
    policy = found.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis at {settings.redis_shown} has maxmemory-policy {policy}: it would drop counts "
            "silently. Set it to noeviction (CONFIG SET maxmemory-policy noeviction)."
        )


async def _wait_for_topic(settings: Settings) -> TopicFacts:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            facts = await asyncio.to_thread(describe, settings)
        except Unavailable as error:
            logger.warning("waiting for Kafka: %s", error)
        else:
            if facts is not None:
                return facts
            logger.warning(
                "waiting for topic %s, which is not there or not for us to see (ACL Describe): "
                "create it with `feedback topics create`",
                settings.topic,
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _warn(settings: Settings, layout: Layout, facts: TopicFacts) -> None:
    longest = layout.longest_retention_seconds
    if facts.retention_seconds is not None and facts.retention_seconds < longest:
        logger.warning(
            "topic %s keeps events for %.1f days, the counts for %.1f: if Redis loses them, older "
            "ones can't be counted again",
            settings.topic, facts.retention_seconds / 86_400, longest / 86_400,
        )  # fmt: skip
    if facts.log_append_time is False:
        logger.warning(
            "topic %s has no message.timestamp.type=LogAppendTime: whether an event is late or in "
            "the future is judged by this machine's clock, which an audit can't repeat exactly",
            settings.topic,
        )
