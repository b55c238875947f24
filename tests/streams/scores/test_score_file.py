from __future__ import annotations

from typing import Any

import msgspec

from streams.durations import Duration
from streams.kpis.load import parse_kpis
from streams.scores.rows import Row
from streams.scores.score_file import FileScores

KPIS = """
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {product: {max: 2}, channel: {max: 5}}
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    min_answers: 10
    owner: support
  sentiment: {title: Sentiment, formula: {sentiment: net}, target: 20, owner: support}
"""


def event(event_id: str, csat: int | None, **fields: Any) -> bytes:
    return msgspec.json.encode(
        {
            "event_id": event_id,
            "occurred_at": "2021-03-01T12:00:00Z",
            "measures": {"csat": csat},
            "dimensions": {"product": "router"},
        }
        | fields
    )


def scores(*events: bytes) -> FileScores:
    found = FileScores(parse_kpis(KPIS))
    for value in events:
        found.take(value)
    return found


def by_segment(rows: list[Row], kpi: str = "csat") -> dict[str, Row]:
    return {"/".join(v for _, v in r.segment) or "all": r for r in rows if r.kpi == kpi}


def test_event_counts_once_in_its_latest_state() -> None:
    """Duplicates count once, revisions replace in any order, withdrawals remove."""
    found = scores(
        event("a", 5),
        event("a", 5),
        event("b", 5, revision=2),
        event("b", 1, revision=1),
        event("c", 1),
        event("c", 1, withdrawn=True),
        event("d", None),
    )
    row = by_segment(found.rows(None, []))["all"]
    assert (2, 100.0) == (row.answers, row.score)
    assert {
        "applied": 4, "duplicate": 1, "superseded": 1, "withdrawn": 1,
    } == dict(found.outcomes)  # fmt: skip


def test_old_file_is_neither_late_nor_stale() -> None:
    """A file is judged at its own time: years later it gives the same scores."""
    row = by_segment(scores(event("a", 5)).rows(None, []))["all"]
    assert (1, "insufficient", None) == (row.answers, row.state, row.reason)


def test_refused_event_gives_its_reason_and_counts_in_nothing() -> None:
    """Refusals are those of the worker."""
    found = FileScores(parse_kpis(KPIS))
    refusals = [found.take(value) for value in (b"{", event("a", 9), event("", 3))]
    assert ["not_json", "off_scale", "bad_event_id"] == [r.reason for r in refusals if r]
    assert {"refused": 3} == dict(found.outcomes)
    assert [0, 0] == [row.answers for row in found.rows(None, [])]


def test_breakdown_need_not_be_declared_and_caps_hold() -> None:
    """Any dimensions can split a file; beyond `max` values the rest is `other`."""
    products = [("a", 3), ("b", 2), ("c", 1)]
    found = scores(
        *(
            event(f"{product}{n}", 5, dimensions={"product": product})
            for product, count in products
            for n in range(count)
        )
    )
    rows = by_segment(found.rows(None, [("product",), ("product", "channel")]))
    assert {
        "all": 6, "a": 3, "b": 2, "other": 1,
        "a/unknown": 3, "b/unknown": 2, "other/unknown": 1,
    } == {segment: row.answers for segment, row in rows.items()}  # fmt: skip


def test_window_ends_with_the_bucket_of_the_last_answer() -> None:
    """A window holds what the live board would show just after the file's last answer."""
    found = scores(
        event("a", 5, occurred_at="2021-03-01T12:04:59Z"),
        event("b", 5, occurred_at="2021-03-01T12:05:00Z"),
        event("c", 1, occurred_at="2021-03-02T12:01:00Z"),
    )
    row = by_segment(found.rows(Duration.parse("24h"), []))["all"]
    assert ("24h", 2) == (row.window, row.answers)
    assert 3 == by_segment(found.rows(None, []))["all"].answers


def test_evidence_against_the_floor_is_a_breach() -> None:
    """Thirty bad answers of thirty are beyond doubt; thirty good ones are ok."""
    bad = scores(*(event(f"e{n}", 1) for n in range(30)))
    good = scores(*(event(f"e{n}", 5) for n in range(30)))
    assert "breach" == by_segment(bad.rows(None, []))["all"].state
    assert "ok" == by_segment(good.rows(None, []))["all"].state


def test_comments_are_scored_where_a_kpi_wants_them() -> None:
    """Sentiment counts each event's latest comment."""
    found = scores(
        event("a", None, comment="Great help, thank you!"),
        event("b", None, comment="Terrible."),
        event("b", None, comment="Wonderful.", revision=1),
    )
    row = by_segment(found.rows(None, []), "sentiment")["all"]
    assert (2, 100.0) == (row.answers, row.score)


COHORTS = """
measures: {csat: {kind: rating, scale: [1, 5]}, renewed: {kind: flag}}
dimensions: {product: {max: 2}}
kpis:
  retention:
    title: Retention
    formula: {share: {measure: renewed}}
    target: 80
    matures: 30d
    owner: sales
  csat: {title: C, formula: {mean: {measure: csat}}, target: 4, owner: support}
"""


def test_answers_too_young_to_judge_are_left_out() -> None:
    """Only what was due 30 days before the last answer counts in what matures in 30 days."""
    found = FileScores(parse_kpis(COHORTS))
    for event_id, day, measures in (
        ("a", "2021-03-01", {"renewed": True}),
        ("b", "2021-03-02", {"renewed": False, "csat": 3}),
        ("c", "2021-03-03", {"renewed": False}),
        ("d", "2021-04-01", {"csat": 5}),
    ):
        found.take(event(event_id, None, occurred_at=f"{day}T12:00:00Z", measures=measures))
    whole = found.rows(None, [("product",)])
    total = by_segment(whole, "retention")["all"]
    assert (2, 50.0) == (total.answers, total.score)
    assert 2 == by_segment(whole, "retention")["router"].answers
    assert 2 == by_segment(whole, "csat")["all"].answers
    last = by_segment(found.rows(Duration.parse("24h"), []), "retention")["all"]
    assert (1, 100.0) == (last.answers, last.score)  # up to the full hour 30 days before
