"""promtool's unit tests of the sentences that say what moved a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.render.rule_cases import Case, Expected, Labels, Series, case, series, write_cases
from streams.render.score_cases import A, B, numbers, score_alert, verdict, whole_labels
from streams.render.score_tests import AWKWARD

if TYPE_CHECKING:
    from streams.render.catalogue import Catalogue

TESTS_PATH = "prometheus/tests/why.yml"

# The score of the cases is 71.25.
FELL = "6.2 below its baseline of 77.5."
ROSE = "1.2 above its baseline of 70."
DROP = " A drop measured when an alert is raised is likely overstated."
RISE = " A rise measured when an alert is raised is likely overstated."


def render_why_tests(catalogue: Catalogue) -> str:
    """The tests of the baseline, and where there are dimensions of what moved the score."""
    split = (_says_what_moved, _says_how_it_rose, _names_nobody, _says_nothing_more_of_segments)
    return write_cases(
        [
            _says_how_far(catalogue),
            *([each(catalogue) for each in split] if catalogue.dimensions else []),
        ]
    )


def _baseline(labels: Labels, value: str, values: str = "x40", at: str = A) -> Series:
    return series("feedback_kpi_baseline_score", _scraped(labels, at), f"{value}{values}")


def _driver(labels: Labels, part: str, value: str, at: str = A, **segment: str) -> Series:
    breakdown = ",".join(segment["by"].split())
    named = {name: text for name, text in segment.items() if name != "by"}
    full = {**_scraped(labels, at), "breakdown": breakdown, **named, "part": part}
    return series("feedback_kpi_driver_points", full, f"{value}x40")


def _scraped(labels: Labels, at: str) -> Labels:
    return {"job": "feedback-exporter", "instance": at, **labels}


def _says_how_far(catalogue: Catalogue) -> Case:
    """Both exporters are asked, and one answers; while it restarts, by what it last said."""
    whole = whole_labels(catalogue)
    alert = score_alert(whole, ", all answers", why=f"{FELL}{DROP}")
    return case(
        "the distance to the baseline is that of one exporter, and outlives its restart",
        [
            *numbers(whole, values="x7 stale _x20"),
            _baseline(whole, "77.5", "x7 stale _x20"),
            verdict(whole, "1x40"),
        ],
        Expected("1m", "FeedbackScorePage", (alert,)),
        Expected("3m", "FeedbackScorePage", (alert,)),
    )


def _says_what_moved(catalogue: Catalogue) -> Case:
    """The three largest parts of each breakdown, the worst first, of one exporter alone."""
    whole = whole_labels(catalogue)
    first, last = catalogue.dimensions[0], catalogue.dimensions[-1]
    pair = f"{first} {last}" if last != first else first
    moved = [
        _driver(whole, "mix", "-1", by=first),
        _driver(whole, "rate", "0.25", by=first),
        _driver(whole, "rate", "-4.9", by=first, **{first: AWKWARD}),
        _driver(whole, "rate", "-0.6", by=first, **{first: "phone"}),
        _driver(whole, "mix", "0.5", by=pair),
        _driver(whole, "rate", "-1.75", by=pair),
        _driver(whole, "rate", "-5", by=pair, **{first: "router", last: "chat"}),
    ]
    why = (
        f"{FELL} By {first}: {AWKWARD} −4.9, mix −1.0, phone −0.6. "
        f"By {first} and {last}: router · chat −5.0, others −1.8, mix +0.5.{DROP}"
    )
    return case(
        "what moved a score is told with its sign, by breakdown",
        [
            *numbers(whole),
            *numbers(whole, at=B, shown={"score": "80"}),
            _baseline(whole, "77.5"),
            _baseline(whole, "70", at=B),
            *moved,
            _driver(whole, "mix", "-9", B, by=first),
            verdict(whole, "1x40"),
        ],
        Expected("1m", "FeedbackScorePage", (score_alert(whole, ", all answers", why=why),)),
    )


def _says_how_it_rose(catalogue: Catalogue) -> Case:
    """Where lower is better a rise is bad: what raised it most comes first."""
    whole, first = whole_labels(catalogue), catalogue.dimensions[0]
    why = f"{ROSE} By {first}: router +2.5, others −0.3, mix −1.0.{RISE}"
    return case(
        "what raised a score comes first",
        [
            *numbers(whole),
            _baseline(whole, "70"),
            _driver(whole, "mix", "-1", by=first),
            _driver(whole, "rate", "-0.3", by=first),
            _driver(whole, "rate", "2.5", by=first, **{first: "router"}),
            verdict(whole, "1x40"),
        ],
        Expected("1m", "FeedbackScorePage", (score_alert(whole, ", all answers", why=why),)),
    )


def _names_nobody(catalogue: Catalogue) -> Case:
    whole, first = whole_labels(catalogue), catalogue.dimensions[0]
    why = f"{FELL} By {first}: all alike −6.3.{DROP}"
    return case(
        "where no segment differs from the rest none is named",
        [
            *numbers(whole),
            _baseline(whole, "77.5"),
            _driver(whole, "mix", "0.04", by=first),
            _driver(whole, "rate", "-6.3", by=first),
            verdict(whole, "1x40"),
        ],
        Expected("1m", "FeedbackScorePage", (score_alert(whole, ", all answers", why=why),)),
    )


def _says_nothing_more_of_segments(catalogue: Catalogue) -> Case:
    """What moved the whole says nothing of what moved one product."""
    first = catalogue.dimensions[0]
    whole = whole_labels(catalogue)
    segment = {**whole, "breakdown": first, first: AWKWARD}
    alert = score_alert(segment, f", {first} {AWKWARD}", why=f"{FELL}{DROP}")
    return case(
        "a segment has a baseline of its own, and no drivers",
        [
            *numbers(segment),
            _baseline(segment, "77.5"),
            _driver(whole, "mix", "-1", by=first),
            verdict(segment, "1x40"),
        ],
        Expected("1m", "FeedbackScorePage", (alert,)),
    )
