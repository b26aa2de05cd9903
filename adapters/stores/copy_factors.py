"""Copying second factors, passcodes among them: what counts once is remembered on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from adapters.stores.copy_parts import Item, chunked, content
from broker.factors import Factor, FactorStore

Names = tuple[str, str, str, str]


class Factors:
    """Those of the given realms, as a source and as a target."""

    def __init__(self, factors: FactorStore, realms: Collection[str]) -> None:
        self._factors = factors
        self._realms = sorted(realms)

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[Factor]]]:
        for realm in self._realms:
            factors = await self._factors.list(realm)
            for chunk in chunked([Item(_names(each), _told(each), each) for each in factors]):
                yield list(chunk)

    async def found(self, items: Sequence[Item[Factor]]) -> list[bytes | None]:
        factors = await asyncio.gather(*(self._factors.get(*_names(item.thing)) for item in items))
        return [None if factor is None else _told(factor) for factor in factors]

    async def write(self, items: Sequence[Item[Factor]]) -> None:
        await asyncio.gather(*(self._factors.swap(None, item.thing) for item in items))

    async def all_keys(self) -> AsyncIterator[list[Names]]:
        for realm in self._realms:
            yield [_names(factor) for factor in await self._factors.list(realm)]

    async def remove(self, keys: Sequence[Names]) -> None:
        await asyncio.gather(*(self._factors.delete(*names) for names in keys))


def _names(factor: Factor) -> Names:
    return factor.realm, factor.account, factor.kind, factor.id


def _told(factor: Factor) -> bytes:
    return content([*_names(factor), factor.body.hex(), factor.expires_at])
