"""The life of an issued token after it was handed out: query, validate, cancel.

A token is valid if its record is present, belongs to the instance that is asked, has not expired
and carries the same digest, and if neither its key nor a token that it is bound to was taken back
(``broker.family``). Presence is an allow-list, so a lost record fails closed.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from broker import policy
from broker.errors import InvalidRequest
from broker.events import TokenCancelled, TokenExpired
from broker.family import MAX_GENERATIONS, Family
from broker.interim import InterimSessions
from broker.model import Announcement, TokenRecord, TokenType
from broker.ports import (
    Attempt,
    Clock,
    EventSink,
    InstanceSource,
    KeySource,
    TokenQuery,
    TokenStore,
)
from broker.registry import Registry
from broker.trail import AuditTrail

T = TypeVar("T")

AT_ONCE = 64
"""How many tokens are removed side by side, so that they share durable steps."""

PAGE_SIZE = 512
"""How many records are looked up at a time, where all that match are wanted."""


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A token shown to the instance it is said to come from; ``unverified`` is not checked."""

    instance: str
    unverified: Mapping[str, Any] = field(repr=False)


class Lifecycle:
    """Validate and cancel for whoever holds the token; query and revoke for administrators."""

    def __init__(
        self,
        *,
        instances: InstanceSource,
        registry: Registry,
        tokens: TokenStore,
        keys: KeySource,
        trail: AuditTrail,
        events: EventSink,
        clock: Clock,
        interim: InterimSessions | None = None,
    ) -> None:
        self._instances = instances
        self._registry = registry
        self._tokens = tokens
        self._trail = trail
        self._events = events
        self._clock = clock
        self._interim = interim
        self._family = Family(instances=instances, tokens=tokens, keys=keys, inputs=registry.inputs)

    async def validate(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> bool:
        """Whether the presented token is one of this instance's that is still good."""
        return await self._trail.recorded(attempt, self._validate(attempt, decode))

    async def cancel(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> TokenType:
        """End the token for good; a token that is not there is no error. Returns its type."""
        return await self._trail.recorded(attempt, self._cancel(attempt, decode))

    async def _validate(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> bool:
        _, record = await self._find(attempt, decode())
        valid = (
            record is not None
            and record.expires_at > self._clock.now()
            and await self._family.stands(record)
        )
        attempt.extra["valid"] = str(valid).lower()
        return valid

    async def _cancel(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> TokenType:
        token_type, record = await self._find(attempt, decode())
        if record is not None:
            await self._end([record], _Tally(attempt))
        return token_type

    async def _find(
        self, attempt: Attempt, presented: PresentedToken
    ) -> tuple[TokenType, TokenRecord | None]:
        """The type the token says it has, and its record if the token is really that one."""
        instance = await self._instances.resolve(presented.instance)
        attempt.instance, attempt.realm = instance.id, instance.realm
        policy.may_ask(instance, attempt.transport, attempt.requester)
        policy.keeps_tokens(instance)
        token_type = _token_type(presented.unverified)
        attempt.output_type = policy.shown(token_type)
        policy.issues(instance, token_type)
        name = self._registry.provider(token_type).name(presented.unverified)
        attempt.token_alias, attempt.digest = policy.shown(name.alias), name.digest.hex()
        record = await self._tokens.get(name.alias)
        if record is None or record.instance != instance.id or record.type != token_type:
            return token_type, None
        if not hmac.compare_digest(record.digest, name.digest):
            return token_type, None
        attempt.token_id, attempt.principal = record.token_id, record.principal
        return token_type, record

    async def query(self, query: TokenQuery) -> list[TokenRecord]:
        return await self._tokens.query(query)

    async def matching(self, query: TokenQuery) -> AsyncIterator[list[TokenRecord]]:
        """All records that match, in chunks and in order of alias. What is issued or cancelled
        meanwhile may or may not be among them; nothing comes twice."""
        query = replace(query, limit=PAGE_SIZE)
        while True:
            records = await self._tokens.query(query)
            yield records
            if len(records) < PAGE_SIZE:
                return
            query = replace(query, after=records[-1].alias)

    async def get(self, alias: str) -> TokenRecord | None:
        return await self._tokens.get(alias)

    async def revoke(self, record: TokenRecord, attempt: Attempt) -> None:
        """An administrator's cancel, by record."""
        await self._end([record], _Tally(attempt))

    async def cancel_matching(self, query: TokenQuery, attempt: Attempt | None = None) -> int:
        """End all tokens that match, and those bound to them; returns how many it ended.

        Each is durable by itself, and ``attempt`` has the number even if it fails half-way. To do
        it again does the rest. A token that is issued meanwhile may be passed over.
        """
        tally = _Tally(attempt)
        async for records in self.matching(query):
            await self._end(records, tally)
        return tally.ended

    async def reap(self) -> int:
        """Remove expired records and announce each once; returns how many."""
        now = self._clock.now()

        def announcement(record: TokenRecord) -> Announcement | None:
            event = TokenExpired(
                at=now, realm=record.realm, instance=record.instance, token_id=record.token_id
            )
            return self._events.prepare(event, alias=record.alias)

        reaped = 0
        while expired := await self._tokens.reap(now, announcement):
            for record in expired:
                self._events.announce(announcement(record))
            reaped += len(expired)
        return reaped

    async def _end(self, records: Sequence[TokenRecord], tally: _Tally) -> None:
        """Remove the records, then generation by generation what is bound to them.

        A record goes before its children are looked for: from then on it gets no new ones.
        """
        for _ in range(MAX_GENERATIONS + 1):
            children: list[TokenRecord] = []
            for at in range(0, len(records), AT_ONCE):
                batch = records[at : at + AT_ONCE]
                await _together([self._remove(record, tally) for record in batch])
                bound = await _together([self._family.bound_to(record) for record in batch])
                children += [child for found in bound for child in found]
            records = children

    async def _remove(self, record: TokenRecord, tally: _Tally) -> None:
        """Who removes a record counts it and announces it.

        The session that was opened for the token ends before: if this is cut short, the record is
        still there for who tries again. The session that a token was made from is its user's.
        """
        if self._interim is not None:
            await self._interim.end(record.token_id)
        event = TokenCancelled(
            at=self._clock.now(),
            realm=record.realm,
            instance=record.instance,
            token_id=record.token_id,
        )
        announcement = self._events.prepare(event, alias=record.alias)
        if not await self._tokens.cancel(record.alias, announcement):
            return
        tally.one_more()
        self._events.announce(announcement)


@dataclass(slots=True)
class _Tally:
    """How many tokens were ended for an attempt, whose audit line says it however it ends."""

    attempt: Attempt | None
    ended: int = 0

    def one_more(self) -> None:
        self.ended += 1
        if self.attempt is not None:
            self.attempt.extra["cancelled"] = str(self.ended)


async def _together(work: Sequence[Awaitable[T]]) -> list[T]:
    """The results, in order. If some fail, the first error, once all have come to an end."""
    results: list[T] = []
    for ended in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
        results.append(ended)
    return results


def _token_type(state: Mapping[str, Any]) -> TokenType:
    value = state.get("token_type")
    if not isinstance(value, str):
        raise InvalidRequest("the token state needs a string token_type")
    return TokenType(value)
