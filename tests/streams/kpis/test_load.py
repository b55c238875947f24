from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigurationError
from streams.kpis.load import load_kpis, parse_kpis
from streams.kpis.yaml_lines import Document
from tests.kpi_texts import TOP_BOX, kpi_text, refusals

DURATION = "is no duration; write a number and s, m, h or d, as in 24h"
NAME = "can't be a name; write a-z, 0-9 and _ only, a letter first, at most 64 characters"
TOP_KEYS = (
    "version, timezone, measures, dimensions, retention, windows, dedupe, confidence, kpis, budget"
)
KPI_KEYS = (
    "title, formula, direction, target, owner, floor, bands, benchmarks, review_by, min_answers, "
    "design_effect, matures, windows, breakdowns, alert, about"
)
SCORE_OR_SOURCE = (
    "write a number, or where it is from, as in {score: 78, date: 2026-06-30, source: …}"
)
ONE_SIDE = "write at_least where higher is better, or at_most where lower is, and not both"
FORMULAS = "top_box, net, mean, share, sentiment, sum, ratio, composite, consistency, gap, product"
ONE_FORMULA = f"write exactly one of {FORMULAS}"
BREAKDOWN = "write a list of dimensions, as in [product] or [product, channel]"
DATE = "is no date; write year-month-day, as in 2026-10-01"
ZONE = "write Continent/City, as in Europe/Berlin."
FALSE_ALARMS = "write a number per week, month, quarter or year: 1 per quarter"
TOO_LONG = "70d is longer than its buckets are kept;"
TEXT = "write a text, in quotes where it looks like something else"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("version: 0", ["version: is 0; it should be greater than or equal to 1"]),
        ("version: '1'", ["version: is '1'; write a whole number"]),
        ("version: 1.0", ["version: is 1.0; write a whole number"]),
        ("version: true", ["version: is true; write a whole number"]),
        ("version:", ["version: has no value; write one, or remove the key"]),
        (
            "timezone: europe/berlin",
            [f"timezone: unknown time zone 'europe/berlin'; {ZONE} Did you mean Europe/Berlin?"],
        ),
        ("timezone: ../UTC", [f"timezone: unknown time zone '../UTC'; {ZONE}"]),
        ("timezone: Europe", [f"timezone: unknown time zone 'Europe'; {ZONE}"]),
        ("timezone: 5", [f"timezone: unknown time zone 5; {ZONE}"]),
        (
            "windos: [1h]",
            [f"windos: unknown key; known here are {TOP_KEYS}. Did you mean windows?"],
        ),
        ("windows: 1h", ["windows: is '1h'; write a list, as in [a, b]"]),
        ("windows: []", ["windows: is empty; write at least one entry"]),
        ("windows: [1h, 24]", [f"windows.1: '24' {DURATION}"]),
        ("windows: [24, 1w]", [f"windows.0: '24' {DURATION}", f"windows.1: '1w' {DURATION}"]),
        ("windows: [1h, 60m]", ["windows.1: 60m is as long as 1h; keep one"]),
        (
            "windows: [1h, 70d, 20s]",
            [
                f"windows.1: {TOO_LONG} write 1h: 71d in retention (now 62d)",
                (
                    "windows.2: no bucket length in retention divides 20s into 4 to 2,000 buckets; "
                    "add 1s to retention"
                ),
            ],
        ),
        ("retention: {}", ["retention: is empty; write at least one entry"]),
        ("retention: 2h", ["retention: is '2h'; write keys and values under it"]),
        ("retention: {10s: 2, 1h: 62d}", [f"retention.10s: '2' {DURATION}"]),
        ("retention: {10: 2h, 1h: 62d}", [f"retention.10: '10' {DURATION}"]),
        (
            "retention: {7s: 3h, 10s: 4h, 1h: 62d}",
            [
                "retention.10s: must be a multiple of the next finer bucket, which is 7s",
            ],
        ),
        (
            "retention: {10s: 3d, 5m: 2d, 1h: 62d}",
            ["retention.5m: keep coarser buckets no shorter than 10s, which is 3d"],
        ),
        ("retention: {60s: 2d, 1m: 2d, 1h: 62d}", ["retention.1m: is as long as 60s; keep one"]),
        ("retention: {1d: 1h}", ["retention.1d: keep a bucket for at least its own 1d"]),
        ("dedupe: 62d", ["dedupe: write off, or a horizon, as in {horizon: 62d}"]),
        ("dedupe: true", ["dedupe: write off, or a horizon, as in {horizon: 62d}"]),
        (
            "dedupe: {horizn: 62d}",
            [
                "dedupe.horizn: unknown key; known here are horizon. Did you mean horizon?",
            ],
        ),
        ("dedupe: {horizon: 0d}", [f"dedupe.horizon: '0d' {DURATION}"]),
        (
            "budget: {series: 0, redis: 2 bananas}",
            [
                "budget.redis: is '2 bananas'; write a size, as in 512MiB or 2GiB",
                "budget.series: is 0; it should be greater than or equal to 1",
            ],
        ),
        ("budget: {redis: -1}", ["budget.redis: is -1; write a size, as in 512MiB or 2GiB"]),
    ],
)
def test_the_file(lines: str, expected: list[str]) -> None:
    """What is wrong at the top of the file is said at its place, with what to do."""
    assert expected == refusals(kpi_text(top=lines))


