"""Redis clients: one for the workers, that write, and one for processes that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from agents.settings import Settings

# A call takes milliseconds; what does not answer for so long is away.
_ANSWER_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 0.5


def writing_client(settings: Settings) -> AsyncRedis:
    """An asynchronous client. Its own retries are safe: every write is a compare-and-set."""
    backoff = ExponentialBackoff(cap=_LONGEST_PAUSE_SECONDS, base=0.02)
    return AsyncRedis.from_url(
        settings.redis_url, retry=AsyncRetry(backoff, 3), **_options(settings)
    )


def reading_client(settings: Settings) -> Redis:
    """A synchronous client that answers with bytes. It does not connect yet.

    Reading again does no harm, and saves a refresh when a connection was closed while idle.
    """
    backoff = ExponentialBackoff(cap=_LONGEST_PAUSE_SECONDS, base=0.05)
    return Redis.from_url(settings.redis_url, retry=Retry(backoff, 1), **_options(settings))


def _options(settings: Settings) -> dict[str, Any]:
    """Time limits, and what proves who we are."""
    options: dict[str, Any] = {
        "socket_timeout": _ANSWER_SECONDS,
        "socket_connect_timeout": _ANSWER_SECONDS,
    }
    if settings.redis_username:
        options["username"] = settings.redis_username
    if settings.redis_password:
        options["password"] = settings.redis_password.get_secret_value()
    if settings.redis_ca_file:
        options["ssl_ca_certs"] = str(settings.redis_ca_file)
    return options
