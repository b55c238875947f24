"""A topic read once, from its beginning to where it ends now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kafka import TopicPartition

from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafka import KafkaConsumer
    from kafka.consumer.fetcher import ConsumerRecord

_POLL_MILLISECONDS: Final = 1_000

# As long as a broker's leader may be away before we give up.
_PATIENCE_SECONDS: Final = 30.0


def no_topic(topic: str) -> Unavailable:
    """The error where Kafka names no such topic: absent, or not for us to see."""
    return Unavailable(
        f"There is no topic {topic} that we may see. "
        "Create it with `feedback topics create`, or name another."
    )


def read_to_now(client: KafkaConsumer, topic: str) -> Iterator[ConsumerRecord]:
    """Every record that `topic` holds at the time of the call, each partition in its order.

    The end is fixed at the beginning, so this ends also where what is read causes new records.
    Raises `Unavailable` where there is no such topic, or where nothing comes for 30 seconds.
    """
    partitions = [TopicPartition(topic, p) for p in client.partitions_for_topic(topic)]
    if not partitions:
        raise no_topic(topic)
    begins, ends = client.beginning_offsets(partitions), client.end_offsets(partitions)
    unread = {tp for tp in partitions if begins[tp] < ends[tp]}
    client.assign(sorted(unread))
    for tp in unread:
        client.seek(tp, begins[tp])
    last_progress = time.monotonic()
    while unread:
        for tp, records in client.poll(_POLL_MILLISECONDS).items():
            last_progress = time.monotonic()
            yield from (record for record in records if record.offset < ends[tp])
        # The position and not the last offset: what ends a log may be no record of anyone's.
        for tp in [tp for tp in unread if client.position(tp) >= ends[tp]]:
            client.pause(tp)
            unread.remove(tp)
        if time.monotonic() - last_progress > _PATIENCE_SECONDS:
            raise Unavailable(f"{topic} could not be read to its end: Kafka sent nothing more.")