@pytest.mark.parametrize(
    ("declarations", "expected"),
    [
        (
            "measures: {csat: {kind: ratng}}",
            ["measures.csat.kind: is 'ratng'; write rating, flag or amount. Did you mean rating?"],
        ),
        ("measures: {csat: {}}", ["measures.csat.kind: is missing; write rating, flag or amount"]),
        (
            "measures: {csat: rating}",
            ["measures.csat: is 'rating'; write keys and values under it"],
        ),
        ("measures: {csat: {kind: rating}}", ["measures.csat.scale: is missing; add it"]),
        (
            "measures: {csat: {kind: rating, scale: [5, 1]}}",
            ["measures.csat.scale: the lowest answer comes first; write [1, 5]"],
        ),
        (
            "measures: {csat: {kind: rating, scale: [5, 5]}}",
            ["measures.csat.scale: a scale has at least two points, as in [1, 5]"],
        ),
        (
            "measures: {csat: {kind: rating, scale: [1, 5.5]}}",
            ["measures.csat.scale.1: is 5.5; write a whole number"],
        ),
        (
            "measures: {csat: {kind: rating, scale: [1]}}",
            ["measures.csat.scale.1: is missing; add it"],
        ),
        (
            "measures: {csat: {kind: rating, scale: [1, 3, 5]}}",
            ["measures.csat.scale: is a list; write fewer entries"],
        ),
        (
            "measures: {csat: {kind: rating, scale: [0, 101]}}",
            [
                (
                    "measures.csat.scale: a scale has at most 101 points between -1000 and 1000, "
                    "as in [0, 10]"
                )
            ],
        ),
        (
            "measures: {csat: {kind: flag, scale: [0, 1]}}",
            ["measures.csat.scale: unknown key; known here are kind."],
        ),
        ("measures: {CSAT: {kind: flag}}", [f"measures.CSAT: 'CSAT' {NAME}"]),
        ("measures: {__csat: {kind: flag}}", [f"measures.__csat: '__csat' {NAME}"]),
        (
            f"measures: {{{'a' * 65}: {{kind: flag}}}}",
            [f"measures.{'a' * 65}: '{'a' * 65}' {NAME}"],
        ),
        (
            "measures: {sentiment: {kind: flag}}",
            [
                (
                    "measures.sentiment: sentiment is computed from comments; "
                    "name this measure otherwise"
                )
            ],
        ),
        ("dimensions: [a]", ["dimensions: is a list; write keys and values under it"]),
        (
            "dimensions: {a: {max: 0}}",
            ["dimensions.a.max: is 0; it should be greater than or equal to 1"],
        ),
        (
            "dimensions: {a: {maxx: 3}}",
            ["dimensions.a.maxx: unknown key; known here are max. Did you mean max?"],
        ),
        ("dimensions: {a:}", ["dimensions.a: has no value; write one, or remove the key"]),
        ("dimensions: {a-b: {}}", [f"dimensions.a-b: 'a-b' {NAME}"]),
        ("dimensions: {__name: {}}", [f"dimensions.__name: '__name' {NAME}"]),
        (
            "dimensions: {window: {}}",
            ["dimensions.window: window is a label of our metrics; name this dimension otherwise"],
        ),
    ],
)
def test_declarations(declarations: str, expected: list[str]) -> None:
    """A wrong measure or dimension is an error once, not again at the KPIs that use it."""
    kpi = "{title: Mood, owner: team, formula: {sentiment: net}, target: 20}"
    assert expected == refusals(f"{declarations}\nkpis: {{mood: {kpi}}}\n")


