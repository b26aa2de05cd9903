"""Requests over AMQP 0-9-1: published to Remint's queue, answered in a queue of the sender's."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Mapping
from typing import Any

from pamqp import commands, frame

from bench.driver import amqp_link
from bench.driver.amqp_link import CHANNEL, AmqpLink, Heard, linked
from bench.driver.answers import NOT_TAKEN, RETURNED, Answers
from bench.driver.exchange import Exchange
from bench.driver.sender import Failed, Sender

QUEUES: Mapping[str, str] = {
    "translate": "remint.requests",
    "translate.batch": "remint.requests.batch",
}
"""By the property ``type``."""
PERSISTENT = b"\x02"

_FLAGS = (
    amqp_link.CONTENT_TYPE
    | amqp_link.HEADERS
    | amqp_link.DELIVERY_MODE
    | amqp_link.CORRELATION_ID
    | amqp_link.REPLY_TO
    | amqp_link.MESSAGE_ID
    | amqp_link.TYPE
    | amqp_link.USER_ID
)
_DEADLINE = b"\x08deadlinel"
_TABLE = struct.Struct(">I")
_MILLIS = struct.Struct(">q")


def sender(options: Mapping[str, Any], _lanes: int) -> Sender:
    """Any number of requests share a connection. Raises ValueError, OSError."""
    return AmqpSender(Exchange.read(options))


class AmqpSender:
    """One connection, one channel, one queue for answers; made anew when it is lost."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tls = exchange.tls()
        self._answers = Answers(exchange.judge())
        self._link: AmqpLink | None = None
        self._linking = asyncio.Lock()
        method = commands.Basic.Publish(
            exchange="", routing_key=QUEUES[exchange.type], mandatory=True
        )
        self._method = frame.marshal(method, CHANNEL)
        table = _TABLE.pack(len(_DEADLINE) + _MILLIS.size)
        self._before = _short(exchange.content_type) + table + _DEADLINE
        self._after = _short(exchange.type) + _short(exchange.user)
        self._reply_to = b""

    async def open(self) -> None:
        """Raises Failed."""
        await self._linked()

    async def ask(self, body: bytes) -> bytes:
        """Raises Failed."""
        link = self._link
        if link is None or not link.usable:
            link = await self._linked()
        number, id, answer = self._answers.asked()
        named = bytes((len(id),)) + id
        deadline = _MILLIS.pack(round((time.time() + self._exchange.timeout) * 1000))
        head = b"".join(
            (self._before, deadline, PERSISTENT, named, self._reply_to, named, self._after)
        )
        link.publish(number, self._method, _FLAGS, head, self._exchange.sent(body))
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

    async def _linked(self) -> AmqpLink:
        """One of all that ask at once connects, the others wait for it."""
        async with self._linking:
            if self._link is None or not self._link.usable:
                self._link = await self._connected()
            return self._link

    async def _connected(self) -> AmqpLink:
        exchange, answers = self._exchange, self._answers
        heard = Heard(
            message=answers.answered,
            returned=lambda id: answers.lost(id, Failed(RETURNED, "there is no such queue")),
            refused=lambda number: answers.failed(number, Failed(NOT_TAKEN)),
            lost=answers.all_failed,
        )
        link = await linked(
            heard,
            host=exchange.host,
            port=exchange.port,
            tls=self._tls,
            login=(exchange.user, exchange.password),
            virtual_host=exchange.place,
        )
        try:
            declared = await link.call(commands.Queue.Declare(exclusive=True))
            await link.call(commands.Basic.Consume(queue=declared.queue, no_ack=True))
        except BaseException:
            link.drop()
            raise
        self._reply_to = _short(declared.queue)
        return link


def _short(text: str) -> bytes:
    """A short string: AMQP 0-9-1, section 4.2.5.3."""
    data = text.encode()
    return bytes((len(data),)) + data
