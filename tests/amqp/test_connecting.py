"""A connection that fails leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc

import pytest
from aiormq.exceptions import AMQPConnectionError

from adapters.amqp.connecting import connected
from broker.model import Secret
from tests.support.ports import free_port


async def _refused() -> None:
    with pytest.raises(AMQPConnectionError):
        await connected(Secret(f"amqp://127.0.0.1:{free_port()}/"))


def test_nothing_is_left_to_close() -> None:
    """A server that was not reached leaves no connection that wants to be closed once no event loop
    runs any more (aio-pika would make a coroutine then that nobody awaits)."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_refused())
        gc.collect()
    finally:
        loop.close()
