"""What can be said of the board without Prometheus; test_board_queries.py runs its queries."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from streams.kpis.kpi import Bands
from streams.render.board import render_board
from streams.render.board_panels import STATE_COLOURS
from streams.render.board_queries import STATE_NUMBERS, Queries
from streams.render.catalogue import Catalogue
from streams.scores.states import STATES
from tests.catalogues import CSAT, NPS, SPLIT, WHOLE_ONLY


def board(catalogue: Catalogue = SPLIT) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(render_board(catalogue))
    return content


def panels(catalogue: Catalogue = SPLIT) -> list[dict[str, Any]]:
    return [panel for panel in board(catalogue)["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("catalogue", [SPLIT, WHOLE_ONLY])
def test_every_panel_has_an_id_of_its_own(catalogue: Catalogue) -> None:
    """Grafana links to panels by id, rows included."""
    ids = [panel["id"] for panel in board(catalogue)["panels"]]
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("catalogue", [SPLIT, WHOLE_ONLY])
def test_every_panel_asks_something_says_its_unit_and_what_it_shows(catalogue: Catalogue) -> None:
    """No empty panel, no number whose unit must be guessed."""
    for panel in panels(catalogue):
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"]
            assert {"type": "prometheus", "uid": "${Prometheus}"} == target["datasource"]
        letters = [target["refId"] for target in panel["targets"]]
        assert sorted(set(letters)) == letters


def test_panels_do_not_overlap_and_fit_the_grid() -> None:
    """Grafana has 24 columns; what overlaps is moved about by it, each time differently."""
    places = [panel["gridPos"] for panel in board()["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        apart_across = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_down = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_across or apart_down, (one, other)


def test_variables_are_kpi_window_and_each_dimension() -> None:
    """Ours for the data source has a capital, which no dimension can have."""
    names = [variable["name"] for variable in board()["templating"]["list"]]
    assert ["Prometheus", "kpi", "window", "product", "channel"] == names
    names = [variable["name"] for variable in board(WHOLE_ONLY)["templating"]["list"]]
    assert ["Prometheus", "kpi", "window"] == names


def test_all_of_a_dimension_is_the_whole() -> None:
    """Adding up segments, or showing them all in one line, would be another number."""
    product = board()["templating"]["list"][3]
    assert "^$" == product["allValue"]
    assert "$__all" == product["current"]["value"]
    assert not product.get("multi", False)


def test_no_two_states_look_alike() -> None:
    """Each has a number, a word and a colour of its own."""
    assert set(STATES) == set(STATE_NUMBERS) == set(STATE_COLOURS)
    assert len(STATES) == len(set(STATE_NUMBERS.values())) == len(set(STATE_COLOURS.values()))


def test_where_exporters_disagree_doubt_wins() -> None:
    """The greater number shows: not to be trusted, before bad, before fine."""
    order = sorted(STATE_NUMBERS, key=lambda state: STATE_NUMBERS[state])
    assert "ok" == order[0]
    assert "stale" == order[-1]
    assert order.index("watch") < order.index("breach")


def test_scores_stand_with_their_interval_answers_and_state() -> None:
    """Never a score alone."""
    table = next(panel for panel in panels() if panel["title"] == "Scores now")
    organize = table["transformations"][1]["options"]
    shown = list(organize["renameByName"].values())
    assert ["score", "lower", "upper", "answers", "state"] == shown[:5]


def test_kpis_are_shown_by_title_and_unit() -> None:
    """A name of the KPI file, and a number without its unit, tell a newcomer nothing."""
    kpi = board()["templating"]["list"][1]
    assert "Customer satisfaction (%) : csat,Net promoter score (-100 to 100) : nps" == kpi["query"]
    assert ["csat", "nps"] == [option["value"] for option in kpi["options"]]
    for title in ("Scores now", "Worst segments", "Why it moved", "Firing"):
        (shown,) = (
            override["properties"][0]["value"][0]["options"]
            for panel in panels()
            if panel["title"] == title
            for override in panel["fieldConfig"]["overrides"]
            if override["matcher"]["options"] == "kpi"
        )
        texts = {name: result["text"] for name, result in shown.items()}
        assert {"csat": CSAT.label, "nps": NPS.label} == texts


def test_a_comma_does_not_end_a_title() -> None:
    """Grafana splits options at commas, and texts from values at a colon between spaces."""
    face = CSAT._replace(title="Calls, chats : all")
    kpi = board(SPLIT._replace(faces=(face,)))["templating"]["list"][1]
    assert "Calls\\, chats: all (%) : csat" == kpi["query"]


def test_bands_are_the_kpi_files_colours() -> None:
    """A score from `good` on is 2, one below `poor` 0; where lower is better the other way."""
    score = 'max by (kpi) (feedback_kpi_score{kpi="csat",kpi=~"$kpi",window="$window"})'
    whole = WHOLE_ONLY._replace(faces=(CSAT,))
    assert f"({score} >= bool 85) + ({score} >= bool 75)" == Queries(whole).band()
    lower = CSAT._replace(lower_is_better=True, bands=Bands(good=3, poor=5))
    whole = WHOLE_ONLY._replace(faces=(lower, NPS))
    assert f"({score} <= bool 3) + ({score} <= bool 5)" == Queries(whole).band()
    assert "" == Queries(WHOLE_ONLY).band()


def test_the_worst_are_the_highest_where_lower_is_better() -> None:
    """The better end of the interval ranks: the upper one, or the lower one from above."""
    assert "topk" not in Queries(SPLIT).worst("score")
    mixed = SPLIT._replace(faces=(CSAT, NPS._replace(lower_is_better=True)))
    worst = Queries(mixed).worst("score")
    assert (
        'bottomk by (kpi) (10, max without (instance, job) (feedback_kpi_score_upper{kpi!~"nps"'
        in worst
    )
    assert (
        'topk by (kpi) (10, max without (instance, job) (feedback_kpi_score_lower{kpi=~"nps"'
        in worst
    )


def test_the_board_is_not_edited_in_grafana() -> None:
    """The next rendering would undo it."""
    assert board()["editable"] is False


def test_the_same_catalogue_gives_the_same_text() -> None:
    """Else `render --check` would fail without a reason."""
    assert render_board(SPLIT) == render_board(SPLIT)
