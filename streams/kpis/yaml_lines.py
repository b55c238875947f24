"""YAML as a person expects it, with the line of every value.

This is YAML 1.2's core schema on PyYAML's parser: `off` and `no` are words, 2026-10-01 and 12:30
are texts, and only `true` and `false` are truth values. A key that is written twice is an error,
where PyYAML would silently keep the last.
"""

from __future__ import annotations

import re

import yaml

from streams.kpis.problems import Path, Problem

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]

_TAG = "tag:yaml.org,2002:"

# More digits than any number in a KPI file has; int() is slow, then refuses, far beyond this.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)

# Half of a character outside the basic plane: YAML can write it (`\ud800`), UTF-8 can't.
_SURROGATE = re.compile("[\ud800-\udfff]")


class _CoreSchema(yaml.SafeLoader):
    """Only the plain words of YAML 1.2's core schema are more than text."""


_CoreSchema.yaml_implicit_resolvers = {}

for _name, _pattern, _first in (
    ("null", "~|null|Null|NULL|", "~nN"),
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _INTEGER.pattern, "-+0123456789"),
    ("float", _FLOAT.pattern, "-+.0123456789"),
):
    _CoreSchema.add_implicit_resolver(
        _TAG + _name,
        re.compile(f"^(?:{_pattern})$"),
        [*_first, ""] if _name == "null" else [*_first],
    )


class Document:
    """The plain content of a YAML text, the line of each place, and what was wrong in it.

    `content` has the first of two equal keys, and None for what could not be read, so that the
    rest can still be checked.
    """

    def __init__(self, text: bytes) -> None:
        self.content: Plain = None
        self.problems: list[Problem] = []
        self._lines: dict[Path, int] = {}
        self._read: set[int] = set()
        try:
            node = yaml.compose(text, Loader=_CoreSchema)
        except yaml.YAMLError as error:
            self._refuse_syntax(error)
        except RecursionError:
            self._refuse("is nested too deeply; a KPI file has six levels", ())
        else:
            self.content = self._value(node, ()) if node else None

    def line(self, place: Path) -> int:
        """The line, from 1, of `place`, or of what is nearest around it."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _refuse(self, sentence: str, place: Path) -> None:
        self.problems.append(Problem(sentence, place))

    def _refuse_syntax(self, error: yaml.YAMLError) -> None:
        if not isinstance(error, yaml.MarkedYAMLError):
            self._refuse(f"can't be read as UTF-8 text: {str(error).splitlines()[0]}", ())
            return
        mark = error.problem_mark or error.context_mark
        self._lines[()] = mark.line + 1 if mark else 1
        what = " ".join(filter(None, (error.context, error.problem)))
        hint = "; indent with spaces, never with tabs" if r"'\t'" in what else ""
        self._refuse(f"is no YAML: {what}{hint}", ())

    def _value(self, node: yaml.Node, place: Path) -> Plain:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._read:
            self._refuse("is an alias (*); write the value out", place)
            return None
        self._read.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Path) -> Plain:
        content: dict[str, Plain] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(f"has a list or mapping as a key on line {line}; use a word", place)
            elif _SURROGATE.search(key.value):
                self._refuse(f"has a key on line {line} that is no Unicode text; correct it", place)
            elif key.value in content:
                self._refuse(f"is written again on line {line}; keep one", (*place, key.value))
            else:
                self._lines[(*place, key.value)] = line
                content[key.value] = self._value(value, (*place, key.value))
        return content

    def _scalar(self, node: yaml.Node, place: Path) -> Plain:
        match node.tag.removeprefix(_TAG):
            case "str" if _SURROGATE.search(node.value):
                self._refuse(r"is no Unicode text; leave \ud800 to \udfff out", place)
                return None
            case "str":
                return str(node.value)
            case "null":
                self._refuse("has no value; write one, or remove the key", place)
                return None
            case "bool":
                return str(node.value).lower() == "true"
            case "int" if _INTEGER.fullmatch(node.value):
                return int(node.value)
            case "float" | "int" if _FLOAT.fullmatch(node.value):
                return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        self._refuse(f"has the tag {node.tag.removeprefix(_TAG)}; write the plain value", place)
        return None
