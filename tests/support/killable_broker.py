"""A broker that kills itself, by SIGKILL, between an AMQP answer and its acknowledgement.

``python -m tests.support.killable_broker``; for the moment between commit and answer there is
``tests.support.crashing``, whose audit does it on any transport.
"""

from __future__ import annotations

import asyncio
import os
import signal

from aiohttp import web

from adapters import bootstrap
from adapters.http.app import FrontDoor
from adapters.settings import load
from adapters.telemetry import log
from tests.support.hurried import hurry


async def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    hurry()
    settings = load()
    log.configure("info", "json")
    broker = await bootstrap.build(
        settings, url=f"http://127.0.0.1:{settings.http.port}", on_answered=_die
    )
    broker.start()
    runner = web.AppRunner(FrontDoor(broker.components, broker).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.http.port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
