"""Pydantic's errors in the words of the house, at the places that the person wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from streams.kpis.problems import ERROR_TYPE, Path, Problem, did_you_mean
from streams.kpis.schema import known_keys

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# What to do about the commonest types of error; others keep Pydantic's sentence.
_FIXES = {
    "model_type": "write keys and values under it",
    "model_attributes_type": "write keys and values under it",
    "dict_type": "write keys and values under it",
    "tuple_type": "write a list, as in [a, b]",
    "string_type": "write a text, in quotes where it looks like something else",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "bool_type": "write true or false",
    "too_short": "write at least one entry",
    "too_long": "write fewer entries",
    "finite_number": "write a finite number",
    "byte_size": "write a size, as in 512MiB or 2GiB",
    "byte_size_unit": "write a size, as in 512MiB or 2GiB",
    "string_pattern_mismatch": "write a number per week, month, quarter or year: 1 per quarter",
}

_SHOWN_CHARACTERS = 40


def explain(error: ErrorDetails, content: object) -> Iterator[Problem]:
    """The problems that `error` stands for; `content` is the plain content of the file."""
    place = _written(error["loc"], content)
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case kind if kind == ERROR_TYPE:
            for problem in context["problems"]:
                yield Problem(problem.sentence, (*place, *problem.at))
        case "extra_forbidden":
            yield Problem(_unknown_key(error["loc"]), place)
        case "too_short" if error["input"]:
            return  # Pydantic counts right entries only, and the wrong ones are reported
        case "missing":
            yield Problem("is missing; add it", place)
        case "union_tag_not_found":
            yield Problem("is missing; write rating, flag or amount", (*place, "kind"))
        case "union_tag_invalid":
            hint = did_you_mean(context["tag"], ("rating", "flag", "amount"))
            sentence = f"is {_shown(context['tag'])}; write rating, flag or amount.{hint}"
            yield Problem(sentence, (*place, "kind"))
        case kind:
            fix = _FIXES.get(kind) or error["msg"].replace("Input should", "it should")
            yield Problem(f"is {_shown(error['input'])}; {fix}", place)


def _unknown_key(loc: Path) -> str:
    known = known_keys(loc[:-1])
    hint = did_you_mean(str(loc[-1]), known)
    return f"unknown key; known here are {', '.join(known)}.{hint}"


def _shown(value: object) -> str:
    """The value as in the file, if it is short."""
    match value:
        case Mapping():
            return "a mapping" if value else "empty"
        case list() | tuple():
            return "a list" if value else "empty"
        case bool():
            return str(value).lower()
        case _:
            text = repr(value)
            return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _written(loc: Path, content: object) -> Path:
    """`loc` without what Pydantic adds: names of union members, and marks for keys.

    A part that the file does not have is kept only where a key is missing or was left to its
    default: at the end, in a mapping or list.
    """
    place: list[str | int] = []
    here = content
    for index, part in enumerate(loc):
        if _holds(here, part):
            here = here[part]  # type: ignore[index]
        elif not isinstance(here, Mapping | list) or part == "[key]" or index < len(loc) - 1:
            continue
        place.append(part)
    return tuple(place)


def _holds(here: object, part: str | int) -> bool:
    if isinstance(here, Mapping):
        return part in here
    return isinstance(here, list) and isinstance(part, int) and part < len(here)
