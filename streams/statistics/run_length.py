"""How long a CUSUM runs before chance alone raises it: Brook and Evans' Markov chain.

Brook & Evans (1972), Biometrika 59:539-549, with the sum S from 0 to its limit cut into cells. In
one bucket the number of answers is Poisson and each weighs at random, so their sum is compound
Poisson: its generating function is exp(m(f - 1)), f that of one answer, and two FFTs give its
distribution. A limit that holds for single answers is six times too strict for buckets of fifty, so
the chain steps by the very buckets that are replayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.statistics.tilt import Line

    Floats = NDArray[np.float64]

# Weights are shared among points this much finer than cells and only then among cells; straight
# among cells, a net that falls 10 at 50,000 answers a day comes out at .62 of its alarms.
_FINER: Final = 8
# The grid of weights reaches so many standard deviations, and so many single answers, further.
_DEVIATIONS: Final = 10
_SINGLE_ANSWERS: Final = 12


class Steps(NamedTuple):
    """What answers do to S: how many come in a bucket (mean), and the weight of each x."""

    answers: float
    weights: tuple[float, ...]

    @classmethod
    def of(cls, answers: float, line: Line, x: tuple[float, ...]) -> Steps:
        """The steps of a test that weighs answers by `line`."""
        return cls(answers, tuple([line.weight(1, value) for value in x]))


def transitions(steps: Steps, shares: Floats, limit: float, cells: int) -> Floats:
    """The chances to go from each cell of S to each other in one bucket: [mix, from, to].

    `shares` are [mix, x]: how often each x is given, for as many mixes as wanted. What reaches the
    limit leaves the chain, so rows sum to less than 1. The limit lies midway between two cells.
    """
    cell = limit / (cells - 0.5)
    pmf = _bucket_weights(steps, shares, cell, cells)
    middle = pmf.shape[-1] // 2
    start, end = np.ogrid[:cells, :cells]
    chances = pmf[..., middle + end - start]
    # From any cell, all that falls to 0 or below stays at 0.
    chances[..., :, 0] = np.cumsum(pmf, axis=-1)[..., middle - np.arange(cells)]
    return np.asarray(chances)


def expected_steps(chances: Floats, costs: Floats | None = None) -> Floats:
    """The expected number of steps (or sum of `costs`) until the chain is left, by first cell."""
    cells = chances.shape[-1]
    spent = np.ones(cells) if costs is None else costs
    return np.asarray(np.linalg.solve(np.eye(cells) - chances, spent))


def _bucket_weights(steps: Steps, shares: Floats, cell: float, cells: int) -> Floats:
    """The distribution of a bucket's summed weight: [mix, cells moved], nothing in the middle."""
    weights = np.array(steps.weights)
    fine = cell / _FINER
    length = _grid_length(steps, shares, fine, cells)
    generating = np.exp(
        steps.answers * (np.fft.rfft(_one_answer(weights, shares, fine, length)) - 1)
    )
    whole = np.fft.irfft(generating * np.fft.rfft(_hat(length)), length)
    # Rounding leaves some chances at -1e-17.
    return np.maximum(np.roll(whole, length // 2, axis=-1)[..., ::_FINER], 0.0)


def _one_answer(weights: Floats, shares: Floats, fine: float, length: int) -> Floats:
    """The distribution of one answer's weight; between two points it is shared: means are exact."""
    below = np.floor(weights / fine).astype(int)
    part = weights / fine - below
    one = np.zeros((len(shares), length))
    for place, (low, above) in enumerate(zip(below, part, strict=True)):
        one[:, low % length] += shares[:, place] * (1 - above)
        one[:, (low + 1) % length] += shares[:, place] * above
    return one


def _hat(length: int) -> Floats:
    """Shares what stands on a fine point among the two cells beside it."""
    hat = np.zeros(length)
    near = np.arange(1 - _FINER, _FINER)
    hat[near % length] = 1 - np.abs(near) / _FINER
    return hat


def _grid_length(steps: Steps, shares: Floats, fine: float, cells: int) -> int:
    """Points enough that no bucket's weight comes around the other end; a power of 2."""
    weights = np.array(steps.weights)
    mean = steps.answers * float(np.abs(shares @ weights).max())
    deviation = (steps.answers * float((shares @ weights**2).max())) ** 0.5
    reach = mean + _DEVIATIONS * deviation + _SINGLE_ANSWERS * float(np.abs(weights).max())
    points = 2 * (cells + 2) * _FINER + 2 * reach / fine
    return int(2 ** np.ceil(np.log2(points)))
