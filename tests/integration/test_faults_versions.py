"""KPI files of several versions on one ledger: counts are never mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka


def test_an_older_version_is_refused(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A KPI file older than the counts: exit 2, naming both versions."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        newer = pipeline.worker(kpi_file=pipeline.write_kpis(2))
        pipeline.publish(Traffic(60).take(500))
        pipeline.settle()
        pipeline.stop(newer)
        older = pipeline.worker()
        assert 2 == pipeline.ended(older)
        assert "are of version 2, the KPI file has version 1" in older.last_words
        assert "start this worker with the newer KPI file" in older.last_words


def test_the_same_version_with_other_contents_is_refused(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """What is stored has changed but the version has not: exit 2, with the version to write."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        first = pipeline.worker()
        pipeline.publish(Traffic(61).take(500))
        pipeline.settle()
        pipeline.stop(first)
        changed = pipeline.worker(kpi_file=pipeline.write_kpis(1, best=7))
        assert 2 == pipeline.ended(changed)
        assert "raise `version` to 2" in changed.last_words


def test_a_newer_version_takes_over(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Another scale with a raised version: old answers stay, revisions of them take them back."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        older = pipeline.worker()
        traffic = Traffic(62)
        pipeline.publish(traffic.take(1_500))
        pipeline.settle()
        pipeline.stop(older)
        pipeline.kpi_file = pipeline.write_kpis(2, best=7)
        pipeline.worker()
        pipeline.publish(traffic.take(1_500))
        assert "" == pipeline.differences()


def test_the_old_version_stops_where_the_new_one_counts(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """While workers are replaced one by one, an old one that meets the new layout leaves."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        older = pipeline.worker()
        with pipeline.publishing(63):
            pipeline.wait_counted(200)
            pipeline.kpi_file = pipeline.write_kpis(2, best=7)
            newer = pipeline.worker()
            assert 2 == pipeline.ended(older)
            assert "are of version 2, the KPI file has version 1" in older.last_words
            assert newer.alive()
            pipeline.wait_counted(400)
        assert "" == pipeline.differences()
