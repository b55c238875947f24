"""The Redis client of processes that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from agents.settings import Settings

# A read takes milliseconds; what does not answer for so long is away.
_ANSWER_SECONDS: Final = 5.0
# Reading again does no harm, and saves a refresh when a connection was closed while idle.
_RETRIES: Final = 1


def reading_client(settings: Settings) -> Redis:
    """A synchronous client that answers with bytes. It does not connect yet."""
    secrets: dict[str, Any] = {}
    if settings.redis_username:
        secrets["username"] = settings.redis_username
    if settings.redis_password:
        secrets["password"] = settings.redis_password.get_secret_value()
    if settings.redis_ca_file:
        secrets["ssl_ca_certs"] = str(settings.redis_ca_file)
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_ANSWER_SECONDS,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES),
        **secrets,
    )
