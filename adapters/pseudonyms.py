"""Names that stand for others: the same for the same, and telling nothing to who lacks the key."""

from __future__ import annotations

import base64

import orjson

from broker.mac import authenticated

BYTES = 18


def keyed(key: bytes, *words: str, size: int = BYTES) -> str:
    """A digest of the words in base64url (RFC 4648, section 5), of ``size`` bytes."""
    told = orjson.dumps([_unicode(word) for word in words])
    return base64.urlsafe_b64encode(authenticated(told, key)[:size]).decode()


def principal(key: bytes, realm: str, name: str) -> str:
    """Who a token speaks for: the same in events, audit and log, and another in another realm."""
    return keyed(key, "principal", realm, name)


def _unicode(word: str) -> str:
    """Bytes of a header that are no text have a pseudonym too."""
    if word.isascii():
        return word
    return word.encode("utf-8", "backslashreplace").decode()
