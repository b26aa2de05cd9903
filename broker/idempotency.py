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
import math
from collections.abc import Iterable

from broker.errors import TooManyAttempts
from broker.model import BatchPlace, Claim, Principal, Requester, TranslationRequest

MAX_REQUEST_ID_LENGTH = 255

BATCH_PREFIX = "batch:"
"""Before the scope of a batch, it makes the scope of its parts."""

QUOTA_SECONDS = 3600
"""The length of a window in which new requests of one scope are counted."""


def scope(request: TranslationRequest, key: bytes) -> str:
    """Whose request id this is. The parts of a batch have a scope that no other request has."""
    if request.place is not None:
        return part_scope(request.place)
    return holder(request.requester, [request.subject_token.canonical], key)


def stored_id(request: TranslationRequest) -> str | None:
    """The id under which the ledger knows a request; each part of a batch has one of its own."""
    if request.place is None or request.request_id is None:
        return request.request_id
    return part_id(request.place, request.request_id)


def part_scope(place: BatchPlace) -> str:
    """The scope of a part of a batch, which no request has that stands alone."""
    return f"{BATCH_PREFIX}{place.scope}"


def part_id(place: BatchPlace, request_id: str) -> str:
    """The id of a part of the batch ``request_id``."""
    return f"{place.index}:{request_id}"


def holder(requester: Requester, tokens: Iterable[bytes], key: bytes) -> str:
    """The scope of an authenticated requester, else of whoever holds all of the subject tokens.

    ``tokens`` are canonical, so what came beside a request does not count: whoever shows another
    certificate under a used id gets a conflict. The same token again changes nothing.
    """
    if requester.id is not None:
        return requester_scope(requester)
    return "token:" + _keyed(key, b"scope", *dict.fromkeys(tokens)).hex()


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
    return _keyed(
        key,
        b"request",
        request.instance.encode(),
        (request.requester.id or "").encode(),
        request.subject_token.canonical,
        request.requested_token.canonical,
        *request.subject_token.beside,
    )


def batch_fingerprint(
    instance: str, requester: Requester, parts: Iterable[bytes], key: bytes
) -> bytes:
    """What was asked in a batch; ``parts`` are its requests, canonical and in order."""
    return _keyed(key, b"batch", _bytes(instance), _bytes(requester.id or ""), *parts)


def entropy(claim: Claim, instance: str, key: bytes) -> bytes:
    """What the token of a request is made from, ``ENTROPY_BYTES`` of it: the same for each attempt.

    ``claim`` has scope, id and fingerprint of the request.
    """
    return _keyed(
        key,
        b"token",
        _bytes(claim.scope or ""),
        _bytes(claim.request_id or ""),
        _bytes(instance),
        claim.fingerprint,
    )


def window_end(now: float) -> int:
    """When the window that ``now`` is in ends; both in seconds since the epoch."""
    return (math.floor(now / QUOTA_SECONDS) + 1) * QUOTA_SECONDS


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
    """HMAC over parts, each with its length before it, so that no two lists give the same bytes."""
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(len(part).to_bytes(4, "big"))
        mac.update(part)
    return mac.digest()
