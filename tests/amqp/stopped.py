"""A queue that does not react."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.support.rabbitmq import RabbitMQ


@contextlib.asynccontextmanager
async def stopped(rabbitmq: RabbitMQ, queue: str) -> AsyncIterator[None]:
    """A quorum queue whose process does nothing meanwhile."""
    process = f'list_to_atom("%2F_{queue}")'
    await asyncio.to_thread(rabbitmq.control, "eval", f"sys:suspend({process}).")
    try:
        yield
    finally:
        await asyncio.to_thread(rabbitmq.control, "eval", f"sys:resume({process}).")
