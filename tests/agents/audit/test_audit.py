from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest
from click.testing import CliRunner, Result
from kafka import TopicPartition

from agents.audit import sources as audit_logs
from agents.audit.audit import Audit, Moments, PartitionAudit
from agents.audit.sources import FileLog, KafkaLog
from agents.audit.views import print_report, report_json
from agents.commands import audit as audit_command
from agents.kafka.clients import consumer, producer
from agents.publish.event_file import JsonLines
from agents.settings import load_settings
from streams.audit import snapshot
from streams.audit.comparison import Difference
from streams.errors import ConfigurationError, StorageMismatch, Unavailable
from streams.events.routing import partition_of
from streams.ledger.cells import SEPARATOR, Cell, encode_cell
from streams.ledger.contribution import Contribution
from streams.ledger.keys import Bucket, PartitionKeys, topic_key
from streams.ledger.ledger import Known, shard_of
from tests.feedback_log import (
    CUSTOMER_KEY,
    LAYOUT,
    PARTITIONS,
    RIGHT_IDS,
    START,
    Record,
    event,
    record,
)
from tests.redis_owner import TOPIC, Connection, RedisOwner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.embedded.redis import RedisServer
    from streams.ledger.layout import Layout
    from tests.servers import KafkaBroker

R1, R2, *_ = RIGHT_IDS
KEYS = PartitionKeys(TOPIC, 0)
NEWER = msgspec.structs.replace(LAYOUT, version=2, breakdowns=(("product",),))
LOG = [
    *(record(n, i, START - 50 * n, measures={"csat": n % 5 + 1}, dimensions={"product": f"p{n}"})
      for n, i in enumerate(RIGHT_IDS)),
    record(10, R1, START + 2, at=START + 2, revision=1, measures={"csat": 5}, customer="c-1"),
    record(12, R2, START + 2, at=START + 2, withdrawn=True),
    record(13, R2, START + 2, at=START + 3, revision=1, measures={"csat": 7}),
]  # fmt: skip


class ListLog:
    """A log in memory."""

    def __init__(self, records: Sequence[Record], start: int = 0, end: int | None = None) -> None:
        self._records = records
        self._bounds = start, records[-1].offset + 1 if end is None else end
        self.asked: list[tuple[int, int]] = []

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give its ends."""
        del partition
        return self._bounds

    def records(self, partition: int, start: int, end: int) -> Iterator[Any]:
        """Give the records of a range."""
        del partition
        self.asked.append((start, end))
        yield from (r for r in self._records if max(start, self._bounds[0]) <= r.offset < end)


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[Connection]:
    with Connection(redis_server.url) as opened:
        yield opened


def counted(connection: Connection, log: Sequence[Record], layout: Layout = LAYOUT) -> RedisOwner:
    owner = RedisOwner(connection, layout)
    for _ in log:
        owner.count(log, 3)
    return owner


def silently(records: Iterable[Any], label: str, total: int) -> Iterator[Any]:
    del label, total
    yield from records


def audited(connection: Connection, log: Any, since: float | None = None) -> PartitionAudit:
    audit = Audit(
        connection.redis, log, TOPIC, PARTITIONS, CUSTOMER_KEY, since, silently
    )  # fmt: skip
    return audit.partition(0)


# One partition


def test_what_was_counted_is_equal(connection: Connection) -> None:
    """With revisions, withdrawals and refusals; and how much was compared is told."""
    counted(connection, LOG)
    found = audited(connection, ListLog(LOG))
    assert (found.differences, found.notes) == ((), ())
    assert (found.position, found.log_end, found.records, found.ids) == (14, 14, len(LOG), 6)
    assert found.cells > 20


def test_records_that_are_not_counted_yet_are_no_difference(connection: Connection) -> None:
    """The log is replayed up to the ledger's position."""
    RedisOwner(connection).count(LOG, 4)
    log = ListLog(LOG)
    found = audited(connection, log)
    assert (found.differences, found.position, found.log_end) == ((), 4, 14)
    assert log.asked == [(0, 4)]


