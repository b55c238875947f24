from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from kafka.consumer.fetcher import ConsumerRecord

from agents.commands import dead_letters, publish, topics
from agents.embedded.process import wait_until
from agents.kafka import clients as kafka_clients
from agents.kafka.clients import consumer, producer
from agents.kafka.topic_log import read_to_now
from agents.settings import Settings, load_settings
from streams.errors import Unavailable
from streams.events.dead_letter import dead_letter
from streams.events.event import Refusal
from streams.events.routing import partition_of
from tests.servers import FeedbackProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

KPIS = """
version: 1
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {service: {max: 20}}
kpis:
  csat:
    title: Customer satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: {at_least: 85}
    owner: support-team
"""
PARTITIONS = 4


class Stream(NamedTuple):
    """A topic of events and one of dead letters, made for one test by `feedback topics create`."""

    broker: KafkaBroker
    settings: Settings
    directory: Path

    @property
    def options(self) -> list[str]:
        """What says to every command where the stream is."""
        return ["--brokers", self.broker.bootstrap]

    @property
    def for_events(self) -> list[str]:
        """The same for commands that read the KPI file and the topic of events."""
        settings = self.settings
        return [*self.options, "--topic", settings.topic, "--kpis", str(settings.kpi_file)]

    def create(self, *options: str) -> Result:
        """`feedback topics create`."""
        letters = ["--dead-letter-topic", self.settings.dead_letter_topic]
        return CliRunner().invoke(topics.command, ["create", *self.for_events, *letters, *options])

    def publish(self, *options: str, given: str | None = None) -> Result:
        """`feedback publish`."""
        return CliRunner().invoke(publish.command, [*options, *self.for_events], input=given)

    def dead_letters(self, *options: str) -> Result:
        """`feedback dead-letters`."""
        letters = ["--dead-letter-topic", self.settings.dead_letter_topic]
        return CliRunner().invoke(dead_letters.command, [*options, *self.options, *letters])

    def records(self) -> list[ConsumerRecord]:
        """Every record on the topic of events."""
        with closing(consumer(self.settings)) as client:
            return list(read_to_now(client, self.settings.topic))

    def file(self, *lines: str) -> str:
        """A file of these lines."""
        path = self.directory / "events.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)


@pytest.fixture
def stream(kafka_broker: KafkaBroker, tmp_path: Path) -> Iterator[Stream]:
    """Give a stream of its own to the test."""
    kpis = tmp_path / "kpis.yaml"
    kpis.write_text(KPIS)
    name = tmp_path.name
    settings = load_settings(
        kafka_brokers=kafka_broker.bootstrap,
        topic=f"{name}.events",
        dead_letter_topic=f"{name}.letters",
        kpi_file=kpis,
    )
    one = Stream(kafka_broker, settings, tmp_path)
    created = one.create("--partitions", str(PARTITIONS), "--max-message-bytes", "10000")
    assert created.exit_code == 0, created.output
    yield one
    for topic in (settings.topic, settings.dead_letter_topic):
        kafka_broker.delete_topic(topic)


def event(number: int, **fields: Any) -> str:
    """Event `number`, of an hour ago, in JSON."""
    time = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    return json.dumps({"event_id": f"r-{number}", "occurred_at": time} | fields)


def test_topics_are_created_once(stream: Stream) -> None:
    """Creating again changes nothing and says so; another partition count is a no."""
    again = stream.create("--partitions", str(PARTITIONS), "--max-message-bytes", "10000")
    assert again.exit_code == 0
    names = (stream.settings.topic, stream.settings.dead_letter_topic)
    assert again.stdout.splitlines() == [f"{name}: exists, as wanted" for name in names]

    other = stream.create("--partitions", "8", "--retention", "1h", "--max-message-bytes", "10000")
    assert other.exit_code == 1
    assert "  partitions is 4, not 8 (it can't be changed: take what is there, " in other.stdout
    assert f"  retention.ms is {62 * 86_400_000}, not 3600000" in other.stdout

    read = stream.create("--partitions", "8", "--max-message-bytes", "10000", "--format", "json")
    difference = {"what": "partitions", "wanted": "8", "found": "4", "essential": True}
    assert (read.exit_code, json.loads(read.stdout)) == (
        1,
        [{"topic": name, "created": False, "differences": [difference]} for name in names],
    )


def test_too_many_replicas(stream: Stream) -> None:
    """More replicas than brokers: a sentence, not the broker's protocol."""
    arguments = ["create", *stream.options, "--topic", "one", "--dead-letter-topic", "two"]
    result = CliRunner().invoke(
        topics.command, [*arguments, "--replication", "3", "--retention", "1h"]
    )
    assert "one cannot have 3 replicas" in str(result.exception)


