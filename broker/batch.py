"""Many translations under one id: what a batch is (``broker.batching`` works on it)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.errors import Refusal
from broker.idempotency import Names
from broker.instance import Instance
from broker.model import (
    Principal,
    ReceivedToken,
    Requester,
    Secret,
    TokenType,
    TranslationRequest,
)
from broker.ports import AuditRecord, Clock
from broker.route import Route
from broker.value import value

MAX_PARTS = 1000
OPERATION = "translate.batch"


@value
class Part:
    """One of a batch's requests, or why it cannot be understood; ``canonical`` is its meaning."""

    request: TranslationRequest | Refusal
    canonical: bytes = field(repr=False)

    def decoded(self) -> TranslationRequest:
        """Raises the refusal."""
        if isinstance(self.request, Refusal):
            raise self.request
        return self.request


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
    """Who the credentials of some parts speak for: each that is good is validated once, and each
    by one part at a time.

    It lives as long as one chunk, so that a session that ends or a password that changes is noticed
    by the next.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[TokenType, bytes], Principal] = {}
        self._in_work: dict[tuple[TokenType, bytes], list[asyncio.Future[None]]] = {}

    async def principal(
        self,
        token: ReceivedToken,
        validate: Callable[[float], Awaitable[Principal]],
        clock: Clock,
    ) -> Principal:
        """What ``validate`` says at this moment. Raises what it raises, for each part anew."""
        key = token.type, token.whole
        while key in self._in_work:
            await self._ended(key)
        known = self._known.get(key)
        if known is not None:
            return known
        self._in_work[key] = []
        try:
            known = self._known[key] = await validate(clock.now())
            return known
        finally:
            for waiting in self._in_work.pop(key):
                if not waiting.done():
                    waiting.set_result(None)

    async def _ended(self, key: tuple[TokenType, bytes]) -> None:
        """Few parts show what another one is showing at this moment: they alone need a future."""
        waiting = asyncio.get_running_loop().create_future()
        self._in_work[key].append(waiting)
        await waiting


@dataclass(frozen=True, slots=True)
class Shared:
    """What the parts of a chunk have in common. That of the batch is the instance, resolved once,
    the ``names`` of requests with an id, and ``to_end``: sessions that end with the batch, as each
    part alone would have ended its own.

    ``options`` are what was asked for in equal words, parsed; ``key_ids`` the keys that sign;
    ``notes`` audit records that are to be written before any answer leaves.
    """

    instance: Instance
    names: Names | None = None
    to_end: set[Secret] = field(default_factory=set)
    validated: Validated = field(default_factory=Validated)
    options: dict[tuple[Route, bytes], Any] = field(default_factory=dict)
    key_ids: dict[Route, str | None] = field(default_factory=dict)
    notes: list[AuditRecord] = field(default_factory=list)

    def chunk(self) -> Shared:
        """What the next parts have in common."""
        return Shared(self.instance, self.names, self.to_end)
