from __future__ import annotations

import pytest

from streams.kpis.combined import ConsistencyOf, GapOf, Part, ProductOf
from streams.kpis.formulas import TopBox
from streams.kpis.load import parse_kpis
from streams.ledger.layout import Measure
from tests.kpi_texts import refusals

CSAT = Measure("csat", "rating", 1, 5)
GAP = "formula: {gap: {delivered: sla, perceived: csat}}\ntarget: {at_most: 10}"
EVEN = "formula: {consistency: {of: csat, by: channel}}\ntarget: {at_most: 10}"
LIFE = "formula: {product: {revenue: sales, active_customers: 900, retention: stay}}\ntarget: 1200"


def text(kpi: str, csat: str = "floor: 75") -> str:
    """A file with a gap, a spread or a lifetime value as `it`, and what they are made of."""
    own, of_csat = (
        "".join(f"\n    {line}" for line in lines.splitlines()) for lines in (kpi, csat)
    )
    return f"""
measures:
  csat: {{kind: rating, scale: [1, 5]}}
  sla_met: {{kind: flag}}
  renewed: {{kind: flag}}
  value: {{kind: amount, unit: EUR, decimals: 2, max: 1000}}
dimensions: {{product: {{}}, channel: {{}}}}
kpis:
  csat:
    title: Satisfaction
    formula: {{top_box: {{measure: csat, at_least: 4}}}}
    target: 85
    owner: us
    breakdowns: [[product]]{of_csat}
  sla:
    title: Promises kept
    formula: {{share: {{measure: sla_met}}}}
    target: 95
    owner: us
    breakdowns: [[product], [channel]]
  sales: {{title: Sales, formula: {{sum: {{measure: value}}}}, target: 9, owner: us}}
  stay: {{title: Retention, formula: {{share: {{measure: renewed}}}}, target: 80, owner: us}}
  mood: {{title: Mood, formula: {{sentiment: mean}}, target: 0, owner: us}}
  it:
    title: It
    owner: us{own}
"""


def test_what_they_are_made_of() -> None:
    """Resolved with all that a scoreboard needs."""
    box = TopBox(measure="csat", at_least=4)
    formulas = [parse_kpis(text(kpi)).kpis["it"].formula for kpi in (GAP, EVEN, LIFE)]
    assert [
        GapOf("sla", "csat"),
        ConsistencyOf(Part("csat", 1, box, CSAT), "channel", 30),
        ProductOf("sales", 900, None, "stay"),
    ] == formulas


def test_only_segments_with_enough_answers_are_compared() -> None:
    """The KPI's own `min_answers` says how many are enough."""
    formula = parse_kpis(text(f"{EVEN}\nmin_answers: 25")).kpis["it"].formula
    assert isinstance(formula, ConsistencyOf)
    assert 25 == formula.min_answers


def test_what_compares_segments_needs_their_counts() -> None:
    """The breakdown by what is compared is stored, though no KPI is split by it."""
    layouts = [
        parse_kpis(text(f"{kpi}\nbreakdowns: {splits}")).layout
        for kpi, splits in ((EVEN, "[[product]]"), (GAP, "[[product]]"))
    ]
    assert [(("product", "channel"),), (("channel",), ("product",))] == [
        layout.breakdowns for layout in layouts
    ]


