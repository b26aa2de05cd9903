"""Requests over MQTT 5: published below the user's own topic, answered in one of the sender's."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any

from bench.driver.answers import NOT_TAKEN, RETURNED, Answers
from bench.driver.exchange import Exchange
from bench.driver.mqtt_link import NO_SUBSCRIBER, Heard, MqttLink, linked
from bench.driver.mqtt_wire import (
    CONTENT_TYPE,
    CORRELATION_DATA,
    RESPONSE_TOPIC,
    USER_PROPERTY,
    string,
    variable,
)
from bench.driver.sender import Failed, Sender

PREFIX = "remint/v1"
ROOT = "root"
OPERATIONS: Mapping[str, str] = {"translate": "translate", "translate.batch": "translate_batch"}


def sender(options: Mapping[str, Any], _lanes: int) -> Sender:
    """Any number of requests share a connection. Raises ValueError, OSError."""
    return MqttSender(Exchange.read(options))


class MqttSender:
    """One connection, one topic for answers; made anew when it is lost."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tls = exchange.tls()
        self._answers = Answers(exchange.judge())
        self._link: MqttLink | None = None
        self._linking = asyncio.Lock()
        name = f"bench-{secrets.token_hex(8)}"
        self._client = f"remint-{name}"
        self._reply_to = f"{PREFIX}/reply/{exchange.user}/{name}"
        realm, _, element = exchange.instance.strip("/").rpartition("/")
        levels = (PREFIX, realm or ROOT, element, OPERATIONS[exchange.type], exchange.user)
        self._topic = string("/".join(levels).encode())
        self._before = b"".join(
            (
                *(bytes((CONTENT_TYPE,)), string(exchange.content_type.encode())),
                *(bytes((RESPONSE_TOPIC,)), string(self._reply_to.encode())),
                bytes((CORRELATION_DATA,)),
            )
        )
        self._id = bytes((USER_PROPERTY,)) + string(b"message-id")
        self._deadline = bytes((USER_PROPERTY,)) + string(b"deadline")

    async def open(self) -> None:
        """Raises Failed."""
        await self._linked()

    async def ask(self, body: bytes) -> bytes:
        """Raises Failed."""
        link = self._link
        if link is None or not link.usable:
            link = await self._linked()
        number, id, answer = self._answers.asked()
        named = string(id)
        deadline = string(b"%d" % round((time.time() + self._exchange.timeout) * 1000))
        properties = b"".join((self._before, named, self._id, named, self._deadline, deadline))
        rest = variable(len(properties)) + properties + self._exchange.sent(body)
        link.publish(number, self._topic, rest)
        try:
            return await answer
        except asyncio.CancelledError:
            self._answers.given_up(number)
            raise

    def strays(self) -> dict[str, int]:
        return self._answers.strays()

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.drop()
            await asyncio.sleep(0)  # the transport closes in the loop's next turn

    async def _linked(self) -> MqttLink:
        """One of all that ask at once connects, the others wait for it."""
        async with self._linking:
            if self._link is None or not self._link.usable:
                self._link = await self._connected()
            return self._link

    async def _connected(self) -> MqttLink:
        exchange, answers = self._exchange, self._answers
        heard = Heard(
            message=answers.answered,
            confirmed=self._confirmed,
            wanted=answers.waits,
            refused=answers.failed,
            lost=answers.all_failed,
        )
        return await linked(
            heard,
            host=exchange.host,
            port=exchange.port,
            tls=self._tls,
            login=(exchange.user, exchange.password),
            client=self._client,
            answers=self._reply_to,
        )

    def _confirmed(self, number: int, reason: int) -> None:
        kind = RETURNED if reason == NO_SUBSCRIBER else NOT_TAKEN
        self._answers.failed(number, Failed(kind, f"reason code {reason}"))
