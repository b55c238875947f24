from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.durations import Duration
from streams.errors import ConfigurationError
from streams.kpis.about import About
from streams.kpis.combined import CompositeOf, ConsistencyOf, GapOf, ProductOf
from streams.kpis.file import Benchmark, KpiFile
from streams.kpis.formulas import Mean, Net, Sentiment, Share, Sum, TopBox
from streams.kpis.kpi import Kpi
from streams.kpis.load import load_kpis, parse_kpis
from streams.kpis.stored import tier_for
from streams.ledger.layout import Dimension, Layout, Measure, Tier
from tests.kpi_texts import TOP_BOX, kpi_text

ROOT = Path(__file__).parents[3]
DAY = 86_400
DIMENSIONS = ("product", "channel", "region")
SPLITS = [
    list(order)
    for size in (1, 2, 3)
    for chosen in combinations(DIMENSIONS, size)
    for order in permutations(chosen)
]
TIERS = (Tier(10, 7_200), Tier(300, 8 * DAY), Tier(3_600, 62 * DAY))


def layout(**sections: str) -> Layout:
    """The layout of a file with these sections."""
    return parse_kpis(kpi_text(**sections)).layout


def test_what_is_stored_by_default() -> None:
    """Declared measures and dimensions, the total, the default tiers, ids as long as counts."""
    expected = Layout(
        version=1,
        measures=(
            Measure("csat", "rating", 1, 5),
            Measure("nps", "rating", 0, 10),
            Measure("sla_met", "flag"),
        ),
        dimensions=(Dimension("product", 50), Dimension("channel", 20), Dimension("region", 20)),
        breakdowns=((),),
        tiers=TIERS,
        horizon_seconds=62 * DAY,
        late_after_seconds=62 * DAY,
    )
    assert expected == layout()


def test_sentiment_is_stored_exactly_when_a_kpi_uses_it() -> None:
    """It is declared nowhere: a KPI's formula brings it in."""
    assert layout().sentiment is None
    assert Measure("sentiment", "sentiment") == layout(formula="{sentiment: net}").sentiment


@pytest.mark.parametrize(
    ("dedupe", "horizon", "late_after"),
    [
        ("dedupe: {horizon: 3d}", 3 * DAY, 3 * DAY),
        ("dedupe: {horizon: 90d}", 90 * DAY, 90 * DAY),
        ("dedupe: {}", 62 * DAY, 62 * DAY),
        ("dedupe: off", None, 62 * DAY),
        ("dedupe: false", None, 62 * DAY),
    ],
)
def test_dedupe(dedupe: str, horizon: int | None, late_after: int) -> None:
    """Answers beyond the horizon are late; without ids, answers beyond the longest retention."""
    found = layout(top=dedupe)
    assert (horizon, late_after) == (found.horizon_seconds, found.late_after_seconds)


def test_only_needed_tiers_are_stored() -> None:
    """A file with short windows stores neither hours nor ids of two months."""
    found = layout(top="windows: [1h]")
    assert (TIERS[0],) == found.tiers
    assert (found.horizon_seconds, found.late_after_seconds) == (7_200, 7_200)


def test_the_windows_of_a_demonstration() -> None:
    """Windows of a minute need buckets of ten seconds."""
    file = parse_kpis(kpi_text(top="windows: [1m, 5m]\nretention: {10s: 2h}"))
    assert (Duration("1m", 60), Duration("5m", 300)) == file.windows
    assert {Tier(10, 7_200)} == {tier_for(window, file.layout.tiers) for window in file.windows}


def test_breakdowns_are_in_the_order_of_dimensions() -> None:
    """[channel, product] and [product, channel] are one split, with one name in Redis."""
    file = parse_kpis(
        kpi_text(kpi="breakdowns: [[channel, product]]\nfloor: 1\nalert: {segments: [[channel]]}")
    )
    kpi = file.kpis["csat"]
    assert (("product", "channel"),) == kpi.breakdowns == file.layout.breakdowns
    assert kpi.alert is not None
    assert kpi.alert.segments == (("channel",),)


