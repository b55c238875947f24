"""The PromQL of the board. Nothing in here knows of Grafana but its variables' `$name`.

Any number of exporters may be scraped, so every query drops what tells them apart. A dimension's
variable matches its label: a chosen value, or `NOT_SPLIT` for the empty label of a score that is
not split by it. So choosing product and channel finds the breakdown `product,channel`, and
choosing nothing finds the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.scores.states import STATES

if TYPE_CHECKING:
    from streams.kpis.kpi import Bands
    from streams.render.catalogue import Catalogue, Face

NOT_SPLIT = "^$"
ANY = ".+"
WORST = 10  # what fits on a screen without scrolling

# A state's number on the board. Where two exporters disagree for a moment the greater one shows:
# what can't be trusted before what is bad, what is bad before what is fine.
STATE_NUMBERS = {state: number for number, state in enumerate(STATES, start=1)}

FIRING = 'ALERTS{alertname=~"Feedback.+",alertstate="firing"}'
HEALTH = "feedback_partition_health_timestamp_seconds"


class Queries(NamedTuple):
    """The queries that depend on the KPI file's dimensions."""

    catalogue: Catalogue

    @property
    def _chosen(self) -> str:
        dimensions = (f'{name}=~"${name}"' for name in self.catalogue.dimensions)
        return ",".join(['kpi=~"$kpi"', 'window="$window"', *dimensions])

    @property
    def _segments(self) -> str:
        return 'kpi=~"$kpi",window="$window",breakdown!="all"'

    def chosen(self, metric: str) -> str:
        """A metric of each chosen KPI in the chosen segment: one series a KPI."""
        return f"max by (kpi) (feedback_kpi_{metric}{{{self._chosen}}})"

    def chosen_state(self) -> str:
        """The state of each chosen KPI in the chosen segment, as its number."""
        return f"max by (kpi) ({_numbered(self._chosen)})"

    def info(self) -> str:
        """Title and owner of each chosen KPI, as labels."""
        return 'max by (kpi, title, owner) (feedback_kpi_info{kpi=~"$kpi"})'

    def fixed(self, metric: str) -> str:
        """A line of the KPI file, such as its floor, whatever segment is chosen."""
        return f'max by (kpi) (feedback_kpi_{metric}{{kpi=~"$kpi"}})'

    def band(self) -> str:
        """The band of each chosen KPI's score: 2 good, 1 fair, 0 poor. Empty where none has bands.

        Bands are the KPI file's, so they stand in the query.
        """
        return " or ".join(
            self._band_of(face, face.bands) for face in self.catalogue.faces if face.bands
        )

    def _band_of(self, face: Face, bands: Bands) -> str:
        score = f'max by (kpi) (feedback_kpi_score{{kpi="{face.kpi}",{self._chosen}}})'
        reaches = "<= bool" if face.lower_is_better else ">= bool"
        return f"({score} {reaches} {bands.good:g}) + ({score} {reaches} {bands.poor:g})"

    def worst(self, metric: str) -> str:
        """A metric of the worst segments of each chosen KPI.

        Worst by the better end of the interval: a few bad answers do not lead the list. Segments
        with too few answers are left out.
        """
        return f"{self._of_segments(metric)} and {self._worst_segments()}"

    def worst_state(self) -> str:
        """The state of the worst segments, as its number."""
        state = f"max without (instance, job, state) ({_numbered(self._segments)})"
        return f"{state} and {self._worst_segments()}"

    def _of_segments(self, metric: str, *matchers: str) -> str:
        selector = ",".join([*matchers, self._segments])
        return f"max without (instance, job) (feedback_kpi_{metric}{{{selector}}})"

    def _worst_segments(self) -> str:
        too_few = (
            "max without (instance, job, state) "
            f'(feedback_kpi_state{{state="insufficient",{self._segments}}}) == 1'
        )
        lower = "|".join(face.kpi for face in self.catalogue.faces if face.lower_is_better)
        if not lower:
            return self._extreme("bottomk", "score_upper", too_few)
        higher_better = self._extreme("bottomk", "score_upper", too_few, f'kpi!~"{lower}"')
        lower_better = self._extreme("topk", "score_lower", too_few, f'kpi=~"{lower}"')
        return f"({higher_better} or {lower_better})"

    def _extreme(self, choose: str, bound: str, too_few: str, *matchers: str) -> str:
        judged = f"{self._of_segments(bound, *matchers)} unless {too_few}"
        return f"{choose} by (kpi) ({WORST}, {judged})"

    def drivers(self) -> str:
        """What moved each chosen KPI since its baseline, in whatever window its alert has."""
        return 'sort(max without (instance, job) (feedback_kpi_driver_points{kpi=~"$kpi"}))'

    def firing(self) -> str:
        """What fires now, without what tells one Prometheus from another."""
        names = ("alertname", "severity", "owner", "kpi", *self.catalogue.segment_labels)
        return f"max by ({', '.join(names)}) ({FIRING})"


def _numbered(selector: str) -> str:
    """The one-hot states of `selector` as numbers; 0 where a state does not hold."""
    return " or ".join(
        f'feedback_kpi_state{{state="{state}",{selector}}} * {number}'
        for state, number in STATE_NUMBERS.items()
    )


def _per_partition(metric: str) -> str:
    return f"max by (topic, partition) ({metric})"


LAG = (
    "sum by (topic) (clamp_min("
    f"{_per_partition('feedback_log_end_offset')} - {_per_partition('feedback_ledger_position')}"
    ", 0))"
)
EVENTS = "sum by (outcome) (rate(feedback_events_total[$__rate_interval]))"
REFUSED = "sum by (reason) (rate(feedback_refused_total[$__rate_interval]))"
REFUSED_SHARE = (
    'sum(increase(feedback_events_total{outcome="refused"}[10m]))'
    " / (sum(increase(feedback_events_total[10m])) > 0)"
)
# By the time of the scrape: between two scrapes every value ages.
HEALTH_AGE = f"max(timestamp({HEALTH}) - {HEALTH})"
LAST_EVENT_AGE = "time() - max(feedback_last_event_timestamp_seconds)"
REDIS_UP = "max(feedback_redis_up)"
REDIS_MEMORY = "max(feedback_redis_memory_used_bytes)"
REDIS_LIMIT = "max(feedback_redis_memory_limit_bytes)"
ANSWERING = 'sum by (job) (up{job=~"feedback-.+"})'
SNAPSHOT = "max by (instance) (feedback_snapshot_duration_seconds)"
