"""The Alertmanager configuration: incidents, not storms.

Alerts of one owner and KPI are one notification. What follows from a graver alert is silent. Where
notifications go is chosen when rendering; a password never stands in the file, only the name of
the file that holds it, because Alertmanager reads no environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from streams.errors import ConfigurationError
from streams.render.catalogue import HEADER, Catalogue, write_yaml
from streams.render.score_rules import SCORE_ALERTS

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG_PATH = "alertmanager/alertmanager.yml"
TEMPLATE_PATH = "alertmanager/templates/feedback.tmpl"

# An alert under which no score can be believed, so that no score alert is worth a notification.
BLIND = "FeedbackPipelineStale|FeedbackNoExporter|FeedbackRedisDown"

_NO_RECEIVERS = """
No receiver is configured: alerts show on Alertmanager's page and are sent to nobody. Render again
with --webhook-url, --slack-url-file and --slack-channel, or --email-to (feedback render --help).
"""


class Receivers(msgspec.Struct, frozen=True):
    """Where notifications go; each part may be absent. Files are named as Alertmanager sees them.

    `webhook_url_file` needs Alertmanager 0.26; everything else works from 0.25 on.
    """

    webhook_url: str | None = None
    webhook_url_file: str | None = None
    slack_url_file: str | None = None
    slack_channel: str | None = None
    email_to: str | None = None
    email_from: str | None = None
    email_smarthost: str | None = None
    email_username: str | None = None
    email_password_file: str | None = None


def check_receivers(receivers: Receivers) -> Receivers:
    """`receivers` as they are; raises ConfigurationError with every mistake in them."""
    mistakes = list(_mistakes(receivers))
    if mistakes:
        raise ConfigurationError("Wrong receivers:\n  " + "\n  ".join(mistakes))
    return receivers


def _mistakes(receivers: Receivers) -> Iterator[str]:
    if receivers.webhook_url and receivers.webhook_url_file:
        yield "--webhook-url and --webhook-url-file exclude each other"
    if receivers.webhook_url:
        parts = urlsplit(receivers.webhook_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            yield "--webhook-url must be an http:// or https:// address"
        if parts.username or parts.password:
            yield "--webhook-url holds a password; put it into a file for --webhook-url-file"
    if bool(receivers.slack_url_file) != bool(receivers.slack_channel):
        yield "--slack-url-file and --slack-channel go together"
    if receivers.email_to and not (receivers.email_from and receivers.email_smarthost):
        yield "--email-to needs --email-from and --email-smarthost"
    if bool(receivers.email_username) != bool(receivers.email_password_file):
        yield "--email-username and --email-password-file go together"


def render_alertmanager(catalogue: Catalogue, receivers: Receivers) -> str:
    """`alertmanager.yml` for these receivers."""
    integrations = _integrations(check_receivers(receivers))
    content = {
        "templates": ["templates/*.tmpl"],
        "route": _route(),
        "inhibit_rules": inhibit_rules(catalogue),
        "receivers": [{"name": name, **integrations} for name in ("page", "ticket")],
    }
    return write_yaml(content, "" if integrations else _NO_RECEIVERS.strip())


def _route() -> dict[str, Any]:
    """Pages soon and again while they last; tickets gathered for longer, repeated once a day.

    What has another severity, or none, is a page: better once too often than never.
    """
    return {
        "receiver": "page",
        "group_by": ["owner", "kpi"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "4h",
        "routes": [
            {
                "matchers": ['severity="ticket"'],
                "receiver": "ticket",
                "group_wait": "1m",
                "group_interval": "10m",
                "repeat_interval": "1d",
            }
        ],
    }


def inhibit_rules(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Which alert silences which, the graver one first."""
    scores = f'alertname=~"{"|".join(SCORE_ALERTS.values())}"'
    page, ticket = 'severity="page"', 'severity="ticket"'
    overall, segment = 'breakdown="all"', 'breakdown!="all"'
    return [
        _inhibit([f'alertname=~"{BLIND}"'], [scores], []),
        _inhibit([scores, page], [scores, ticket], ["kpi", *catalogue.dimensions]),
        _inhibit([scores, page, overall], [scores, segment], ["kpi", "owner"]),
        # An overall ticket must not silence the page of one segment.
        _inhibit([scores, ticket, overall], [scores, ticket, segment], ["kpi", "owner"]),
    ]


def _inhibit(source: list[str], target: list[str], equal: list[str]) -> dict[str, Any]:
    rule: dict[str, Any] = {"source_matchers": source, "target_matchers": target}
    return {**rule, "equal": equal} if equal else rule


def _integrations(receivers: Receivers) -> dict[str, Any]:
    parts = {
        "webhook_configs": _webhook(receivers),
        "slack_configs": _slack(receivers),
        "email_configs": _email(receivers),
    }
    return {name: [part] for name, part in parts.items() if part}


def _webhook(receivers: Receivers) -> dict[str, Any]:
    if receivers.webhook_url_file:
        return {"url_file": receivers.webhook_url_file, "send_resolved": True}
    if receivers.webhook_url:
        return {"url": receivers.webhook_url, "send_resolved": True}
    return {}


def _slack(receivers: Receivers) -> dict[str, Any]:
    if not receivers.slack_url_file:
        return {}
    return {
        "api_url_file": receivers.slack_url_file,
        "channel": receivers.slack_channel,
        "send_resolved": True,
        "title": '{{ template "feedback.title" . }}',
        "text": '{{ template "feedback.text" . }}',
    }


def _email(receivers: Receivers) -> dict[str, Any]:
    if not receivers.email_to:
        return {}
    login = {}
    if receivers.email_username:
        login = {
            "auth_username": receivers.email_username,
            "auth_password_file": receivers.email_password_file,
        }
    return {
        "to": receivers.email_to,
        "from": receivers.email_from,
        "smarthost": receivers.email_smarthost,
        **login,
        "send_resolved": True,
        "headers": {"Subject": '{{ template "feedback.title" . }}'},
        "text": '{{ template "feedback.text" . }}',
    }


# Slack reads <!channel> and &; a segment's name is a customer's word, so both are taken apart.
_TEMPLATES = """\
{{ define "feedback.plain" -}}
{{ . | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;" }}
{{- end }}

{{ define "feedback.title" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }} {{ .Alerts.Firing | len }}{{ end }}]
{{- with .CommonLabels.severity }} {{ . }}{{ end }}
{{- with .GroupLabels.kpi }} {{ . }}{{ end }}
{{- with .GroupLabels.owner }} for {{ . }}{{ end }}
{{- end }}

{{ define "feedback.text" -}}
{{ range .Alerts -}}
{{ if eq .Status "resolved" }}Resolved: {{ end -}}
{{ template "feedback.plain" .Annotations.summary }}
{{ template "feedback.plain" .Annotations.description }}
{{ with .Annotations.why }}{{ template "feedback.plain" . }}
{{ end -}}
What to do: {{ .Annotations.runbook }}

{{ end -}}
{{ end }}
"""


def render_templates() -> str:
    """The texts of notifications, as Go templates."""
    return "{{/* " + HEADER.strip("# \n") + " */}}\n" + _TEMPLATES
