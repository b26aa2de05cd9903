"""Somebody behind a message server who answers requests as a test wants it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aio_pika
import aiomqtt
from aio_pika.abc import AbstractIncomingMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bench.driver.exchange import Exchange
from tests.support.mosquitto import Mosquitto, password_of
from tests.support.rabbitmq import USERS, RabbitMQ

REQUESTS = "remint.requests"
AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class Said:
    """One answer: a status, none at all if it is None, and a body."""

    status: int | None = 200
    body: bytes = b"good"


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    id: str
    body: bytes
    content_type: str
    user: str
    deadline: int


Answering = Callable[[Asked], Sequence[Said]]


class Place:
    """A message server to be asked; ``answering`` says with what, by whoever stands behind it."""

    def __init__(self, transport: str, server: RabbitMQ | Mosquitto, path: str = "") -> None:
        self.transport = transport
        self.server = server
        self._path = path
        self.requests: list[Asked] = []

    def exchange(self, **more: Any) -> Exchange:
        url = f"{self.transport}://alice@127.0.0.1:{self.server.port}/{self._path}"
        password = USERS["alice"] if self.transport == "amqp" else password_of("alice")
        given = {"instance": "customers/bench", "password": password, **more}
        return Exchange(transport=self.transport, url=url, **given)

    @contextlib.asynccontextmanager
    async def answered(self, answering: Answering) -> AsyncIterator[None]:
        """Somebody answers in it."""
        if isinstance(self.server, RabbitMQ):
            async with self._by_amqp(self.server, answering):
                yield
        else:
            async with self._by_mqtt(self.server, answering):
                yield

    @contextlib.asynccontextmanager
    async def _by_amqp(self, server: RabbitMQ, answering: Answering) -> AsyncIterator[None]:
        async with await aio_pika.connect(server.url + self._path) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(REQUESTS, auto_delete=True)

            async def take(message: AbstractIncomingMessage) -> None:
                asked = Asked(
                    str(message.message_id),
                    message.body,
                    str(message.content_type),
                    str(message.user_id),
                    int(str(message.headers["deadline"])),
                )
                self.requests.append(asked)
                for said in answering(asked):
                    headers = {"trace": "x" * 300, "status": said.status} if said.status else {}
                    answer = aio_pika.Message(
                        said.body, correlation_id=message.correlation_id, headers={**headers}
                    )
                    await channel.default_exchange.publish(answer, str(message.reply_to))

            await queue.consume(take, no_ack=True)
            yield

    @contextlib.asynccontextmanager
    async def _by_mqtt(self, server: Mosquitto, answering: Answering) -> AsyncIterator[None]:
        client = aiomqtt.Client(
            "127.0.0.1",
            server.port,
            username="remint",
            password=password_of("remint"),
            protocol=aiomqtt.ProtocolVersion.V5,
        )
        client.pending_calls_threshold = 10_000
        async with client:
            await client.subscribe("remint/v1/+/+/translate/+", qos=1)
            taking = asyncio.create_task(self._taken(client, answering))
            try:
                yield
            finally:
                while not taking.done():  # the library may take a cancel for a timeout of its own
                    taking.cancel()
                    await asyncio.wait({taking}, timeout=AGAIN_SECONDS)
                if not taking.cancelled():
                    taking.exception()
                if client._disconnected.done():
                    client._disconnected.exception()

    async def _taken(self, client: aiomqtt.Client, answering: Answering) -> None:
        async for message in client.messages:
            given: Any = message.properties
            user = dict(given.UserProperty)
            body = message.payload
            assert isinstance(body, bytes)
            asked = Asked(
                user["message-id"],
                body,
                given.ContentType,
                message.topic.value.rpartition("/")[2],
                int(user["deadline"]),
            )
            self.requests.append(asked)
            for said in answering(asked):
                properties = Properties(PacketTypes.PUBLISH)
                properties.CorrelationData = given.CorrelationData
                if said.status:
                    properties.UserProperty = [("trace", "x"), ("status", str(said.status))]
                await client.publish(given.ResponseTopic, said.body, qos=1, properties=properties)


def always(*said: Said) -> Answering:
    return lambda _: said


def echo(asked: Asked) -> Sequence[Said]:
    """An answer that repeats the request."""
    return (Said(body=asked.body),)
