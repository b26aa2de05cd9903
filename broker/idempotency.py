"""What makes two requests the same request.

A request id means nothing alone: it is scoped to whoever sent it. That is the authenticated
requester, else whoever holds the subject token. The fingerprint tells whether a second request
under one id is a retry or a different request. Both are keyed hashes (HMAC-SHA-256) under a key
that is not in the store in the clear, so that a copy of the store helps nobody to guess a password.

The token's own id is such a hash as well: if a store forgets a claim, the next attempt at the
request makes it anew, and with it the same token (docs/decisions/0005).
"""

from __future__ import annotations

import hmac
import math

from broker.errors import TooManyAttempts
from broker.model import Claim, TranslationRequest

MAX_REQUEST_ID_LENGTH = 255

QUOTA_SECONDS = 3600
"""The length of a window in which new requests of one scope are counted."""


def scope(request: TranslationRequest, key: bytes) -> str:
    """Whose request id this is."""
    if request.requester.id is not None:
        return f"requester:{request.requester.id}"
    return "token:" + _keyed(key, b"scope", request.subject_token.canonical).hex()


def fingerprint(request: TranslationRequest, key: bytes) -> bytes:
    """What was asked, the way back left out: the same for a retry, different for anything else."""
    return _keyed(
        key,
        b"request",
        request.instance.encode(),
        (request.requester.id or "").encode(),
        request.subject_token.canonical,
        request.requested_token.canonical,
    )


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
