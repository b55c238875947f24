"""The JSON Schema of the KPI file, for editors and for the names of known keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from streams.durations import Duration
from streams.kpis.file import KpiFile
from streams.kpis.problems import Path

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def kpi_schema() -> Schema:
    """The schema of `kpis.yaml`; `docs/kpis.schema.json` holds the same."""
    schema = _tidy(KpiFile.model_json_schema(schema_generator=_Generator))
    return {"$schema": DIALECT, **schema, "title": "Feedback Streams KPI file"}


def known_keys(loc: Path) -> list[str]:
    """The keys that the KPI file may have at `loc`, a place as Pydantic's errors name it."""
    nodes = [kpi_schema()]
    for part in loc:
        nodes = [child for node in nodes for child in _below(node, part)]
    members = (member for node in nodes for member in _members(node))
    return list(dict.fromkeys(key for member in members for key in member.get("properties", ())))


def _members(node: Schema) -> Iterator[Schema]:
    """`node` itself, or what it refers to, or what it is one of."""
    if "$ref" in node:
        yield from _members(_definition(node["$ref"]))
    elif "anyOf" in node:
        for member in node["anyOf"]:
            yield from _members(member)
    else:
        yield node


def _definition(reference: str) -> Schema:
    definition: Schema = kpi_schema()["$defs"][reference.rpartition("/")[2]]
    return definition


def _below(node: Schema, part: str | int) -> Iterator[Schema]:
    """The schemas of what `part` names: a key, an item, or the kind of a measure."""
    for member in _members(node):
        kinds = member.get("discriminator", {}).get("mapping", {})
        if part in kinds:
            yield _definition(kinds[part])
        elif part in member.get("properties", {}):
            yield member["properties"][part]
        else:
            yield from member.get("patternProperties", {}).values()
            if isinstance(member.get("additionalProperties"), dict):
                yield member["additionalProperties"]


class _Generator(GenerateJsonSchema):
    """Writes defaults as a person would write them in the file."""

    def encode_default(self, dft: Any) -> Any:
        match dft:
            case Duration():
                return dft.name
            case tuple():
                return [self.encode_default(item) for item in dft]
            case dict():
                return {key.name: kept.name for key, kept in dft.items()}
            case BaseModel():
                return dft.model_dump(exclude_defaults=True)
        return str(dft) if isinstance(dft, ZoneInfo) else super().encode_default(dft)


def _tidy(node: Any) -> Any:
    """Without the titles that Pydantic makes of names, and without null: the file has none."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy(value) for key, value in node.items() if not _is_noise(key, value)}
    members = kept.get("anyOf")
    if isinstance(members, list):
        kept["anyOf"] = [member for member in members if member != {"type": "null"}]
        if len(kept["anyOf"]) == 1:
            kept |= kept.pop("anyOf")[0]
    return kept


def _is_noise(key: str, value: object) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
