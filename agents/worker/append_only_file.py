"""Redis's append-only file, written anew after each start of Redis.

A crash may tear the file's end. Redis 7.0 (seen with 7.0.15) leaves the torn half of a transaction
out when it loads the file, but not out of the file: after the next restart it runs more than was
written, which counts a batch twice, and no compare-and-set can see it. A file that is written
anew from memory has no such end.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)


class AppendOnlyFile:
    """The file of one Redis; `renew` is to be called now and then."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._seen = ""
        self._refused = False

    async def renew(self) -> None:
        """Ask Redis once after each of its starts, unless it has written the file anew since.

        Redis is asked something each time, so a return says that it answers. Raises RedisError
        while Redis is away. Where it refuses, one line in the log says so.
        """
        if self._refused:
            await self._redis.ping()
            return
        try:
            server = await self._redis.info("server")
            if server["run_id"] == self._seen:
                return
            if _is_old(await self._redis.info("persistence")):
                await self._redis.bgrewriteaof()
                logger.info("Redis has been started: asked it to write its append-only file anew")
            self._seen = server["run_id"]
        except ResponseError as error:
            self._refused = True
            logger.warning(
                "Redis refuses to write its append-only file anew (%s): after a crash of Redis run "
                "BGREWRITEAOF by hand",
                error,
            )


def _is_old(persistence: dict[str, Any]) -> bool:
    """Whether there is a file, and it is still the one that was loaded."""
    under_way = ("aof_rewrites", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
    return bool(persistence["aof_enabled"]) and not any(persistence.get(n) for n in under_way)
