"""How often the 95 % intervals hold the true score, by simulation.

    python bench/interval_coverage.py [--samples 2000] [--seed 1]

Draws answers from known mixes and prints, for each number of answers, the percent of intervals
that hold the mix's true score and, after a slash, their mean width as a percent of the scale. An
honest interval shows about 95, the closer the better; 2,000 samples tell to about one point. Two
other intervals of a mean stand beside ours: Student's t, and the adjusted Wald that nets have.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from statistics import fmean, stdev
from typing import NamedTuple

from streams.events.sentiment import classify, ten_thousandths
from streams.kpis.formulas import Formula, Mean, Net, Sentiment, TopBox
from streams.ledger.layout import Measure
from streams.scores.scores import score
from streams.statistics.intervals import Interval, moments_interval

# Two-sided 95 % quantiles of Student's t by number of answers.
T_QUANTILES = {10: 2.262, 30: 2.045, 100: 1.984, 1_000: 1.962}

Mix = Mapping[float, float]
Method = Callable[[list[float]], Interval]

CSAT = Measure("csat", "rating", 1, 5)
NPS = Measure("nps", "rating", 0, 10)
SENTIMENT = Measure("sentiment", "sentiment", -1, 1)


def rating_mix(measure: Measure, *weights: float) -> Mix:
    """A mix of ratings from the scale's lowest to its highest."""
    return dict(zip(range(measure.low, measure.high + 1), weights, strict=True))


CSAT_MIXES = {
    "even": rating_mix(CSAT, 0.2, 0.2, 0.2, 0.2, 0.2),
    "split": rating_mix(CSAT, 0.35, 0.05, 0.05, 0.05, 0.5),
    "satisfied": rating_mix(CSAT, 0.04, 0.03, 0.05, 0.18, 0.7),
    "delighted": rating_mix(CSAT, 0.01, 0.01, 0.02, 0.06, 0.9),
}
NPS_MIXES = {
    "usual": rating_mix(NPS, 0.03, 0.01, 0.02, 0.02, 0.03, 0.05, 0.07, 0.12, 0.2, 0.2, 0.25),
    "split": rating_mix(NPS, 0.3, 0.05, 0.05, 0, 0, 0.05, 0.05, 0, 0.1, 0.1, 0.3),
    "beloved": rating_mix(NPS, 0.01, 0, 0, 0, 0, 0.01, 0.01, 0.02, 0.05, 0.2, 0.7),
}
SENTIMENT_MIXES: dict[str, Mix] = {
    "short": {0: 0.45, 0.44: 0.15, 0.64: 0.2, 0.9: 0.08, -0.34: 0.07, -0.6: 0.05},
    "praise": {0: 0.1, 0.64: 0.4, 0.8: 0.3, 0.95: 0.15, -0.5: 0.05},
    "quiet": {0: 0.9, 0.6: 0.08, -0.5: 0.02},
}


class Row(NamedTuple):
    """One interval on one mix. `statistic` is what a single answer adds to the true score."""

    name: str
    method: Method
    mix: Mix
    statistic: Callable[[float], float]
    width: float


def shown(formula: Formula, measure: Measure) -> Method:
    """The interval that the product shows."""

    def interval(answers: list[float]) -> Interval:
        found = score(formula, measure, tally(measure, answers))
        return Interval(found.lower or 0.0, found.upper or 0.0)

    return interval


def tally(measure: Measure, answers: list[float]) -> dict[str, int]:
    """Answers as cells count them."""
    if measure.kind != "sentiment":
        return Counter(str(int(answer)) for answer in answers)
    steps = [ten_thousandths(answer) for answer in answers]
    sums = {"sum": sum(steps), "sum_squares": sum(step * step for step in steps)}
    return {**Counter(classify(answer) for answer in answers), **sums}


def student(answers: list[float]) -> Interval:
    """The textbook's interval of a mean."""
    mean = fmean(answers)
    half = T_QUANTILES[len(answers)] * stdev(answers) / math.sqrt(len(answers))
    return Interval(mean - half, mean + half)


def adjusted_wald(measure: Measure) -> Method:
    """The interval that nets have, on ratings moved to -1 to 1."""
    middle, reach = (measure.low + measure.high) / 2, (measure.high - measure.low) / 2

    def interval(answers: list[float]) -> Interval:
        moved = [(answer - middle) / reach for answer in answers]
        found = moments_interval(len(moved), sum(moved), sum(answer**2 for answer in moved))
        low, high = found.clipped(-1, 1)
        return Interval(middle + reach * low, middle + reach * high)

    return interval


def rows() -> list[Row]:
    """All intervals on all mixes."""
    top_box = shown(TopBox(measure="csat", at_least=4), CSAT)
    mean, net = shown(Mean(measure="csat"), CSAT), shown(Net(measure="nps"), NPS)
    sentiment = shown(Sentiment(statistic="mean"), SENTIMENT)
    found = []
    for name, mix in CSAT_MIXES.items():
        found.append(Row(f"top box, {name}", top_box, mix, lambda a: 100 * (a >= 4), 100))
        found.append(Row(f"mean, {name}", mean, mix, lambda a: a, 4))
        found.append(Row(f"  Student's t, {name}", student, mix, lambda a: a, 4))
        found.append(Row(f"  adjusted Wald, {name}", adjusted_wald(CSAT), mix, lambda a: a, 4))
    for name, mix in NPS_MIXES.items():
        found.append(Row(f"net, {name}", net, mix, lambda a: 100 * ((a >= 9) - (a <= 6)), 200))
    for name, mix in SENTIMENT_MIXES.items():
        found.append(Row(f"sentiment mean, {name}", sentiment, mix, lambda a: a, 2))
        found.append(Row(f"  Student's t, {name}", student, mix, lambda a: a, 2))
    return found


def coverage(row: Row, answers: int, samples: int, source: random.Random) -> str:
    """Percent of intervals that hold the true score / their mean width in percent of the scale."""
    values, weights = list(row.mix), list(row.mix.values())
    total = sum(weights)
    truth = sum(row.statistic(value) * weight / total for value, weight in row.mix.items())
    held, width = 0, 0.0
    for _ in range(samples):
        lower, upper = row.method(source.choices(values, weights, k=answers))
        held += lower - 1e-9 <= truth <= upper + 1e-9
        width += upper - lower
    return f"{100 * held / samples:.1f} / {100 * width / samples / row.width:.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{'interval, mix':30}" + "".join(f"{f'n = {n}':>13}" for n in T_QUANTILES))
    for row in rows():
        source = random.Random(options.seed)
        cells = [coverage(row, n, options.samples, source) for n in T_QUANTILES]
        print(f"{row.name:30}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
