from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from agents.commands.score import command

if TYPE_CHECKING:
    from pathlib import Path

KPIS = """
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {product: {max: 5}, channel: {max: 5}}
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    min_answers: 2
    owner: support
"""


@pytest.fixture
def kpis(tmp_path: Path) -> Path:
    path = tmp_path / "kpis.yaml"
    path.write_text(KPIS)
    return path


def event(event_id: str, csat: int, **fields: Any) -> str:
    answer = {"event_id": event_id, "occurred_at": "2021-03-01T12:00:00Z"}
    return json.dumps(answer | {"measures": {"csat": csat}} | fields)


EVENTS = "\n".join(
    [
        event("a", 5, dimensions={"product": "router", "channel": "chat"}),
        event("b", 2, dimensions={"product": "router"}),
        event("c", 4, dimensions={"product": "phone"}),
    ]
)


def score(kpis: Path, *arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(command, [*arguments, "--kpis", str(kpis)], input=text)


def test_json_rows_have_exactly_the_promised_fields(kpis: Path, tmp_path: Path) -> None:
    """Rows are {kpi, breakdown, segment, window, answers, score, lower, upper, state}."""
    (tmp_path / "answers.jsonl").write_text(EVENTS)
    result = score(
        kpis, str(tmp_path / "answers.jsonl"), "--breakdown", "product", "--format", "json"
    )
    assert 0 == result.exit_code
    rows = json.loads(result.stdout)
    bounds = ("lower", "upper")
    assert [
        {
            "kpi": "csat", "breakdown": breakdown, "segment": segment, "window": "all",
            "answers": answers, "score": value, "state": state,
        }
        for breakdown, segment, answers, value, state in (
            ("all", {}, 3, pytest.approx(66.667, abs=0.001), "ok"),
            ("product", {"product": "phone"}, 1, 100.0, "insufficient"),
            ("product", {"product": "router"}, 2, 50.0, "ok"),
        )
    ] == [{k: v for k, v in row.items() if k not in bounds} for row in rows]  # fmt: skip
    assert all(0 <= row["lower"] <= row["score"] <= row["upper"] <= 100 for row in rows)


def test_gaps_and_consistencies_say_more(kpis: Path, tmp_path: Path) -> None:
    """A word for a gap, a p value for a spread, weights for a composite; nothing of them else."""
    kpis.write_text(
        KPIS.replace("    min_answers: 2\n", "    min_answers: 1\n    floor: 70\n")
        + """
  even:
    title: Alike
    formula: {consistency: {of: csat, by: product}}
    target: 5
    min_answers: 1
    owner: us
  both: {title: Both, formula: {composite: {parts: {csat: 0.5, mean: 0.5}}}, target: 5, owner: us}
  mean: {title: Mean, formula: {mean: {measure: csat}}, target: 4, owner: us}
  gap:
    title: Gap
    formula: {gap: {delivered: mean, perceived: csat}}
    target: 5
    min_answers: 1
    owner: us
"""
    )
    (tmp_path / "answers.jsonl").write_text(EVENTS)
    found = score(kpis, str(tmp_path / "answers.jsonl"), "--format", "json")
    rows = {row["kpi"]: row for row in json.loads(found.stdout)}
    assert ({"csat": 0.5, "mean": 0.5}, "aligned") == (rows["both"]["parts"], rows["gap"]["gap"])
    assert 0.1 < rows["even"]["chance"] < 1
    assert not {"parts", "gap", "chance"} & rows["csat"].keys()
    table = score(kpis, str(tmp_path / "answers.jsonl")).stdout
    assert "ok, aligned" in table
    assert "p = 0." in table


def test_standard_input_and_breakdowns_in_any_order(kpis: Path) -> None:
    """`-` reads standard input; a breakdown is named in the KPI file's order."""
    arguments = ("-", "--breakdown", "channel,product", "--format", "json")
    result = score(kpis, *arguments, text=EVENTS)
    rows = json.loads(result.stdout)
    assert ["all"] + 3 * ["product,channel"] == [row["breakdown"] for row in rows]
    assert {"product": "phone", "channel": "unknown"} == rows[1]["segment"]


def test_refused_lines_are_told_by_place_and_reason_never_by_words(kpis: Path) -> None:
    """Refusals go to standard error without what a customer wrote; the rest is scored; exit 1."""
    text = "\n".join([EVENTS, event("d", 9, comment="my secret words"), "not json"])
    result = score(kpis, "-", "--format", "json", text=text)
    assert 1 == result.exit_code
    assert 3 == json.loads(result.stdout)[0]["answers"]
    assert "standard input:4: off_scale: " in result.stderr
    assert "standard input:5: not_json: " in result.stderr
    assert "5 events: 3 applied, 2 refused" in result.stderr
    assert "secret" not in result.output


def test_many_refusals_are_not_all_written(kpis: Path) -> None:
    """A wrong file does not flood the terminal: some lines, then the totals."""
    result = score(kpis, "-", text="nonsense\n" * 500)
    assert 20 == result.stderr.count("not_json")
    assert "500 refused" in result.stderr


def test_csv_with_columns_named_as_places(kpis: Path, tmp_path: Path) -> None:
    """A CSV file needs no mapping where its columns are named as places of the event."""
    rows = "event_id,occurred_at,measures.csat\na,2021-03-01T12:00:00Z,5\n"
    (tmp_path / "answers.csv").write_text(rows)
    result = score(kpis, str(tmp_path / "answers.csv"), "--format", "json")
    assert (0, 1) == (result.exit_code, json.loads(result.stdout)[0]["answers"])


def test_table_for_people(kpis: Path) -> None:
    """The default is a table with the KPI's title, the interval and the state in words."""
    result = score(kpis, "-", "--breakdown", "product", text=EVENTS)
    assert 0 == result.exit_code
    for word in ("Satisfaction", "router", "50.0 %", "9.5 to 90.5", "insufficient"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--breakdown", "region"), "'region' is no dimension; the KPI file has product, channel"),
        (("--window", "soon"), "'soon' is no duration"),
    ],
)
def test_wrong_use_is_status_2(kpis: Path, arguments: tuple[str, ...], words: str) -> None:
    """A wrong option is refused with what would be right, before anything is scored."""
    result = score(kpis, "-", *arguments, text=EVENTS)
    assert 2 == result.exit_code
    assert words in result.stderr


