from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from streams.statistics.run_length import Steps, expected_steps, transitions
from streams.statistics.tilt import Reference, ratio

# A share of 85 % that may fall to 70 %: bad answers from .15 to .30, as in the published tables.
REFERENCE = Reference((0, 1), (0.15, 0.85))
FALL = ratio(REFERENCE, 0, 0.15)


def single_answers(
    weights: tuple[float, ...], shares: tuple[float, ...], limit: float, cells: int = 1000
) -> float:
    """Mean answers from S = 0 to the limit, looking after each answer.

    The chain steps by buckets with a Poisson number of answers. With a thousandth of an answer
    each, next to none holds two.
    """
    per_bucket = 1e-3
    chances = transitions(Steps(per_bucket, weights), np.array([shares]), limit, cells)[0]
    return float(expected_steps(chances)[0]) * per_bucket


@pytest.mark.parametrize(
    ("limit", "until_chance", "until_seen"),
    [(3, 394, 33.56), (4, 1_166, 47.00), (5, 3_377, 60.79), (6.21, 11_470, 77.61)],
)
def test_run_lengths_are_those_of_exact_simulation(
    limit: float, until_chance: float, until_seen: float
) -> None:
    """CUSUM of .15 against .30, answer by answer: to chance raises 1.5 %, to real ones .1 answers.

    The latter are of 200,000 runs each.
    """
    weights = tuple([FALL.weight(1, x) for x in REFERENCE.x])
    assert until_chance == pytest.approx(single_answers(weights, (0.15, 0.85), limit), rel=0.02)
    assert until_seen == pytest.approx(single_answers(weights, (0.30, 0.70), limit), abs=0.4)


@pytest.mark.parametrize(
    ("weights", "shares", "limit", "expected"),
    [
        ((-0.125, 0.875), (0.80, 0.20), 3.0, 33.6152751274),
        ((-0.3, 0.7), (0.90, 0.10), 2.0, 693.64658057),
        ((-0.125, 0.875), (0.95, 0.05), 3.0, 2758.16594205),
        ((1.2, 0.2, -0.8), (0.3, 0.3, 0.4), 10.0, 74.7556559919),
    ],
)
def test_run_lengths_are_those_of_exact_chains(
    weights: tuple[float, ...], shares: tuple[float, ...], limit: float, expected: float
) -> None:
    """Bernoulli and trinomial CUSUMs whose sums lie on a lattice, solved exactly on it.

    A limit that is a lattice point is reached there; ours stands just below it.
    """
    assert expected == pytest.approx(single_answers(weights, shares, limit - 0.04), rel=0.015)


def test_rows_are_chances() -> None:
    """None is negative; a row sums to 1 less the chance to be raised, which grows with S."""
    steps = Steps.of(20, FALL, REFERENCE.x)
    chances = transitions(steps, np.array([[0.15, 0.85], [0.3, 0.7]]), 5.0, 64)
    assert (chances >= 0).all()
    stays = chances.sum(axis=-1)
    assert (stays <= 1 + 1e-12).all()
    assert (np.diff(stays, axis=-1) <= 1e-12).all()
    assert (stays[1] <= stays[0] + 1e-12).all()


def test_an_empty_bucket_changes_nothing() -> None:
    """Without answers every cell stays what it is."""
    steps = Steps.of(0.0, FALL, REFERENCE.x)
    np.testing.assert_allclose(
        np.eye(32), transitions(steps, np.array([[0.15, 0.85]]), 5.0, 32)[0], atol=1e-12
    )


def test_a_bucket_is_a_poisson_number_of_answers() -> None:
    """With weights of whole cells, the chances are those of a difference of two Poissons."""
    cells, limit = 41, 40.5
    steps = Steps(6.0, (1.0, -1.0))
    found = transitions(steps, np.array([[0.25, 0.75]]), limit, cells)[0]
    bad, good = poisson(1.5), poisson(4.5)
    up_by_two = sum(bad.pmf(k + 2) * good.pmf(k) for k in range(60))
    assert up_by_two == pytest.approx(found[20, 22], rel=1e-9)


def test_means_are_exact() -> None:
    """Far from both ends S moves by the mean weight of a bucket, whatever the cells."""
    steps = Steps.of(0.8, FALL, REFERENCE.x)
    for cells in (33, 64, 200):
        found = transitions(steps, np.array([[0.3, 0.7]]), 40.0, cells)[0]
        middle, cell = cells // 2, 40.0 / (cells - 0.5)
        moved = float(found[middle] @ (np.arange(cells) - middle)) * cell
        assert 0.8 * FALL.weight(1, 0.7) == pytest.approx(moved, rel=1e-6)


def test_costs_are_added_up() -> None:
    """A chain that is left with chance 1/4 lasts four steps; a step may cost more than one."""
    chances = np.array([[0.75]])
    assert 4 == pytest.approx(float(expected_steps(chances)[0]))
    assert 20 == pytest.approx(float(expected_steps(chances, np.array([5.0]))[0]))
