"""Memory that the workers of one machine share: each writes what it has counted into a seat.

Whoever is asked adds up all seats. A worker that died leaves its numbers in its seat, and the one
that takes its place goes on from there, so that no sum ever falls.
"""

from __future__ import annotations

import mmap
import zlib
from struct import Struct

import orjson

from adapters.telemetry.counts import Counts, counts_of

SEAT_BYTES = 4 * 1024 * 1024
"""More than the bounded tables of ``counts`` can fill."""

_HEAD = Struct("<QI")  # length and CRC-32 of what follows
_LOOKS = 5


class Seats:
    """Made before the workers are forked."""

    def __init__(self, number: int) -> None:
        self._memory = mmap.mmap(-1, number * SEAT_BYTES)
        self._number = number
        self._read: dict[int, Counts] = {}

    def write(self, seat: int, counts: Counts) -> None:
        """By the one worker whose seat it is. What does not fit leaves the seat as it was."""
        document = orjson.dumps(counts.document())
        if _HEAD.size + len(document) > SEAT_BYTES:
            return
        start = seat * SEAT_BYTES
        self._memory[start + _HEAD.size : start + _HEAD.size + len(document)] = document
        _HEAD.pack_into(self._memory, start, len(document), zlib.crc32(document))

    def read(self, seat: int) -> Counts:
        """What was written last. A reader that meets a writer each time it looks gets what it has
        read before."""
        for _ in range(_LOOKS):
            found = self._look(seat)
            if found is not None:
                self._read[seat] = found
                return found
        return self._read.get(seat, Counts())

    def others(self, seat: int) -> list[Counts]:
        return [self.read(each) for each in range(self._number) if each != seat]

    def _look(self, seat: int) -> Counts | None:
        start = seat * SEAT_BYTES
        length, checksum = _HEAD.unpack_from(self._memory, start)
        if length == 0:
            return Counts()
        document = self._memory[start + _HEAD.size : start + _HEAD.size + length]
        if zlib.crc32(document) != checksum:
            return None
        return counts_of(orjson.loads(document))
