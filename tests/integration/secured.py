"""A Kafka and a Redis that ask who is there, over TLS: what a company's servers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from agents.embedded.ports import HOST, free_port
from agents.embedded.redis import RedisServer
from tests.certificates import CLIENT
from tests.servers import ADMIN_SECONDS, KafkaBroker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.certificates import Certificates

PASSWORD = "of-nothing"  # noqa: S105 - of servers that live for a test
USERS: Final = ("worker", "upstream", "operator", "reader", "replayer")
_ANY_ADDRESS: Final = "*"
_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"


class Permission(NamedTuple):
    """What a principal may do with a resource."""

    principal: str
    resource: ResourceType
    name: str
    operation: AclOperation


class SecuredKafka(KafkaBroker):
    """Kafka with the test's own door, and one for each way in which clients may come.

    Who comes by the test's door may do everything, who comes by the others only what is allowed.
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        super().__init__()

    def choose_ports(self) -> None:
        """Choose a port for each way in."""
        super().choose_ports()
        self._doors = {name: free_port() for name in ("LOGIN", "LOGIN_TLS", "CERTIFICATE")}

    def connection(self, protocol: str, user: str = "worker") -> dict[str, Any]:
        """The settings of a client that comes as `user` by FEEDBACK_KAFKA_SECURITY_PROTOCOL."""
        files = self._certificates
        door = {"SASL_PLAINTEXT": "LOGIN", "SASL_SSL": "LOGIN_TLS", "SSL": "CERTIFICATE"}[protocol]
        settings: dict[str, Any] = {
            "kafka_brokers": f"{HOST}:{self._doors[door]}",
            "kafka_security_protocol": protocol,
        }
        if protocol == "SSL":
            settings |= {"kafka_cert_file": files.client, "kafka_key_file": files.client_key}
        else:
            mechanism = "PLAIN" if protocol == "SASL_PLAINTEXT" else "SCRAM-SHA-512"
            login = {"kafka_username": user, "kafka_password": PASSWORD}
            settings |= {"kafka_sasl_mechanism": mechanism, **login}
        if protocol != "SASL_PLAINTEXT":
            settings["kafka_ca_file"] = files.authority
        return settings

    def add_users(self) -> None:
        """Make the users of SCRAM; those of PLAIN are in the settings."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        users: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, info, PASSWORD.encode()) for user in USERS
        ]
        for done in self.admin.alter_user_scram_credentials(users).values():
            done.result(ADMIN_SECONDS)

    def allow(self, permissions: Iterable[Permission]) -> None:
        """Allow all this."""
        bindings = [
            AclBinding(
                resource, name, ResourcePatternType.LITERAL, f"User:{principal}", _ANY_ADDRESS,
                operation, AclPermissionType.ALLOW,
            )
            for principal, resource, name, operation in permissions
        ]  # fmt: skip
        for done in self.admin.create_acls(bindings).values():
            done.result(ADMIN_SECONDS)

    def forbid_everything(self) -> None:
        """Take back whatever was allowed."""
        whole = AclBindingFilter(
            ResourceType.ANY,
            None,  # type: ignore[arg-type] # None means any; the types don't know
            ResourcePatternType.ANY,
            None,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for done in self.admin.delete_acls([whole]).values():
            done.result(ADMIN_SECONDS)

    def _all_settings(self) -> dict[str, str]:
        settings = super()._all_settings()
        doors = "".join(f",{name}://{HOST}:{port}" for name, port in self._doors.items())
        for name in ("listeners", "advertised.listeners"):
            settings[name] += doors
        settings["listener.security.protocol.map"] += (
            ",LOGIN:SASL_PLAINTEXT,LOGIN_TLS:SASL_SSL,CERTIFICATE:SSL"
        )
        users = "".join(f' user_{user}="{PASSWORD}"' for user in USERS)
        return settings | {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": f"{_PLAIN} required{users};",
            "listener.name.login_tls.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.login_tls.scram-sha-512.sasl.jaas.config": f"{_SCRAM} required;",
            "listener.name.certificate.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates.server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._certificates.authority),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }


def everything(principals: Iterable[str]) -> list[Permission]:
    """All operations on all topics and groups."""
    return [
        Permission(principal, resource, "*", AclOperation.ALL)
        for principal in principals
        for resource in (ResourceType.TOPIC, ResourceType.GROUP)
    ]


CERTIFICATE_PRINCIPAL: Final = f"CN={CLIENT}"


def secured_redis(certificates: Certificates) -> tuple[RedisServer, dict[str, Any]]:
    """A Redis that serves TLS too, not started yet; and the settings of who comes that way."""
    port = free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(certificates.server),
        "tls-key-file": str(certificates.server_key),
        "tls-ca-cert-file": str(certificates.authority),
        "tls-auth-clients": "no",
    }
    connection: dict[str, Any] = {
        "redis_url": f"rediss://{HOST}:{port}/0",
        "redis_ca_file": certificates.authority,
        "redis_password": PASSWORD,
    }
    return RedisServer(append_only=True, options=options), connection
