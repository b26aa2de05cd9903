"""The life of an issued token after it was handed out: query, validate, cancel.

A token is valid if its record is present, belongs to the instance that is asked, has not expired
and carries the same digest. Presence is an allow-list, so a lost record fails closed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker import policy
from broker.errors import InvalidRequest
from broker.events import TokenCancelled, TokenExpired
from broker.model import TokenRecord, TokenType
from broker.ports import Attempt, Clock, EventSink, InstanceSource, TokenQuery, TokenStore
from broker.registry import Registry
from broker.trail import AuditTrail


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
        trail: AuditTrail,
        events: EventSink,
        clock: Clock,
    ) -> None:
        self._instances = instances
        self._registry = registry
        self._tokens = tokens
        self._trail = trail
        self._events = events
        self._clock = clock

    async def validate(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> bool:
        """Whether the presented token is one of this instance's that is still good."""
        return await self._trail.recorded(attempt, self._validate(attempt, decode))

    async def cancel(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> TokenType:
        """End the token for good; a token that is not there is no error. Returns its type."""
        return await self._trail.recorded(attempt, self._cancel(attempt, decode))

    async def _validate(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> bool:
        _, record = await self._find(attempt, decode())
        valid = record is not None and record.expires_at > self._clock.now()
        attempt.extra["valid"] = str(valid).lower()
        return valid

    async def _cancel(self, attempt: Attempt, decode: Callable[[], PresentedToken]) -> TokenType:
        token_type, record = await self._find(attempt, decode())
        if record is not None:
            await self._remove(record)
        return token_type

    async def _find(
        self, attempt: Attempt, presented: PresentedToken
    ) -> tuple[TokenType, TokenRecord | None]:
        """The type the token says it has, and its record if the token is really that one."""
        instance = await self._instances.resolve(presented.instance)
        attempt.instance, attempt.realm = instance.id, instance.realm
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

    async def get(self, alias: str) -> TokenRecord | None:
        return await self._tokens.get(alias)

    async def revoke(self, record: TokenRecord) -> None:
        """An administrator's cancel, by record."""
        await self._remove(record)

    async def reap(self) -> int:
        """Remove expired records and announce each once; returns how many."""
        now = self._clock.now()
        expired = await self._tokens.reap(now)
        for record in expired:
            await self._events.publish(
                TokenExpired(
                    at=now, realm=record.realm, instance=record.instance, token_id=record.token_id
                )
            )
        return len(expired)

    async def _remove(self, record: TokenRecord) -> None:
        await self._tokens.cancel(record.alias)
        await self._events.publish(
            TokenCancelled(
                at=self._clock.now(),
                realm=record.realm,
                instance=record.instance,
                token_id=record.token_id,
            )
        )


def _token_type(state: Mapping[str, Any]) -> TokenType:
    value = state.get("token_type")
    if not isinstance(value, str):
        raise InvalidRequest("the token state needs a string token_type")
    return TokenType(value)
