"""The words of a routing key: a type's name, then the realm, then the instance's element.

``token.issued.root.username-transformer`` and ``token.issued.fred:bobo.orders``. A realm is one
word whatever its depth, and so is an element, so that a binding such as ``token.*.root.*`` means
what it says: ``:`` stands between the levels of a realm, and what else is neither an ASCII letter
or digit nor one of ``-``, ``_`` is written as its UTF-8 bytes in hexadecimal after ``%``. A word
that gets too long for the message servers is cut, and ends in ``~`` and a digest of the whole.
"""

from __future__ import annotations

import functools
import hashlib
from urllib.parse import quote

from broker.model import ROOT_REALM, instance_id

ROOT_WORD = "root"
"""The root realm's word; no realm can be named like it."""

MAX_KEY_BYTES = 255
"""The longest routing key: AMQP 0-9-1, section 4.2.5.3 (short string)."""

MAX_WORD_BYTES = 110
"""Two words, a type's name and the dots between them fit into a routing key."""

DIGEST_DIGITS = 16
CACHED_WORDS = 1024

_QUOTED = str.maketrans({".": "%2E", "~": "%7E"})
"""What ``quote`` leaves as it is."""


def routing_key(name: str, realm: str, instance: str | None) -> str:
    """The routing key of an event; one without an instance ends with the realm."""
    words = [name, word(realm)]
    if instance:
        words.append(word(element_in(realm, instance) or instance))
    return ".".join(words)


@functools.lru_cache(CACHED_WORDS)
def word(path: str) -> str:
    """A realm or an element as one word."""
    parts = [part for part in path.split("/") if part]
    whole = ":".join(_quoted(part) for part in parts) or ROOT_WORD
    if len(whole) <= MAX_WORD_BYTES:
        return whole
    digest = hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS]
    return f"{whole[: MAX_WORD_BYTES - DIGEST_DIGITS - 1]}~{digest}"


def element_in(realm: str, instance: str) -> str:
    """The instance's id without its realm; empty if it is not of that realm."""
    if realm == ROOT_REALM:
        return instance
    prefix = instance_id(realm, "") + "/"
    return instance.removeprefix(prefix) if instance.startswith(prefix) else ""


def _quoted(part: str) -> str:
    return quote(part, safe="", errors="surrogatepass").translate(_QUOTED)
