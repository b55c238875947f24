"""What is wrong in a KPI file, gathered so that a person sees all of it at once.

Pydantic stops a validator at its first error and can't name a place inside the validated value.
So a validator yields `Problem`s, `refuse` raises them together, and `streams.kpis.explain` takes
them apart again.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]

ERROR_TYPE = "kpi_file"


class Problem(NamedTuple):
    """A sentence (what is wrong; what to do) about the value at `at`, relative to its reporter."""

    sentence: str
    at: Path = ()


def refuse(problems: Iterable[Problem]) -> None:
    """Raise all `problems` as one Pydantic error; return when there are none."""
    found = tuple(problems)
    if found:
        raise PydanticCustomError(
            ERROR_TYPE,
            "{sentences}",
            {"sentences": "; ".join(problem.sentence for problem in found), "problems": found},
        )


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """Say that `given` is not among `known`, which are, and which was probably meant."""
    names = [name for name in known if name.isprintable()]
    declared = ", ".join(names) or "none"
    return f"unknown {what} {given!r}; declared are {declared}.{did_you_mean(given, names)}"


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A question naming the nearest of `known`, with a leading space; empty if none is near."""
    near = difflib.get_close_matches(given.lower(), list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
