"""The parts that packets of MQTT 5 are made of."""

from __future__ import annotations

import struct
from collections.abc import Iterator

RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE = 0x21, 0x27
CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA = 0x03, 0x08, 0x09
USER_PROPERTY = 0x26

MALFORMED = "no packet of MQTT 5"
_SHORT = struct.Struct(">H")
_FIXED = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
"""Bytes of properties that always have as many: section 2.2.2.2."""
_STRINGS = frozenset((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F))


def string(data: bytes) -> bytes:
    """With its length before it: section 1.5.4."""
    return _SHORT.pack(len(data)) + data


def variable(number: int) -> bytes:
    """A variable byte integer: section 1.5.5."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def properties(packet: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The value of each; of a user property both strings, with their lengths.

    Raises ValueError for one that nobody knows, IndexError, struct.error.
    """
    while at < end:
        name = packet[at]
        at += 1
        if name in _FIXED:
            begin, at = at, at + _FIXED[name]
        elif name in _STRINGS:
            begin = at + 2
            at = begin + _SHORT.unpack_from(packet, at)[0]
        elif name == USER_PROPERTY:
            begin = at
            for _ in range(2):
                at += 2 + _SHORT.unpack_from(packet, at)[0]
        else:
            raise ValueError(MALFORMED)
        yield name, packet[begin:at]


def length(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer and where it ends, -1 if it does not yet. Raises ValueError."""
    number = 0
    for place in range(4):
        if at + place >= len(data):
            return 0, -1
        byte = data[at + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError(MALFORMED)
