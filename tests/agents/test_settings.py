from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from agents.commands import render
from agents.settings import PREFIX, load_settings
from streams.errors import ConfigurationError

SECRET = "p#ss/word"  # noqa: S105 - of nothing


def mistakes(**settings: object) -> list[str]:
    """What is wrong with these settings, a line each."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**settings)
    heading, *lines = str(caught.value).splitlines()
    assert heading == "wrong settings:"
    return [line.removeprefix("  ") for line in lines]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give a certificate, its key, another key, an encrypted key, and a file that is none."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("pem")
    files = {name: folder / f"{name}.pem" for name in ("cert", "key", "locked", "junk")}
    new = ["req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=x", "-days", "1"]
    lock = ["rsa", "-aes128", "-passout", "pass:x"]
    for options in (
        [*new, "-nodes", "-keyout", str(files["key"]), "-out", str(files["cert"])],
        [*lock, "-in", str(files["key"]), "-out", str(files["locked"])],
    ):
        subprocess.run(["openssl", *options], check=True, capture_output=True)
    files["junk"].write_text("junk")
    return files


class TestEveryMistakeAtOnce:
    """All mistakes are told together, each with its variable."""

    def test_of_one_variable_and_of_several(self, tmp_path: Path) -> None:
        """Wrong values, what is missing beside others, and absent files are in one message."""
        absent = tmp_path / "absent.pem"
        assert mistakes(
            kafka_brokers="kafka",
            kafka_security_protocol="SASL_SSL",
            kafka_ca_file=absent,
            kafka_key_file=absent,
            topic="two words",
            web_port=70_000,
        ) == [
            "FEEDBACK_KAFKA_BROKERS: must be host:port, several separated by commas",
            "FEEDBACK_KAFKA_PASSWORD: SASL_SSL needs it, and FEEDBACK_KAFKA_USERNAME",
            f"FEEDBACK_KAFKA_CA_FILE: there is no file {absent}",
            "FEEDBACK_KAFKA_KEY_FILE: and FEEDBACK_KAFKA_CERT_FILE go together",
            "FEEDBACK_TOPIC: String should match pattern '^[A-Za-z0-9._-]{1,249}$'",
            "FEEDBACK_WEB_PORT: Input should be less than or equal to 65535",
        ]

    def test_misspelled_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable that is nearly a setting is one by mistake: its default would hold instead."""
        monkeypatch.setenv("FEEDBACK_KAFKA_PASWORD", SECRET)
        monkeypatch.setenv("FEEDBACK_REDIS_URI", "redis://redis:6379/0")
        assert mistakes(redis_url="http://redis") == [
            "FEEDBACK_REDIS_URL: must begin with redis://, rediss:// or unix://",
            "FEEDBACK_KAFKA_PASWORD: is no setting; write FEEDBACK_KAFKA_PASSWORD",
            "FEEDBACK_REDIS_URI: is no setting; write FEEDBACK_REDIS_URL",
        ]


@pytest.mark.parametrize(
    "name",
    [
        *(option.envvar for option in render.command.params if isinstance(option.envvar, str)),
        "FEEDBACK_VERSION",
        "FEEDBACK_REQUIRE_TIERS",
        "FEEDBACK_EXPORTER_SERVICE_PORT",
        "FEEDBACK_EXPORTER_PORT_9108_TCP_ADDR",
        "FEEDBACK_WORKER_SERVICE_HOST",
    ],
)
def test_other_variables_of_the_prefix(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `render`, compose, tests and Kubernetes' service links set is no mistake."""
    monkeypatch.setenv(name, "x")
    assert name.startswith(PREFIX)
    assert load_settings().kafka_brokers == "127.0.0.1:9092"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://redis", "must begin with redis://, rediss:// or unix://"),
        ("redis://redis/counts", "must end with the number of a database"),
        ("redis://redis:port/0", "is no address of Redis; write redis://"),
        (f"redis://user:{SECRET}@redis:6379/0", "is no address of Redis; write redis://"),
        ("redis://redis:6379/0?tls=yes", "is no address of Redis; write redis://"),
    ],
)
def test_addresses_of_redis(address: str, problem: str) -> None:
    """What redis-py could not use is a wrong setting, and no part of a password is repeated."""
    (line,) = mistakes(redis_url=address)
    assert line.startswith(f"FEEDBACK_REDIS_URL: {problem}")
    assert "user:p" not in line.partition("write")[0]


@pytest.mark.parametrize(
    "address",
    [
        "redis://redis",
        "redis://:p%23ss@redis:6379/3",
        "rediss://redis:6380/0",
        "unix:///run/r.sock",
    ],
)
def test_good_addresses_of_redis(address: str) -> None:
    """Each form that redis-py reads is taken as it is."""
    assert load_settings(redis_url=address).redis_url == address


@pytest.mark.parametrize("version", ["two", "2", "2.x"])
def test_protocol_versions(version: str) -> None:
    """A protocol version is two or three numbers."""
    (line,) = mistakes(kafka_api_version=version)
    assert line.startswith("FEEDBACK_KAFKA_API_VERSION: ")


class TestCertificates:
    """PEM files are read when the settings are, not at the first connection."""

    @pytest.mark.parametrize("name", ["kafka_ca_file", "redis_ca_file"])
    def test_of_authorities(self, name: str, pem: dict[str, Path]) -> None:
        """A file without a certificate is a wrong setting."""
        variable = PREFIX + name.upper()
        assert mistakes(**{name: pem["junk"]}) == [
            f"{variable}: {pem['junk']} holds no PEM certificate"
        ]
        assert getattr(load_settings(**{name: pem["cert"]}), name) == pem["cert"]

    @pytest.mark.parametrize("key", ["junk", "locked"])
    def test_of_keys(self, key: str, pem: dict[str, Path]) -> None:
        """A key that is none, or that needs a password, is told without asking the terminal."""
        problem = f"{pem[key]} holds no PEM key, without a password, of {pem['cert']}"
        assert mistakes(kafka_cert_file=pem["cert"], kafka_key_file=pem[key]) == [
            f"FEEDBACK_KAFKA_KEY_FILE: {problem}"
        ]

    def test_of_clients(self, pem: dict[str, Path]) -> None:
        """A certificate and its key are the TLS context's."""
        settings = load_settings(
            kafka_security_protocol="SSL",
            kafka_ca_file=pem["cert"],
            kafka_cert_file=pem["cert"],
            kafka_key_file=pem["key"],
        )
        assert settings.kafka_tls is not None
        assert [one["subject"] for one in settings.kafka_tls.get_ca_certs()] == [
            ((("commonName", "x"),),)
        ]


def test_passwords_are_not_shown() -> None:
    """Neither the settings' own text nor the address for messages holds a password."""
    settings = load_settings(
        redis_url="redis://user:hidden@redis:6379/0",
        redis_password="hidden",  # noqa: S106 - of nothing
    )
    assert settings.redis_shown == "redis://redis:6379/0"
    assert "hidden" not in repr(settings.redis_password)
