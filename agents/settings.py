"""Settings of all processes, read once from the environment (`FEEDBACK_…`)."""

from __future__ import annotations

import os
import ssl
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "FEEDBACK_"
CUSTOMER_KEY_BYTES = 64  # the longest key that BLAKE2b takes

# Above it lie slips of the keyboard (FEEDBACK_REDIS_URI); below it what others name likewise, such
# as the FEEDBACK_EXPORTER_SERVICE_PORT that Kubernetes makes of a service feedback-exporter.
_MISSPELLED: Final = 0.85

_TOPIC_NAME: Final = r"^[A-Za-z0-9._-]{1,249}$"

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """Every setting, its variable being `FEEDBACK_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    kafka_brokers: str = Field("127.0.0.1:9092", description="host:port, separated by commas")
    kafka_security_protocol: SecurityProtocol = Field("PLAINTEXT", description="how to connect")
    kafka_sasl_mechanism: SaslMechanism = Field("PLAIN", description="for SASL_* protocols")
    kafka_username: str | None = Field(None, description="SASL user")
    kafka_password: SecretStr | None = Field(
        None, validate_default=True, description="SASL password"
    )
    kafka_ca_file: Path | None = Field(None, description="PEM of the brokers' authority")
    kafka_cert_file: Path | None = Field(None, description="PEM of the client's certificate")
    kafka_key_file: Path | None = Field(
        None, validate_default=True, description="PEM of the client's key"
    )
    kafka_api_version: str | None = Field(
        None,
        pattern=r"^\d+\.\d+(\.\d+)?$",
        description="protocol version for publishing, such as 2.0; found out by default",
    )

    topic: str = Field("feedback.events", pattern=_TOPIC_NAME, description="topic of events")
    dead_letter_topic: str = Field(
        "feedback.dead-letters", pattern=_TOPIC_NAME, description="topic of refused events"
    )
    group: str = Field("feedback", min_length=1, description="consumer group of the workers")

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="redis://, rediss:// (TLS) or unix:// address"
    )
    redis_username: str | None = Field(None, description="ACL user, if not in the address")
    redis_password: SecretStr | None = Field(None, description="ACL password, likewise")
    redis_ca_file: Path | None = Field(None, description="PEM of the Redis server's authority")

    kpi_file: Path = Field(Path("kpis.yaml"), description="the KPI file")
    customer_key: SecretStr = Field(
        SecretStr(""), description="key of the hash under which customers are stored"
    )

    web_host: str = Field("127.0.0.1", description="worker: address of health and metrics")
    web_port: int = Field(6066, ge=0, le=65535, description="worker: its port")
    exporter_host: str = Field("127.0.0.1", description="exporter: address of /metrics")
    exporter_port: int = Field(9108, ge=0, le=65535, description="exporter: its port")
    refresh_seconds: float = Field(2.0, gt=0, le=60, description="exporter: time between reads")

    poll_records: int = Field(8_000, ge=1, le=100_000, description="records taken in one poll")
    fetch_bytes: int = Field(
        4 * 1024 * 1024, ge=64 * 1024, description="bytes fetched from a partition at once"
    )
    session_timeout_seconds: float = Field(
        10.0, ge=1, le=300, description="worker: silent for so long, it loses its partitions"
    )
    stop_within_seconds: float = Field(
        8.0, gt=0, le=60, description="worker: so long after SIGTERM it exits in any case"
    )
    log_level: LogLevel = Field("info", description="what is logged to standard error")

    @field_validator("kafka_brokers")
    @classmethod
    def _brokers(cls, value: str) -> str:
        for broker in value.split(","):
            host, _, port = broker.strip().rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError("must be host:port, several separated by commas")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must begin with redis://, rediss:// or unix://")
        database = parts.path.strip("/")
        if parts.scheme != "unix" and database and not database.isdigit():
            raise ValueError("must end with the number of a database, as in redis://redis:6379/0")
        from redis import ConnectionPool  # noqa: PLC0415 - slow, and no command's help needs it

        try:
            ConnectionPool.from_url(value).make_connection()  # made, not yet connected
        except (ValueError, TypeError):
            # Their texts may repeat a part of the password.
            raise ValueError(
                "is no address of Redis; write redis://user:password@host:6379/0, "
                "in a password %23 for # and %2F for /"
            ) from None
        return value

    @field_validator("customer_key")
    @classmethod
    def _customer_key(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) > CUSTOMER_KEY_BYTES:
            raise ValueError(f"must have at most {CUSTOMER_KEY_BYTES} bytes")
        return value

    @field_validator("kafka_password")
    @classmethod
    def _kafka_login(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        protocol = str(info.data.get("kafka_security_protocol"))
        if protocol.startswith("SASL") and not (value and info.data.get("kafka_username")):
            raise ValueError(f"{protocol} needs it, and FEEDBACK_KAFKA_USERNAME")
        return value

    @field_validator("kafka_ca_file", "kafka_cert_file", "redis_ca_file")
    @classmethod
    def _certificate(cls, value: Path | None) -> Path | None:
        if value is not None:
            _read_certificates(value)
        return value

    @field_validator("kafka_key_file")
    @classmethod
    def _key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        # A certificate that is wrong itself is not in `info.data`, and has its own message.
        if "kafka_cert_file" not in info.data:
            return value
        certificate = info.data["kafka_cert_file"]
        if (certificate is None) != (value is None):
            raise ValueError("and FEEDBACK_KAFKA_CERT_FILE go together")
        if value is not None:
            _require_file(value)
            try:
                # An empty password, or OpenSSL would ask the terminal for that of an encrypted key.
                ssl.create_default_context().load_cert_chain(certificate, value, password="")
            except OSError:
                raise ValueError(
                    f"{value} holds no PEM key, without a password, of {certificate}"
                ) from None
        return value

    @property
    def brokers(self) -> list[str]:
        """The brokers, one `host:port` each."""
        return [broker.strip() for broker in self.kafka_brokers.split(",")]

    @property
    def kafka_tls(self) -> ssl.SSLContext | None:
        """The TLS context for Kafka, or None where the protocol has no TLS."""
        if "SSL" not in self.kafka_security_protocol.removeprefix("SASL_"):
            return None
        context = ssl.create_default_context(
            cafile=str(self.kafka_ca_file) if self.kafka_ca_file else None
        )
        if self.kafka_cert_file and self.kafka_key_file:
            context.load_cert_chain(self.kafka_cert_file, self.kafka_key_file)
        return context

    @property
    def kafka_login(self) -> tuple[str, str] | None:
        """User and password, where the protocol asks for them."""
        if not self.kafka_security_protocol.startswith("SASL"):
            return None
        password = self.kafka_password.get_secret_value() if self.kafka_password else ""
        return self.kafka_username or "", password

    @property
    def redis_shown(self) -> str:
        """The Redis address without a password, for messages."""
        parts = urlsplit(self.redis_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, `overrides` (options given by hand) winning over it.

    Raises `ConfigurationError` with every mistake; the value of a secret is never repeated.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    mistakes = list(_misspelled(os.environ))
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        found = error.errors(include_input=False)
        mistakes = [*(_line(tuple(e["loc"]), e["msg"]) for e in found), *mistakes]
    if mistakes:
        raise ConfigurationError("wrong settings:\n  " + "\n  ".join(mistakes))
    return settings


def _misspelled(environment: Mapping[str, str]) -> Iterator[str]:
    """Variables that are no setting and look like one; others of the prefix may be anybody's."""
    known = {name.upper() for name in Settings.model_fields}
    for variable in sorted(environment):
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper().startswith(PREFIX) and name not in known:
            for meant in get_close_matches(name, known, n=1, cutoff=_MISSPELLED):
                yield f"{variable}: is no setting; write {PREFIX}{meant}"


def _read_certificates(path: Path) -> None:
    _require_file(path)
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError:
        raise ValueError(f"{path} holds no PEM certificate") from None


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")


def _line(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    # Pydantic names a wrong variable by its prefixed name, an override by the field's.
    name = str(place[0]).upper()
    return f"{name if name.startswith(PREFIX) else PREFIX + name}: {message}"


def settings_help() -> str:
    """One line for each variable: its name, what it sets and the default."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        suffix = f" (default {shown})" if shown not in (None, "") else ""
        lines.append(f"{PREFIX}{name.upper()}: {field.description}{suffix}")
    return "\n".join(lines)
