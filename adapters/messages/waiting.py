"""Waiting for whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for any of ``events``, or until ``seconds`` have passed."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def unless(lost: asyncio.Event, call: Coroutine[Any, Any, T]) -> T:
    """What the call returns; raises what it raises, and ConnectionError once ``lost`` is set."""
    calling = asyncio.create_task(call)
    losing = asyncio.create_task(lost.wait())
    try:
        await asyncio.wait([calling, losing], return_when=asyncio.FIRST_COMPLETED)
        if not calling.done():
            raise ConnectionError
        return calling.result()
    finally:
        losing.cancel()
        calling.cancel()
