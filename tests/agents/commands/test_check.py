from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from agents import cli
from agents.exporter.families import kpi_families, movement_families, score_families
from streams.kpis.load import parse_kpis
from streams.kpis.schema import kpi_schema
from streams.kpis.sizing import kpi_cost
from streams.scores.movements import Movement
from streams.scores.rows import AlertView, Row
from tests.kpi_texts import kpi_text

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]

# Of 52 x 22 and 22 segments and the whole: ten in each of four windows, two outcomes; three once.
SERIES = (52 * 22 + 22 + 1) * (4 * 10 + 2) + 3


class Result(NamedTuple):
    """How the command ended, and what it wrote."""

    status: int
    out: str
    err: str


@pytest.fixture
def check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """`feedback check`, called as a shell calls it, on a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["feedback", "check", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Result(int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """A KPI file of given sections."""

    def write(**sections: str) -> Path:
        path = tmp_path / "kpis.yaml"
        path.write_text(kpi_text(**sections))
        return path

    return write


def test_a_right_file(check: Callable[..., Result], file: Callable[..., Path]) -> None:
    """Each KPI with its splits and series, each window with its buckets, and the totals."""
    result = check(file(kpi="breakdowns: [[product, channel], [region]]"))
    assert (result.status, result.err) == (0, "")
    for line in [
        "│ csat │ Customer satisfaction │ product × channel │      1,167 │   49,017 │",
        "│      │                       │ region            │            │          │",
        "│ 1h     │ 10s     │",
        "│ 24h    │ 5m      │",
        "│ 30d    │ 1h      │",
        "Prometheus: 49,017 series at most, and some for the pipeline.",
        "Counters: none can overflow. csat has room for 9,223,372,036,854,775,807 answers in",
    ]:
        assert line in result.out


def test_the_shipped_file(check: Callable[..., Result]) -> None:
    """It is right and within its own budget."""
    assert check(ROOT / "kpis.yaml")[::2] == (0, "")


def test_the_file_of_the_settings(
    check: Callable[..., Result], file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without FILE, FEEDBACK_KPI_FILE names it."""
    monkeypatch.setenv("FEEDBACK_KPI_FILE", str(file()))
    assert "Customer satisfaction" in check().out


def test_json(check: Callable[..., Result], file: Callable[..., Path]) -> None:
    """A program reads the same numbers, and the hash that the ledger will hold."""
    path = file(kpi="breakdowns: [[product, channel], [region]]", top="dedupe: {horizon: 3d}")
    arguments = ("--format", "json", "--answers-per-day", "1000", "--partitions", "2")
    found: dict[str, Any] = json.loads(check(path, *arguments).out)
    cells = found["redis_bytes"].pop("cells")
    assert cells > 0
    assert {
        "version": 1,
        "hash": parse_kpis(path.read_text()).layout.hash,
        "windows": {"1h": "10s", "24h": "5m", "7d": "1h", "30d": "1h"},
        "kpis": [
            {
                "kpi": "csat",
                "title": "Customer satisfaction",
                "breakdowns": [["product", "channel"], ["region"]],
                "segments": 52 * 22 + 22 + 1,
                "series": SERIES,
            }
        ],
        "series": SERIES,
        "answers_per_day": 1_000,
        "partitions": 2,
        "redis_bytes": {"ids": 122 * 3_000, "total": cells + 122 * 3_000},
        "fullest_counter": {"measure": "csat", "holds_answers": 2**63 - 1},
        "answers_kept": 62_000,
    } == found


BENCHMARK = "benchmarks: {industry: {score: 78, date: 2026-06-30, source: A study}}"


def test_series_are_those_of_the_exporter() -> None:
    """What the exporter shows of one segment with everything is what is counted for it."""
    file = parse_kpis(kpi_text(kpi=f"floor: 50\n{BENCHMARK}\nreview_by: 2027-03-31\nalert: {{}}"))
    raised = AlertView("floor", "ticket", raised=True, evidence=4.0, limit=3.3, since=None)
    rows = [
        Row(
            kpi="csat",
            window=window.name,
            breakdown="all",
            segment=(),
            answers=12,
            score=75.0,
            lower=46.5,
            upper=91.25,
            state="ok",
            reason=None,
            target=85,
            floor=50,
            benchmarks={"industry": 78},
            outcomes={"satisfied": 9, "unsatisfied": 3},
            alert=raised if window.name == "24h" else None,
        )
        for window in file.windows
    ]
    families = [
        *score_families(rows, file),
        *movement_families([Movement("csat", "24h", 75.0, {((), ()): 78.0}, {})], file),
        *kpi_families(file, 1_800_000_000),
    ]
    shown = sum(len(family.samples) for family in families)
    assert kpi_cost(file.kpis["csat"], file) == (1, shown)


def test_a_wrong_file(check: Callable[..., Result], file: Callable[..., Path]) -> None:
    """All errors on standard error, nothing on standard output, status 2."""
    path = file(kpi="floor: 99", top="version: 0")
    result = check(path)
    assert (result.status, result.out) == (2, "")
    assert [
        f"feedback: {path} has 2 errors:",
        f"{path}:12: kpis.csat.floor: must not be above the target, which is 85",
        f"{path}:13: version: is 0; it should be greater than or equal to 1",
    ] == result.err.splitlines()


def test_over_budget(check: Callable[..., Result], file: Callable[..., Path]) -> None:
    """The cost is shown, each budget that it exceeds is named, and the status is 2."""
    path = file(top="budget: {series: 44, redis: 1KiB}")
    result = check(path)
    assert result.status == 2
    assert "Prometheus: 45 series at most" in result.out
    series, redis = result.err.splitlines()
    assert series.startswith("feedback: budget.series: up to 45 series, and the budget is 44; ")
    assert redis.startswith("budget.redis: up to ")
    assert ", and the budget is 1.0 KiB; " in redis


def test_within_budget(check: Callable[..., Result], file: Callable[..., Path]) -> None:
    """A budget that is just met is met."""
    assert check(file(top="budget: {series: 45, redis: 1TiB}")).status == 0


def test_a_counter_that_could_overflow(
    check: Callable[..., Result], file: Callable[..., Path]
) -> None:
    """Sums of squares have room for 92 billion answers in a bucket; more than that is refused."""
    path = file(formula="{sentiment: net}", target="20")
    limit = 92_233_720_368 // 62
    assert check(path, "--answers-per-day", str(limit)).status == 0
    result = check(path, "--answers-per-day", str(limit + 1))
    assert result.status == 2
    assert "measures: sentiment (sum of squares) has room for 92,233,720,368 answers" in result.err
    assert "none can overflow" not in result.out


def test_schema(check: Callable[..., Result]) -> None:
    """The schema is printed as docs hold it, byte for byte, whatever the KPI file."""
    result = check("--schema", "no-such-file.yaml")
    assert (result.status, result.err) == (0, "")
    assert kpi_schema() == json.loads(result.out)
    assert (ROOT / "docs/kpis.schema.json").read_text() == result.out


@pytest.mark.parametrize(
    "arguments",
    [("--answers-per-day", "0"), ("--partitions", "0"), ("--format", "xml"), ("a", "b")],
)
def test_wrong_use(check: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    """A wrong option is status 2, before anything is read."""
    assert check(*arguments)[:2] == (2, "")


def test_a_title_is_no_markup(check: Callable[..., Result], file: Callable[..., Path]) -> None:
    """Brackets in a title are shown as they were written."""
    path = file()
    path.write_text(path.read_text().replace("Customer satisfaction", "'[red]CSAT[/] [1-5]'"))
    assert "│ [red]CSAT[/] [1-5] │" in check(path).out
