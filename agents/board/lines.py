"""Dividing the lines of a terminal among the parts of the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Want(NamedTuple):
    """The lines a part needs to be of use, and those it could fill. Less than `least` is none."""

    least: int
    most: int


def allot(lines: int, wants: Sequence[Want]) -> list[int]:
    """Lines for each part, in all at most `lines`; the parts are given by their importance.

    First every part gets its least, the important ones before the others; what cannot have its
    least gets none. What is left goes to their most, in the same order.
    """
    given = []
    for want in wants:
        given.append(want.least if want.least <= lines else 0)
        lines -= given[-1]
    for number, want in enumerate(wants):
        if given[number] or not want.least:
            more = min(lines, want.most - given[number])
            given[number] += more
            lines -= more
    return given