def test_workers_may_count_on_during_an_audit(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that were read before their change are as good as those read after it."""
    owner = RedisOwner(connection)
    owner.count(LOG, 6)
    real = snapshot._entries

    def entries(*arguments: Any) -> Iterator[Any]:
        yield from real(*arguments)
        owner.count(LOG)

    monkeypatch.setattr(snapshot, "_entries", entries)
    found = audited(connection, ListLog(LOG))
    assert (found.differences, found.position, found.records) == ((), 14, len(LOG))


CELL = (
    KEYS.cells(Bucket(300, START)),
    encode_cell(Cell(("region",), ("unknown",), "csat@1..5", "5")),
)
ENTRY = KEYS.events(shard_of(R1.encode())), R1


@pytest.mark.parametrize(
    ("kind", "commands"),
    [
        ("cell", [("HINCRBY", *CELL, 1)]),
        ("cell", [("HDEL", *CELL)]),
        ("cell", [("DEL", CELL[0])]),
        ("total", [("HINCRBY", KEYS.ledger, "outcome:applied", 1)]),
        ("value", [("HSET", KEYS.values, f"product{SEPARATOR}new", 99)]),
        ("entry", [("HDEL", *ENTRY)]),
        ("entry", [("HSET", ENTRY[0], "made-up", msgspec.msgpack.encode(
            Contribution(0, False, 1, START, START, (), ())))]),
    ],
)  # fmt: skip
def test_any_change_is_found(
    connection: Connection, kind: str, commands: list[tuple[Any, ...]]
) -> None:
    """A cell, a total, a value or an id: added, changed or lost."""
    counted(connection, LOG)
    for command in commands:
        assert connection.redis.execute_command(*command)  # type: ignore[no-untyped-call]
    assert {d.kind for d in audited(connection, ListLog(LOG)).differences} == {kind}


def test_another_customer_key_is_found(connection: Connection) -> None:
    """The id that has a customer differs, and nothing else."""
    counted(connection, LOG)
    audit = Audit(connection.redis, ListLog(LOG), TOPIC, PARTITIONS, b"other", None, silently)
    assert [(d.kind, d.place) for d in audit.partition(0).differences] == [("entry", R1)]


def test_each_record_is_replayed_by_its_layout(connection: Connection) -> None:
    """An upgrade in the middle of the log."""
    RedisOwner(connection).count(LOG, 4)
    counted(connection, LOG, NEWER)
    assert audited(connection, ListLog(LOG)).differences == ()


def test_an_upgrade_that_is_not_known_would_be_found(connection: Connection) -> None:
    """So that the test above can fail."""
    RedisOwner(connection).count(LOG, 4)
    counted(connection, LOG, NEWER)
    connection.redis.hset(KEYS.ledger, "layout_from:2", 1)
    assert audited(connection, ListLog(LOG)).differences != ()


def test_a_ledger_past_the_logs_end_is_of_another_log(connection: Connection) -> None:
    """Nothing else is compared then."""
    counted(connection, LOG)
    found = audited(connection, ListLog(LOG, end=9))
    assert found.differences == (
        Difference("ledger", "position", "9 at most, the log's end", "14"),
    )


@pytest.mark.parametrize(("end", "expected"), [(0, 0), (5, 1)])
def test_without_a_ledger_only_an_empty_log_is_equal(
    connection: Connection, end: int, expected: int
) -> None:
    """A Redis that was emptied is not equal to a log that was not."""
    found = audited(connection, ListLog(LOG, end=end))
    assert (found.position, len(found.differences)) == (None, expected)


def test_since_compares_what_is_younger(connection: Connection) -> None:
    """An error in an older bucket is not looked at, nor are totals."""
    counted(connection, LOG)
    redis = connection.redis
    redis.hincrby(KEYS.ledger, "outcome:late", 1)
    redis.hincrby(KEYS.cells(Bucket(300, START - 300)), "\x1fcsat@1..5\x1f5", 1)
    assert audited(connection, ListLog(LOG), since=START).differences == ()
    redis.hincrby(CELL[0], CELL[1].decode(), 1)
    assert {d.kind for d in audited(connection, ListLog(LOG), since=START).differences} == {"cell"}


# Logs that have lost their beginning


def aged_log() -> list[Record]:
    """Give answers over 20 minutes, with corrections of old ones and more values than fit."""
    return [
        record(n, RIGHT_IDS[n % 6] if n % 5 else f"once-{n}", START + 20 * n - n % 3,
               at=START + 20 * n, revision=n // 6, measures={"csat": n % 5 + 1},
               dimensions={"product": f"p{n}"})
        for n in range(60)
        if n % 5 or partition_of(b"once-%d" % n, PARTITIONS) == 0
    ]  # fmt: skip


def test_what_the_rest_of_a_log_tells_is_compared(connection: Connection) -> None:
    """Later buckets and ids, by the admitted values as they are stored; and it is said."""
    log = aged_log()
    counted(connection, log)
    whole = audited(connection, ListLog(log))
    part = audited(connection, ListLog(log, start=20))
    assert (whole.differences, part.differences) == ((), ())
    (note,) = part.notes
    assert note.startswith("the log begins at offset 20, later than the counts: only buckets")
    late = KEYS.cells(Bucket(10, START + 1_150))
    connection.redis.hincrby(late, "\x1fcsat@1..5\x1f5", 1)
    assert len(audited(connection, ListLog(log, start=20)).differences) == 1


def test_of_a_log_that_is_empty_by_now_nothing_is_compared(connection: Connection) -> None:
    """Everything has expired: no difference can be claimed."""
    counted(connection, LOG)
    found = audited(connection, ListLog(LOG, start=14))
    assert (found.differences, len(found.notes), found.records) == ((), 1, 0)


# Records without a time of Kafka's own


def test_a_worker_s_clock_is_read_off_the_ids(connection: Connection) -> None:
    """Tiers are chosen as they were when it counted, and it is said how exact that is."""
    log = [r.but(timestamp_type=0, timestamp=5) for r in LOG]
    owner = RedisOwner(connection)
    for first in range(0, len(log), 3):
        records = log[first : first + 3]
        folded = owner.fold(records, {}, owner.state.view(PARTITIONS), START + 100.5 + first)
        reply = owner.apply(folded, records[-1].offset + 1)
        if isinstance(reply, Known):
            view = owner.state.view(PARTITIONS)
            folded = owner.fold(records, reply.entries, view, START + 100.5 + first)
            owner.apply(folded, records[-1].offset + 1, verified=True)
    found = audited(connection, ListLog(log))
    assert found.differences == ()
    assert found.notes[0].startswith(f"not exact: {len(log)} records have no time set by Kafka")


def test_moments_never_go_back() -> None:
    """A record without an id of its own was judged when its neighbours were."""
    entry = Contribution(0, False, 1, 0, 0, (), ())
    entries = {
        "a": msgspec.structs.replace(entry, recorded=100),
        "b": msgspec.structs.replace(entry, recorded=130),
        "c": msgspec.structs.replace(entry, recorded=120, revision=2),
    }
    moments = Moments(entries, now=999.0)
    log = [
        record(0, "x", stamped=False),
        record(1, "b", stamped=False),
        record(2, "c", stamped=False),
        record(3, "a", stamped=False).but(value=None),
        record(4, "a", stamped=False).but(value=b"{"),
        record(5, "a", at=7.5),
    ]
    assert [moments.of(each) for each in log] == [100, 130, 130, 130, 130, 7.5]
    assert moments.unknown == 5
    assert Moments({}, now=999.0).of(log[0]) == 999


# Files


def lines_of(tmp_path: Path, values: Iterable[bytes]) -> FileLog:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(values) + b"\n")
    return FileLog(JsonLines(path, io.BytesIO()), LAYOUT, PARTITIONS)


def test_a_file_is_a_log(tmp_path: Path, connection: Connection) -> None:
    """Each line is a record of its id's partition; the judging moment is read off the ids."""
    log = [r.but(timestamp_type=0) for r in LOG if r.offset != 13]
    log = [r.but(offset=n) for n, r in enumerate(log)]
    owner = RedisOwner(connection)
    stamped = [r.but(timestamp=START * 1000 + 2_000, timestamp_type=1) for r in log]
    for _ in stamped:
        owner.count(stamped, 2)
    found = audited(connection, lines_of(tmp_path, [r.value for r in log if r.value]))
    assert found.differences == ()
    assert found.records == len(log)


def test_lines_that_are_never_published_are_left_out(tmp_path: Path) -> None:
    """As `feedback publish` refuses them; old events it had once sent."""
    log = lines_of(
        tmp_path,
        [event(R1, 5), b"{", event(R1, measures={"csat": 9}), event(R1, measures={"zzz": 1}),
         event(R2, START * 2)],
    )  # fmt: skip
    assert log.skipped == 3
    assert log.bounds(0) == (0, 2)
    assert log.bounds(1) == (0, 0)
    assert [(r.offset, r.key) for r in log.records(0, 1, 9)] == [(1, R2.encode())]


# Kafka


class Client:
    """A consumer of one partition that answers polls with these offsets, one list a poll."""

    def __init__(self, *polls: list[int], control_records: int = 0) -> None:
        self._polls = list(polls)
        self._control = control_records
        self._position = 0
        self.tp = TopicPartition("topic", 3)

    def beginning_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        """Give the begin."""
        return dict.fromkeys(partitions, 2)

    def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        """Give the end."""
        return dict.fromkeys(partitions, 9)

    def assign(self, partitions: list[Any]) -> None:
        """Take this partition alone."""
        assert partitions == [self.tp]

    def seek(self, tp: Any, offset: int) -> None:
        """Go there."""
        del tp
        self._position = offset

    def position(self, tp: Any) -> int:
        """Give the next offset."""
        del tp
        return self._position

    def poll(self, _: int) -> dict[Any, list[Record]]:
        """Answer."""
        offsets = self._polls.pop(0) if self._polls else []
        if offsets:
            self._position = offsets[-1] + 1
        if not self._polls:
            self._position += self._control
        return {self.tp: [record(n, R1) for n in offsets]} if offsets else {}


def read(client: Client, start: int, end: int) -> list[int]:
    log = KafkaLog(client, "topic")
    assert log.bounds(3) == (2, 9)
    return [r.offset for r in log.records(3, start, end)]


def test_a_range_of_a_topic_is_read() -> None:
    """From start to before end, through empty polls, gaps and control records at the end."""
    assert read(Client([2, 3], [], [5, 8]), 2, 8) == [2, 3, 5]
    assert read(Client([2, 3], control_records=3), 2, 7) == [2, 3]
    assert read(Client(), 4, 4) == []


def test_a_topic_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how far it should have gone."""
    monkeypatch.setattr(audit_logs, "_PATIENCE_SECONDS", -1)
    with pytest.raises(Unavailable, match="offset 8 of partition 3"):
        read(Client([2]), 2, 8)


# The command


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(audit_command.command, arguments)


@pytest.fixture
def published(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, RedisOwner]:
    """Give a file of events and the owner that counted them in Redis."""
    monkeypatch.setenv("FEEDBACK_REDIS_URL", connection.url)
    monkeypatch.setenv("FEEDBACK_TOPIC", TOPIC)
    monkeypatch.setenv("FEEDBACK_CUSTOMER_KEY", CUSTOMER_KEY.decode())
    connection.redis.hset(topic_key(TOPIC), "partitions", PARTITIONS)
    log = [r.but(offset=n) for n, r in enumerate(r for r in LOG if r.offset != 13)]
    owner = counted(connection, log)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(r.value for r in log if r.value))
    return path, owner


def test_equal_is_exit_0(published: tuple[Path, RedisOwner]) -> None:
    """A table and a word."""
    found = invoke("--file", str(published[0]))
    assert found.exit_code == 0
    assert found.stdout.rstrip().endswith("equal")


def test_a_difference_is_exit_1(published: tuple[Path, RedisOwner], connection: Connection) -> None:
    """With its place, in words and as JSON."""
    connection.redis.hincrby(CELL[0], CELL[1].decode(), 2)
    place = "300s 2100-01-01T00:00:00Z region=unknown csat@1..5 5"
    table = invoke("--file", str(published[0]))
    assert table.exit_code == 1
    assert f"partition 0: cell {place}: expected 1, found 3" in table.stdout
    found = invoke("--file", str(published[0]), "--format", "json")
    report = json.loads(found.stdout)
    assert (found.exit_code, report["equal"], report["topic"]) == (1, False, TOPIC)
    assert [p["differences"] for p in report["partitions"]] == [
        [{"kind": "cell", "place": place, "expected": "1", "found": "3"}], [],
    ]  # fmt: skip


def test_partitions_can_be_chosen(
    published: tuple[Path, RedisOwner], connection: Connection
) -> None:
    """Others are not looked at; one that does not exist is wrong use."""
    connection.redis.hincrby(CELL[0], CELL[1].decode(), 2)
    file = ("--file", str(published[0]))
    assert invoke(*file, "--partition", "1").exit_code == 0
    assert invoke(*file, "--partition", "1", "--partition", "0").exit_code == 1
    wrong = invoke(*file, "--partition", "2")
    assert wrong.exit_code == 2
    assert "the topic has the partitions 0 to 1" in wrong.stderr


def test_since_is_a_time_with_an_offset(
    published: tuple[Path, RedisOwner], connection: Connection
) -> None:
    """A local time would mean something else on each machine."""
    file = ("--file", str(published[0]))
    for wrong in ("yesterday", "2026-11-23T10:00:00"):
        found = invoke(*file, "--since", wrong)
        assert found.exit_code == 2
        assert "is no time with an offset" in found.stderr
    connection.redis.hincrby(CELL[0], CELL[1].decode(), 2)
    assert invoke(*file, "--since", "2100-01-01T00:00:00Z").exit_code == 1
    assert invoke(*file, "--since", "2100-01-01T00:05:00Z").exit_code == 0


def test_lines_left_out_are_told(published: tuple[Path, RedisOwner]) -> None:
    """They were refused on publishing."""
    path, _ = published
    path.write_bytes(b"{\n" + path.read_bytes())
    found = invoke("--file", str(path))
    assert found.exit_code == 0
    assert "1 lines are left out" in found.stderr


def test_without_counts_there_is_nothing_to_hold_a_file_against(
    published: tuple[Path, RedisOwner], connection: Connection
) -> None:
    """The message says what was looked for and where."""
    connection.redis.flushall()
    found = invoke("--file", str(published[0]))
    assert isinstance(found.exception, Unavailable)
    assert f"has no counts of topic {TOPIC}" in str(found.exception)


def test_redis_away_is_said(published: tuple[Path, RedisOwner]) -> None:
    """Not a traceback."""
    environment = {"FEEDBACK_REDIS_URL": "redis://127.0.0.1:1/0"}
    found = CliRunner().invoke(
        audit_command.command, ["--file", str(published[0])], env=environment
    )
    assert isinstance(found.exception, Unavailable)
    assert "does not answer" in str(found.exception)


def test_a_refused_login_is_wrong_use(
    published: tuple[Path, RedisOwner], connection: Connection
) -> None:
    """Trying again would not help."""
    url = connection.url.replace("redis://", "redis://someone:wrong@")
    found = CliRunner().invoke(
        audit_command.command, ["--file", str(published[0])], env={"FEEDBACK_REDIS_URL": url}
    )
    assert isinstance(found.exception, ConfigurationError)
    assert "wrong" not in str(found.exception).replace("WRONGPASS", "")


class Consumer:
    """A consumer that knows of so many partitions."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Give them."""
        del topic
        return set(range(self._partitions))


@pytest.mark.parametrize(("partitions", "error"), [(0, Unavailable), (3, StorageMismatch)])
def test_the_topic_must_be_the_one_that_was_counted(
    published: tuple[Path, RedisOwner],
    monkeypatch: pytest.MonkeyPatch,
    partitions: int,
    error: type[Exception],
) -> None:
    """There, and with as many partitions."""
    del published
    monkeypatch.setattr(audit_command, "consumer", lambda _: Consumer(partitions))
    assert isinstance(invoke().exception, error)


def test_a_long_list_is_cut_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has every difference."""
    many = tuple(Difference("cell", f"place {n}", "1", "0") for n in range(25))
    result = PartitionAudit(4, 9, 9, 9, 9, 9, ("a note",), many)
    print_report("topic", [result])
    printed = capsys.readouterr().out
    assert printed.count("partition 4: cell") == 20
    assert "partition 4: 5 more" in printed
    assert "partition 4: a note" in printed
    assert printed.rstrip().endswith("25 differences")
    assert len(json.loads(report_json("topic", [result]))["partitions"][0]["differences"]) == 25


# On a real Kafka


@pytest.mark.kafka
def test_a_topic_with_aborted_records_is_audited(
    kafka_broker: KafkaBroker, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a transaction took back was never counted; control records are no events."""
    import time

    from confluent_kafka import Producer

    topic, now = "audited", time.time()
    kafka_broker.create_topic(topic, 1, {"message.timestamp.type": "LogAppendTime"})
    monkeypatch.setenv("FEEDBACK_KAFKA_BROKERS", kafka_broker.bootstrap)
    monkeypatch.setenv("FEEDBACK_REDIS_URL", connection.url)
    monkeypatch.setenv("FEEDBACK_TOPIC", topic)
    settings = load_settings()
    with producer(settings) as plain:
        for n in range(50):
            plain.send(topic, key=b"r-%d" % n, value=event(f"r-{n}", now, measures={"csat": 3}))
    client = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": "t"})
    client.init_transactions(20)
    for commit in (False, True):
        client.begin_transaction()
        client.produce(topic, key=b"r-1", value=event("r-1", now, revision=1 + commit))
        client.flush(20)
        client.commit_transaction(20) if commit else client.abort_transaction(20)
    owner = RedisOwner(connection, topic=topic)
    connection.redis.hset(topic_key(topic), "partitions", 1)
    with consumer(settings) as reader:
        log = KafkaLog(reader, topic)
        end = log.bounds(0)[1]
        records: Any = list(log.records(0, 0, end))
    assert len(records) == 51
    view = owner.state.view(1)
    owner.apply(owner.fold(records, {}, view, 0.0), end)
    assert (invoke().exit_code, end) == (0, 54)
    connection.redis.hincrby(PartitionKeys(topic, 0).ledger, "outcome:applied", 1)
    assert invoke().exit_code == 1
