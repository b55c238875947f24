"""Which partition an event belongs to: murmur2 of its key, as Kafka's own clients compute it.

All revisions of an event must reach the partition that counted it. Java and kafka-python
hash this way by default; librdkafka needs `partitioner=murmur2_random`.
"""

from __future__ import annotations

from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data` with Kafka's seed, as an unsigned 32-bit number.

    Source: org.apache.kafka.common.utils.Utils.murmur2 (32-bit, seed 0x9747b28c, shift 24).
    """
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole != length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a record with this key in a topic of so many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
