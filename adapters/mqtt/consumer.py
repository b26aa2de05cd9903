"""From one delivery to the moment it may be acknowledged: phase 12 of a request's life."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from adapters.messages.copies import Copies
from adapters.messages.suspects import Suspects
from adapters.messages.worker import Outcome, Worker
from adapters.mqtt import message
from adapters.mqtt.client import MqttClient
from adapters.mqtt.message import Incoming
from adapters.mqtt.packets import FIRST_FAILURE, NO_MATCHING_SUBSCRIBERS, Delivery, UnconfirmedError
from adapters.mqtt.topics import DEAD
from broker.ports import Clock

_log = structlog.get_logger(__name__)


class Consumer:
    """Gets requests answered, each on its own; holds no connection.

    ``seal_body`` encrypts the bodies of dead letters; without it they have none.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        suspects: Suspects,
        clock: Clock,
        digest_key: bytes,
        seal_body: Callable[[bytes], bytes] | None = None,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._worker = worker
        self._suspects = suspects
        self._copies = Copies()
        self._clock = clock
        self._digest_key = digest_key
        self._seal_body = seal_body
        self._on_answered = on_answered

    def read(self, delivery: Delivery) -> Incoming:
        """The delivery as plain values; never fails."""
        return message.read(delivery, self._clock.now())

    @asynccontextmanager
    async def worked(self, incoming: Incoming) -> AsyncIterator[Outcome]:
        """What is to be sent, inside; the work is not over before that is done."""
        # Without a message id there are no copies: it equals nothing else.
        request = object() if incoming.message_id is None else (incoming.topic, incoming.message_id)
        async with (
            self._copies.one_by_one(request),
            self._suspects.counted(incoming) as poison,
        ):
            if poison is None:
                yield await self._worker.work(incoming.envelope())
            else:
                yield await self._worker.give_up(
                    incoming.envelope(), poison, look=poison.first_time
                )

    async def let_out(
        self,
        incoming: Incoming,
        outcome: Outcome,
        publisher: MqttClient,
        *,
        sealed: bool = True,
    ) -> None:
        """Returns once the delivery may be acknowledged. Raises UnconfirmedError; then it may be
        called again with another publisher. Without ``sealed`` a dead letter has no body."""
        if outcome.dead is not None:
            await self._bury(incoming, outcome, publisher, sealed=sealed)
        if incoming.reply_to is not None:
            await self._send(incoming, outcome, publisher)

    def give_up(self, incoming: Incoming, outcome: Outcome) -> None:
        """The message server does not take it, nor say why."""
        # The stored answer stays; it is for another transport to bring it.
        _log_of(incoming).error(
            "mqtt answer not taken by the message server",
            status=outcome.answer.status,
            size=len(outcome.body),
        )

    async def _bury(
        self, incoming: Incoming, outcome: Outcome, client: MqttClient, *, sealed: bool
    ) -> None:
        if outcome.dead is None:
            return
        properties = message.dead_letter(incoming, outcome.dead, self._digest_key)
        body = self._seal_body(incoming.body) if sealed and self._seal_body is not None else b""
        code = await client.publish(DEAD, body, properties)
        if code >= FIRST_FAILURE:
            raise UnconfirmedError
        _log_of(incoming).warning(
            "mqtt request to remint/v1/dead",
            status=outcome.answer.status,
            read=code != NO_MATCHING_SUBSCRIBERS,
        )

    async def _send(self, incoming: Incoming, outcome: Outcome, client: MqttClient) -> None:
        properties = message.answer(incoming, outcome, self._clock.now())
        code = await client.publish(incoming.reply_to or "", outcome.body, properties)
        if code == NO_MATCHING_SUBSCRIBERS or code >= FIRST_FAILURE:
            # The stored answer stays: the same message id gets it again.
            _log_of(incoming).warning(
                "mqtt answer undeliverable", status=outcome.answer.status, code=code
            )
        elif self._on_answered is not None:
            await self._on_answered()


def _log_of(incoming: Incoming) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = _log.bind(
        message_id=incoming.message_id, user_id=incoming.requester
    )
    return bound
