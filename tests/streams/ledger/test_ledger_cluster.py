from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import redis

from agents.embedded.process import wait_until
from agents.embedded.redis import RedisServer, redis_programs
from streams.audit.comparison import Scope, differences
from streams.audit.plain_model import PlainModel
from tests.feedback_log import CUSTOMER_KEY, LAYOUT, PARTITIONS, RIGHT_IDS, START, record
from tests.redis_owner import Connection, RedisOwner

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.redis

ALL_SLOTS = range(16_384)


@pytest.fixture(params=list(redis_programs()) or ["none"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Give a cluster of one node: it serves every slot, and holds scripts to Cluster's rules."""
    options = {"cluster-enabled": "yes"}
    with RedisServer(redis_programs()[request.param], options=options) as server:
        with redis.from_url(server.url) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", ALL_SLOTS[0], ALL_SLOTS[-1])
            wait_until(
                lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"),
                10,
                "the cluster to be ready",
            )
        with Connection(server.url) as connection:
            yield connection


def test_the_ledger_works_on_a_cluster(cluster: Connection) -> None:
    """Every script's keys are in one slot, or Cluster would refuse it: CROSSSLOT."""
    log = [record(n, i, measures={"csat": 3}) for n, i in enumerate(RIGHT_IDS)]
    log += [record(20 + n, i, revision=1, comment="Good.") for n, i in enumerate(RIGHT_IDS)]
    owner = RedisOwner(cluster)
    for _ in log:
        owner.count(log, 5)
    cluster.run(owner.ledger.heartbeat(owner.state, 40))
    cluster.run(owner.ledger.sweep(owner.state, time.time()))
    cluster.run(owner.ledger.trim(0, START))
    cluster.run(owner.ledger.restart(owner.state, owner.state.position))
    model = PlainModel(0, PARTITIONS, {0: LAYOUT}, customer_key=CUSTOMER_KEY)
    for each in log:
        model.take(each, START)
    snapshot = cluster.snapshot()
    scope = Scope(snapshot.now, (LAYOUT,))
    assert list(differences(model, snapshot.stored, scope, {})) == []
    assert snapshot.position == model.position


def test_a_cluster_does_hold_scripts_to_one_slot(cluster: Connection) -> None:
    """So that the test above can fail."""
    with pytest.raises(redis.ResponseError, match="slot"):
        cluster.redis.eval("return 1", 2, "{fb:events:0}:ledger", "{fb:events:1}:ledger")
