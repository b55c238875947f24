"""An owner of one partition in a real Redis, driven from tests that are not asynchronous."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from streams.audit.snapshot import Snapshot, read_snapshot
from streams.ledger.fold import Fold
from streams.ledger.folded import Folded
from streams.ledger.keys import PartitionKeys
from streams.ledger.ledger import NOTHING_SWEPT, Applied, Known, Ledger, Moved, State, Swept
from tests.feedback_log import CUSTOMER_KEY, LAYOUT, PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from types import TracebackType

    from streams.ledger.layout import Layout
    from tests.feedback_log import Record

T = TypeVar("T")

TOPIC = "events"


class Connection:
    """An event loop, a client for the ledger, and one to look with. A context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runner = asyncio.Runner()
        self.redis = Redis.from_url(url)
        self.client = self.run(_client(url))

    def run(self, coroutine: Coroutine[None, None, T]) -> T:
        """Wait for a coroutine."""
        return self.runner.run(coroutine)

    def snapshot(self, topic: str = TOPIC) -> Snapshot:
        """Give everything that is stored of partition 0."""
        found = read_snapshot(self.redis, topic, 0)
        assert found is not None
        return found

    def everything(self) -> dict[str, Any]:
        """Give every key with its content and its time of expiry."""
        keys = cast("list[bytes]", self.redis.keys())
        return {
            key.decode(): (self._content(key), self.redis.expiretime(key.decode())) for key in keys
        }

    def _content(self, key: bytes) -> Any:
        if self.redis.type(key) == b"zset":
            return self.redis.zrange(key, 0, -1, withscores=True)
        return self.redis.hgetall(key)

    def backup(self, topic: str) -> dict[bytes, bytes]:
        """Give the keys of a topic's partition 0 with their contents, serialised."""
        keys = cast("list[bytes]", self.redis.keys(f"{PartitionKeys(topic, 0).tag}*"))
        return {key: cast("bytes", self.redis.dump(key)) for key in keys}

    def restore(self, topic: str, backup: dict[bytes, bytes]) -> None:
        """Bring a backup back, and nothing else."""
        for key in self.backup(topic):
            self.redis.delete(key)
        for key, content in backup.items():
            self.redis.restore(key, 0, content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run(self.client.aclose())
        self.redis.close()
        self.runner.close()


async def _client(url: str) -> AsyncRedis:
    return AsyncRedis.from_url(url)


class RedisOwner:
    """A worker that owns, or believes to own, partition 0 of a topic."""

    def __init__(
        self,
        connection: Connection,
        layout: Layout = LAYOUT,
        *,
        topic: str = TOPIC,
        log_start: int = 0,
    ) -> None:
        self.connection = connection
        self.layout = layout
        self.ledger = Ledger(connection.client, topic, layout)
        self.fold = Fold(layout, customer_key=CUSTOMER_KEY)
        self.log_start = log_start
        self.state = self.read()

    def read(self) -> State:
        """Read the ledger, creating it or raising its layout where need be."""
        return self.connection.run(self.ledger.open(0, self.log_start))

    def open(self) -> None:
        """Begin again with what is stored."""
        self.state = self.read()

    def folded(self, records: Sequence[Record], known: dict[str, bytes] | None = None) -> Folded:
        """Fold records with these entries."""
        return self.fold(records, known or {}, self.state.view(PARTITIONS), 0.0)

    def apply(
        self,
        folded: Folded,
        end: int,
        *,
        verified: bool = False,
        swept: Swept = NOTHING_SWEPT,
        state: State | None = None,
        call: str = "",
    ) -> Applied | Known | Moved:
        """Apply what was folded; to another `state` where our own shall not hear of it."""
        told = state or self.state
        return self.connection.run(
            self.ledger.apply(told, folded, end, verified=verified, swept=swept, call=call)
        )

    def count(
        self, log: Sequence[Record], size: int = 1_000, *, reply_is_lost: bool = False
    ) -> Applied | Moved:
        """Fold and apply the next `size` records after our position, as a worker does."""
        records = [r for r in log if r.offset >= self.state.position][:size]
        if not records:
            return Applied()
        end = records[-1].offset + 1
        state = copy.deepcopy(self.state) if reply_is_lost else self.state
        folded = self.folded(records)
        reply = self.apply(folded, end, state=state)
        if isinstance(reply, Known):
            folded = self.folded(records, reply.entries)
            reply = self.apply(folded, end, verified=True, state=state)
        assert not isinstance(reply, Known)
        return reply