def test_a_wrong_measure_is_not_reported_again_by_its_kpis() -> None:
    """A KPI of a measure whose scale is wrong has no error of its own."""
    text = kpi_text().replace("[1, 5]", "[5, 1]")
    assert refusals(text) == ["measures.csat.scale: the lowest answer comes first; write [1, 5]"]


@pytest.mark.parametrize("section", ["measures", "dimensions", "windows"])
def test_an_unreadable_section_is_not_reported_again_by_its_kpis(section: str) -> None:
    """Where nothing declared can be read, references to it can't be judged."""
    kpi = (
        "{title: T, owner: o, formula: {mean: {measure: csat}}, target: 4, floor: 3,"
        " breakdowns: [[product]], alert: {window: 24h}}"
    )
    sections = {
        "measures": "{csat: {kind: rating, scale: [1, 5]}}",
        "dimensions": "{product: {}}",
        "windows": "[24h]",
        section: "5",
        "kpis": f"{{csat: {kpi}}}",
    }
    [error] = refusals("\n".join(f"{key}: {value}" for key, value in sections.items()))
    assert error.startswith(f"{section}: is 5; write ")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("floor: true", ["floor: is true; write a number"]),
        ("floor: '75'", ["floor: is '75'; write a number"]),
        ("floor: .nan", ["floor: is nan; write a finite number"]),
        ("floor: .inf", ["floor: is inf; write a finite number"]),
        ("floor: -1", ["floor: -1 is no possible score; write 0 to 100"]),
        ("floor: 86", ["floor: must not be above the target, which is 85"]),
        ("floor:", ["floor: has no value; write one, or remove the key"]),
        (
            "bands: {good: 101, poor: -1}",
            [
                "bands.good: 101 is no possible score; write 0 to 100",
                "bands.poor: -1 is no possible score; write 0 to 100",
            ],
        ),
        ("bands: {good: 70, poor: 70}", ["bands.poor: must be below good, which is 70"]),
        ("bands: {good: 70}", ["bands.poor: is missing; add it"]),
        (
            "benchmarks: {last: 300, industry: -5}",
            [
                "benchmarks.industry.score: -5 is no possible score; write 0 to 100",
                "benchmarks.last.score: 300 is no possible score; write 0 to 100",
            ],
        ),
        (
            "benchmarks: {last: {date: 2026-13-01, source: ' x'}, industry: high}",
            [
                f"benchmarks.industry: {SCORE_OR_SOURCE}",
                f"benchmarks.last.date: '2026-13-01' {DATE}",
                "benchmarks.last.score: is missing; add it",
                "benchmarks.last.source: write 1 to 120 characters, without spaces around them",
            ],
        ),
        ("review_by: soon", [f"review_by: 'soon' {DATE}"]),
        ("direction: down", ["direction: is 'down'; it should be 'higher' or 'lower'"]),
        ("design_effect: 0.5", ["design_effect: is 0.5; it should be greater than or equal to 1"]),
        ("benchmarks: {Last: 3}", [f"benchmarks.Last: 'Last' {NAME}"]),
        ("min_answers: 0", ["min_answers: is 0; it should be greater than or equal to 1"]),
        ("min_answers: 1.5", ["min_answers: is 1.5; write a whole number"]),
        ("breakdowns: product", ["breakdowns: is 'product'; write a list, as in [a, b]"]),
        ("breakdowns: [product]", [f"breakdowns.0: {BREAKDOWN}"]),
        ("breakdowns: [[5]]", [f"breakdowns.0: {BREAKDOWN}"]),
        (
            "breakdowns: [[]]",
            ["breakdowns.0: the total is always kept; leave the empty breakdown out"],
        ),
        (
            "breakdowns: [[product, product]]",
            ["breakdowns.0: names a dimension twice; once is enough"],
        ),
        (
            "breakdowns: [[product], [chanel, x]]",
            [
                (
                    "breakdowns.1.0: unknown dimension 'chanel'; declared are product, channel, "
                    "region. Did you mean channel?"
                ),
                "breakdowns.1.1: unknown dimension 'x'; declared are product, channel, region.",
            ],
        ),
        (
            "breakdowns: [[channel, product], [region], [product, channel]]",
            ["breakdowns.2: is declared twice; a breakdown has no order"],
        ),
        (
            "alert: {}",
            ["alert: needs a floor; write the score that must hold, as in floor: 75"],
        ),
        ("floor: 75\nalert:", ["alert: has no value; write one, or remove the key"]),
        (
            "floor: 75\nalert: {window: 7h}",
            ["alert.window: unknown window '7h'; declared are 1h, 24h, 7d, 30d."],
        ),
        (
            (
                "floor: 75\nbreakdowns: [[product, channel]]\n"
                "alert: {segments: [[product], [region], [product, region]]}"
            ),
            [
                "alert.segments.1: [region] is in no breakdown; add it to breakdowns",
                "alert.segments.2: [product, region] is in no breakdown; add it to breakdowns",
            ],
        ),
        (
            "floor: 75\nalert: {severity: pager, drop: 0, false_alarms: few}",
            [
                "alert.drop: is 0; it should be greater than 0",
                f"alert.false_alarms: is 'few'; {FALSE_ALARMS}",
                "alert.severity: is 'pager'; it should be 'page' or 'ticket'",
            ],
        ),
        ("about: text", ["about: is 'text'; write keys and values under it"]),
        ("about: {tips: [1]}", [f"about.tips.0: is 1; {TEXT}"]),
        ("about: {tips: 1}", ["about.tips: is 1; write a list, as in [a, b]"]),
        ("name: x", [f"name: unknown key; known here are {KPI_KEYS}."]),
        ("flor: 5", [f"flor: unknown key; known here are {KPI_KEYS}. Did you mean floor?"]),
    ],
)
def test_a_kpi(lines: str, expected: list[str]) -> None:
    """What is wrong in a KPI is said at its place, with what to do."""
    assert [f"kpis.csat.{error}" for error in expected] == refusals(kpi_text(kpi=lines))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("{}", [f": {ONE_FORMULA}"]),
        ("{sentiment: net, share: {measure: sla_met}}", [f": {ONE_FORMULA}"]),
        ("top_box", [": is 'top_box'; write keys and values under it"]),
        (
            "{topbox: {measure: csat, at_least: 4}}",
            [(f".topbox: unknown key; known here are {FORMULAS}. Did you mean top_box?")],
        ),
        ("{top_box: csat}", [".top_box: is 'csat'; write keys and values under it"]),
        (
            "{top_box: {measure: cast, at_least: 4}}",
            [
                (
                    ".top_box.measure: unknown measure 'cast'; declared are csat, nps, sla_met. "
                    "Did you mean csat?"
                )
            ],
        ),
        (
            "{top_box: {measure: sla_met, at_least: 1}}",
            [".top_box.measure: sla_met is of kind flag; this formula needs one of kind rating"],
        ),
        (
            "{share: {measure: csat}}",
            [".share.measure: csat is of kind rating; this formula needs one of kind flag"],
        ),
        (
            "{share: {measure: sentiment}}",
            [
                (
                    ".share.measure: sentiment is no measure of its own; "
                    "write formula: {sentiment: net} or mean"
                )
            ],
        ),
        ("{share: {measure: [sla_met]}}", [f".share.measure: is a list; {TEXT}"]),
        ("{top_box: {measure: csat}}", [".top_box.at_least: is missing; add it"]),
        (
            "{top_box: {measure: csat, at_least: 1}}",
            [".top_box.at_least: 1 does not split the scale; write 2 to 5"],
        ),
        (
            "{top_box: {measure: csat, at_least: 6}}",
            [".top_box.at_least: 6 does not split the scale; write 2 to 5"],
        ),
        (
            "{top_box: {measure: csat, at_least: 4.0}}",
            [".top_box.at_least: is 4.0; write a whole number"],
        ),
        (
            "{net: {measure: csat}}",
            [
                ".net.detractors: 6 is off the scale; write 1 to 4",
                ".net.promoters: 9 is off the scale; write 2 to 5",
            ],
        ),
        (
            "{net: {measure: nps, promoters: 6}}",
            [".net.detractors: 6 is also a promoter's answer; write less than 6"],
        ),
        (
            "{mean: {measure: csat, as_percent: yes}}",
            [".mean.as_percent: is 'yes'; write true or false"],
        ),
        ("{sentiment: median}", [".sentiment: is 'median'; it should be 'net' or 'mean'"]),
    ],
)
def test_a_formula(formula: str, expected: list[str]) -> None:
    """A formula names one declared measure of its kind, and points on its scale."""
    errors = [f"kpis.csat.formula{error}" for error in expected]
    assert errors == refusals(kpi_text(formula=formula, target="0"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("'85'", [": write a number, or a path, as in {at_least: 85, from: 82, start: …, by: …}"]),
        ("true", [": is true; write a number"]),
        ("101", [".at_least: 101 is no possible score; write 0 to 100"]),
        ("{}", [f": {ONE_SIDE}"]),
        ("{at_least: 5, at_most: 5}", [f": {ONE_SIDE}"]),
        (
            "{at_least: 85, from: -1, start: 2026-10-01, by: 2027-03-31}",
            [".from: -1 is no possible score; write 0 to 100"],
        ),
        ("{at_least: 85, by: 2027-03-31}", [": a path has from, start and by; add from and start"]),
        (
            "{at_least: 85, from: 90, start: 2026-10-01, by: 2026-10-01}",
            [".by: must be after 2026-10-01, the start", ".from: a path rises; write at most 85"],
        ),
        (
            "{at_least: 85, from: 80, start: 2026-13-01, by: 20270331}",
            [f".by: 20270331 {DATE}", f".start: '2026-13-01' {DATE}"],
        ),
    ],
)
def test_a_target(target: str, expected: list[str]) -> None:
    """A target is a possible score, or a path with both ends and both days."""
    assert [f"kpis.csat.target{error}" for error in expected] == refusals(kpi_text(target=target))