@given(st.lists(st.sampled_from(SPLITS), max_size=3, unique_by=frozenset))
def test_the_hash_follows_the_breakdowns_that_are_stored(splits: list[list[str]]) -> None:
    """It changes exactly with the maximal breakdowns, however they are written."""
    written = "[" + ", ".join(f"[{', '.join(split)}]" for split in splits) + "]"
    found = layout(kpi=f"breakdowns: {written}")
    sets = {frozenset(split) for split in splits}
    stored = {split for split in sets if not any(split < other for other in sets)} or {frozenset()}
    assert stored == {frozenset(breakdown) for breakdown in found.breakdowns}
    assert (found.hash == layout().hash) == (not splits)


UNSTORED = {
    "kpi": "min_answers: 50\nfloor: 60\nbands: {good: 80, poor: 60}\nalert: {window: 24h}",
    "target": "90",
    "formula": "{top_box: {measure: csat, at_least: 5}}",
    "top": "timezone: Europe/Berlin\nbudget: {series: 100000}",
}


@given(st.sets(st.sampled_from(sorted(UNSTORED))))
def test_what_is_only_read_does_not_change_the_hash(changed: set[str]) -> None:
    """Targets, formulas, floors, bands, alerts, budget and time zone apply to the past at once."""
    assert layout().hash == layout(**{key: UNSTORED[key] for key in changed}).hash


@pytest.mark.parametrize(
    "changes",
    [
        {"kpi": "breakdowns: [[product]]"},
        {"formula": "{sentiment: mean}", "target": "0"},
        {"top": "version: 2"},
        {"top": "windows: [1h]"},
        {"top": "retention: {10s: 3h, 5m: 8d, 1h: 62d}"},
        {"top": "dedupe: off"},
        {"top": "dedupe: {horizon: 3d}"},
    ],
)
def test_what_is_stored_changes_the_hash(changes: dict[str, str]) -> None:
    """Each of these needs a higher version, which the ledger compares."""
    assert layout().hash != layout(**changes).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[0, 10]", "[1, 10]"),
        ("sla_met: {kind: flag}", "sla_kept: {kind: flag}"),
        ("product: {max: 50}", "product: {max: 60}"),
    ],
)
def test_what_is_declared_changes_the_hash(old: str, new: str) -> None:
    """A scale, a measure's name and a dimension's cap shape the counts."""
    assert layout().hash != parse_kpis(kpi_text().replace(old, new)).layout.hash


def test_tiers_may_be_written_in_any_order() -> None:
    """What is stored goes from fine to coarse."""
    assert layout(top="retention: {1h: 62d, 10s: 2h, 5m: 8d}") == layout()


def test_the_order_of_measures_does_not_change_the_hash() -> None:
    """Moving a line in the file is no change of what is stored."""
    lines = kpi_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    assert layout() == parse_kpis("\n".join(lines)).layout


def test_a_kpi_in_full() -> None:
    """Everything that is written is there to be read, typed."""
    text = kpi_text(
        target="{at_least: 85, from: 82.5, start: 2026-10-01, by: 2027-03-31}",
        kpi="about: {tips: [Call back, Read], trend: Up}\nbenchmarks: {industry: 78}",
    )
    kpi = parse_kpis(text).kpis["csat"]
    assert (
        kpi.name,
        kpi.owner,
        kpi.min_answers,
        kpi.confidence,
    ) == ("csat", "support-team", 30, 0.95)
    assert TopBox(measure="csat", at_least=4) == kpi.formula
    assert (
        kpi.target.score,
        kpi.target.from_,
        str(kpi.target.start),
        str(kpi.target.by),
    ) == (85, 82.5, "2026-10-01", "2027-03-31")
    assert (
        kpi.about.tips,
        kpi.about.trend,
        kpi.about.risks,
    ) == (("Call back", "Read"), ("Up",), ())
    assert kpi.benchmarks == {"industry": Benchmark(score=78)}
    assert (kpi.floor, kpi.bands, kpi.alert, kpi.breakdowns) == (None, None, None, ())


