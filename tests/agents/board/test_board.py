from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.board.as_json import view_json
from agents.board.lines import Want, allot
from agents.board.screen import BoardScreen
from agents.board.tables import STATE_STYLES
from agents.board.words import (
    bytes_words,
    duration_words,
    interval_words,
    movement_words,
    score_words,
    segment_words,
)
from streams.scores.drivers import Attribution, Part
from streams.scores.moments import Moments
from streams.scores.movements import Movement
from streams.scores.states import STATES
from tests.agents.boards import HEALTHY, KPIS, NOW, raised, row, view

if TYPE_CHECKING:
    from agents.board.board import View
    from streams.scores.rows import Row
    from streams.scores.states import State


def shown(
    found: View, width: int = 100, height: int = 30, *, story: tuple[str, ...] = ()
) -> list[str]:
    """The lines of the board on a terminal without colour."""
    console = Console(width=width, height=height, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(BoardScreen(found, story=story))
    return [line.rstrip() for line in captured.get().splitlines()]


def line_with(lines: list[str], *words: str) -> str:
    """The one line that has all the words."""
    (found,) = [line for line in lines if all(word in line for word in words)]
    return found


def every_state() -> list[Row]:
    """A row of the whole in each state, over both windows and KPIs, three times."""
    empty: dict[str, Any] = {"answers": 0, "score": None, "lower": None, "upper": None}
    return [
        row(kpi, window, state=state, **(empty if state == "idle" else {}))
        for kpi, window, state in zip(
            ("csat", "csat", "nps", "nps", "csat", "nps"), ("1h", "24h") * 3, STATES, strict=True
        )
    ]


def test_worst_segments_are_breach_then_watch_then_the_furthest_below_target() -> None:
    """The state comes first, then the distance to the target as a share of the scale."""
    rows = [
        row(product="fine", score=90.0),
        row(product="low", score=60.0),
        row("nps", product="low", score=0.0),  # 40 of 200 below target; csat is 25 of 100
        row(product="watched", score=84.0, state="watch"),
        row(product="broken", score=74.0, state="breach"),
        row(score=10.0, state="breach"),
    ]
    worst = [(r.kpi, r.segment[0][1]) for r in view(rows).worst_segments]
    expected = [
        ("csat", "broken"), ("csat", "watched"), ("csat", "low"), ("nps", "low"), ("csat", "fine")
    ]  # fmt: skip
    assert expected == worst


def test_a_segment_is_there_once_by_its_worst_window() -> None:
    """Two windows of one segment are one trouble."""
    rows = [row(window="1h", product="a", score=70.0), row(product="a", score=80.0, state="watch")]
    assert [("24h", "watch")] == [(r.window, r.state) for r in view(rows).worst_segments]


def test_a_segment_that_says_nothing_new_is_left_out() -> None:
    """A segment with all answers of a wider one is shown as that one, unless its alert raised."""
    router = (("product", "router"),)
    rows = [
        row(segment=router, breakdown="product"),
        row(product="router"),
        row(product="phone"),
        row("nps", segment=router, breakdown="product"),
        row("nps", product="router", answers=1_200),
        row("nps", breakdown="product", segment=(("product", "all of it"),), answers=5_000),
        row("nps", answers=5_000),
    ]
    found = [(r.kpi, segment_words(r)) for r in view(rows).worst_segments]
    assert {
        ("csat", "router"), ("csat", "phone · chat"), ("nps", "router"), ("nps", "router · chat")
    } == set(found)  # fmt: skip
    rows[1] = row(product="router", state="breach")
    worst = view(rows).worst_segments[0]
    assert ("csat", "router · chat") == (worst.kpi, segment_words(worst))


def test_values_that_are_none_name_their_dimension() -> None:
    """`unknown` alone would not say what is not known; a value of its own needs no name."""
    segment = (("product", "unknown"), ("channel", "other"))
    assert "unknown product · other channel" == segment_words(row(segment=segment))
    assert "router · chat" == segment_words(row(product="router"))
    assert "all" == segment_words(row())


@pytest.mark.parametrize("state", ["idle", "insufficient", "stale"])
def test_what_cannot_be_judged_is_no_worst_segment(state: State) -> None:
    """A score of three answers, or of last week, is never called the worst."""
    assert [] == view([row(product="a", score=1.0, state=state)]).worst_segments


def test_alerts_are_the_raised_ones_the_latest_first() -> None:
    """An alert that has not raised is none."""
    quiet = raised()
    rows = [
        row(product="old", alert=raised(NOW - 900)),
        row(product="new", alert=raised(NOW - 9)),
        row(product="quiet", alert=type(quiet)("floor", "page", False, 0.1, 3.3, None)),
    ]
    assert ["new", "old"] == [r.segment[0][1] for r in view(rows).alerts]


def test_every_state_is_whole_and_in_its_own_word_at_100_by_30() -> None:
    """The six states are words, each unlike the others, and none is cut."""
    lines = shown(view(every_state()))
    assert list(STATES) == [line.split()[-3] for line in lines[2:8]]
    assert 6 == len(set(STATE_STYLES.values()))


def test_nothing_is_cut_at_100_by_30() -> None:
    """A full board fits: two KPIs and windows, alerts, segments, health and a story."""
    products = ["router", "phone", "television", "mobile internet", "landline"]
    segments = [
        row(product=name, answers=1_234_567, score=60.0, state="breach", alert=raised())
        for name in products
    ]
    lower = row("nps", score=-98.0, lower=-100.0, upper=-95.2, answers=1_234_567)
    lines = shown(view([row(), lower, *segments]), story=("0:01  one step", "0:02  another"))
    text = "\n".join(lines)
    assert "…" not in text
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    for name in products:
        assert line_with(lines, name, "page")
        assert line_with(lines, name, "breach", "83.0 to 88.9", "1,234,567")
    assert line_with(lines, "Net promoter score", "-100.0 to -95.2", "1,234,567", "40.0")


def test_kpi_line_says_score_interval_answers_state_target_and_floor() -> None:
    """All that the KPI file declares and the counts say, in one line."""
    words = line_with(shown(view([row()])), "Customer satisfaction").split()
    assert "Customer satisfaction 24h 86.1 % 83.0 to 88.9 1,234 ok 85.0 75.0" == " ".join(words)


def test_alert_line_says_segment_since_when_value_and_evidence() -> None:
    """What raised, how long ago, and how far the evidence is beyond its limit."""
    found = line_with(shown(view([row(product="router", alert=raised())])), "page")
    assert found.startswith("router · chat, csat 24h")
    assert found.endswith("07:58:30, 90 s      86.1 %   4.1, limit 3.3")


def test_health_says_lag_refusals_age_and_memory() -> None:
    """Lag in events and seconds, refused with its share, age of health, Redis and its memory."""
    expected = [
        "feedback.events: 4 partitions, 7 events and 0.4 s behind; last health report 1.2 s ago",
        "20,000 events read; 40 refused, now dead letters (0.20%); 0 late",
        "Redis up, 3.0 MiB in use of 1.0 GiB",
    ]
    assert expected == shown(view([row()]))[-3:]


def test_why_scores_are_stale_is_said_once_and_in_full() -> None:
    """Windows with one reason share a line; a long reason is wrapped, never cut."""
    reason = "the counts are of another KPI file with the same version 1; " + "and so on, " * 9
    lines = shown(view([row(state="stale")], HEALTHY._replace(stale={"1h": reason, "24h": reason})))
    begin = lines.index(line_with(lines, "stale 1h, 24h: the counts"))
    assert reason.split() == " ".join(lines[begin : begin + 2]).split()[3:]


def test_redis_that_is_away_is_said() -> None:
    """The reason stands where its memory stood, and not once more for every window."""
    problem = "Redis can't be read: refused"
    away = HEALTHY._replace(problem=problem, stale={"1h": problem}, oldest_report_seconds=None)
    lines = shown(view([row(state="stale")], away))
    assert "feedback.events: no worker has reported yet" == lines[-3]
    assert "Redis down: can't be read: refused" == lines[-1]


def test_no_alert_and_no_segment_is_said() -> None:
    """An empty table would look broken."""
    lines = shown(view([row()]))
    assert "none" == lines[lines.index(line_with(lines, "raised alerts")) + 1]
    assert line_with(lines, "none has enough answers to be judged")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("height", [10, 15, 24, 30, 60])
def test_it_fits_every_terminal_and_states_stay_whole(width: int, height: int) -> None:
    """Narrow terminals lose columns and flat ones rows; no line is too long and no state cut."""
    segments = [row(product=f"product {n}", state="breach", alert=raised()) for n in range(20)]
    lines = shown(view([*every_state(), *segments]), width, height, story=("0:01  step",) * 9)
    assert len(lines) <= height
    assert max(map(len, lines)) <= min(width, 120)
    assert any("  breach" in line for line in lines[2:8])


def test_rows_that_do_not_fit_are_counted_and_the_bad_ones_stay() -> None:
    """Nothing disappears in silence."""
    rows = [row(window="1h"), row("nps", "1h"), row(state="breach"), row("nps", state="watch")]
    lines = shown(view(rows), height=9)
    assert ["breach", "watch"] == [line.split()[-3] for line in lines[2:4]]
    assert "and 2 more" == lines[4]


def test_title_stands_once_for_its_windows() -> None:
    """The eye finds the KPI, not the same words four times."""
    lines = shown(view([row(window="1h"), row(window="24h")]))
    assert line_with(lines, "Customer satisfaction")


def test_last_lines_of_the_story_are_below() -> None:
    """A long line continues under its text."""
    story = ("0:01  " + "word " * 30, "0:02  the end")
    assert "0:02  the end" == shown(view([row()]), story=story)[-1]
    assert shown(view([row()]), story=story)[-2].startswith("      word")


def test_json_has_now_pipeline_rows_and_alerts() -> None:
    """One object; what is not known is null, since JSON has no infinity."""
    unknown = HEALTHY._replace(lag_seconds=math.inf, oldest_report_seconds=None)
    found = json.loads(view_json(view([row(), row(product="a", alert=raised())], unknown)))
    assert ["now", "pipeline", "rows", "alerts", "movements"] == list(found)
    assert (None, None, 40, 0.002) == tuple(
        found["pipeline"][name]
        for name in ("lag_seconds", "oldest_report_seconds", "refused", "refused_share")
    )
    assert [{}, {"product": "a", "channel": "chat"}] == [r["segment"] for r in found["rows"]]
    assert [4.12] == [alert["alert"]["evidence"] for alert in found["alerts"]]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.0, "12 s"), (119.0, "119 s"), (600.0, "10 min"),
     (7_200.0, "2 h"), (200_000.0, "2 d"), (math.inf, "–"), (None, "–"), (-0.2, "0.0 s")],
)  # fmt: skip
def test_duration_in_words(seconds: float | None, words: str) -> None:
    """Two digits or so, in the unit that suits; a clock that is a little ahead is no news."""
    assert words == duration_words(seconds)