@pytest.mark.parametrize(
    ("formula", "low", "high"),
    [
        (TOP_BOX, "0", "100"),
        ("{share: {measure: sla_met}}", "0", "100"),
        ("{net: {measure: nps}}", "-100", "100"),
        ("{mean: {measure: nps}}", "0", "10"),
        ("{mean: {measure: csat}}", "1", "5"),
        ("{mean: {measure: csat, as_percent: true}}", "0", "100"),
        ("{sentiment: net}", "-100", "100"),
        ("{sentiment: mean}", "-1", "1"),
    ],
)
def test_scores_are_judged_in_the_unit_of_the_formula(formula: str, low: str, high: str) -> None:
    """Both ends of a formula's range are targets, and nothing beyond them is."""
    assert refusals(kpi_text(formula=formula, target=low)) == []
    assert refusals(kpi_text(formula=formula, target=high)) == []
    assert [
        f"kpis.csat.target.at_least: {high}.5 is no possible score; write {low} to {high}"
    ] == refusals(kpi_text(formula=formula, target=f"{high}.5"))


def test_the_four_things_that_must_be_written() -> None:
    """Title, formula, target and owner have no default."""
    expected = [
        f"kpis.csat.{key}: is missing; add it" for key in ("formula", "owner", "target", "title")
    ]
    assert expected == refusals("kpis: {csat: {}}")


