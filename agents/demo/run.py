"""The demo from start to end."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Final

from agents.demo import monitors
from agents.demo.picture import save_picture
from agents.demo.servers import metrics_addresses
from agents.demo.stage import HISTORY_SECONDS, open_stage
from agents.demo.story import BAD_SERVICE
from agents.demo.traffic import ANSWERS_A_SECOND
from agents.demo.verdict import audit
from agents.demo.witness import Witness
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from agents.demo.monitors import Monitors
    from agents.demo.screen import Screen
    from agents.demo.stage import Stage
    from agents.demo.story import Story

_TICK_SECONDS: Final = 0.1
_REFRESH_SECONDS: Final = 0.5

# A worker counts some 6 s after its start, and the rest at once. A busy machine is slow, not
# broken; there the recovery may be seen a little late, too.
_START_SECONDS: Final = 60.0
_COUNT_SECONDS: Final = 30.0
_GRACE_SECONDS: Final = 60.0
_UNNOTICED_SECONDS: Final = 30.0

# After the bad spell's end, until its last answers are counted and the alert is on the board.
_PICTURE_AFTER_SECONDS: Final = 2.0

NEXT: Final = (
    "next: README.md says how to run it on your own Kafka and Redis; "
    "`feedback check` explains your kpis.yaml; `feedback score FILE` needs no server at all"
)


class Clock:
    """The story's time: seconds since it began, None before."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._began: float | None = None
        self._repaired: float | None = None

    def begin(self) -> None:
        """It begins now."""
        self._began = time.time()

    @property
    def now(self) -> float | None:
        """Seconds since the story began."""
        return None if self._began is None else time.time() - self._began

    def repair(self) -> None:
        """The bad spell ends now."""
        self._repaired = self.now

    @property
    def is_repaired(self) -> bool:
        """Whether the bad spell has ended."""
        return self._repaired is not None

    def badness(self, at: float) -> float:
        """How bad the service is at `at` (Unix seconds): once bad, until it is repaired."""
        since = None if self._began is None else at - self._began
        if since is None or (self._repaired is not None and since >= self._repaired):
            return 0.0
        worst = self._story.bad_from + self._story.worsening_seconds
        return self._story.badness(min(since, worst))


def run_demo(story: Story, screen: Screen, picture: Path | None = None) -> bool:
    """Play it; gives whether the audit is equal and the whole story, if it was to be, was seen.

    1. Start Kafka, Redis, worker and exporter in a temporary folder.
    2. Publish history, backdated, and meanwhile start Prometheus and Alertmanager.
    3. Wait until the worker has counted it.
    4. Tell the story while publishing in real time.
    5. Stop, wait until everything is counted, and audit.

    Raises `Unavailable` where a part can't be started or has ended; nothing keeps running then.
    """
    clock = Clock(story)
    with ExitStack() as stack:
        # 1.
        stack.enter_context(screen)
        screen.tell("starting Kafka in memory, Redis, a worker and the exporter …")
        stage = stack.enter_context(open_stage(story.window_seconds, clock.badness))
        demo = _Demo(story, screen, stage, clock, picture)
        demo.refresh()
        _tell_places(stage, screen)
        # 2.
        history = demo.publish_history()
        demo.alerts = stack.enter_context(_alerts(stage, screen))
        if demo.alerts is not None:
            screen.tell(f"alerts are at {demo.alerts.prometheus_url}/alerts and "
                        f"{demo.alerts.alertmanager_url}")  # fmt: skip
        # 3.
        screen.tell("waiting for the worker, which takes some seconds to join its group …")
        demo.wait_for_count(history, _START_SECONDS)
        # 4.
        demo.tell_story()
        screen.close()
        # 5.
        demo.stop_publishing()
        return demo.judge()


