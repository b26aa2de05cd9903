"""An operator confirms that a Redis lost its data, so that brokers go on without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from adapters.stores import StoreRefused
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_guard import (
    count_marks,
    has_marks,
    marker_question,
    store_id_in,
    write_marks,
)
from adapters.stores.redis_links import Link
from adapters.stores.redis_schema import check_functions
from adapters.stores.redis_urls import link_to

NOT_EMPTY = "the store is not empty: its marker is there; nothing was changed"
NOT_ALL_EMPTY = (
    "the server with the store's marker lost its data and others of the cluster did not; what they "
    "hold cannot be read without it. Restore that server, or empty them all (FLUSHALL) and then "
    "run this again; nothing was changed"
)


class Loss(Enum):
    """How much of a store is gone."""

    ALL = "all"
    PART = "part"
    """Some servers of a cluster."""


async def loss_of(url: str) -> Loss:
    """Looks, and changes nothing. Raises StoreRefused if there is nothing to confirm, or if it
    would not help; ValueError, FunctionsMissing, Unavailable."""
    async with _opened(url) as (link, commands):
        return (await _seen(link, commands))[0]


async def accept_part(url: str) -> None:
    """The servers that lost their data are part of the store again. Raises as ``loss_of``."""
    async with _opened(url) as (link, commands):
        loss, store_id = await _seen(link, commands)
        if loss is Loss.PART:
            await write_marks(commands, store_id)


async def _seen(link: Link, commands: Commands) -> tuple[Loss, str]:
    """How much is gone, and the id of what is left."""
    await check_functions(link)
    store_id = store_id_in(await commands.call(*marker_question()))
    missing, there = await count_marks(link, commands)
    if store_id is None:
        if there:
            raise StoreRefused(NOT_ALL_EMPTY)
        return Loss.ALL, ""
    if not missing or not await has_marks(commands, store_id):
        raise StoreRefused(NOT_EMPTY)
    return Loss.PART, store_id


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[tuple[Link, Commands]]:
    link = link_to(url)
    commands = Commands(link)
    try:
        yield link, commands
    finally:
        await commands.close()