ALERTING = KPIS.replace(
    "    owner", "    floor: 75\n    breakdowns: [[product]]\n    alert: {}\n    owner"
)


def test_what_moved_a_score_stands_below_the_table(kpis: Path) -> None:
    """The last day of the file is compared with the days before."""
    kpis.write_text(ALERTING)
    days = {"2021-03-01T12:00:00Z": (5, 5, 5, 1), "2021-03-08T12:00:00Z": (5, 1, 1, 1)}
    lines = [
        event(f"{day}-{place}", answer, occurred_at=day, dimensions={"product": "router"})
        for day, answers in days.items()
        for place, answer in enumerate(answers)
    ]
    result = score(kpis, "-", text="\n".join(lines))
    assert 0 == result.exit_code
    assert (
        "Satisfaction, last 24h: 25.0, 50.0 below its baseline of 75.0. "
        "By product: all alike −50.0."
    ) in " ".join(result.stdout.split())


def test_without_a_baseline_nothing_is_said_of_it(kpis: Path) -> None:
    """A file of one day has nothing to be compared with."""
    kpis.write_text(ALERTING)
    assert "baseline" not in score(kpis, "-", text=EVENTS).stdout


class TestExplain:
    """How a number came about."""

    def test_of_all_answers(self, kpis: Path) -> None:
        """The steps of the score that the board would show at the file's end."""
        result = score(kpis, "-", "--explain", "csat", text=EVENTS)
        assert 0 == result.exit_code
        assert "Satisfaction, 30d" in result.stdout
        assert "2. Score\n   score = 100 × 2 ÷ 3 = 66.6667 %" in result.stdout

    def test_of_a_segment_as_json(self, kpis: Path) -> None:
        """In another window, for a program."""
        kpis.write_text(ALERTING)
        options = ("--explain", "csat", "--segment", "product=router", "--window", "24h")
        result = score(kpis, "-", *options, "--format", "json", text=EVENTS)
        found = json.loads(result.stdout)
        assert ("csat", "24h") == (found["kpi"], found["window"])
        (line,) = found["steps"][1]["lines"]
        assert ("score", "100 × 1 ÷ 2", 50.0, "%") == tuple(
            line[key] for key in ("name", "expression", "result", "unit")
        )

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("--explain", "csta"), "'csta' is no KPI; the KPI file has csat"),
            (("--explain", "csat", "--window", "2h"), "'2h' is no window of csat; it has 1h, 24h"),
            (("--explain", "csat", "--segment", "router"), "write it as in product=router"),
            (("--explain", "csat", "--segment", "product=tv"), "no answers of it were ever seen"),
        ],
    )
    def test_what_is_not_there_is_wrong_use(
        self, kpis: Path, options: tuple[str, ...], sentence: str
    ) -> None:
        """Each with what there is."""
        result = score(kpis, "-", *options, text=EVENTS)
        assert 2 == result.exit_code
        assert sentence in " ".join(result.stderr.replace("│", " ").split())

    def test_refused_events_are_status_1_here_too(self, kpis: Path) -> None:
        """The others are explained."""
        result = score(kpis, "-", "--explain", "csat", text=EVENTS + "\nnonsense")
        assert 1 == result.exit_code
        assert "1. Answers" in result.stdout
