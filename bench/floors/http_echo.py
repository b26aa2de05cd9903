"""An aiohttp server that parses JSON, verifies and signs once each where told to, and answers.

``… http_echo SIGNS BYTES [PEM]``: what it signs with or ``none``, the length of its tokens, the key
that subject tokens (RS256) are verified with. Prints its port.
"""

import socket
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

SHA, PKCS1, SIZE, PEM = hashes.SHA256(), padding.PKCS1v15(), int(sys.argv[2]), sys.argv[3:]
RSA: Any = rsa.generate_private_key(65537, 2048), (PKCS1, SHA)
EC: Any = ec.generate_private_key(ec.SECP256R1()), (ec.ECDSA(SHA),)
KEY, WORDS = {"RS256": RSA, "ES256": EC, "none": (None, ())}[sys.argv[1]]
TRUSTED: Any = serialization.load_pem_public_key(PEM[0].encode()) if PEM else None


async def answer(request: web.Request) -> web.Response:
    asked = orjson.loads(data := await request.read())
    if TRUSTED:
        signed, _, signature = asked["input_token_state"]["oidc_id_token"].rpartition(".")
        TRUSTED.verify(urlsafe_b64decode(signature + "=="), signed.encode(), PKCS1, SHA)
    text = urlsafe_b64encode(KEY.sign(data, *WORDS)).decode() if KEY else ""
    return web.Response(body=orjson.dumps({"issued_token": text.ljust(SIZE, "x")}))


listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
app = web.Application()
app.router.add_post("/{path:.*}", answer)
print(listener.getsockname()[1], flush=True)
web.run_app(app, sock=listener, print=None, access_log=None, loop=uvloop.new_event_loop())
