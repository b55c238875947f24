"""A pocket calculator for the expressions of `streams.explanation.steps`."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable

_PYTHON = {"×": "*", "÷": "/", "−": "-", "²": "**2", "√": "sqrt", "^": "**"}
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def computed(expression: str) -> float:
    """What a calculator shows for `expression`."""
    for sign, meaning in _PYTHON.items():
        expression = expression.replace(sign, meaning)
    return _value(ast.parse(expression, mode="eval").body)


def precision(expression: str) -> float:
    """How far the result may be off, where each number has six digits."""
    numbers = [float(each) for each in re.findall(r"\d+(?:\.\d+)?", expression)]
    return 3e-5 * max(numbers, default=1.0)


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id="e"):
            return math.e
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.BinOp(left=left, op=sign, right=right):
            return _OPERATORS[type(sign)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id="sqrt"), args=[inner]):
            return math.sqrt(_value(inner))
        case ast.Call(func=ast.Name(id="ln"), args=[inner]):
            return math.log(_value(inner))
    raise ValueError(f"no calculator has {ast.dump(node)}")