@pytest.mark.parametrize("line", ["", " x", "x ", "a\\nb", "a\\u2028b", "x" * 121])
def test_a_title_is_one_line(line: str) -> None:
    """What a board or a page could not show as one line is refused."""
    text = kpi_text().replace("Customer satisfaction", f'"{line}"')
    [error] = refusals(text)
    assert error.startswith("kpis.csat.title: write ")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n", "kpis\n"])
def test_a_file_without_keys(text: str) -> None:
    """An empty file, a list and a word say how to begin."""
    assert refusals(text) == ["holds no keys; begin with `kpis:` and a KPI under it"]


def test_a_file_without_kpis() -> None:
    """KPIs are what the file is for."""
    assert refusals("version: 1") == ["kpis: is missing; add it"]
    assert refusals("kpis: {}") == ["kpis: is empty; write at least one entry"]


def test_kpis_have_names() -> None:
    """A KPI's key is its label in Prometheus."""
    text = kpi_text().replace("  csat:\n    title", "  CSAT total:\n    title")
    assert [f"kpis.CSAT total: 'CSAT total' {NAME}"] == refusals(text)


ALL_WRONG = """\
version: 0
measures: {csat: {kind: rating, scale: [1, 5]}, nps: {kind: rating, scale: [0, 10]}}
kpis:
  csat:
    owner: team
    owner: other
    formula:
      top_box:
        measure: cast
        at_least: 4
    target: 85
    floor:
    alert: {windw: 24h}
"""
ALERT_KEYS = "window, severity, segments, drop, false_alarms"


