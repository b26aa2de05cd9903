"""How keys in Redis are called; docs/redis.md lists them all.

What stands between the braces decides the slot (Redis Cluster, "hash tags"). It is a digest of the
id, or the name of a shard: no byte that a caller chose gets into the name of a key.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib

PREFIX = "remint:"
SHARDS = 16
"""Into how many slots an index is spread. Another number needs another schema version."""

SHORT_DIGEST_BYTES = 16

MAX_REMEMBERED = 1024
"""Digests that are not computed again: of instances, realms and keys, of which there are few."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")

META = PREFIX + "{store}:meta"
DOCUMENTS = PREFIX + "{instances}:documents"
CONFIGURATION = PREFIX + "{instances}:configuration"
GENERATION = PREFIX + "{instances}:generation"
INSTANCES_CHANNEL = PREFIX + "instances"

TOKEN = "token"  # noqa: S105 - part of the name of a key
HOME = "home"
REQUEST = "request"
SPENT = "spent"
SESSION = "session"
ATTEMPTS = "attempts"
USERS = "users"
FACTORS = "factors"
FACTOR = "factor"
EVENT = "event"
OUTBOX = "outbox"
INSTANCES_TAG = "instances"
JOURNAL = PREFIX + "{journal}:events"


def key(tag: str, kind: str) -> str:
    """The key of that kind in the slot of ``tag``."""
    return f"{PREFIX}{{{tag}}}:{kind}"


def digest(kind: str, *parts: str) -> bytes:
    """SHA-256 over parts, each with its length before it; text that is no Unicode has one too."""
    told = kind.encode()
    for part in parts:  # two at most: adding them up is faster than joining a list
        encoded = part.encode("utf-8", "surrogatepass")
        told += len(encoded).to_bytes(4, "big") + encoded
    return hashlib.sha256(told).digest()


def tag(kind: str, *parts: str) -> str:
    """The digest as base64url (RFC 4648 section 5), which fits between braces."""
    return text_of(digest(kind, *parts))


def short(kind: str, part: str) -> bytes:
    """A digest to look things up by where a collision only costs a look at the wrong thing."""
    return digest(kind, part)[:SHORT_DIGEST_BYTES]


@functools.lru_cache(maxsize=MAX_REMEMBERED)
def remembered_short(kind: str, part: str) -> bytes:
    """``short`` of a name that many tokens share and that is nobody's secret."""
    return short(kind, part)


def text_of(value: bytes) -> str:
    """As base64.urlsafe_b64encode without its padding, in one step instead of four."""
    return binascii.b2a_base64(value, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    """What ``text_of`` wrote."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def shard_of(name: str) -> int:
    """The shard of an alias or a tag."""
    return digest("shard", name)[0] % SHARDS


def due(kind: str, shard: int) -> str:
    """The sorted set that says when things of a kind are to be looked at."""
    return f"{PREFIX}{{{kind}-{shard:02}}}:due"


def index(shard: int) -> str:
    return f"{PREFIX}{{token-{shard:02}}}:index"


def expiry(shard: int) -> str:
    return f"{PREFIX}{{token-{shard:02}}}:expiry"
