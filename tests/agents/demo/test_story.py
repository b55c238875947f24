from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from agents.demo.sample import kpi_text, read_sample
from agents.demo.story import BAD_SERVICE, PLANNED_SECONDS, WHOLE_SECONDS, Story
from agents.demo.traffic import HIGHEST_LOW_RATING, Schedule, Traffic
from streams.events.admission import Admission, Answer
from streams.kpis.load import parse_kpis
from streams.scores.floor_rule import QUIET, FloorRule, Step, replay
from streams.scores.scores import below, probability_below
from streams.scores.states import state

if TYPE_CHECKING:
    from streams.events.event import FeedbackEvent

BEGIN = 1_800_000_000.0
HISTORY_SECONDS = 120
SAMPLE = read_sample()


def sent(story: Story, seed: int = 1) -> list[FeedbackEvent]:
    """Every event of a run, from two minutes before the story on."""
    traffic = Traffic(SAMPLE, BAD_SERVICE, seed)
    schedule = Schedule(traffic, BEGIN - HISTORY_SECONDS, lambda at: story.badness(at - BEGIN))
    return schedule.due(BEGIN + story.seconds)


def told(story: Story, seed: int) -> list[tuple[str, float]]:
    """The states of the story's service as the board will show them, with their times.

    The pure parts of the pipeline alone: the same windows, evidence and alert rule. What is sent
    twice or withdrawn, one event in a hundred, is counted as it comes.
    """
    kpis = parse_kpis(kpi_text(story.window_seconds))
    kpi = kpis.kpis["satisfaction"]
    measure = kpis.measure("rating")
    assert kpi.alert is not None
    assert kpi.floor is not None
    tier, window = kpis.layout.tiers[0].seconds, kpi.alert.window.seconds
    rule = FloorRule(kpi.formula, measure, kpi.floor, kpi.min_answers)
    buckets: dict[int, Counter[str]] = {}
    verdict, states = QUIET, [("ok", 0.0)]
    events = iter(sent(story, seed))
    for second in range(-HISTORY_SECONDS + window, int(story.seconds) + 1):
        for event in events:
            if event.dimensions["service"] == BAD_SERVICE and event.measures["rating"] in range(6):
                start = int(event.occurred_at.timestamp()) // tier * tier
                rating = str(event.measures["rating"])
                buckets.setdefault(start, Counter())[rating] += 1
            if event.occurred_at.timestamp() >= BEGIN + second:
                break
        end = (int(BEGIN + second) // tier + 1) * tier
        starts = range(end - window, end, tier)
        tally: Counter[str] = sum((buckets.get(s, Counter()) for s in starts), Counter())
        verdict = replay(rule, [Step(end, tally)], verdict)
        now = state(
            tally.total(),
            kpi.min_answers,
            probability_below=probability_below(below(kpi.formula, measure, tally, kpi.floor)),
            raised=verdict.raised,
            stale=False,
        )
        if now != states[-1][0]:
            states.append((now, float(second)))
    return states


@pytest.mark.parametrize("seconds", [WHOLE_SECONDS, 75, 90, PLANNED_SECONDS, 300])
@pytest.mark.parametrize("seed", [1, 2, 3, 1948])
def test_every_whole_run_tells_the_whole_story(seconds: float, seed: int) -> None:
    """Ok, watch, breach, ok, whatever the seed; watch lasts, and recovery leaves time to see it."""
    story = Story.of(seconds)
    states = told(story, seed)
    assert ["ok", "watch", "breach", "ok"] == [name for name, _ in states]
    (_, watch), (_, breach), (_, recovery) = states[1:]
    assert story.bad_from < watch
    assert breach - watch >= 2
    assert breach < story.bad_until + 2
    assert recovery < min(seconds, PLANNED_SECONDS) - 5


def test_nothing_happens_without_the_bad_spell() -> None:
    """The breach is the story's doing, not chance: a normal run stays ok."""
    normal = Story.of(300)._replace(bad_from=1e9, bad_until=1e9)
    assert [("ok", 0.0)] == told(normal, 1948)


def test_two_minutes_are_the_plan_and_one_is_half_of_it() -> None:
    """Story and alert window shrink together, down to half; longer runs only last longer."""
    assert (60, 30) == (Story.of(120).window_seconds, Story.of(60).window_seconds)
    assert Story.of(120).bad_from == 2 * Story.of(60).bad_from
    assert Story.of(120) == Story.of(900)._replace(seconds=120)
    assert [False, True] == [Story.of(seconds).is_whole for seconds in (59, 60)]


@pytest.mark.parametrize("seconds", range(60, 121, 3))
def test_every_window_is_one_that_the_kpi_file_accepts(seconds: int) -> None:
    """The shipped file is right for every length; only the alert's window differs."""
    window = Story.of(seconds).window_seconds
    kpis = parse_kpis(kpi_text(window))
    assert [window, 300] == [w.seconds for w in kpis.windows]
    alert = kpis.kpis["satisfaction"].alert
    assert alert is not None
    assert window == alert.window.seconds


def test_badness_rises_and_ends_at_once() -> None:
    """From 0 to 1 while it worsens, 1 until the service is repaired, else 0."""
    story = Story.of(120)
    middle = story.bad_from + story.worsening_seconds / 2
    assert [0.0, 0.0, 0.5, 1.0, 0.0] == [
        story.badness(at)
        for at in (-300, story.bad_from - 1, middle, story.bad_until - 1, story.bad_until)
    ]


def test_sample_has_each_respondent_once_with_a_rating() -> None:
    """One rating per respondent: the source repeats it with every comment."""
    assert len(SAMPLE) == len({respondent.id for respondent in SAMPLE}) == 2400
    assert {1, 2, 3, 4, 5} == {respondent.rating for respondent in SAMPLE}
    assert 6 == len({respondent.service for respondent in SAMPLE})


def test_same_seed_sends_the_same() -> None:
    """A run can be repeated, event for event."""
    story = Story.of(60)
    assert sent(story, 7) == sent(story, 7)
    assert sent(story, 7) != sent(story, 8)


def test_answers_are_those_of_real_respondents() -> None:
    """Rating, comment, service and trust are one respondent's; only NPS is generated."""
    known = {respondent.id: respondent for respondent in SAMPLE}
    for event in sent(Story.of(60)):
        who = known[event.event_id.rpartition(" #")[0]]
        assert {"service": who.service, "trust": who.trust} == event.dimensions
        assert who.comment == event.comment
        assert event.measures["rating"] in {who.rating, 9}


def test_bad_spell_has_low_ratings_of_its_service_alone() -> None:
    """While it is worst, the service has no other; the others are as they were."""
    story = Story.of(120)
    worst = [
        event
        for event in sent(story)
        if story.badness(event.occurred_at.timestamp() - BEGIN) == 1 and "nps" in event.measures
    ]
    low = {
        bad: [int(e.measures["rating"] or 0) <= HIGHEST_LOW_RATING for e in worst
              if (e.dimensions["service"] == BAD_SERVICE) is bad]
        for bad in (True, False)
    }  # fmt: skip
    assert all(low[True])
    assert sum(low[False]) / len(low[False]) < 0.3


def test_some_events_are_twice_withdrawn_or_broken() -> None:
    """What every stream has; the broken ones are refused, and are too few for an alert."""
    events = sent(Story.of(120))
    admission = Admission(parse_kpis(kpi_text(60)).layout)
    refused = [e for e in events if not isinstance(admission.admit(e, BEGIN), Answer)]
    again = Counter((e.event_id, e.withdrawn) for e in events)
    assert 0 < len(refused) / len(events) < 0.005
    assert 0 < sum(e.withdrawn for e in events) / len(events) < 0.01
    assert 0 < sum(n > 1 for n in again.values()) / len(events) < 0.02
    assert {"measures.rating"} == {_field(e, admission) for e in refused}


def _field(event: FeedbackEvent, admission: Admission) -> str:
    found = admission.admit(event, BEGIN)
    return found.detail.split("`")[1] if hasattr(found, "detail") else ""


def test_schedule_sends_what_was_due_since_the_last_call() -> None:
    """Evenly, each event once, at its own time, however seldom it is asked."""
    schedule = Schedule(Traffic(SAMPLE, BAD_SERVICE, 1), BEGIN, lambda _: 0.0)
    assert [26, 0, 25] == [len(schedule.due(BEGIN + at)) for at in (1.0, 1.0, 2.0)]
