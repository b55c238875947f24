from __future__ import annotations

import logging

import pytest
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from agents.kafka.errors import calm_logs, kafka_errors, name_of
from agents.settings import load_settings
from streams.errors import ConfigurationError, FeedbackError, Unavailable

GONE = KafkaConnectionError("socket disconnected")
DENIED = SaslAuthenticationFailedError("Invalid username or password")
UNTRUSTED = KafkaConnectionError("Handshake failed: certificate verify failed")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaTimeoutError("the value"), Unavailable),
        (KafkaError("the value"), Unavailable),
        (SaslAuthenticationFailedError("the value"), ConfigurationError),
        (TopicAuthorizationFailedError("the value"), ConfigurationError),
    ],
)
def test_errors_are_ours(error: KafkaError, kind: type[FeedbackError]) -> None:
    """What Kafka raises is told with its address and what to do, without the client's text."""
    settings = load_settings(kafka_brokers="kafka.example:9092")
    with (
        pytest.raises(kind, match=r"kafka\.example:9092") as caught,
        kafka_errors(settings),
    ):
        raise error
    assert "the value" not in str(caught.value)


def reached_nobody(*failures: KafkaError) -> FeedbackError:
    """What is raised where kafka-python logs these failures until its time is over."""
    log = logging.getLogger("kafka.net.manager")

    def bootstrap() -> None:
        calm_logs()
        for failure in failures:
            log.warning("Bootstrap connection to %s failed: %s", "bootstrap-0", failure)
        log.error("Bootstrap failed: %s", KafkaTimeoutError("Unable to bootstrap"))
        raise KafkaTimeoutError("Unable to bootstrap")

    with pytest.raises(FeedbackError) as caught, kafka_errors(load_settings()):
        bootstrap()
    return caught.value


def test_a_refused_login_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """kafka-python tries on and then says that time was over; what kept it out is what we say."""
    error = reached_nobody(DENIED, GONE)
    assert isinstance(error, ConfigurationError)
    assert "refused us: SaslAuthenticationFailed. Check FEEDBACK_KAFKA_" in str(error)
    assert [] == caplog.records


def test_a_certificate_that_is_not_trusted_is_told() -> None:
    """Nor is the reason hidden for which there was no connection at all."""
    error = reached_nobody(GONE, UNTRUSTED)
    assert isinstance(error, Unavailable)
    assert "can't be reached: KafkaConnectionError: Handshake failed: certificate" in str(error)


def test_each_contact_is_a_first_one() -> None:
    """A failure of an earlier attempt is not told of a later one."""
    reached_nobody(DENIED)
    with (
        pytest.raises(Unavailable, match="did not answer as it should: KafkaTimeout"),
        kafka_errors(load_settings()),
    ):
        raise KafkaTimeoutError


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TopicAuthorizationFailedError("the value"), "TopicAuthorizationFailed"),
        (KafkaError("Unexpected: [Error 31] ClusterAuthorizationFailedError"),
         "ClusterAuthorizationFailed"),
        (KafkaError("the value"), "Kafka"),
    ],
)  # fmt: skip
def test_names(error: KafkaError, name: str) -> None:
    """An error is named by what the broker sent, also where the client wrapped it."""
    assert name == name_of(error)
