"""What makes two requests the same request.

A request id means nothing alone: it is scoped to whoever sent it. That is the requester, as its
transport or its own key authenticated it, else whoever holds the subject token. A part of a batch
is a request of its own, under the batch's id and its index. The fingerprint tells whether a second
request under one id is a retry or a different request. Both are keyed hashes (HMAC-SHA-256) under a
key that is not in the store in the clear, so that a copy of the store helps nobody to guess a
password.

The token's own id is such a hash as well: if a store forgets a claim, the next attempt at the
request makes it anew, and with it the same token (docs/decisions/0005).
"""

from __future__ import annotations

import hmac
import itertools
import math
from collections.abc import Iterable
from dataclasses import field

from broker.errors import TooManyAttempts
from broker.mac import authenticated
from broker.model import Principal, Requester, TranslationRequest
from broker.value import value

MAX_REQUEST_ID_LENGTH = 255

BATCH_PREFIX = "batch:"
"""Before the scope of a batch, it makes the scope of its parts."""

QUOTA_SECONDS = 3600
"""The length of a window in which new requests of one scope are counted."""


@value
class Named:
    """The name of a request in the ledger, what tells whether another is the same, and what its
    token is made from: ``ENTROPY_BYTES``, the same for each attempt."""

    scope: str
    request_id: str
    fingerprint: bytes
    entropy: bytes = field(repr=False)


class Names:
    """Names the requests of one scope to one instance: what they have in common is framed once.

    ``requester`` is the id of who asks, None for a stranger.
    """

    __slots__ = ("_before_ids", "_before_tokens", "_instance", "_key", "scope")

    def __init__(self, scope: str, instance: str, requester: str | None, key: bytes) -> None:
        self.scope = scope
        self._key = key
        self._instance = _framed(_bytes(instance))
        self._before_ids = _framed(b"token") + _framed(_bytes(scope))
        self._before_tokens = _request_of(instance, requester)

    def named(self, request_id: str, request: TranslationRequest) -> Named:
        """The name of one of them, under its id in the ledger."""
        asked = self._before_tokens + _tokens_of(request)
        found = authenticated(asked, self._key)
        made_from = self._before_ids + _framed(_bytes(request_id)) + self._instance + _framed(found)
        return Named(self.scope, request_id, found, entropy(made_from, self._key))


def named(request: TranslationRequest, key: bytes) -> Named | None:
    """The name of a request that stands alone; None without an id: the ledger does not know it."""
    if request.request_id is None:
        return None
    names = Names(scope(request, key), request.instance, request.requester.id, key)
    return names.named(request.request_id, request)


def scope(request: TranslationRequest, key: bytes) -> str:
    """Whose request id this is, for a request that stands alone."""
    return holder(request.requester, [request.subject_token.canonical], key)


def entropy(name: bytes, key: bytes) -> bytes:
    """What the token of a request is made from, by everything that names it."""
    return authenticated(name, key)


def part_scope(scope: str) -> str:
    """The scope of the parts of a batch, which no request has that stands alone."""
    return f"{BATCH_PREFIX}{scope}"


def part_id(index: int, request_id: str) -> str:
    """The id of a part of the batch ``request_id``."""
    return f"{index}:{request_id}"


def holder(requester: Requester, tokens: Iterable[bytes], key: bytes) -> str:
    """The scope of an authenticated requester, else of whoever holds all of the subject tokens.

    ``tokens`` are canonical, so what came beside a request does not count: whoever shows another
    certificate under a used id gets a conflict. The same token again changes nothing.
    """
    if requester.id is not None:
        return requester_scope(requester)
    return "token:" + _keyed_all(key, (b"scope", *dict.fromkeys(tokens))).hex()


def requester_scope(requester: Requester) -> str:
    """The scope of an authenticated requester.

    A name is good on the transport that authenticated it; a key is the same on all of them.
    """
    place = "" if requester.by_key else f"{requester.transport}:"
    return f"requester:{place}{requester.id}"


def quota_scope(principal: Principal, key: bytes) -> str:
    """Whose quota a stranger's request counts against: a subject's, however its token is spelt."""
    parts = (principal.realm, principal.method, principal.account)
    return "principal:" + _keyed(key, b"quota", *map(_bytes, parts)).hex()


def fingerprint(request: TranslationRequest, key: bytes) -> bytes:
    """What was asked, the way back left out: the same for a retry, different for anything else."""
    text = _request_of(request.instance, request.requester.id) + _tokens_of(request)
    return authenticated(text, key)


def batch_fingerprint(
    instance: str, requester: Requester, parts: Iterable[bytes], key: bytes
) -> bytes:
    """What was asked in a batch; ``parts`` are its requests, canonical and in order."""
    before = (b"batch", _bytes(instance), _bytes(requester.id or ""))
    return _keyed_all(key, itertools.chain(before, parts))


def window_end(now: float) -> int:
    """When the window that ``now`` is in ends; both in seconds since the epoch."""
    return (int(now // QUOTA_SECONDS) + 1) * QUOTA_SECONDS


def over_quota(now: float) -> TooManyAttempts:
    """The refusal of a new request whose scope has had its share of this window."""
    return TooManyAttempts(
        "too many new requests in this hour; wait before sending another",
        retry_after=max(1, math.ceil(window_end(now) - now)),
        detail="quota",
    )


def _bytes(text: str) -> bytes:
    """Text that is no Unicode has bytes too; whether it is welcome is for the store to say."""
    return text.encode("utf-8", "surrogatepass")


def _keyed(key: bytes, *parts: bytes) -> bytes:
    """HMAC over framed parts."""
    return authenticated(b"".join([_framed(part) for part in parts]), key)


def _keyed_all(key: bytes, parts: Iterable[bytes]) -> bytes:
    """The same over parts that are not to be copied all at once."""
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(_framed(part))
    return mac.digest()


def _request_of(instance: str, requester: str | None) -> bytes:
    """What a fingerprint begins with."""
    return b"".join(map(_framed, (b"request", instance.encode(), (requester or "").encode())))


def _tokens_of(request: TranslationRequest) -> bytes:
    """What a fingerprint goes on with."""
    given, wanted = request.subject_token, request.requested_token.canonical
    text = _framed(given.canonical) + _framed(wanted)
    beside = given.beside
    return text + b"".join(map(_framed, beside)) if beside else text


def _framed(part: bytes) -> bytes:
    """With its length before it, so that no two lists of parts give the same bytes."""
    return len(part).to_bytes(4, "big") + part
