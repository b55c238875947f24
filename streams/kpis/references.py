"""What a KPI says of another one: mistakes that show only in the whole file.

Judged on the file's plain content, be the rest of it right or wrong, so that they are told
together with all other mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streams.kpis.formulas import FormulaChoice
from streams.kpis.problems import Problem, unknown

_KINDS = frozenset(FormulaChoice.model_fields) - {"sum_"} | {"sum"}

# What has a range, so that a percent of it can be taken.
_RANGED = ("top_box", "net", "mean", "share", "sentiment", "composite")

# Where a formula names another KPI, and of which formulas that may be.
_NAMING = {
    "consistency": ("of",),
    "gap": ("delivered", "perceived"),
    "product": ("revenue", "retention"),
}
_FITTING = {
    ("composite", "parts"): _RANGED,
    ("consistency", "of"): ("top_box", "net", "mean", "share", "sentiment"),
    ("gap", "delivered"): _RANGED,
    ("gap", "perceived"): _RANGED,
    ("product", "revenue"): ("sum",),
    ("product", "retention"): ("share",),
}


def reference_problems(content: Mapping[str, object]) -> Iterator[Problem]:
    """KPIs that others name and that are none, can't be used so, or contain them."""
    kpis = content.get("kpis")
    if not isinstance(kpis, Mapping):
        return
    named = {name: dict(_named(kpi)) for name, kpi in kpis.items()}
    for name, places in named.items():
        for at, other in places.items():
            place = ("kpis", str(name), "formula", *at)
            if other not in kpis:
                yield Problem(unknown("KPI", other, map(str, kpis)), place)
            elif name in _contained(other, named):
                yield Problem(f"contains {name} itself; a score can't be a part of itself", place)
            elif reason := _unfit(at, kpis[name], kpis[other]):
                yield Problem(reason, place)


def _formula(kpi: object) -> Mapping[str, object]:
    formula = kpi.get("formula") if isinstance(kpi, Mapping) else None
    return formula if isinstance(formula, Mapping) else {}


def _matures(kpi: object) -> object:
    return kpi.get("matures") if isinstance(kpi, Mapping) else None


def _named(kpi: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """The KPIs that a formula names, each with its place in it."""
    for kind, keys in _NAMING.items():
        written = _formula(kpi).get(kind)
        if isinstance(written, Mapping):
            for key in keys:
                if isinstance(written.get(key), str):
                    yield (kind, key), written[key]
    composite = _formula(kpi).get("composite")
    parts = composite.get("parts") if isinstance(composite, Mapping) else None
    if isinstance(parts, Mapping):
        yield from ((("composite", "parts", part), part) for part in parts if isinstance(part, str))


def _contained(name: str, named: Mapping[str, Mapping[tuple[str, ...], str]]) -> set[str]:
    """`name` and all that it is made of."""
    found: set[str] = set()
    left = [name]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left.extend(named.get(each, {}).values())
    return found


def _unfit(at: tuple[str, ...], kpi: object, other: object) -> str | None:
    """Why `kpi` can't name `other` at this place; None where it can, or `other` is wrong itself."""
    (kind, *_) = (*_formula(other), "")
    fitting = _FITTING[at[0], at[1]]
    if kind == "sentiment" and _formula(other)[kind] == "mean":
        return "is the mean of sentiment; name a KPI of its net: sentiment: net"
    if kind in _KINDS and kind not in fitting:
        return f"is of formula {kind}; name a KPI of formula {', '.join(fitting)}"
    if at[0] == "composite" and _matures(other) != _matures(kpi):
        return "has another `matures` than this KPI; give both the same"
    return None
