"""A caller over MQTT 5: QoS 1, a session that outlives its connections, the same id again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.chaos.history import History
from tests.chaos.over_http import note_answer
from tests.chaos.scenario import Answered, Ask
from tests.chaos.world import ELEMENT
from tests.support.mosquitto import Mosquitto

ACKNOWLEDGED_SECONDS = 10.0
ANSWER_SECONDS = 15.0
"""After so long without an answer the same request is sent again."""
PAUSE_SECONDS = 0.2
SESSION_SECONDS = 86400
AT_ONCE = 200


class MqttCaller:
    """One user of the message server."""

    transport = "mqtt"

    def __init__(self, server: Mosquitto, user: str, history: History) -> None:
        self.user = user
        self.name = f"mqtt {user}"
        self._address = urlsplit(server.url_for(user))
        self._replies = f"remint/v1/reply/{user}/chaos"
        self._history = history
        self._asked: dict[str, Ask] = {}
        self._waiting: dict[str, asyncio.Future[Answered | None]] = {}
        self._client: aiomqtt.Client | None = None
        self._open = asyncio.Event()

    async def run(self) -> None:
        """Keep a connection, until cancelled."""
        for library in ("mqtt", "asyncio"):  # which tells of the library's closed sockets
            logging.getLogger(library).setLevel(logging.CRITICAL)  # what is killed here is known
        while True:
            with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
                await self._connected()
            self._open.clear()
            self._client = None
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask(self, ask: Ask) -> Answered | None:
        self._asked[ask.key] = ask
        try:
            while True:
                future: asyncio.Future[Answered | None] = asyncio.Future()
                self._waiting[ask.key] = future
                await self._accepted(ask)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        answer = await asyncio.shield(future)
                        if answer is not None:
                            return answer
        finally:
            del self._waiting[ask.key]

    async def _accepted(self, ask: Ask) -> None:
        """Returns once the message server has the request."""
        while True:
            await self._open.wait()
            self._history.note("sent", key=ask.key, by=self.name, to=self.user)
            try:
                await self._publish(ask)
            except (aiomqtt.MqttError, OSError, TimeoutError, ValueError) as error:
                self._history.note("failed", key=ask.key, error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._history.note("accepted", key=ask.key)
                return

    async def _publish(self, ask: Ask) -> None:
        if self._client is None:
            raise ConnectionError
        properties: Any = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = self._replies
        properties.CorrelationData = ask.key.encode()
        properties.ContentType = "application/json"
        said = [("message-id", ask.id)]
        if ask.deadline is not None:
            said.append(("deadline", str(int(ask.deadline * 1000))))
        properties.UserProperty = said
        await self._client.publish(
            f"remint/v1/root/{ELEMENT}/{ask.operation}/{self.user}",
            ask.body,
            qos=1,
            properties=properties,
            timeout=ACKNOWLEDGED_SECONDS,
        )

    async def _connected(self) -> None:
        """One connection from its opening to its end."""
        session: Any = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = SESSION_SECONDS
        client = aiomqtt.Client(
            self._address.hostname or "",
            self._address.port or 0,
            username=self._address.username,
            password=self._address.password,
            identifier=f"chaos-{self.user}",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=session,
            keepalive=10,
            max_inflight_messages=AT_ONCE,
        )
        async with client:
            await client.subscribe(self._replies, qos=1)
            self._client = client
            self._open.set()
            async for message in client.messages:
                self._on_answer(message)

    def _on_answer(self, message: aiomqtt.Message) -> None:
        key = getattr(message.properties, "CorrelationData", b"").decode()
        ask = self._asked.get(key)
        if ask is None:
            self._history.note("stray", by=self.name, correlation_id=key)
            return
        status = int(dict(getattr(message.properties, "UserProperty", []))["status"])
        answer = note_answer(self._history, ask, status, bytes(message.payload), self.name)
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
