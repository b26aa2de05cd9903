"""A broker process reduced to its store in Redis, for tests that need a real second process.

The commands are those of ``sqlite_worker``.
"""

from __future__ import annotations

import asyncio
import json
import sys

from adapters.stores import open_stores
from tests.contract.roots import ROOT
from tests.contract.sqlite_worker import obey, say


async def main(url: str) -> None:
    stores = await open_stores(url, ROOT)
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *arguments = json.loads(line)
        say(await obey(stores, command, arguments))
    await stores.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
