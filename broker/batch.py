"""Many translations under one id: what a batch is (``broker.batching`` works on it)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.errors import Refusal
from broker.instance import Instance
from broker.model import (
    Principal,
    ReceivedToken,
    Requester,
    Secret,
    TokenType,
    TranslationRequest,
)

MAX_PARTS = 1000
OPERATION = "translate.batch"


@dataclass(frozen=True, slots=True)
class Part:
    """One of a batch's requests, or why it cannot be understood; ``canonical`` is its meaning."""

    request: TranslationRequest | Refusal
    canonical: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A batch, decoded once. ``request_id`` is the caller's idempotency id, ``deadline`` seconds
    since the epoch, ``reply_key`` the public key (JWK) that the answer is to be encrypted to."""

    instance: str
    parts: Sequence[Part]
    requester: Requester
    request_id: str | None = None
    deadline: float | None = None
    trace: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reply_key: Mapping[str, Any] | None = field(default=None, repr=False)


class Validated:
    """Who the credentials of some parts speak for: each that is good is validated once.

    It lives as long as one chunk, so that a session that ends or a password that changes is noticed
    by the next.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[TokenType, bytes], Principal] = {}
        self._locks: defaultdict[tuple[TokenType, bytes], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def principal(
        self, token: ReceivedToken, validate: Callable[[], Awaitable[Principal]]
    ) -> Principal:
        """Raises what ``validate`` raises, for each part anew."""
        key = token.type, token.whole
        async with self._locks[key]:
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = await validate()
            return known


@dataclass(frozen=True, slots=True)
class Shared:
    """What parts have in common: the instance, resolved once, and who their credentials name.

    ``to_end`` are sessions that end with the batch, as each part alone would have ended its own.
    """

    instance: Instance
    validated: Validated = field(default_factory=Validated)
    to_end: set[Secret] = field(default_factory=set)
