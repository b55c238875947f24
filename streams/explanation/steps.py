"""Steps: what is printed so that a person can follow a number with a pocket calculator.

A calculation shows every number that it uses, with six digits, so that typing it gives its result
to about five.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Calculation(NamedTuple):
    """`name = expression = result`."""

    name: str
    expression: str
    result: float
    unit: str = ""

    @property
    def text(self) -> str:
        """As a person reads it."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} = {self.expression} = {plain(self.result)}{unit}"


Line = Calculation | str


class Step(NamedTuple):
    """One step: what it finds, and how. Lines are calculations, and remarks between them."""

    title: str
    lines: tuple[Line, ...]


def calculation(
    name: str, template: str, result: float, unit: str = "", /, **numbers: float
) -> Calculation:
    """A calculation by `template`, in which `{n}` stands for the number `n`."""
    written = {key: operand(value) for key, value in numbers.items()}
    return Calculation(name, template.format(**written), result, unit)


def plain(value: float) -> str:
    """`912`, `0.788377`, `−4.9`: a count as it is, anything else with up to six digits."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value)}".replace("-", "−")
    if abs(value) < 1e-4 or abs(value) >= 1e15:
        digits, _, power = f"{value:.5e}".partition("e")
        return f"{digits} × 10^{operand(int(power))}".replace("-", "−")
    written = f"{value:.{max(0, 5 - math.floor(math.log10(abs(value))))}f}"
    return (written.rstrip("0").rstrip(".") if "." in written else written).replace("-", "−")


def operand(value: float) -> str:
    """A number within an expression: in brackets where it is negative or holds an operator."""
    text = plain(value)
    return f"({text})" if text.startswith("−") or "×" in text else text


def sum_of(terms: list[str]) -> str:
    """`30 + 689`, or `0` where there is nothing."""
    return " + ".join(terms) or "0"
