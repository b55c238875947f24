"""Many tests at once: which of them may be told without telling mostly chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The p values adjusted so that telling those of at most q is wrong in a share of at most q.

    Where nothing is to be found, q bounds how often anything is told at all. Benjamini & Hochberg
    (1995), JRSS B 57:289-300; for independent and positively dependent tests. In the given order.
    """
    tests = len(p_values)
    adjusted = [1.0] * tests
    least = 1.0
    by_size = sorted(range(tests), key=lambda place: p_values[place], reverse=True)
    for behind, place in enumerate(by_size):
        least = min(least, p_values[place] * tests / (tests - behind))
        adjusted[place] = least
    return adjusted
