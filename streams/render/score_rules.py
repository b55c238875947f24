"""The score alerts: verdicts of the exporter, held and told.

An alert ends when its expression returns nothing, and an exporter that restarts, or is gone,
returns nothing. So verdicts are held: a series that vanished for `HOLD`; all of a KPI while its
scores are stale; all there are while no exporter answers. Only a verdict of 0 on a score that is
not stale says that it has recovered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.render.catalogue import runbook
from streams.render.why import why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.render.catalogue import Catalogue

SEVERITIES = ("page", "ticket")

# A rolling restart of an exporter takes a minute or two; a KPI that was removed on purpose stops
# alerting after this.
HOLD = "5m"
VERDICTS = f"last_over_time(feedback_kpi_alert[{HOLD}])"

TRUSTED = "segment:feedback_kpi_alert:trusted"
HELD = "segment:feedback_kpi_alert:held"
OWNER = "kpi:feedback_kpi_info:owner"

SCORE_ALERTS = {"page": "FeedbackScorePage", "ticket": "FeedbackScoreTicket"}


def score_rules(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The held verdicts, the owner of each KPI, and one alert for each severity."""
    return [
        {"record": TRUSTED, "expr": _TRUSTED_VERDICTS},
        {"record": HELD, "expr": _HELD_VERDICTS},
        {"record": OWNER, "expr": _ONE_OWNER},
        *(_score_alert(catalogue, severity) for severity in SEVERITIES),
    ]


# What an exporter says of a score that can be trusted now. One that has just started, or whose
# Redis is away or was emptied, says 0 of everything, and that everything is stale.
_TRUSTED_VERDICTS = f"""\
max without (instance, job, rule) (
  {VERDICTS}
  unless ignoring (rule, severity, state)
  last_over_time(feedback_kpi_state{{state="stale"}}[{HOLD}]) == 1
)
"""

# That, or what was held before: while the score is stale, and while no exporter answers.
_HELD_VERDICTS = f"""\
{TRUSTED}
or
({HELD} and on (kpi, window) {VERDICTS} unless on (kpi, window) {TRUSTED})
or
({HELD} unless on () feedback_kpi_info)
"""

# Exactly one owner a KPI, or the join below fails and with it every alert; and the same one for
# as long as an exporter names it, or alerts would move to and fro while a new KPI file rolls out.
_ONE_OWNER = f"""\
({OWNER} and on (kpi, owner) feedback_kpi_info)
or on (kpi)
topk by (kpi) (1, max by (kpi, owner) (feedback_kpi_info))
or on (kpi)
({OWNER} unless on () feedback_kpi_info)
"""


def _score_alert(catalogue: Catalogue, severity: str) -> dict[str, Any]:
    raised = f'{HELD}{{severity="{severity}"}} == 1'
    # Without a known owner the alert must still fire.
    expr = f"({raised}) * on (kpi) group_left (owner) {OWNER}\nor ignoring (owner)\n{raised}\n"
    where = _place(catalogue.dimensions)
    score, lower, upper, answers = (
        _looked_up(catalogue, metric)
        for metric in ("score", "score_lower", "score_upper", "answers")
    )
    return {
        "alert": SCORE_ALERTS[severity],
        "expr": expr,
        "annotations": {
            "summary": (f"{_TITLE}, {where}: {score} (interval {lower} to {upper}, n = {answers})"),
            "description": (
                f"Over {{{{ $labels.window }}}} the evidence says that the score is not what must "
                f"hold (floor {_FLOOR}). Raised by: {_reasons(catalogue)}."
            ),
            "title": _TITLE,
            "score": score,
            "lower": lower,
            "upper": upper,
            "answers": answers,
            "reason": _reasons(catalogue),
            "why": why(catalogue, HOLD),
            "runbook": runbook(SCORE_ALERTS[severity]),
        },
    }


_TITLE = (
    '{{ with printf "last_over_time(feedback_kpi_info{kpi=%q}[5m])" $labels.kpi | query }}'
    '{{ . | first | label "title" }}{{ else }}{{ $labels.kpi }}{{ end }}'
)
_FLOOR = (
    '{{ with printf "max(feedback_kpi_floor{kpi=%[1]q})'
    f' or max(last_over_time(feedback_kpi_floor{{kpi=%[1]q}}[{HOLD}]))" $labels.kpi | query }}}}'
    '{{ . | first | value | printf "%.4g" }}{{ else }}not known{{ end }}'
)


def _place(dimensions: Sequence[str]) -> str:
    """The segment in words: `all answers`, or `product router, channel chat`."""
    named = (
        f"{{{{ with $labels.{name} }}}}, {name} {{{{ . }}}}{{{{ end }}}}" for name in dimensions
    )
    return (
        "over {{ $labels.window }}"
        '{{ if eq $labels.breakdown "all" }}, all answers{{ end }}' + "".join(named)
    )


def _query(catalogue: Catalogue, expr: str, metric: str) -> str:
    """A template pipeline: `expr` with `metric` in the alert's own segment, `now` or as `held`.

    %q, because a customer's product may hold a quote or a backslash.
    """
    names = ("kpi", *catalogue.segment_labels)
    matchers = ",".join(f"{name}=%[{place}]q" for place, name in enumerate(names, 1))
    now = f"{metric}{{{matchers}}}"
    selected = expr.format(now=now, held=f"last_over_time({now}[{HOLD}])")
    arguments = " ".join(f"$labels.{name}" for name in names)
    return f'printf "{selected}" {arguments} | query'


def _looked_up(catalogue: Catalogue, metric: str) -> str:
    """The value of `feedback_kpi_<metric>` in the alert's segment: four digits, a count whole.

    All numbers of a text come from one exporter, the first: of two that read Redis at different
    moments, the higher score need not belong to the higher number of answers. What an exporter
    that is gone last said is told only while none answers, or it would be for all of `HOLD`.
    """
    query = _query(catalogue, "{now} or ({held} unless on () {now})", f"feedback_kpi_{metric}")
    shown = "%.0f" if metric == "answers" else "%.4g"
    return (
        f'{{{{ with {query} | sortByLabel "instance" }}}}'
        f'{{{{ . | first | value | printf "{shown}" }}}}'
        "{{ else }}not known{{ end }}"
    )


def _reasons(catalogue: Catalogue) -> str:
    """The names of the rules that raised, such as `drop, floor`: one alert, whatever raised it."""
    query = _query(catalogue, "max by (rule) ({held}) == 1", "feedback_kpi_alert")
    return (
        f'{{{{ range $i, $raised := {query} | sortByLabel "rule" }}}}'
        "{{ if $i }}, {{ end }}{{ $raised.Labels.rule }}{{ else }}not known{{ end }}"
    )