def test_bytes_in_words() -> None:
    """Binary units."""
    assert ["12 B", "2.0 KiB", "3.5 MiB", "4.0 GiB"] == [
        bytes_words(n) for n in (12, 2048, 3_670_016, 2**32)
    ]


def test_no_answers_are_a_dash_not_a_zero() -> None:
    """No data is never 0."""
    nobody = row(answers=0, score=None, lower=None, upper=None, state="idle")
    assert ("–", "–") == (score_words(nobody, KPIS), interval_words(nobody, KPIS))


WANTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda w: Want(min(w), max(w)))
)


@given(st.integers(0, 60), WANTS)
def test_lines_are_never_more_than_there_are(lines: int, wants: list[Want]) -> None:
    """Nobody gets more than its most, nor something below its least."""
    given_lines = allot(lines, wants)
    assert sum(given_lines) <= lines
    for got, want in zip(given_lines, wants, strict=True):
        assert got == 0 or want.least <= got <= want.most


def test_the_important_come_first() -> None:
    """First each its least, in their order; then what is left, in their order."""
    wants = [Want(2, 4), Want(3, 9), Want(4, 4), Want(0, 2)]
    assert [2, 3, 0, 0] == allot(5, wants)
    assert [4, 3, 4, 0] == allot(11, wants)
    assert [4, 9, 4, 2] == allot(90, wants)


