from __future__ import annotations

from typing import Any

import pytest
import yaml

from streams.errors import ConfigurationError
from streams.render.alertmanager import (
    Receivers,
    inhibit_rules,
    render_alertmanager,
    render_templates,
)
from tests.catalogues import SPLIT

EVERYTHING = Receivers(
    webhook_url="http://127.0.0.1:9/alerts",
    slack_url_file="/run/secrets/slack",
    slack_channel="#feedback",
    email_to="team@example.org",
    email_from="alerts@example.org",
    email_smarthost="mail.example.org:587",
    email_username="alerts",
    email_password_file="/run/secrets/mail",  # noqa: S106 - a file's name
)


def configuration(receivers: Receivers) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(render_alertmanager(SPLIT, receivers))
    return content


def test_alerts_of_an_owner_and_kpi_are_one_notification() -> None:
    """Incidents, not storms: not one message a segment."""
    assert ["owner", "kpi"] == configuration(Receivers())["route"]["group_by"]


def test_what_has_no_known_severity_is_a_page() -> None:
    """A rule of somebody else's, or a typing mistake, must not vanish."""
    route = configuration(Receivers())["route"]
    assert "page" == route["receiver"]
    assert [['severity="ticket"']] == [each["matchers"] for each in route["routes"]]


def test_a_page_silences_its_ticket_of_the_same_segment_only() -> None:
    """Equal are the KPI and every dimension."""
    ticket_rule = inhibit_rules(SPLIT)[1]
    assert ["kpi", "product", "channel"] == ticket_rule["equal"]


def test_an_overall_alert_silences_segments_of_its_owner_only() -> None:
    """Another owner's segment is another team's incident."""
    for rule in inhibit_rules(SPLIT)[2:]:
        assert 'breakdown="all"' in rule["source_matchers"]
        assert ["kpi", "owner"] == rule["equal"]


def test_without_receivers_the_file_says_that_nobody_is_told() -> None:
    """It is a right configuration, so Alertmanager would not complain."""
    text = render_alertmanager(SPLIT, Receivers())
    assert "# No receiver is configured" in text
    assert [{"name": "page"}, {"name": "ticket"}] == yaml.safe_load(text)["receivers"]


def test_every_receiver_is_told_of_the_end() -> None:
    """An alert that ends in silence is looked at twice."""
    for receiver in configuration(EVERYTHING)["receivers"]:
        parts = [*receiver["webhook_configs"], *receiver["slack_configs"]]
        parts += receiver["email_configs"]
        assert [True, True, True] == [part["send_resolved"] for part in parts]


def test_secrets_are_named_by_file() -> None:
    """What is committed, or readable on a host, holds no password and no Slack address."""
    page = configuration(EVERYTHING)["receivers"][0]
    assert "/run/secrets/slack" == page["slack_configs"][0]["api_url_file"]
    assert "/run/secrets/mail" == page["email_configs"][0]["auth_password_file"]
    assert "auth_password" not in page["email_configs"][0]


def test_a_webhook_may_be_named_by_file() -> None:
    """For an address that is itself a secret."""
    page = configuration(Receivers(webhook_url_file="/run/secrets/hook"))["receivers"][0]
    assert [{"url_file": "/run/secrets/hook", "send_resolved": True}] == page["webhook_configs"]


@pytest.mark.parametrize(
    ("receivers", "mistake"),
    [
        (Receivers(webhook_url="ftp://example.org"), "--webhook-url must be an http"),
        (Receivers(webhook_url="http://"), "--webhook-url must be an http"),
        (Receivers(webhook_url="https://u:p@example.org"), "--webhook-url holds a password"),
        (Receivers(webhook_url="http://a", webhook_url_file="/b"), "exclude each other"),
        (Receivers(slack_channel="#a"), "--slack-url-file and --slack-channel go together"),
        (Receivers(email_to="a@b"), "--email-to needs --email-from and --email-smarthost"),
        (Receivers(email_username="u"), "--email-username and --email-password-file go together"),
    ],
)
def test_a_wrong_receiver_is_refused(receivers: Receivers, mistake: str) -> None:
    """Before a file is written, with the option to mend."""
    with pytest.raises(ConfigurationError, match=mistake):
        render_alertmanager(SPLIT, receivers)


def test_all_mistakes_are_told_at_once_and_no_password_is_repeated() -> None:
    """An address with a password must not reach a log by way of its refusal."""
    receivers = Receivers(webhook_url="ftp://u:hunter2@x", slack_channel="#a")
    with pytest.raises(ConfigurationError) as refusal:
        render_alertmanager(SPLIT, receivers)
    assert 4 == len(str(refusal.value).splitlines())
    assert "hunter2" not in str(refusal.value)


def test_templates_take_slack_markup_apart() -> None:
    """A customer could name a product <!channel>."""
    assert 'reReplaceAll "<" "&lt;"' in render_templates()
