from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import murmur2 as kafka_murmur2

from streams.events.routing import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(data: bytes, expected: int) -> None:
    """The values of Kafka's own test (clients, UtilsTest.testMurmur2)."""
    assert expected % 2**32 == murmur2(data)


@given(st.binary(max_size=64))
def test_murmur2_is_that_of_kafka_python(data: bytes) -> None:
    """Of any length, so with every remainder of four."""
    assert kafka_murmur2(data) % 2**32 == murmur2(data)


@given(st.binary(max_size=200), st.integers(1, 1_000))
def test_a_partition_is_never_negative(key: bytes, partitions: int) -> None:
    """Java clears the sign before the remainder."""
    assert 0 <= partition_of(key, partitions) < partitions


@pytest.mark.parametrize(("partitions", "expected"), [(1_000, 340), (8, 4), (3, 0)])
def test_the_sign_is_cleared_as_java_clears_it(partitions: int, expected: int) -> None:
    """The hash of "21" is -973932308; without its sign it is 1173551340."""
    assert partition_of(b"21", partitions) == expected


def test_partitions_share_the_keys() -> None:
    """A thousand ids spread over eight partitions, none left with less than half its share."""
    found = [partition_of(b"r-%d" % n, 8) for n in range(1_000)]
    assert min(found.count(p) for p in range(8)) > 62