def test_events_arrive_as_they_were(stream: Stream) -> None:
    """Each event is on its key's partition, byte for byte, with the broker's time."""
    lines = [event(n, comment=f"words ü {n}") for n in range(100)]
    before = datetime.now(UTC).timestamp() * 1000
    result = stream.publish(stream.file(*lines))

    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.startswith(f"published 100 events to {stream.settings.topic} in ")
    found = stream.records()
    assert sorted(record.value for record in found) == sorted(line.encode() for line in lines)
    for record in found:
        assert record.key == json.loads(record.value)["event_id"].encode()
        assert record.partition == partition_of(record.key, PARTITIONS)
        assert (record.timestamp_type, record.timestamp >= before - 1000) == (1, True)


def test_csv_arrives_as_events(stream: Stream) -> None:
    """Rows of a survey arrive as events with numbers, null for no answer, and shifted times."""
    path = stream.directory / "survey.csv"
    path.write_text("respondent,day,rating,service\nr-1,2021-04-01,4,111\nr-2,2021-04-02,,\n")
    maps = ("event_id=respondent", "occurred_at=day", "measures.csat=rating")
    options = [option for pair in maps for option in ("--map", pair)]
    result = stream.publish(
        *(str(path), *options, "--map", "dimensions.service=service"),
        *("--timezone", "Europe/London", "--shift-to-now"),
    )

    assert result.exit_code == 0, result.output
    found = {e["event_id"]: e for e in (json.loads(record.value) for record in stream.records())}
    assert [found[name]["measures"] for name in ("r-1", "r-2")] == [{"csat": 4}, {"csat": None}]
    assert [found[name]["dimensions"] for name in ("r-1", "r-2")] == [{"service": "111"}, {}]
    ages = [
        datetime.now(UTC) - datetime.fromisoformat(found[name]["occurred_at"])
        for name in ("r-1", "r-2")
    ]
    assert ages[1] < timedelta(minutes=5)
    assert timedelta(hours=24) <= ages[0] < timedelta(hours=24, minutes=5)


def test_standard_input_stops_at_the_first_refused(stream: Stream) -> None:
    """A pipe cannot be judged first: what came before the refused event was sent, which is said."""
    lines = [event(1), event(2), event(3, measures={"csat": 9}), event(4)]
    result = stream.publish("-", given="\n".join(lines))

    assert result.exit_code == 1
    assert "standard input:3: off_scale: " in result.stderr
    assert "published 2 events" in result.stdout
    assert "1 refused (off_scale 1); stopped at standard input:3" in result.stdout
    assert sorted(record.key for record in stream.records()) == [b"r-1", b"r-2"]


def test_refused_events_are_skipped(stream: Stream) -> None:
    """With --skip-invalid the others arrive, and the answer is no."""
    path = stream.file(event(1), "{", event(3))
    result = stream.publish(path, "--skip-invalid", "--format", "json")
    assert (result.exit_code, f"{path}:2: not_json: " in result.stderr) == (1, True)
    found = json.loads(result.stdout)
    assert found.pop("seconds") >= 0
    assert found == {
        "topic": stream.settings.topic,
        "published": 2,
        "undelivered": 0,
        "refused": {"not_json": 1},
        "stopped_at": None,
    }
    assert sorted(record.key for record in stream.records()) == [b"r-1", b"r-3"]


def test_an_event_too_large_for_the_topic(stream: Stream) -> None:
    """What the broker refuses is reported with its line; the events around it arrive."""
    path = stream.file(event(1), event(2, comment="words " * 5_000), event(3))
    result = stream.publish(path)

    assert result.exit_code == 1
    assert f"{path}:2: not delivered: MessageSizeTooLarge" in result.stderr
    assert "published 2 events" in result.stdout
    assert "1 not delivered" in result.stdout
    assert sorted(record.key for record in stream.records()) == [b"r-1", b"r-3"]


