from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.publish.csv_mapping import CsvMapping, Target, read_mapping
from streams.errors import ConfigurationError
from streams.ledger.layout import Layout, Measure, Tier

LONDON = ZoneInfo("Europe/London")
LAYOUT = Layout(
    version=1,
    measures=(
        Measure("csat", "rating", 1, 5),
        Measure("sla_met", "flag"),
        Measure("sentiment", "sentiment"),
    ),
    dimensions=(),
    breakdowns=((),),
    tiers=(Tier(3600, 86_400),),
    horizon_seconds=86_400,
    late_after_seconds=86_400,
)
IDENTITY = ("event_id=id", "occurred_at=at")


def mapping(*maps: str, columns: str = "", **options: Any) -> CsvMapping:
    """A mapping for a file with the columns id, at and `columns`."""
    header = ["id", "at", *columns.split()]
    return read_mapping(header, LAYOUT, maps=(*IDENTITY, *maps), **options)


def event(maps: str, cell: str, **options: Any) -> dict[str, Any]:
    """The event of a row whose column `cell`, mapped by `maps`, holds this text."""
    row = {"id": "r-1", "at": "2026-11-23T10:00:00Z", "cell": cell}
    return mapping(maps, columns="cell", **options).event(row)


def test_row_becomes_event() -> None:
    """Mapped columns, columns named as a place, and constants make one event."""
    found = read_mapping(
        ["respondent", "occurred_at", "rating", "measures.sla_met", "unused"],
        LAYOUT,
        maps=["event_id=respondent", "measures.csat=rating"],
        constants=["dimensions.channel=web"],
    ).event(
        {
            "respondent": "r-1",
            "occurred_at": "2026-11-23T10:00:00+01:00",
            "rating": "4",
            "measures.sla_met": "yes",
            "unused": "x",
        }
    )

    expected = {
        "event_id": "r-1",
        "occurred_at": "2026-11-23T10:00:00+01:00",
        "measures": {"csat": 4, "sla_met": True},
        "dimensions": {"channel": "web"},
    }
    assert expected == found


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("4", 4),
        (" 4 ", 4),
        ("-1", -1),
        ("4.5", 4.5),
        ("4e1", 40.0),
        ("", None),
        ("  ", None),
        ("04", "04"),
        ("1_0", "1_0"),
        ("٤", "٤"),
        ("nan", "nan"),
        ("Infinity", "Infinity"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("very good", "very good"),
    ],
)
def test_ratings_are_numbers_of_json(cell: str, expected: object) -> None:
    """A rating is a number as JSON writes it or stays a text; an empty cell is not answered."""
    assert {"csat": expected} == event("measures.csat=cell", cell)["measures"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("TRUE", True), ("no", False), ("1", True), ("0", False), ("", None), ("maybe", "maybe")],
)
def test_flags_are_true_or_false(cell: str, expected: object) -> None:
    """A flag is true or false in the spellings of spreadsheets, and nothing is guessed."""
    assert {"sla_met": expected} == event("measures.sla_met=cell", cell)["measures"]


@pytest.mark.parametrize(
    "place", ["dimensions.region", "comment", "language", "customer", "revision", "withdrawn"]
)
def test_empty_cells_are_absent(place: str) -> None:
    """An empty cell outside of measures leaves its field out, so that its default holds."""
    assert {"event_id", "occurred_at"} == event(f"{place}=cell", " ").keys()


def test_other_fields() -> None:
    """A revision is a number, withdrawn a flag, a comment is kept to the last blank."""
    assert event("revision=cell", "2")["revision"] == 2
    assert event("withdrawn=cell", "True")["withdrawn"] is True
    assert event("comment=cell", " so-so ")["comment"] == " so-so "
    assert event("dimensions.region=cell", " EU ")["dimensions"] == {"region": "EU"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-04-01", "2021-04-01T00:00:00+01:00"),
        ("2021-01-05 09:30", "2021-01-05T09:30:00+00:00"),
        ("2021-04-01T09:30:00+05:00", "2021-04-01T09:30:00+05:00"),
        ("2021-04-01T09:30:00Z", "2021-04-01T09:30:00+00:00"),
        ("2021-10-31T01:30", "2021-10-31T01:30:00+01:00"),
        ("01/04/2021", "01/04/2021"),
    ],
)
def test_times_without_offset_are_of_the_given_zone(text: str, expected: str) -> None:
    """A naive time is of --timezone, a date its midnight there; an offset of its own wins."""
    row = {"id": "r-1", "at": text}
    assert expected == mapping(timezone=LONDON).event(row)["occurred_at"]


def test_no_zone_is_guessed() -> None:
    """Without --timezone a naive time stays naive, for the event's own rule to refuse."""
    row = {"id": "r-1", "at": "2021-04-01 09:30"}
    assert mapping().event(row)["occurred_at"] == "2021-04-01 09:30"


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        (("measures.csat=rating",), "there is no column 'rating'; the file has id, at, cell"),
        (("measures.nps=cell",), "measures.nps is not declared; the KPI file has the measures"),
        (("measures.sentiment=cell",), "measures.sentiment is not declared"),
        (("score=cell",), "--map 'score=cell': write a field"),
        (("measures=cell",), "--map 'measures=cell': write a field"),
        (("comment.text=cell",), "--map 'comment.text=cell': write a field"),
        (("comment",), "--map 'comment': write a field"),
        (("comment=cell", "comment=id"), "comment is given twice"),
    ],
)
def test_wrong_maps(maps: tuple[str, ...], problem: str) -> None:
    """A mapping that cannot fit is refused before any row is read, with what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        mapping(*maps, columns="cell")
    assert problem in str(caught.value)


def test_all_mistakes_at_once() -> None:
    """Every mistake is named in one go, and so is what no column gives."""
    with pytest.raises(ConfigurationError) as caught:
        read_mapping(["id", "id"], LAYOUT, maps=["x=id"], constants=["comment"])
    expected = ["two columns 'id'", "--map 'x=id'", "--constant 'comment'", "event_id", "occurred"]
    message = str(caught.value)
    assert [part for part in expected if part not in message] == []


def test_map_wins_over_a_column_of_that_name() -> None:
    """A place that is mapped by hand is not also taken from the column named like it."""
    found = read_mapping(["event_id", "id", "at"], LAYOUT, maps=IDENTITY)
    assert ((Target("event_id"), "id"), (Target("occurred_at"), "at")) == found.columns
