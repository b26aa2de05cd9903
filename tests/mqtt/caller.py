"""A requester on the message server, as any client library would have it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiomqtt
from aiomqtt import Message
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.door import ELEMENT, user_input
from tests.support.mosquitto import Mosquitto, password_of
from tests.support.planted import Planted

ANSWER_SECONDS = 90.0
SILENCE_SECONDS = 0.3
POLL_SECONDS = 0.02
DEAD = "remint/v1/dead"


@dataclass(frozen=True)
class Reply:
    """An answer as it came, its body both raw and parsed."""

    raw: bytes
    properties: Properties
    retained: bool

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def headers(self) -> dict[str, str]:
        return user_properties(self.properties)

    @property
    def status(self) -> int:
        return int(self.headers["status"])

    @property
    def correlation(self) -> bytes | None:
        return getattr(self.properties, "CorrelationData", None)


def user_properties(properties: Properties | None) -> dict[str, str]:
    given = getattr(properties, "UserProperty", [])
    assert len(dict(given)) == len(given)
    return dict(given)


def translation(
    given: Mapping[str, Any] | None = None, wanted: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of a translate request: a password in, an ID token out, unless said otherwise."""
    return {
        "input_token_state": dict(given or user_input()),
        "output_token_state": dict(
            wanted or {"token_type": "OPENIDCONNECT", "nonce": "n-1", "allow_access": True}
        ),
    }


def topic_of(
    user: str, operation: str = "translate", *, realm: str = "root", element: str = ELEMENT
) -> str:
    return f"remint/v1/{realm}/{element}/{operation}/{user}"


@dataclass
class Caller:
    """One user's connection, with a topic for its answers."""

    user: str
    client: aiomqtt.Client
    planted: Planted
    codes: dict[int, int]

    @property
    def reply_topic(self) -> str:
        return f"remint/v1/reply/{self.user}/desk"

    async def publish(
        self,
        topic: str,
        body: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        user: Sequence[tuple[str, str]] = (),
        **properties: Any,
    ) -> None:
        made = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            if value is not None:
                setattr(made, name, value)
        if user:
            made.UserProperty = list(user)
        await self.client.publish(topic, body, qos=qos, retain=retain, properties=made)

    async def send(
        self,
        body: Any,
        operation: str = "translate",
        *,
        topic: str | None = None,
        message_id: str | None = "",
        reply_to: str | None = "",
        correlation: bytes | None = None,
        content_type: str | None = "application/json",
        headers: Mapping[str, str] | None = None,
        expiry: int | None = None,
        **more: Any,
    ) -> str | None:
        """Publish a request, acknowledged. An empty string means the usual value, None means
        none."""
        if message_id == "":
            message_id = uuid.uuid4().hex
        user = [*(headers or {}).items()]
        if message_id is not None:
            user.append(("message-id", message_id))
        await self.publish(
            topic or topic_of(self.user, operation),
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            user=[*user, *more.pop("user", [])],
            ResponseTopic=self.reply_topic if reply_to == "" else reply_to,
            CorrelationData=correlation,
            ContentType=content_type,
            MessageExpiryInterval=expiry,
            **more,
        )
        return message_id

    async def ask(self, body: Any, operation: str = "translate", **properties: Any) -> Reply:
        await self.send(body, operation, **properties)
        return await self.reply()

    async def message(self) -> Message:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await anext(aiter(self.client.messages))

    async def reply(self) -> Reply:
        message = await self.message()
        assert isinstance(message.payload, bytes)
        assert message.properties is not None
        reply = Reply(message.payload, message.properties, message.retain)
        token = reply.body.get("issued_token") if isinstance(reply.body, dict) else None
        if token:
            self.planted.note(token)
        return reply

    async def silent(self) -> bool:
        """True if no further answer comes for a while."""
        await asyncio.sleep(SILENCE_SECONDS)
        return len(self.client.messages) == 0


@contextlib.asynccontextmanager
async def calling(
    mosquitto: Mosquitto,
    planted: Planted,
    user: str,
    *,
    topics: Sequence[str] | None = None,
    session: str | None = None,
    tls: Any = None,
) -> AsyncIterator[Caller]:
    """``session`` names a session that outlives the connection."""
    properties = Properties(PacketTypes.CONNECT)
    if session is not None:
        properties.SessionExpiryInterval = 3600
    client = aiomqtt.Client(
        "127.0.0.1",
        mosquitto.port,
        username=user,
        password=password_of(user),
        protocol=aiomqtt.ProtocolVersion.V5,
        identifier=session,
        clean_start=session is None,
        properties=properties,
        tls_context=tls,
    )
    client.pending_calls_threshold = 10_000
    codes = _noted_codes(client)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        # A server that was killed has closed the connection already.
        stack.callback(_forgiven, client)
        for topic in topics if topics is not None else (f"remint/v1/reply/{user}/#",):
            await client.subscribe(topic, qos=1)
        yield Caller(user, client, planted, codes)


def _forgiven(client: aiomqtt.Client) -> None:
    if client._disconnected.done():
        client._disconnected.exception()


def _noted_codes(client: aiomqtt.Client) -> dict[int, int]:
    """The reason code of each PUBACK, by message id; the library does not tell."""
    codes: dict[int, int] = {}
    before: Any = client._client.on_publish

    def published(paho: Any, data: Any, mid: int, code: Any, properties: Any = None) -> None:
        codes[mid] = code.value
        before(paho, data, mid, code, properties)

    client._client.on_publish = published
    return codes
