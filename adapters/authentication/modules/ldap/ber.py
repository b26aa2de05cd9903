"""The part of BER that LDAP is written in (X.690; RFC 4511, section 5.1): definite lengths only.

What comes from a directory is read strictly and within bounds: anything else is ``Malformed``.
"""

from __future__ import annotations

BOOLEAN, INTEGER, OCTETS, ENUMERATED = 0x01, 0x02, 0x04, 0x0A
SEQUENCE, SET = 0x30, 0x31

MAX_LENGTH_BYTES = 4
MAX_INTEGER_BYTES = 8


class Malformed(Exception):
    """The other side does not speak LDAP."""


def element(tag: int, *contents: bytes) -> bytes:
    """One element with ``contents`` in it, one after the other."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool, tag: int = BOOLEAN) -> bytes:
    return element(tag, b"\xff" if value else b"\x00")


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    return element(tag, value.encode() if isinstance(value, str) else value)


def head(data: bytes | bytearray | memoryview, at: int = 0) -> tuple[int, int, int] | None:
    """Tag, first byte and end of the element at ``at``; None while its head is incomplete.

    Raises Malformed.
    """
    if len(data) < at + 2:
        return None
    tag, length = data[at], data[at + 1]
    start = at + 2
    if tag & 0x1F == 0x1F:
        raise Malformed("a tag of several bytes")
    if length >= 0x80:
        size = length & 0x7F
        if not 0 < size <= MAX_LENGTH_BYTES:
            raise Malformed("a length that is indefinite or too long")
        if len(data) < start + size:
            return None
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    return tag, start, start + length


class Reader:
    """Takes elements off ``data``, one after the other. Raises Malformed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._data)

    def any(self) -> tuple[int, bytes]:
        """The next element: its tag and its content."""
        found = head(self._data, self._at)
        if found is None or found[2] > len(self._data):
            raise Malformed("an element that is cut off")
        tag, start, end = found
        self._at = end
        return tag, self._data[start:end]

    def next(self, tag: int) -> bytes:
        """The content of the next element, which must have that tag."""
        found, content = self.any()
        if found != tag:
            raise Malformed(f"an element of tag {found:#x} where {tag:#x} belongs")
        return content

    def inside(self, tag: int) -> Reader:
        return Reader(self.next(tag))

    def whole(self, tag: int = INTEGER) -> int:
        return number(self.next(tag))

    def peek(self) -> int | None:
        """The tag of the next element; None at the end."""
        return self._data[self._at] if self.more else None


def number(content: bytes) -> int:
    """The value of an INTEGER or ENUMERATED. Raises Malformed."""
    if not 0 < len(content) <= MAX_INTEGER_BYTES:
        raise Malformed("a number of no bytes, or of too many")
    return int.from_bytes(content, "big", signed=True)
