"""Request bodies made before a run, in a file that every driver process maps.

The driver reads them as they are, so that minting tokens costs nothing while it measures, and a
million of them take no memory of its own.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable
from pathlib import Path

_OFFSET = struct.Struct("<Q")
_BOUNDS = struct.Struct("<QQ")


class Pool:
    """Bodies by number, from 0. Close it, or use it as a context."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and ValueError for a file that :func:`write_pool` did not write."""
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        table: int = _OFFSET.unpack_from(self._bytes, len(self._bytes) - _OFFSET.size)[0]
        count, rest = divmod(len(self._bytes) - _OFFSET.size - table, _OFFSET.size)
        if rest or count < 1:
            raise ValueError(f"{path} is no pool of requests")
        self._table, self._count = table, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> bytes:
        """The body of a number; numbers beyond the last go round again."""
        at = self._table + number % self._count * _OFFSET.size
        start, end = _BOUNDS.unpack_from(self._bytes, at)
        return self._bytes[start:end]

    def close(self) -> None:
        self._bytes.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_pool(path: Path, bodies: Iterable[bytes]) -> int:
    """Write the bodies one after the other; how many there were. Raises ValueError without any."""
    offsets: list[int] = []
    with path.open("wb") as file:
        for body in bodies:
            offsets.append(file.tell())
            file.write(body)
        table = file.tell()
        if not offsets:
            raise ValueError("a pool of requests needs one at least")
        for offset in (*offsets, table):
            file.write(_OFFSET.pack(offset))
    return len(offsets)
