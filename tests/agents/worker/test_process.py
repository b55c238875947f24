from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from agents.embedded.ports import HOST
from agents.embedded.process import wait_until
from tests.servers import Worker

if TYPE_CHECKING:
    from pathlib import Path

KPIS = """
version: 1
measures: {csat: {kind: rating, scale: [1, 5]}}
kpis: {csat: {title: X, formula: {mean: {measure: csat}}, target: 4, owner: us}}
"""
START_SECONDS = 30.0


def ended(directory: Path, **environment: str) -> tuple[int | None, str]:
    """The exit status and the output of a worker that does not start."""
    kpis = directory / "kpis.yaml"
    kpis.write_text(KPIS)
    settings = {"FEEDBACK_KPI_FILE": str(kpis), **environment}
    with Worker(directory=directory, environment=settings) as worker:
        wait_until(lambda: not worker.alive(), START_SECONDS, "the worker to end")
        return worker.exit_status, worker.output()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A worker whose pages can't be served stops before it connects, with exit status 2."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        status, output = ended(tmp_path, FEEDBACK_WEB_PORT=str(port))
    assert status == 2
    assert output.startswith(f"feedback: can't listen on {HOST} port {port}: ")
    assert "choose another with FEEDBACK_WEB_HOST and FEEDBACK_WEB_PORT" in output


def test_wrong_settings(tmp_path: Path) -> None:
    """A wrong setting stops a worker before it connects, with exit status 2."""
    problem = "FEEDBACK_REDIS_URL: must begin with redis://, rediss:// or unix://"
    assert ended(tmp_path, FEEDBACK_REDIS_URL="redis") == (
        2,
        f"feedback: wrong settings:\n  {problem}\n",
    )


def test_a_wrong_kpi_file(tmp_path: Path) -> None:
    """A KPI file that can't be read stops a worker before it connects, with exit status 2."""
    absent = tmp_path / "absent.yaml"
    assert ended(tmp_path, FEEDBACK_KPI_FILE=str(absent)) == (
        2,
        f"feedback: {absent}: can't be read: no such file or directory; name a KPI file\n",
    )
