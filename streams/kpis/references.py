"""What a KPI says of another one: mistakes that show only in the whole file.

Judged on the file's plain content, be the rest of it right or wrong, so that they are told
together with all other mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streams.kpis.problems import Problem, unknown

# What has a range, so that a percent of it can be taken, and answers that may be shared.
_PARTS = ("top_box", "net", "mean", "share", "sentiment", "composite")


def reference_problems(content: Mapping[str, object]) -> Iterator[Problem]:
    """Parts of composites that are no KPIs, can't be parts, or contain the composite itself."""
    kpis = content.get("kpis")
    if not isinstance(kpis, Mapping):
        return
    parts = {name: _parts(kpi) for name, kpi in kpis.items()}
    for name, named in parts.items():
        place = ("kpis", str(name), "formula", "composite", "parts")
        for part in named:
            at = (*place, part)
            if part not in kpis:
                yield Problem(unknown("KPI", part, map(str, kpis)), at)
            elif name in _contained(part, parts):
                yield Problem(f"contains {name} itself; a score can't be a part of itself", at)
            elif reason := _unfit(kpis[part]):
                yield Problem(reason, at)
            elif _matures(kpis[part]) != _matures(kpis[name]):
                yield Problem("has another `matures` than this KPI; give both the same", at)


def _formula(kpi: object) -> Mapping[str, object]:
    formula = kpi.get("formula") if isinstance(kpi, Mapping) else None
    return formula if isinstance(formula, Mapping) else {}


def _matures(kpi: object) -> object:
    return kpi.get("matures") if isinstance(kpi, Mapping) else None


def _parts(kpi: object) -> list[str]:
    composite = _formula(kpi).get("composite")
    parts = composite.get("parts") if isinstance(composite, Mapping) else None
    return [part for part in parts if isinstance(part, str)] if isinstance(parts, Mapping) else []


def _contained(name: str, parts: Mapping[str, list[str]]) -> set[str]:
    """`name` and all that it is made of."""
    found: set[str] = set()
    left = [name]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left.extend(parts.get(each, ()))
    return found


def _unfit(kpi: object) -> str | None:
    """Why a KPI can't be a part; None where it can, or where its formula is wrong itself."""
    (kind, *_) = (*_formula(kpi), "")
    if kind == "sentiment" and _formula(kpi)[kind] == "mean":
        return "is the mean of sentiment; a part of a composite is its net: sentiment: net"
    if kind in {"sum", "ratio", "product", "consistency", "gap"}:
        return f"is a {kind}, which has no range; parts are {', '.join(_PARTS)}"
    return None
