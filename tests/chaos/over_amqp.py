"""A caller over RabbitMQ, as a good client is: persistent, mandatory, confirmed, the same id again.

Its reply queue is durable and has its own name, so that an answer waits there while it is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from adapters.amqp import topology
from tests.chaos.history import History
from tests.chaos.over_http import note_answer
from tests.chaos.scenario import TRANSLATE, Answered, Ask
from tests.support.rabbitmq import RabbitMQ

CONFIRM_SECONDS = 10.0
ANSWER_SECONDS = 15.0
"""After so long without an answer the same request is sent again."""
OPEN_SECONDS = 10.0
PAUSE_SECONDS = 0.2
CONTROL = "remint.control"


class AmqpCaller:
    """One user of the message server."""

    transport = "amqp"

    def __init__(self, server: RabbitMQ, user: str, history: History) -> None:
        self.user = user
        self.name = f"amqp {user}"
        self.reply_queue = f"remint.reply.{user}.chaos"
        self._url = server.url_for(user)
        self._history = history
        self._waiting: dict[str, tuple[Ask, asyncio.Future[Answered]]] = {}
        self._asked: dict[str, Ask] = {}
        self._channel: AbstractChannel | None = None
        self._open = asyncio.Event()
        self._retries: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep a connection, until cancelled."""
        for library in ("aio_pika", "aiormq"):
            logging.getLogger(library).setLevel(logging.CRITICAL)  # what is killed here is known
        while True:
            with contextlib.suppress(Exception):
                await self._connected()
            self._open.clear()
            self._channel = None
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask(self, ask: Ask) -> Answered | None:
        self._asked[ask.key] = ask
        if not ask.reply:
            await self._accepted(ask)
            return None
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[ask.key] = (ask, future)
        try:
            while True:
                await self._accepted(ask)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        return await asyncio.shield(future)
        finally:
            del self._waiting[ask.key]

    async def _accepted(self, ask: Ask) -> None:
        """Returns once the message server has the request."""
        while True:
            await self._open.wait()
            self._history.note("sent", key=ask.key, by=self.name)
            try:
                await self._publish(ask)
            except Exception as error:
                self._history.note("failed", key=ask.key, error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._history.note("accepted", key=ask.key)
                return

    async def _publish(self, ask: Ask) -> None:
        if self._channel is None:
            raise ConnectionError
        message = aio_pika.Message(
            ask.body,
            message_id=ask.id,
            correlation_id=ask.key,
            user_id=self.user,
            reply_to=self.reply_queue if ask.reply else None,
            type=ask.operation,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers={} if ask.deadline is None else {"deadline": int(ask.deadline * 1000)},
            expiration=None if ask.expiration is None else timedelta(seconds=ask.expiration),
        )
        await self._channel.default_exchange.publish(
            message, routing_key=_queue(ask), mandatory=True, timeout=CONFIRM_SECONDS
        )

    async def _connected(self) -> None:
        """One connection from its opening to its end."""
        async with asyncio.timeout(OPEN_SECONDS):
            connection = await aio_pika.connect(self._url, heartbeat=10)
        ended = asyncio.Event()
        connection.close_callbacks.add(lambda *_: ended.set())
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                channel.close_callbacks.add(lambda *_: ended.set())
                queue = await channel.declare_queue(self.reply_queue, durable=True)
                await queue.consume(self._on_answer)
            self._channel = channel
            self._open.set()
            await ended.wait()
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await connection.close()

    async def _on_answer(self, message: AbstractIncomingMessage) -> None:
        key = message.correlation_id or ""
        ask = self._asked.get(key)
        if ask is None:
            self._history.note("stray", by=self.name, correlation_id=key)
        else:
            status = int(str(message.headers.get("status")))
            answer = note_answer(self._history, ask, status, message.body, self.name)
            waiting = self._waiting.get(key)
            if answer is not None and waiting is not None and not waiting[1].done():
                waiting[1].set_result(answer)
            if answer is None:
                self._again(key)
        await message.ack()

    def _again(self, key: str) -> None:
        """A failure that may pass: ask again at once rather than after the patience is over."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            task = asyncio.create_task(self._accepted(waiting[0]))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)


def _queue(ask: Ask) -> str:
    if ask.operation != TRANSLATE and CONTROL in topology.QUEUES:
        return CONTROL
    return topology.REQUESTS
