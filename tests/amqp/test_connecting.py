"""A connection that fails leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc

import pytest
from aiormq.exceptions import AMQPConnectionError

from adapters.amqp.connecting import connected
from broker.model import Secret
from tests.support.ports import free_port


async def test_nothing_is_left_to_close() -> None:
    """A server that was not reached leaves no connection that wants to be closed when a thread
    without an event loop finds it (aio-pika would make a coroutine there that nobody awaits)."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(AMQPConnectionError):
                await connected(Secret(f"amqp://127.0.0.1:{free_port()}/"))
        await asyncio.to_thread(gc.collect)
    finally:
        gc.enable()