@pytest.mark.parametrize(
    ("kpi", "csat", "expected"),
    [
        (GAP, "floor: 75", []),
        (f"{GAP}\nbreakdowns: [[product]]\nalert: {{window: 24h}}", "floor: 75\nalert: {}", []),
        (GAP, "", ["formula.gap.perceived: csat has no floor, below which it is red; give it one"]),
        (
            f"{GAP}\nbreakdowns: [[product], [channel], [product, channel]]",
            "floor: 75",
            [
                "breakdowns.1: csat is not split by [channel]; add it to the breakdowns of csat",
                (
                    "breakdowns.2: csat is not split by [product, channel]; "
                    "add it to the breakdowns of csat"
                ),
                (
                    "breakdowns.2: sla is not split by [product, channel]; "
                    "add it to the breakdowns of sla"
                ),
            ],
        ),
        (
            f"{GAP}\nalert: {{window: 1h}}",
            "floor: 75\nalert: {window: 24h}",
            [
                (
                    "alert.window: is raised with the alert of csat, which has none in this "
                    "window; give it one, or name its window"
                )
            ],
        ),
        (
            f"{GAP}\nbreakdowns: [[product]]\nalert: {{segments: [[product]]}}",
            "floor: 75\nalert: {}",
            [
                (
                    "alert.segments.0: csat does not alert on [product]; "
                    "add it to the segments of its alert"
                )
            ],
        ),
        (
            "formula: {gap: {delivered: sales, perceived: mood}}\ntarget: {at_most: 10}",
            "floor: 75",
            [
                (
                    "formula.gap.delivered: is of formula sum; name a KPI of formula "
                    "top_box, net, mean, share, sentiment, composite"
                ),
                (
                    "formula.gap.perceived: is the mean of sentiment; "
                    "name a KPI of its net: sentiment: net"
                ),
            ],
        ),
        (
            "formula: {gap: {delivered: sla, perceived: csatt}}\ntarget: {at_most: 110}",
            "floor: 75",
            [
                (
                    "formula.gap.perceived: unknown KPI 'csatt'; declared are csat, sla, sales, "
                    "stay, mood, it. Did you mean csat?"
                ),
                "target.at_most: 110 is no possible score; write -100 to 100",
            ],
        ),
    ],
)
def test_gaps(kpi: str, csat: str, expected: list[str]) -> None:
    """Both sides must have the gap's segments, and the perceived one its floor and its alert."""
    assert sorted(f"kpis.it.{error}" for error in expected) == sorted(refusals(text(kpi, csat)))


@pytest.mark.parametrize(
    ("kpi", "expected"),
    [
        (EVEN, []),
        (
            f"{EVEN}\nfloor: 20\nalert: {{window: 24h}}",
            ["alert: a spread has no alert; alert on the segments of csat by its own"],
        ),
        (
            f"{EVEN}\nbreakdowns: [[product], [channel]]",
            ["breakdowns.1: channel is what is compared; a split by it leaves nothing"],
        ),
        (
            EVEN.replace("by: channel", "by: chanel"),
            [
                (
                    "formula.consistency.by: unknown dimension 'chanel'; "
                    "declared are product, channel. Did you mean channel?"
                )
            ],
        ),
        (
            EVEN.replace("of: csat", "of: it"),
            ["formula.consistency.of: contains it itself; a score can't be a part of itself"],
        ),
    ],
)
def test_consistencies(kpi: str, expected: list[str]) -> None:
    """Of one KPI over one measure, by a declared dimension that is not split by already."""
    assert [f"kpis.it.{error}" for error in expected] == refusals(text(kpi))


TWO = "write lifespan_years, or the KPI of the retention rate, and not both"


@pytest.mark.parametrize(
    ("kpi", "expected"),
    [
        (LIFE, []),
        (LIFE.replace("retention: stay", "lifespan_years: 4.5"), []),
        (LIFE.replace("retention: stay", "retention: stay, lifespan_years: 4"), [TWO]),
        (LIFE.replace(", retention: stay", ""), [TWO]),
    ],
)
def test_a_lifespan_is_declared_or_follows_from_retention(kpi: str, expected: list[str]) -> None:
    """Exactly one of the two."""
    assert [f"kpis.it.formula.product: {error}" for error in expected] == refusals(text(kpi))


@pytest.mark.parametrize(
    ("kpi", "expected"),
    [
        (
            f"{LIFE}\nfloor: 900\nalert: {{window: 7d}}",
            ["alert: lifetime value moves too slowly to alert on; alert on what it is made of"],
        ),
        (
            f"{LIFE}\nbreakdowns: [[product]]",
            ["breakdowns.0: sales is not split by [product]; add it to the breakdowns of sales"],
        ),
        (
            LIFE.replace("sales", "csat").replace("stay", "mood"),
            [
                (
                    "formula.product.retention: is the mean of sentiment; "
                    "name a KPI of its net: sentiment: net"
                ),
                "formula.product.revenue: is of formula top_box; name a KPI of formula sum",
            ],
        ),
    ],
)
def test_lifetime_values(kpi: str, expected: list[str]) -> None:
    """Of a sum and a share, split as revenue is; nothing pages for it."""
    assert sorted(f"kpis.it.{error}" for error in expected) == sorted(refusals(text(kpi)))
