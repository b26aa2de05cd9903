"""HMAC-SHA-256 (RFC 2104) under a key that stays the same."""

from __future__ import annotations

import hashlib
from functools import lru_cache

MAX_PREPARED = 16
BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def authenticated(text: bytes, key: bytes) -> bytes:
    """What ``hmac.digest`` gives with SHA-256, in half its time: the key is taken in once.

    The two hashes of RFC 2104, section 2, each go on from where the key was read. Copying an
    ``hmac`` object instead would have the library make and free a context of several parts.
    """
    begun, ending = _prepared(key)
    inner, outer = begun.copy(), ending.copy()
    inner.update(text)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=MAX_PREPARED)
def _prepared(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Only keys of the deployment come here, so that they are no more than a few."""
    if len(key) > BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    block = key.ljust(BLOCK_BYTES, b"\0")
    return hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))
