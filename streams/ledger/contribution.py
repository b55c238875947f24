"""What the ledger remembers of an event: enough to tell a duplicate and to take it back exactly."""

from __future__ import annotations

import msgspec


class Contribution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event id's entry, stored as a msgpack array of some 25 bytes.

    `version` is the KPI file version it was counted under, `occurred` and `recorded` are whole
    Unix seconds (of the event, and of the moment it was judged at), `segment` has the admitted
    number of each dimension's value, `answers` and `sentiment` are what it counted, `customer`
    is a keyed hash of 8 bytes. A withdrawn event counts nothing.
    """

    revision: int
    withdrawn: bool
    version: int
    occurred: int
    recorded: int
    segment: tuple[int, ...]
    answers: tuple[int | None, ...]
    sentiment: int | None = None
    customer: bytes | None = None

    @property
    def order(self) -> tuple[int, bool]:
        """Of two entries of one event, the one with the higher order stands."""
        return (self.revision, self.withdrawn)

    def forgotten(self, now: float, horizon_seconds: int) -> bool:
        """Whether event and arrival are both past the horizon: then it counts as absent."""
        return max(self.occurred, self.recorded) < now - horizon_seconds


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Contribution)


def encode_contribution(contribution: Contribution) -> bytes:
    """The entry's bytes."""
    return _encoder.encode(contribution)


def decode_contribution(value: bytes) -> Contribution:
    """The entry in these bytes."""
    return _decoder.decode(value)