def test_all_errors_at_once_by_line() -> None:
    """Errors of YAML, of values and of references come together, each with its line."""
    assert str(_error(ALL_WRONG, "team/kpis.yaml")).splitlines() == [
        "team/kpis.yaml has 6 errors:",
        "team/kpis.yaml:1: version: is 0; it should be greater than or equal to 1",
        "team/kpis.yaml:4: kpis.csat.title: is missing; add it",
        "team/kpis.yaml:5: kpis.csat.owner: is written again on line 6; keep one",
        (
            "team/kpis.yaml:9: kpis.csat.formula.top_box.measure: "
            "unknown measure 'cast'; declared are csat, nps. Did you mean csat?"
        ),
        "team/kpis.yaml:12: kpis.csat.floor: has no value; write one, or remove the key",
        (
            "team/kpis.yaml:13: kpis.csat.alert.windw: "
            f"unknown key; known here are {ALERT_KEYS}. Did you mean window?"
        ),
    ]


def test_names_are_suggested_in_one_line() -> None:
    """A measure with a line break in its name is not among those that are listed."""
    text = kpi_text().replace("sla_met:", '"a\\nb":').replace("measure: csat", "measure: cast")
    expected = "unknown measure 'cast'; declared are csat, nps. Did you mean csat?"
    assert f"kpis.csat.formula.top_box.measure: {expected}" in refusals(text)


def test_an_error_is_one_line() -> None:
    """A key with a line break in it does not break the list of errors."""
    assert all(
        line.startswith("kpis.yaml:1: kpis.'a\\nb'")
        for line in str(_error('kpis: {"a\\nb": {}}')).splitlines()[1:]
    )


def _error(text: str, name: str = "kpis.yaml") -> ConfigurationError:
    with pytest.raises(ConfigurationError) as error:
        parse_kpis(text, name)
    return error.value


