"""What Kafka's clients raise, in our words; and why a broker could not be reached."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from streams.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.settings import Settings

_DENIED: Final = (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
# A client's error of its own around one that a broker sent.
_SENT: Final = re.compile(r"\[Error \d+\] (\w+?)(Error)?\b")

_CHECK_LOGIN: Final = (
    "Check FEEDBACK_KAFKA_SECURITY_PROTOCOL, the credentials and what they are allowed."
)
_CHECK: Final = "Check FEEDBACK_KAFKA_BROKERS and that the brokers are up, then try again."


class FirstContact(logging.Filter):
    """Remembers why no broker could be reached: kafka-python only logs it, many times a second.

    A refused login wins over what else is seen, since the broker hangs up after it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: BaseException | None = None

    def begin(self) -> None:
        """Forget what an earlier attempt met."""
        self.failure = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the line: not those of first contacts, which we tell ourselves."""
        if not str(record.msg).startswith(("Bootstrap", "Connection failed")):
            return True
        for found in record.args if isinstance(record.args, tuple) else ():
            if isinstance(found, KafkaError) and not isinstance(found, KafkaTimeoutError):
                self.failure = self.failure if isinstance(self.failure, _DENIED) else found
        return False


_first_contact: Final = FirstContact()


def calm_logs() -> None:
    """Keep kafka-python from logging what we tell, and what nobody may read."""
    # At level DEBUG it logs each record's key and value, and its whole configuration.
    logging.getLogger("kafka").setLevel(logging.WARNING)
    # Each failed connection is told four times here, one of them with a traceback.
    logging.getLogger("kafka.net").setLevel(logging.CRITICAL)
    manager = logging.getLogger("kafka.net.manager")
    manager.setLevel(logging.WARNING)
    if _first_contact not in manager.filters:
        manager.addFilter(_first_contact)


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Turn what kafka-python raises into `Unavailable`, or `ConfigurationError` when denied."""
    _first_contact.begin()
    where = f"Kafka at {settings.kafka_brokers}"
    try:
        yield
    except KafkaError as error:
        # Who reached nobody is told only that it took too long.
        unreached = _first_contact.failure if isinstance(error, KafkaTimeoutError) else None
        if isinstance(unreached or error, _DENIED):
            raise refused_us(settings, unreached or error) from error
        if unreached:
            raise Unavailable(f"{where} can't be reached: {unreached}. {_CHECK}") from error
        said = f"did not answer as it should: {name_of(error)}"
        raise Unavailable(f"{where} {said}. {_CHECK}") from error


def refused_us(settings: Settings, error: BaseException) -> ConfigurationError:
    """The error where who we are, or what we may, is not enough."""
    where = f"Kafka at {settings.kafka_brokers}"
    return ConfigurationError(f"{where} refused us: {name_of(error)}. {_CHECK_LOGIN}")


def name_of(error: BaseException) -> str:
    """A Kafka error as a short name: its own text may repeat a request, and so a record."""
    sent = _SENT.search(str(error)) if type(error) is KafkaError else None
    return sent[1] if sent else type(error).__name__.removesuffix("Error")
