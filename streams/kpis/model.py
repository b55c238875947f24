"""What every model of the KPI file has in common, and the small types it is written in."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
)

from streams.durations import PATTERN, Duration
from streams.kpis.problems import Problem, refuse

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
NAME_LENGTH = 64
LINE_LENGTH = 120


class Model(BaseModel):
    """Frozen; an unknown key is an error, and so is a text where a number belongs."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def wrong(sentence: str) -> NoReturn:
    """Refuse the value being validated with one sentence."""
    refuse([Problem(sentence)])
    raise AssertionError("refuse raises when there is a problem")


def read_duration(value: object) -> Duration:
    """`24h` as a Duration; a Duration as it is."""
    if isinstance(value, Duration):
        return value
    try:
        return Duration.parse(str(value))
    except ValueError as error:
        wrong(str(error))


def check_name(name: str) -> str:
    """Refuse what could not be a Prometheus label name."""
    if len(name) <= NAME_LENGTH and re.fullmatch(NAME_PATTERN.strip("^$"), name):
        return name
    wrong(
        f"{name!r} can't be a name; write a-z, 0-9 and _ only, a letter first, "
        f"at most {NAME_LENGTH} characters"
    )


def check_line(text: str) -> str:
    """Refuse what a board or a page could not show as one line."""
    if text != text.strip() or not 1 <= len(text) <= LINE_LENGTH:
        wrong(f"write 1 to {LINE_LENGTH} characters, without spaces around them")
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text):
        wrong("write one line, without control characters")
    return text


DurationText = Annotated[
    Duration,
    PlainValidator(read_duration, json_schema_input_type=Annotated[str, Field(pattern=PATTERN)]),
]
Name = Annotated[
    str, AfterValidator(check_name), Field(json_schema_extra={"pattern": NAME_PATTERN})
]
Line = Annotated[str, AfterValidator(check_line)]
Sequence = Strict(strict=False)  # a list is what YAML has where we keep a tuple
