"""The floor of an answer by message: an aio-pika consumer that signs and answers, confirmed.

``… amqp_echo URL QUEUE ALGORITHM SIGNATURES PREFETCH``; prints a line once it consumes.
"""

import asyncio
import sys
from base64 import urlsafe_b64encode
from typing import Any

import aio_pika
import orjson
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

RSA = sys.argv[3] == "RS256"
KEY: Any = rsa.generate_private_key(65537, 2048) if RSA else ec.generate_private_key(ec.SECP256R1())
WORDS: Any = (padding.PKCS1v15(), SHA256()) if RSA else (ec.ECDSA(SHA256()),)


async def main(url: str, name: str, signatures: int, prefetch: int) -> None:
    channel = await (await aio_pika.connect(url)).channel(on_return_raises=True)
    await channel.set_qos(prefetch)
    queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})

    async def answer(asked: aio_pika.abc.AbstractIncomingMessage) -> None:
        orjson.loads(asked.body)
        signed = [KEY.sign(b"x" * 500, *WORDS) for _ in range(signatures)]
        texts = [urlsafe_b64encode(one).decode() + "x" * 500 for one in signed]
        body = orjson.dumps({"results": [{"issued_token": text} for text in texts]})
        message = aio_pika.Message(body, delivery_mode=2, correlation_id=asked.correlation_id)
        await channel.default_exchange.publish(message, asked.reply_to or "")
        await asked.ack()

    print("consuming", await queue.consume(answer), flush=True)
    await asyncio.Event().wait()


uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[4]), int(sys.argv[5])))
