"""The sentences of an alert that say how far a score moved, and what moved it.

They are looked up when the alert is told, as all numbers of an alert are: in labels each new value
would be another alert. All come from one exporter, the first that knows a baseline.

`sort(X and topk(3, abs(X)))` is what gives the three largest parts with their signs and in order
(`topk` alone drops the order, and `abs` the signs); Prometheus has no `sort_by` before 2.53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.render.catalogue import Catalogue

NOT_KNOWN = "There is no baseline yet to compare it with."
PARTS_SHOWN = 3


def why(catalogue: Catalogue, hold: str) -> str:
    """Such as `6.2 below its baseline of 85. By product: router −4.9, others −1.0, mix −0.3.`.

    What an exporter that is gone last said is told for as long as `hold`.
    """
    names = ("kpi", *catalogue.segment_labels)
    arguments = " ".join(f"$labels.{name}" for name in names)
    change = f'printf "{_change(names, hold)}" {arguments} | query | sortByLabel "instance"'
    baseline = _selector("feedback_kpi_baseline_score", (*names, "instance"))
    value = f'printf "last_over_time({baseline}[{hold}])" {arguments} $at | query'
    return (
        f"{{{{ with {change} }}}}{_points(catalogue)}"
        "{{ $change := . | first | value }}{{ $at := (. | first).Labels.instance }}"
        f'{{{{ $change | printf $points | reReplaceAll "^[-+]" "" }}}} {_BELOW_OR_ABOVE} '
        f'its baseline of {{{{ with {value} }}}}{{{{ . | first | value | printf "%.4g" }}}}'
        "{{ end }}."
        f'{{{{ if eq $labels.breakdown "all" }}}}{_drivers(catalogue.dimensions)}{{{{ end }}}}'
        f" {_OVERSTATED}{{{{ else }}}}{NOT_KNOWN}{{{{ end }}}}"
    )


_BELOW_OR_ABOVE = "{{ if lt $change 0.0 }}below{{ else }}above{{ end }}"
_OVERSTATED = (
    "A {{ if lt $change 0.0 }}drop{{ else }}rise{{ end }} measured when an alert is raised "
    "is likely overstated."
)


def _change(names: Sequence[str], hold: str) -> str:
    """The score minus its baseline. %q, because a product may hold a quote or a backslash."""
    score = _selector("feedback_kpi_score", names)
    baseline = _selector("feedback_kpi_baseline_score", names)
    held = f"last_over_time({score}[{hold}]) - last_over_time({baseline}[{hold}])"
    return f"{score} - {baseline} or ({held} unless on () {score})"


def _points(catalogue: Catalogue) -> str:
    """How differences are written, and from which on: those that round to 0 are left out.

    One decimal for points and percent, two on a scale as short as 1 to 7.
    """
    written = '{{ $points := "%+.1f" }}{{ $least := "0.05" }}'
    short = "|".join(face.kpi for face in catalogue.faces if face.decimals > 1)
    if not short:
        return written
    finer = '{{ $points = "%+.2f" }}{{ $least = "0.005" }}'
    return f'{written}{{{{ if match "^(?:{short})$" $labels.kpi }}}}{finer}{{{{ end }}}}'


def _drivers(dimensions: Sequence[str]) -> str:
    """A sentence for each breakdown: the largest parts first, in the direction of the change.

    A breakdown has two series, mix and all segments together, unless a segment is named.
    """
    if not dimensions:
        return ""
    of_kpi = _selector("feedback_kpi_driver_points", ("kpi", "window", "instance"))
    splits = f'printf "count by (breakdown) ({of_kpi})" $labels.kpi $labels.window $at | query'
    names = ("kpi", "window", "instance", "breakdown")
    parts = _selector("feedback_kpi_driver_points", names, first=2)
    largest = f"%[1]s({parts} and topk({PARTS_SHOWN}, abs({parts}) >= %[6]s))"
    return (
        '{{ $sort := "sort" }}{{ if gt $change 0.0 }}{{ $sort = "sort_desc" }}{{ end }}'
        f'{{{{ range {splits} | sortByLabel "breakdown" }}}}'
        "{{ $named := gt (. | value) 2.0 }}"
        ' By {{ .Labels.breakdown | reReplaceAll "," " and " }}: '
        f'{{{{ range $i, $part := printf "{largest}" $sort $labels.kpi $labels.window $at '
        ".Labels.breakdown $least | query }}{{ if $i }}, {{ end }}"
        f"{_name(dimensions)}"
        ' {{ $part | value | printf $points | reReplaceAll "^-" "−" }}'
        "{{ else }}nothing{{ end }}.{{ end }}"
    )


def _name(dimensions: Sequence[str]) -> str:
    """`router · chat`, `mix`, `others`; `all alike` where no segment is named."""
    named = "".join(
        f"{{{{ with $part.Labels.{dimension} }}}}{{{{ if $name }}}}{{{{ $name = printf"
        ' "%s · " $name }}{{ end }}{{ $name = printf "%s%s" $name . }}{{ end }}'
        for dimension in dimensions
    )
    return (
        '{{ $name := "" }}' + named + '{{ if eq $part.Labels.part "mix" }}mix'
        "{{ else if $name }}{{ $name }}{{ else if $named }}others{{ else }}all alike{{ end }}"
    )


def _selector(metric: str, labels: Sequence[str], first: int = 1) -> str:
    """A selector for printf: label `n` is its argument `first` + n."""
    matchers = ",".join(f"{name}=%[{place}]q" for place, name in enumerate(labels, first))
    return f"{metric}{{{matchers}}}"