@pytest.mark.parametrize(
    ("name", "reason"), [("none.yaml", "no such file"), (".", "is a directory")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    """The path and the reason are said."""
    with pytest.raises(ConfigurationError) as error:
        load_kpis(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: can't be read: {reason}")
    assert str(error.value).endswith("; name a KPI file")


RICH = kpi_text(
    target="{at_least: 85, from: 82, start: 2026-10-01, by: 2027-03-31}",
    kpi="floor: 75\nbands: {good: 80, poor: 70}\nbreakdowns: [[product, channel]]\n"
    "alert: {window: 1h, segments: [[product]]}",
    top="version: 3\nwindows: [1h]\nretention: {10s: 2h}\ndedupe: {horizon: 1h}",
)
PLACES = st.lists(st.integers(0, 20), min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda value: (
        st.lists(value, max_size=3) | st.dictionaries(st.text(max_size=5), value, max_size=3)
    ),
    max_leaves=5,
)


def _replaced(content: Any, place: list[int], value: object) -> Any:
    """`content` with what stands at `place` (counted, around the end) replaced by `value`."""
    if not place or not isinstance(content, dict | list) or not content:
        return value
    keys = list(content) if isinstance(content, dict) else range(len(content))
    changed = copy.copy(content)
    key = keys[place[0] % len(keys)]
    changed[key] = _replaced(content[key], place[1:], value)
    return changed


@given(PLACES, VALUES)
def test_whatever_is_written_the_answer_is_a_file_or_errors(
    place: list[int], value: object
) -> None:
    """A right file with any one value replaced by anything is read, or refused line by line."""
    content = _replaced(Document(RICH.encode()).content, place, value)
    lines = refusals(json.dumps(content))
    assert all(re.match(r"[a-z]", line) for line in lines)
    assert lines or parse_kpis(json.dumps(content)).layout.tiers


def test_errors_name_the_file(tmp_path: Path) -> None:
    """A file that was loaded is named as it was given."""
    path = tmp_path / "mine.yaml"
    path.write_text("kpis: {}")
    with pytest.raises(ConfigurationError) as error:
        load_kpis(str(path))
    assert [
        f"{path} has an error:",
        f"{path}:1: kpis: is empty; write at least one entry",
    ] == str(error.value).splitlines()


@pytest.mark.parametrize(
    ("kpi", "target", "expected"),
    [
        ("direction: lower\nfloor: 12\nbands: {good: 6, poor: 12}", "5", []),
        ("floor: 12\nbands: {good: 6, poor: 12}", "{at_most: 5}", []),
        (
            "floor: 4\nbands: {good: 12, poor: 6}",
            "{at_most: 5}",
            [
                "floor: must not be below the target, which is 5: lower is better",
                "bands.poor: must be above good, which is 12: lower is better",
            ],
        ),
        (
            "",
            "{at_most: 5, from: 4, start: 2026-10-01, by: 2027-03-31}",
            ["target.from: a path to at_most falls; write at least 5"],
        ),
        (
            "direction: lower",
            "{at_least: 5}",
            ["target: lower is better, says direction; write at_most"],
        ),
        (
            "direction: higher",
            "{at_most: 5}",
            ["target: higher is better, says direction; write at_least"],
        ),
    ],
)
def test_lower_is_better(kpi: str, target: str, expected: list[str]) -> None:
    """Where lower is better the target is the most, the floor and the red band lie above it."""
    found = refusals(kpi_text(kpi=kpi, target=target))
    assert [f"kpis.csat.{error}" for error in expected] == found


AMOUNT = "{kind: amount, unit: EUR, decimals: 2, max: 1000}"
NO_AMOUNT = "csat is of kind rating; this formula needs one of kind amount"
NO_MEAN = "is the mean of sentiment; name a KPI of its net: sentiment: net"
HAVE_A_RANGE = "top_box, net, mean, share, sentiment, composite"
PARTS = "formula.composite.parts"
PART = "{{title: T, owner: o, target: 1, formula: {}}}"


def several(**kpis: str) -> str:
    """A file with an amount and these KPIs' formulas beside csat."""
    more = [f"  {name}: {PART.format(formula)}" for name, formula in kpis.items()]
    text = kpi_text().replace("measures:", f"measures:\n  value: {AMOUNT}\n  cost: {AMOUNT}")
    return "\n".join([text.rstrip(), *more, ""])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("{sum: {measure: value}}", []),
        ("{mean: {measure: value}}", []),
        ("{ratio: {of: cost, to: value, as_percent: true}}", []),
        ("{ratio: {of: cost, to: sla_met}}", []),
        (
            "{sum: {measure: csat}}",
            ["sum.measure: csat is of kind rating; this formula needs one of kind amount"],
        ),
        (
            "{mean: {measure: value, as_percent: true}}",
            ["mean.as_percent: an amount has no scale to be a percent of; leave it out"],
        ),
        (
            "{ratio: {of: csat, to: value}}",
            [f"ratio.of: {NO_AMOUNT} or flag"],
        ),
        (
            "{ratio: {of: value, to: value}}",
            ["ratio.to: is the measure above the line too, so the ratio is always 1; name another"],
        ),
    ],
)
def test_formulas_of_amounts(formula: str, expected: list[str]) -> None:
    """Sums and means are of an amount, ratios of amounts and flags."""
    errors = [f"kpis.other.formula.{error}" for error in expected]
    assert errors == refusals(several(other=formula))


@pytest.mark.parametrize(
    ("kpis", "expected"),
    [
        ({"q": "{composite: {parts: {csat: 0.5, n: 0.5}}}", "n": "{net: {measure: nps}}"}, []),
        (
            {"q": "{composite: {parts: {csat: 0.5, n: 0.6}}}", "n": "{net: {measure: nps}}"},
            ["q.formula.composite.parts: the weights sum to 1.1; they must sum to 1"],
        ),
        (
            {"q": "{composite: {parts: {csat: 1}}}"},
            [f"q.{PARTS}: name at least two KPIs, each with its weight"],
        ),
        (
            {"q": "{composite: {parts: {csat: 0.5, casat: 0.5}}}"},
            [f"q.{PARTS}.casat: unknown KPI 'casat'; declared are csat, q. Did you mean csat?"],
        ),
        (
            {
                "q": "{composite: {parts: {csat: 0.5, r: 0.5}}}",
                "r": "{composite: {parts: {csat: 0.5, q: 0.5}}}",
            },
            [
                "q.formula.composite.parts.r: contains q itself; a score can't be a part of itself",
                "r.formula.composite.parts.q: contains r itself; a score can't be a part of itself",
            ],
        ),
        (
            {
                "q": "{composite: {parts: {csat: 0.5, s: 0.25, m: 0.25}}}",
                "s": "{sum: {measure: value}}",
                "m": "{sentiment: mean}",
            },
            [
                f"q.{PARTS}.m: {NO_MEAN}",
                f"q.{PARTS}.s: is of formula sum; name a KPI of formula {HAVE_A_RANGE}",
            ],
        ),
    ],
)
def test_composites(kpis: dict[str, str], expected: list[str]) -> None:
    """Parts are other KPIs with a range, weights sum to 1, and none is a part of itself."""
    assert sorted(f"kpis.{error}" for error in expected) == sorted(refusals(several(**kpis)))


def test_mistakes_between_kpis_are_told_with_all_others() -> None:
    """An unknown part does not hide a wrong floor."""
    text = several(q="{composite: {parts: {csat: 0.5, x: 0.5}}}").replace(
        "target: 85", "target: 101"
    )
    assert ["kpis.csat.target.at_least", "kpis.q.formula.composite.parts.x"] == [
        error.split(":")[0] for error in refusals(text)
    ]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("{kind: amount, unit: EUR, decimals: 2, max: 1e9}", []),
        (
            "{kind: amount, unit: EUR, decimals: 3, max: 1e9}",
            ["max: counters hold no more than 100,000,000.000 with 3 decimals; write less"],
        ),
        ("{kind: amount, unit: EUR, max: 0.5}", ["max: 0.5 has more than 0 decimals"]),
        (
            "{kind: amount, unit: EUR, max: 0}",
            ["max: write a number above 0, the greatest amount that can be right"],
        ),
        (
            "{kind: amount, unit: ' ', max: much}",
            [
                "max: write a number, the greatest amount that can be right",
                "unit: write a short unit, as in EUR, kWh or minutes",
            ],
        ),
        ("{kind: amount}", ["max: is missing; add it", "unit: is missing; add it"]),
    ],
)
def test_an_amount(amount: str, expected: list[str]) -> None:
    """It has a unit, its decimals, and a greatest value that no counter overflows with."""
    text = kpi_text().replace("measures:", f"measures:\n  value: {amount}")
    assert [f"measures.value.{error}" for error in expected] == refusals(text)