class _Demo:
    def __init__(
        self, story: Story, screen: Screen, stage: Stage, clock: Clock, picture: Path | None
    ) -> None:
        self.alerts: Monitors | None = None
        self._story = story
        self._screen = screen
        self._stage = stage
        self._clock = clock
        self._picture = picture
        self._witness = Witness()
        self._view = stage.board.read()
        self._turned_bad = False

    def refresh(self) -> None:
        """Read Redis, tell what changed, and show the board."""
        self._stage.servers.check()
        self._view = self._stage.board.read()
        for line in self._witness.lines(self._view):
            self._screen.tell(line)
        for line in self.alerts.changes() if self.alerts else ():
            self._screen.tell(line)
        self._screen.show(self._view)
        self._take_picture()

    def publish_history(self) -> int:
        """Publish what is backdated; gives the number of events."""
        self._stage.publish()
        self._stage.upstream.settle()
        sent = self._stage.upstream.sent
        minutes = HISTORY_SECONDS // 60
        self._screen.tell(f"published {sent:,} events, backdated over the last {minutes} minutes")
        return sent

    def wait_for_count(self, events: int, seconds: float, *, publishing: bool = True) -> None:
        """Wait until so many events are counted."""
        self._go_on_until(lambda: self._counted >= events, seconds, publishing=publishing)
        if self._counted < events:
            raise Unavailable(
                f"of {events:,} events only {self._counted:,} were counted within {seconds:g} s"
            )

    def tell_story(self) -> None:
        """Publish in real time to the story's end, a little longer if the recovery is late."""
        self._screen.tell(
            f"{self._counted:,} events are counted. A normal spell: {ANSWERS_A_SECOND} answers a "
            "second of real respondents of six services"
        )
        self._clock.begin()
        seconds = self._story.seconds
        self._go_on_until(self._is_over, seconds + _GRACE_SECONDS)

    def stop_publishing(self) -> None:
        """Wait until all that was published is counted, and say what became of it."""
        upstream = self._stage.upstream
        upstream.settle()
        self._screen.tell(f"publishing has stopped after {upstream.acknowledged:,} events")
        self.wait_for_count(upstream.acknowledged, _COUNT_SECONDS, publishing=False)
        outcomes = self._view.pipeline.outcomes.items()
        each = ", ".join(f"{count:,} {name}" for name, count in outcomes if count)
        self._screen.tell(f"counted {self._counted:,}: {each}; auditing")

    def judge(self) -> bool:
        """Audit, and say whether the story was seen."""
        settings = self._stage.servers.settings
        verdict = audit(settings, self._stage.upstream.acknowledged, self._counted)
        missed = self._witness.missed() if self._story.is_whole else []
        for line in (*verdict.lines(), *missed, NEXT):
            self._screen.tell(line)
        return verdict.equal and not missed

    @property
    def _counted(self) -> int:
        return self._view.pipeline.read

    def _is_over(self) -> bool:
        if (self._clock.now or 0.0) < self._story.seconds:
            return False
        return self._witness.saw_recovery or not self._story.is_whole

    def _go_on_until(
        self, condition: Callable[[], bool], seconds: float, *, publishing: bool = True
    ) -> None:
        """Publish, read and show until `condition()` or for `seconds`."""
        deadline = time.monotonic() + seconds
        refresh_at = 0.0
        while not condition() and time.monotonic() < deadline:
            if publishing:
                self._tell_steps()
                self._stage.publish()
            if time.monotonic() >= refresh_at:
                refresh_at = time.monotonic() + _REFRESH_SECONDS
                self.refresh()
            time.sleep(_TICK_SECONDS)

    def _tell_steps(self) -> None:
        now = self._clock.now or 0.0
        if not self._turned_bad and now >= self._story.bad_from:
            self._turned_bad = True
            self._screen.tell(
                f"{BAD_SERVICE} turns bad: ever more of its answers are real ratings of 1 to 3"
            )
        if not self._clock.is_repaired and self._is_noticed(now):
            self._clock.repair()
            self._screen.tell(f"{BAD_SERVICE} is repaired: it answers as before")

    def _is_noticed(self, now: float) -> bool:
        """Whether the service is repaired by now: as planned, but not before anybody is told."""
        late = now - self._story.bad_until
        told = self._witness.saw_breach or not self._story.is_whole
        return late >= 0 and (told or late >= _UNNOTICED_SECONDS)

    def _take_picture(self) -> None:
        taken_from = self._story.bad_until + _PICTURE_AFTER_SECONDS
        height = self._witness.in_breach and (self._clock.now or 0.0) >= taken_from
        if self._picture is not None and height:
            save_picture(self._picture, self._view, self._screen.story)
            self._picture = None


def _tell_places(stage: Stage, screen: Screen) -> None:
    settings = stage.servers.settings
    screen.tell(
        f"all of it is in {stage.folder}: Kafka at {settings.kafka_brokers}, "
        f"{stage.servers.redis_program} at {settings.redis_url}, "
        f"scores at http://{metrics_addresses(settings)[0]}/metrics"
    )


def _alerts(stage: Stage, screen: Screen) -> AbstractContextManager[Monitors | None]:
    """Prometheus and Alertmanager, if they are there."""
    if not monitors.are_found():
        screen.tell(monitors.ABSENT)
        return nullcontext()
    screen.tell("starting Prometheus and Alertmanager with the rendered rules …")
    return monitors.monitors(stage.folder, stage.kpis, *metrics_addresses(stage.servers.settings))
