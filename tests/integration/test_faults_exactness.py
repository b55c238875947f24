"""What makes counting exact: compare-and-set, and what each id counted before.

Each scenario runs on the product, where it must end exact, and on a copy with the reason for
exactness taken out, where the same judge must find differences: the tests are tested.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import agents
import streams
from tests.integration.harness import Pipeline
from tests.integration.lossy_proxy import LossyProxy
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

# Small polls, so that a scenario meets many batches.
SMALL_BATCHES = {"poll_records": 200, "fetch_bytes": 64 * 1024}


class Mutation(NamedTuple):
    """A piece of the product's text, and what stands there in the broken copy."""

    file: str
    text: str
    instead: str

    def copy(self, directory: Path) -> Path:
        """A folder with the packages as they are but for this mutation."""
        code = directory / "mutated"
        for package in (agents, streams):
            source = Path(next(iter(package.__path__)))
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, code / source.name, ignore=ignored)
        path = code / self.file
        before = path.read_text()
        assert 1 == before.count(self.text), f"{self.file} no longer holds {self.text!r}"
        path.write_text(before.replace(self.text, self.instead))
        return code


NO_COMPARE_AND_SET = Mutation(
    "streams/ledger/lua/apply.lua",
    "if stored[5] == ARGV[8] and stored[1] == ARGV[4] and stored[2] == ARGV[2] "
    "then return {'applied'} end\n"
    "if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] or stored[3] ~= ARGV[3] then",
    "if not stored[1] then",
)
NO_CONTRIBUTIONS = Mutation(
    "streams/ledger/fold.py", "Folding(self, known, view)", "Folding(self, {}, view)"
)


def revisions(pipeline: Pipeline, code: Path | None) -> None:
    """Answers are changed, withdrawn and repeated in later batches than they were counted in."""
    worker = pipeline.worker(code=code, **SMALL_BATCHES)
    pipeline.publish(Traffic(10).take(4_000))
    pipeline.settle()
    assert worker.metric("feedback_batch_events_count") > 10
    outcomes = pipeline.outcomes()
    assert outcomes["applied"] > 1_000


def zombies(pipeline: Pipeline, code: Path | None) -> None:
    """A worker is paused in mid-work until another counts its partitions, then goes on.

    That it has lost them it could hear from the broker, which hangs meanwhile: whatever the worker
    still has of them it will try to count.
    """
    pipeline.publish(Traffic(11).take(15_000))
    first = pipeline.worker(code=code, **SMALL_BATCHES)
    pipeline.wait_counted(1_000)
    # While Redis hangs, fetched batches queue up in the worker.
    pipeline.server.pause()
    pipeline.endure(1)
    first.pause()
    pipeline.server.resume()
    held = pipeline.positions()
    second = pipeline.worker(code=code, **SMALL_BATCHES)
    ends = pipeline.log_ends()
    # Its session must be over for that: every partition moves on without it.
    pipeline.wait(
        lambda: all(a < b for a, b in zip(held, pipeline.positions(), strict=True)),
        "another worker to take over",
    )
    assert held != ends
    pipeline.broker.pause()
    try:
        first.resume()
        if code is None:
            pipeline.says(first, "the ledger has moved, reading again from it")
        else:
            pipeline.endure(3)
    finally:
        pipeline.broker.resume()
    pipeline.settle()
    assert second.alive()


def lost_replies(pipeline: Pipeline, code: Path | None) -> None:
    """Redis runs scripts, but the worker does not hear of every fifth; it counts its own right."""
    traffic = Traffic(12)
    with LossyProxy(pipeline.server.port, one_in=5, seed=12) as proxy:
        # First in peace, until every dimension value that has room is admitted: a copy without
        # compare-and-set shall count wrongly, not trip over values that it does not know.
        proxy.losing = False
        worker = pipeline.worker(code=code, redis_url=proxy.url, **SMALL_BATCHES)
        pipeline.publish(traffic.take(2_000))
        pipeline.settle()
        proxy.losing = True
        pipeline.publish(traffic.take(4_000))
        pipeline.settle()
        assert proxy.lost > 10
        if code is None:
            pipeline.wait(
                lambda: worker.metric("feedback_events_total") == sum(pipeline.log_ends()),
                "the worker's own counters to say the same",
            )


@pytest.mark.parametrize("scenario", [revisions, zombies, lost_replies])
def test_the_product_is_exact(
    scenario: Callable[[Pipeline, Path | None], None], kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """Every cell, id and total is as the audit recomputes it from the log."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        scenario(pipeline, None)
        assert "" == pipeline.differences()


@pytest.mark.parametrize(
    ("scenario", "mutation"),
    [
        pytest.param(revisions, NO_CONTRIBUTIONS, id="revisions-no-contributions"),
        pytest.param(zombies, NO_COMPARE_AND_SET, id="zombies-no-compare-and-set"),
        pytest.param(lost_replies, NO_COMPARE_AND_SET, id="lost-replies-no-compare-and-set"),
    ],
)
def test_the_suite_would_see(
    scenario: Callable[[Pipeline, Path | None], None],
    mutation: Mutation,
    kafka_broker: KafkaBroker,
    tmp_path: Path,
) -> None:
    """Without the reason for exactness the same scenario ends with differences."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        scenario(pipeline, mutation.copy(tmp_path))
        assert "" != pipeline.differences()