def test_missing_topic(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that is not there is not made by publishing to it."""
    monkeypatch.setattr(kafka_clients, "CONNECT_SECONDS", 1)
    absent = ["--topic", "absent"]
    result = CliRunner().invoke(
        publish.command, [stream.file(event(1)), *stream.for_events, *absent]
    )
    assert isinstance(result.exception, Unavailable)
    assert "has no topic absent" in str(result.exception)
    assert "absent" not in stream.broker.admin.list_topics(timeout=10).topics


def test_broker_killed_while_publishing(stream: Stream) -> None:
    """A broker killed and back within two minutes loses no event and doubles none."""
    count = 3_000
    path = stream.file(*(event(n) for n in range(count)))
    with FeedbackProcess(
        "publish", path, *stream.for_events, "--rate", "600", directory=stream.directory
    ) as process:
        wait_until(lambda: len(stream.records()) > 200, 30, "the first events")
        stream.broker.kill()
        stream.broker.start()
        wait_until(lambda: not process.alive(), 150, "the end of publishing")
    assert process.exit_status == 0, process.output()
    assert f"published {count:,} events" in process.output()
    keys = Counter(record.key for record in stream.records())
    assert (len(keys), set(keys.values())) == (count, {1})


def write_letters(stream: Stream) -> None:
    """Six letters of five refused records, the first twice, and a record that is no letter."""
    topic, letters = stream.settings.topic, stream.settings.dead_letter_topic
    with producer(stream.settings) as client:
        for number in (0, 0, 1, 2, 3, 4):
            value = event(number, comment="private words").encode()
            refused = ConsumerRecord(
                *(topic, number % PARTITIONS, -1, number, 0, 0),
                *(b"r-%d" % number, value * (200 if number == 4 else 1), [("trace", b"t")]),
                *(None, 0, 0, 0),
            )
            reason = "off_scale" if number < 2 else "unknown_measure"
            letter = dead_letter(refused, Refusal(reason, "A sentence."), 10_000)
            client.send(letters, letter.value, letter.key, list(letter.headers)).get(10)
        client.send(letters, b"strange", b"key").get(10)


def test_dead_letters_are_listed(stream: Stream) -> None:
    """Each letter counts once, by reason; nothing that a customer wrote is shown."""
    write_letters(stream)
    shown = stream.dead_letters("list")
    assert shown.exit_code == 0
    assert f"{stream.settings.topic}:1:1" in shown.stdout
    assert "private" not in shown.output
    assert "left out 1 records" in shown.stderr

    listed = json.loads(stream.dead_letters("list", "--format", "json", "--limit", "1").stdout)
    assert (listed["letters"], listed["repeats"], len(listed["newest"])) == (5, 1, 1)
    assert listed["reasons"] == {"unknown_measure": 3, "off_scale": 2}
    chosen = stream.dead_letters("list", "--format", "json", "--reason", "off_scale")
    assert json.loads(chosen.stdout)["reasons"] == {"off_scale": 2}


def test_dead_letter_is_shown(stream: Stream) -> None:
    """A letter shows its reason and headers, its body only when asked; an absent one is a no."""
    write_letters(stream)
    source = f"{stream.settings.topic}:1:1"
    shown = stream.dead_letters("show", source)
    assert (shown.exit_code, "private" in shown.stdout) == (0, False)
    assert {"reason: off_scale", "detail: A sentence.", "key: r-1", "header trace: t"} <= set(
        shown.stdout.splitlines()
    )
    body = json.loads(stream.dead_letters("show", source, "--with-body", "--format", "json").stdout)
    assert json.loads(body["body"])["comment"] == "private words"
    assert stream.dead_letters("show", f"{stream.settings.topic}:1:7").exit_code == 1


def test_dead_letters_are_replayed(stream: Stream) -> None:
    """The refused records are back on their topic and partition; truncated ones are not."""
    write_letters(stream)
    dry = stream.dead_letters("replay", "--dry-run")
    assert (dry.exit_code, "would replay 4 events" in dry.stdout) == (1, True)
    read = stream.dead_letters("replay", "--dry-run", "--format", "json")
    assert json.loads(read.stdout) == {
        "dry_run": True,
        "replayed": 4,
        "repeats": 1,
        "impossible": 1,
        "undelivered": 0,
        "reasons": {"off_scale": 2, "unknown_measure": 2},
    }
    assert stream.records() == []

    result = stream.dead_letters("replay")
    assert result.exit_code == 1
    assert "replayed 4 events (off_scale 2, unknown_measure 2); " in result.stdout
    assert "1 repeats dropped; 1 cannot be replayed" in result.stdout
    assert f"{stream.settings.topic}:0:4: not replayed: the letter holds only" in result.stderr
    found = stream.records()
    assert sorted(record.key for record in found) == [b"r-0", b"r-1", b"r-2", b"r-3"]
    for record in found:
        assert record.partition == partition_of(record.key, PARTITIONS)
        assert list(record.headers) == [("trace", b"t")]
        assert json.loads(record.value)["event_id"].encode() == record.key


def test_replay_of_one_reason(stream: Stream) -> None:
    """Only letters of the named reason are replayed, and all of them could be."""
    write_letters(stream)
    result = stream.dead_letters("replay", "--reason", "off_scale")
    assert result.exit_code == 0, result.output
    assert sorted(record.key for record in stream.records()) == [b"r-0", b"r-1"]
