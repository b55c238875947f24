from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kafka.errors import KafkaTimeoutError

from agents.commands import dead_letters, publish, topics
from streams.errors import ConfigurationError, Unavailable

KPIS = """
version: 1
measures: {csat: {kind: rating, scale: [1, 5]}}
kpis:
  csat:
    title: Customer satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: {at_least: 85}
    owner: support-team
"""


@pytest.fixture
def kpis(tmp_path: Path) -> Path:
    """Give a KPI file with one rating, csat from 1 to 5."""
    path = tmp_path / "kpis.yaml"
    path.write_text(KPIS)
    return path


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an attempt to connect fail at once, and tell it from wrong use."""

    def refuse(*_: object) -> None:
        raise KafkaTimeoutError

    for module, name in (
        (publish, "producer"),
        (topics, "admin"),
        (dead_letters, "consumer"),
    ):
        monkeypatch.setattr(module, name, refuse)


def event(number: int, **fields: Any) -> str:
    """One line of JSON, of an hour ago."""
    time = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    return json.dumps({"event_id": f"r-{number}", "occurred_at": time} | fields) + "\n"


def run(*arguments: object, given: str | None = None) -> Result:
    """`feedback publish` with these arguments and standard input."""
    return CliRunner().invoke(publish.command, [str(a) for a in arguments], input=given)


def test_a_refused_event_keeps_a_file_from_being_published(kpis: Path, tmp_path: Path) -> None:
    """Every refused event is reported with file and line, and nothing is connected to."""
    path = tmp_path / "events.jsonl"
    bad = event(2, measures={"csat": 9}, comment="private words")
    path.write_text(event(1) + bad + "{\n")
    result = run(path, "--kpis", kpis)

    assert result.exit_code == 1
    assert f"{path}:2: off_scale: `measures.csat` is off its scale" in result.stderr
    assert f"{path}:3: not_json: " in result.stderr
    assert "nothing was published: 2 of 3 events would be refused" in result.stderr
    assert result.stdout == ""
    assert "private words" not in result.stderr

    read = json.loads(run(path, "--kpis", kpis, "--format", "json").stdout)
    assert (read["published"], read["refused"]) == (0, {"off_scale": 1, "not_json": 1})


@pytest.mark.parametrize("options", [["--skip-invalid"], []])
def test_what_is_good_is_sent(kpis: Path, tmp_path: Path, options: list[str]) -> None:
    """A file without refused events, or with leave to skip them, goes on to Kafka."""
    path = tmp_path / "events.jsonl"
    path.write_text(event(1) + ("{\n" if options else ""))
    assert isinstance(run(path, "--kpis", kpis, *options).exception, Unavailable)


def test_csv_without_zone_is_refused(kpis: Path, tmp_path: Path) -> None:
    """Dates without an offset are refused, row by row, until --timezone says where they are of."""
    path = tmp_path / "survey.csv"
    path.write_text(f"event_id,occurred_at,rating\nr-1,{datetime.now(UTC).date()},4\n")
    arguments = [path, "--kpis", kpis, "--map", "measures.csat=rating"]

    result = run(*arguments)
    assert (result.exit_code, "bad_time" in result.stderr) == (1, True)
    assert isinstance(run(*arguments, "--timezone", "UTC").exception, Unavailable)


def test_shift_makes_old_events_new(kpis: Path, tmp_path: Path) -> None:
    """Events of years ago are late; shifted, the latest is now and they pass."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        event(1, occurred_at="2020-01-01T00:00:00Z") + event(2, occurred_at="2020-01-02T00:00:00Z")
    )
    result = run(path, "--kpis", kpis)
    assert (result.exit_code, result.stderr.count(": late: ")) == (1, 2)
    assert isinstance(run(path, "--kpis", kpis, "--shift-to-now").exception, Unavailable)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.jsonl"], "does not exist"),
        (["-", "--map", "event_id=id"], "are for CSV; add --csv"),
        (["-", "--shift-to-now"], "--shift-to-now needs a file"),
        (["-", "--csv", "--timezone", "Europe/Nowhere"], "is no time zone"),
        (["-", "--csv", "--timezone", "../etc"], "is no time zone"),
        (["-", "--rate", "0"], "is not in the range"),
    ],
)
def test_wrong_use(kpis: Path, arguments: list[str], message: str) -> None:
    """Options that do not fit end with status 2 and a sentence, before anything is read."""
    result = run(*arguments, "--kpis", kpis, given="")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_wrong_columns_are_a_configuration_error(kpis: Path) -> None:
    """A mapping that does not fit the header is wrong use too: the command line makes it 2."""
    result = run("-", "--csv", "--kpis", kpis, given="id,at\n")
    assert isinstance(result.exception, ConfigurationError)


def test_topics_must_differ(kpis: Path) -> None:
    """Dead letters on the topic of events would be refused, and letters of letters written."""
    arguments = ["create", "--topic", "a", "--dead-letter-topic", "a", "--kpis", str(kpis)]
    result = CliRunner().invoke(topics.command, arguments)
    assert (result.exit_code, "must be two topics" in result.stderr) == (2, True)


def test_topics_with_a_retention_need_no_kpi_file() -> None:
    """The KPI file is read for its longest retention alone, so --retention replaces it."""
    arguments = ["create", "--retention", "90d", "--kpis", "absent.yaml"]
    assert isinstance(CliRunner().invoke(topics.command, arguments).exception, Unavailable)
    assert isinstance(
        CliRunner().invoke(topics.command, arguments[:1] + arguments[3:]).exception,
        ConfigurationError,
    )


@pytest.mark.parametrize("source", ["events", "events:0", "events:0:x"])
def test_a_source_is_written_whole(source: str) -> None:
    """`dead-letters show` names how a source is written where it is not."""
    result = CliRunner().invoke(dead_letters.command, ["show", source])
    assert (result.exit_code, "write topic:partition:offset" in result.stderr) == (2, True)