def test_narrow_terminals_lose_columns_not_names() -> None:
    """The floor goes first, then the target, the interval, the answers; never name or state."""
    found = view([row()])
    headings = [shown(found, width)[1] for width in (100, 88, 80, 64, 50)]
    assert [
        ["KPI", "window", "score", "95 % interval", "answers", "state", "target", "floor"],
        ["KPI", "window", "score", "95 % interval", "answers", "state", "target"],
        ["KPI", "window", "score", "95 % interval", "answers", "state"],
        ["KPI", "window", "score", "answers", "state"],
        ["KPI", "window", "score", "state"],
    ] == [re.split(r"\s{2,}", heading) for heading in headings]
    assert line_with(shown(found, 50), "Customer satisf", "ok")


def moved(kpi: str = "csat", score: float = 78.8, **parts: float) -> Movement:
    """A KPI that stood at 85, with what segments, `others` and `mix` gave."""
    few = Moments(100, 8_000, 800_000)
    others, mix = parts.pop("others", 0.0), parts.pop("mix", 0.0)
    named = tuple([Part((name,), few, few, rate, 0.0) for name, rate in parts.items()])
    rest = Part(None, few, few, others, mix)
    found = Attribution(85.0, score, (*named, rest), named)
    return Movement(kpi, "24h", score, {((), ()): 85.0}, {("product",): found})


