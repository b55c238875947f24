"""KPI files for tests, as text, since a text is what a person writes."""

from __future__ import annotations

from streams.errors import ConfigurationError
from streams.kpis.load import parse_kpis

TOP_BOX = "{top_box: {measure: csat, at_least: 4}}"


def kpi_text(*, kpi: str = "", formula: str = TOP_BOX, target: str = "85", top: str = "") -> str:
    """A right file with one KPI, `csat`; `kpi` and `top` are more lines of it and of the file."""
    return "\n".join(
        [
            "measures:",
            "  csat: {kind: rating, scale: [1, 5]}",
            "  nps: {kind: rating, scale: [0, 10]}",
            "  sla_met: {kind: flag}",
            "dimensions: {product: {max: 50}, channel: {}, region: {}}",
            "kpis:",
            "  csat:",
            "    title: Customer satisfaction",
            "    owner: support-team",
            f"    formula: {formula}",
            f"    target: {target}",
            *(f"    {line}" for line in kpi.splitlines()),
            *top.splitlines(),
            "",
        ]
    )


def refusals(text: str | bytes) -> list[str]:
    """Every error of a KPI file, without the file's name and line."""
    try:
        parse_kpis(text)
    except ConfigurationError as error:
        return [line.split(": ", 1)[1] for line in str(error).splitlines()[1:]]
    return []
