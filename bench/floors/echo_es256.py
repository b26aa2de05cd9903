"""The floor of a signed answer: an aiohttp server that reads the bytes, signs ES256 once, answers.

Prints its port, then serves until it is stopped.
"""

import asyncio
import base64
import sys

import orjson
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

KEY = ec.generate_private_key(ec.SECP256R1())
ALGORITHM = ec.ECDSA(SHA256())


async def answer(request: web.Request) -> web.Response:
    body = await request.read()
    orjson.loads(body)
    signature = base64.urlsafe_b64encode(KEY.sign(body, ALGORITHM)).decode()
    return web.Response(body=orjson.dumps({"issued_token": signature + "x" * 500}))


async def main() -> None:
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