class TestMovements:
    """Why scores moved."""

    def test_the_three_largest_parts_the_worst_first(self) -> None:
        """Of a fall the most negative comes first, with the signs of all."""
        found = moved(router=-5.0, phone=0.4, tv=-0.9, others=-0.3, mix=-0.4)
        assert (
            "78.8, 6.2 below its baseline of 85.0. By product: router −5.0, tv −0.9, phone +0.4."
        ) == movement_words(found, KPIS)

    def test_a_rise(self) -> None:
        """What raised it comes first, and what rounds to 0 is not told."""
        found = moved(score=87.0, others=2.03, mix=-0.03)
        words = "87.0, 2.0 above its baseline of 85.0. By product: all alike +2.0."
        assert words == movement_words(found, KPIS)

    def test_too_few_answers(self) -> None:
        """Without a score now, or before, nothing is compared."""
        words = "too few answers to compare with a baseline"
        assert words == movement_words(moved()._replace(score=None), KPIS)
        assert words == movement_words(moved()._replace(baselines={}), KPIS)

    def test_stand_on_the_board(self) -> None:
        """Below the raised alerts, wrapped; and where there is no room, not."""
        found = view([row()])._replace(movements=[moved(router=-6.2)])
        lines = shown(found, width=60, height=40)
        assert "csat 24h 78.8, 6.2 below its baseline of 85.0. By product:" in lines
        assert "router −6.2." in lines
        assert "why it moved" not in shown(found, height=10)

    def test_json_has_them_in_numbers(self) -> None:
        """Parts sum to the change."""
        found = view([row()])._replace(movements=[moved(router=-5.0, others=-1.0, mix=-0.2)])
        (told,) = json.loads(view_json(found))["movements"]
        assert ("csat", "24h", 78.8, 85.0) == tuple(told[k] for k in list(told)[:4])
        assert [
            {
                "breakdown": ["product"],
                "change": pytest.approx(-6.2),
                "mix": -0.2,
                "others": -1.0,
                "segments": [{"segment": ["router"], "points": -5.0}],
            }
        ] == told["drivers"]
