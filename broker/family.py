"""Tokens that were issued from tokens of ours, and end with them if their instance asks for it.

An instance with ``cancel_with_parent`` binds its tokens to those they were issued from. Cancelling
a token then cancels what is bound to it; and a bound token is good only while the record of its
parent is there. The second makes up for what the first cannot reach: a child that is issued while
its parent is being cancelled, and a crash between the two.

A token never outlives its parent (``policy.expiry``), so a parent that was reaped takes no child
with it that was still good.
"""

from __future__ import annotations

from broker.errors import Refusal
from broker.model import TokenRecord, TokenType
from broker.ports import InstanceSource, KeySource, TokenQuery, TokenStore

MAX_GENERATIONS = 16
"""How many ancestors a bound token may have. One that has more, or is its own, is not good."""

PAGE_SIZE = 500
"""How many children are asked for at once."""


class Family:
    """Who descends from whom. ``inputs`` are the types of tokens that others are issued from."""

    def __init__(
        self,
        *,
        instances: InstanceSource,
        tokens: TokenStore,
        keys: KeySource,
        inputs: frozenset[TokenType],
    ) -> None:
        self._instances = instances
        self._tokens = tokens
        self._keys = keys
        self._inputs = inputs

    async def stands(self, record: TokenRecord) -> bool:
        """Whether nothing that the token rests on was taken back: keys, and ancestors."""
        for _ in range(MAX_GENERATIONS + 1):
            if self._revoked(record):
                return False
            if record.parent is None or not await self._bound(record):
                return True
            parent = await self._tokens.get(record.parent)
            if parent is None:
                return False
            record = parent
        return False

    async def has(self, alias: str) -> bool:
        """Whether a token of ours is there and stands."""
        record = await self._tokens.get(alias)
        return record is not None and await self.stands(record)

    async def bound_to(self, parent: TokenRecord) -> list[TokenRecord]:
        """The children that are to be cancelled with their parent."""
        if parent.type not in self._inputs:
            return []
        children: list[TokenRecord] = []
        after = None
        while True:
            page = await self._tokens.query(
                TokenQuery(parent=parent.alias, after=after, limit=PAGE_SIZE)
            )
            children += [child for child in page if await self._bound(child)]
            if len(page) < PAGE_SIZE:
                return children
            after = page[-1].alias

    def _revoked(self, record: TokenRecord) -> bool:
        return record.key_id is not None and self._keys.revoked(record.realm, record.key_id)

    async def _bound(self, child: TokenRecord) -> bool:
        """What its instance says; an instance that is gone can no longer say that it is free."""
        try:
            instance = await self._instances.resolve(child.instance)
        except Refusal:
            return True
        return instance.cancel_with_parent
