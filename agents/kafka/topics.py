"""The two topics: what each must be, creating what is not there, and comparing what is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError, for_code

from streams.errors import ConfigurationError
from streams.events.dead_letter import ROOM_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka import KafkaAdminClient

# Kafka's own default: 1 MiB and the 12 bytes of an old record format.
SOURCE_LIMIT_BYTES: Final = 1_048_588

TIMESTAMP_TYPE: Final = "message.timestamp.type"
RETENTION: Final = "retention.ms"
LIMIT: Final = "max.message.bytes"
IN_SYNC: Final = "min.insync.replicas"
CLEANUP: Final = "cleanup.policy"

# Another partition count sends an event's revisions elsewhere; without the brokers' time on each
# record, lateness is judged by a worker's clock and cannot be audited exactly.
PARTITIONS: Final = "partitions"
REPLICATION: Final = "replication"
_ESSENTIAL: Final = {
    PARTITIONS: "it can't be changed: take what is there, or count anew from another topic",
    TIMESTAMP_TYPE: "must be put right, with kafka-configs.sh --alter",
}


class Topic(NamedTuple):
    """A topic as it should be, or as it is."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]

    def __str__(self) -> str:
        settings = (f"{name}={value}" for name, value in sorted(self.settings.items()))
        counts = f"{self.partitions} partitions, replication {self.replication}"
        return ", ".join((counts, *settings))


class Difference(NamedTuple):
    """Where a topic is not as it should be; `essential` ones must be put right."""

    what: str
    wanted: str
    found: str

    @property
    def essential(self) -> bool:
        """Whether the counts would not be exact with it."""
        return self.what in _ESSENTIAL

    def __str__(self) -> str:
        advice = f" ({_ESSENTIAL[self.what]})" if self.essential else ""
        return f"{self.what} is {self.found}, not {self.wanted}{advice}"


def wanted_topics(
    events: str,
    dead_letters: str,
    *,
    partitions: int,
    replication: int,
    retention_seconds: int,
    limit_bytes: int = SOURCE_LIMIT_BYTES,
) -> tuple[Topic, Topic]:
    """The topic of events and the topic of dead letters.

    A write must be on all replicas but one, so that any one broker may be away. Records carry
    the brokers' time. A dead letter may be larger than any event, by what we add to it.
    """
    common = {
        TIMESTAMP_TYPE: "LogAppendTime",
        RETENTION: str(retention_seconds * 1000),
        IN_SYNC: str(max(1, replication - 1)),
        CLEANUP: "delete",  # compaction would drop the revisions that an audit reads again
    }
    limits = {events: limit_bytes, dead_letters: limit_bytes + ROOM_BYTES}
    first, second = (
        Topic(name, partitions, replication, {**common, LIMIT: str(limit)})
        for name, limit in limits.items()
    )
    return first, second


def differences(wanted: Topic, found: Topic) -> list[Difference]:
    """What is not as wanted, the essential differences first."""
    pairs = {
        PARTITIONS: (str(wanted.partitions), str(found.partitions)),
        REPLICATION: (str(wanted.replication), str(found.replication)),
    } | {name: (value, found.settings.get(name, "?")) for name, value in wanted.settings.items()}
    differing = [Difference(what, a, b) for what, (a, b) in pairs.items() if a != b]
    return sorted(differing, key=lambda difference: not difference.essential)


def find_topic(admin: KafkaAdminClient, name: str, settings: Mapping[str, str]) -> Topic | None:
    """The topic as it is, with its values of `settings`; None where there is none."""
    described = admin.describe_topics([name])[0]
    if described["error_code"]:
        error = for_code(described["error_code"])
        if error.errno == _UNKNOWN_TOPIC:
            return None
        raise error(f"describing {name}")
    resource = ConfigResource(ConfigResourceType.TOPIC, name, list(settings))
    values = admin.describe_configs([resource], config_filter="all")["topic"][name]
    partitions = described["partitions"]
    return Topic(
        name,
        len(partitions),
        len(partitions[0]["replica_nodes"]),
        {key: value["value"] for key, value in values.items()},
    )


_UNKNOWN_TOPIC: Final = 3  # UNKNOWN_TOPIC_OR_PARTITION in Kafka's protocol


def create_topic(admin: KafkaAdminClient, wanted: Topic) -> bool:
    """Create the topic and wait until it can be used; False where it came to be meanwhile.

    Raises `ConfigurationError` where there are fewer brokers than replicas.
    """
    request: dict[str, Any] = {
        "num_partitions": wanted.partitions,
        "replication_factor": wanted.replication,
        "configs": dict(wanted.settings),
    }
    try:
        admin.create_topics({wanted.name: request}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return False
    except InvalidReplicationFactorError as error:
        raise ConfigurationError(
            f"{wanted.name} cannot have {wanted.replication} replicas: there are fewer brokers. "
            "Choose a smaller --replication."
        ) from error
    return True