NOTHING_FITS = (
    "no window fits before the last 62d of what retention keeps; keep longer buckets for longer, "
    "or add a longer window"
)
FORGOTTEN = (
    "ids are forgotten after 29d, before an outcome of 30d comes; write a longer dedupe.horizon"
)


@pytest.mark.parametrize(
    ("kpi", "top", "expected"),
    [
        ("matures: 30d", "", []),
        ("matures: 30d\nfloor: 75\nalert: {window: 7d}", "", []),
        (
            "matures: 30d\nfloor: 75\nalert: {window: 1h}",
            "",
            ["alert.window: is not kept 30d longer, as matures needs; write one of 24h, 7d, 30d"],
        ),
        (
            "matures: 62d",
            "",
            [f"matures: {NOTHING_FITS}"],
        ),
        (
            "matures: 30d",
            "dedupe: off",
            ["matures: an outcome is a revision of its event, and dedupe: off refuses revisions"],
        ),
        (
            "matures: 30d",
            "dedupe: {horizon: 29d}",
            [f"matures: {FORGOTTEN}"],
        ),
    ],
)
def test_what_matures(kpi: str, top: str, expected: list[str]) -> None:
    """Counts and ids must be kept until the outcome, and so long before it as a window is."""
    errors = [f"kpis.csat.{error}" for error in expected]
    assert errors == refusals(kpi_text(kpi=kpi, top=top))
