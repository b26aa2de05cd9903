"""A slow proxy on an event loop and a thread of its own, for tests that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.slow_proxy import SlowProxy, slow_proxy

START_SECONDS = 10.0


@contextmanager
def proxy_beside(target_port: int) -> Iterator[SlowProxy]:
    """It serves until the test lets go of it; its attributes may be set from any thread."""
    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    found: list[SlowProxy] = []
    serving = threading.Event()

    async def serve() -> None:
        async with slow_proxy(target_port) as proxy:
            found.append(proxy)
            serving.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        if not serving.wait(START_SECONDS):
            raise RuntimeError("the proxy did not start")
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