def test_an_alert_by_default_is_a_ticket_on_the_day() -> None:
    """Nobody is woken by what was left out."""
    alert = parse_kpis(kpi_text(kpi="floor: 75\nalert: {}")).kpis["csat"].alert
    assert alert is not None
    assert (alert.window.name, alert.severity, alert.segments) == ("24h", "ticket", ())


def test_the_window_of_an_alert_by_default_must_be_declared_too() -> None:
    """A file without 24h has to choose."""
    with pytest.raises(
        ConfigurationError, match=r"alert\.window: unknown window '24h'; declared are 1h"
    ):
        parse_kpis(kpi_text(kpi="floor: 75\nalert: {}", top="windows: [1h]"))


def test_a_file_is_only_built_with_its_declarations() -> None:
    """Building the model directly would skip the cross-checks; it says what to use."""
    with pytest.raises(TypeError, match=r"use streams\.kpis\.load"):
        KpiFile.model_validate({"kpis": {}})


def test_a_measure_by_name() -> None:
    """A formula's measure is found, declared or computed from comments."""
    file = parse_kpis(kpi_text(formula=TOP_BOX))
    assert Measure("nps", "rating", 0, 10) == file.measure("nps")
    assert Measure("sentiment", "sentiment") == file.measure("sentiment")


SHIPPED = load_kpis(ROOT / "kpis.yaml")


def test_the_shipped_file_has_every_kpi() -> None:
    """Each that the business speaks of, so that nobody has to invent its formula."""
    assert {
        "csat": TopBox, "nps": Net, "ces": TopBox, "cqp": Mean, "service_quality": Mean,
        "product_quality": Mean, "interaction_quality": Mean, "qoce": CompositeOf,
        "sentiment": Sentiment, "sentiment_strength": Sentiment, "response_rate": Share,
        "retention": Share, "clv": ProductOf, "revenue": Sum, "usage": Share,
        "return_rate": Share, "defects": Share, "durability": Share, "sla": Share,
        "channel_consistency": ConsistencyOf, "perception_gap": GapOf,
    } == {name: type(kpi.formula) for name, kpi in SHIPPED.kpis.items()}  # fmt: skip
    matured = {name for name, kpi in SHIPPED.kpis.items() if kpi.matures}
    assert {"retention", "return_rate", "defects", "durability", "response_rate"} == matured
    assert {"return_rate", "defects", "durability", "channel_consistency", "perception_gap"} == {
        name for name, kpi in SHIPPED.kpis.items() if kpi.lower_is_better
    }


@pytest.mark.parametrize("kpi", SHIPPED.kpis.values(), ids=SHIPPED.kpis)
def test_every_shipped_kpi_is_written_in_full(kpi: Kpi) -> None:
    """Target, bands, benchmarks with date and source, a review, and all twelve attributes."""
    assert kpi.bands is not None
    assert kpi.review_by is not None
    assert all(each.date and each.source for each in kpi.benchmarks.values())
    assert kpi.benchmarks
    assert all(getattr(kpi.about, attribute) for attribute in About.model_fields)


def test_what_the_shipped_file_stores() -> None:
    """Whoever changes it must raise its version."""
    assert (2, "5232139fd82e") == (SHIPPED.layout.version, SHIPPED.layout.hash)
    assert ["product", "channel", "region"] == [d.name for d in SHIPPED.layout.dimensions]
    assert (("product", "channel"), ("region",)) == SHIPPED.layout.breakdowns


def test_windows_that_can_not_wait_are_not_shown() -> None:
    """An hour, thirty days ago, has no buckets of 15 minutes or less any more."""
    kpis = parse_kpis(kpi_text(kpi="matures: 30d"))
    names = [window.name for window in kpis.windows_of(kpis.kpis["csat"])]
    assert ["24h", "7d", "30d"] == names


def test_what_matures_keeps_the_tier_that_its_windows_need() -> None:
    """Beside those of the windows that end now."""
    text = kpi_text(kpi="matures: 3d", top="windows: [24h]\nretention: {5m: 2d, 1h: 9d}")
    assert [300, 3_600] == [tier.seconds for tier in parse_kpis(text).layout.tiers]
    plain = text.replace("matures: 3d", "")
    assert [300] == [tier.seconds for tier in parse_kpis(plain).layout.tiers]
