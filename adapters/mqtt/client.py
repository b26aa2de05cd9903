"""One connection to the message server. The one file that knows the library's insides.

aiomqtt 2.5.1 acknowledges a message as it arrives, and takes every acknowledgement of its own for a
success. Beneath it paho-mqtt does better, so what is needed is taken from there:
``tests/mqtt/test_client.py`` is the contract that a newer version has to keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.messages.waiting import unless
from adapters.mqtt.address import MqttAddress
from adapters.mqtt.packets import (
    FIRST_FAILURE,
    QOS,
    CannotConnect,
    Delivery,
    UnconfirmedError,
)
from adapters.mqtt.sockets import Socket
from adapters.mqtt.tolerance import tolerate_unreadable_properties

OPEN_SECONDS = 10.0
NO_TOPIC = "remint/none"  # that nobody subscribes to
CLOSE_SECONDS = 3.0
CONFIRM_SECONDS = 5.0
SUBSCRIBE_SECONDS = 60.0  # the answer comes behind all requests that were kept
KEEPALIVE_SECONDS = 15  # a dead peer is noticed within half a minute
MAX_UNCONFIRMED = 100  # own publications under way, where the server allows as many

_silent = logging.getLogger("adapters.mqtt.library")  # it would show topics and properties
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


OnDelivery = Callable[["MqttClient", Delivery], None]


class MqttClient:
    """An open connection with a persistent session. Made by :meth:`open`; never reconnected."""

    def __init__(self, client: aiomqtt.Client, on_delivery: OnDelivery) -> None:
        self.lost = asyncio.Event()
        self.session_present = False
        self._client = client
        self._paho = client._client
        self._on_delivery = on_delivery
        self._room = asyncio.Semaphore(1)  # for publications under way; the server says how many
        self._confirms: dict[int, asyncio.Future[int]] = {}
        self._loop = asyncio.get_running_loop()
        self._socket = Socket(self._paho, self._end)
        self._watch: asyncio.Task[None] | None = None
        self._take_over_callbacks()

    @classmethod
    async def open(
        cls,
        address: MqttAddress,
        client_id: str,
        *,
        receive_maximum: int,
        session_expiry: int,
        on_delivery: OnDelivery,
    ) -> MqttClient:
        """Connect and resume the session of ``client_id``, which is kept for ``session_expiry``
        seconds after the connection ends. Raises CannotConnect."""
        tolerate_unreadable_properties()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = session_expiry
        properties.ReceiveMaximum = receive_maximum
        library = aiomqtt.Client(
            address.host,
            address.port,
            username=address.user,
            password=None if address.password is None else address.password.reveal(),
            tls_context=address.tls,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            keepalive=KEEPALIVE_SECONDS,
            timeout=OPEN_SECONDS,
            logger=_silent,
        )
        client = cls(library, on_delivery)
        await client._connect()
        return client

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Take deliveries of these filters at QoS 1. Raises CannotConnect if one is refused."""
        # A retained request has to be told from others, so the flag is kept as it was published.
        options = SubscribeOptions(qos=QOS, retainAsPublished=True, retainHandling=2)
        try:
            codes = await unless(
                self.lost,
                self._client.subscribe(
                    [(topic, options) for topic in topics], timeout=SUBSCRIBE_SECONDS
                ),
            )
        except Exception as error:
            raise CannotConnect(type(error).__name__) from None
        if any(_code(code) >= FIRST_FAILURE for code in codes):
            raise CannotConnect("a subscription was refused")

    async def unsubscribe(self, topics: Sequence[str]) -> None:
        """Raises CannotConnect."""
        try:
            await unless(
                self.lost, self._client.unsubscribe(list(topics), timeout=SUBSCRIBE_SECONDS)
            )
        except Exception as error:
            raise CannotConnect(type(error).__name__) from None

    async def publish(
        self,
        topic: str,
        payload: bytes,
        properties: Properties,
        *,
        seconds: float = CONFIRM_SECONDS,
    ) -> int:
        """Publish at QoS 1; returns the reason code of the PUBACK.

        Raises UnconfirmedError, also if there is none after ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds), self._room:
                return await self._published_now(topic, payload, properties)
        except TimeoutError:
            raise UnconfirmedError from None

    async def _published_now(self, topic: str, payload: bytes, properties: Properties) -> int:
        if self.lost.is_set():
            raise UnconfirmedError
        try:
            info = self._paho.publish(topic, payload, QOS, properties=properties)
        except Exception:
            raise UnconfirmedError from None
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise UnconfirmedError
        confirm: asyncio.Future[int] = self._loop.create_future()
        self._confirms[info.mid] = confirm
        try:
            return await confirm
        finally:
            self._confirms.pop(info.mid, None)

    def acknowledge(self, delivery: Delivery) -> None:
        """A failed acknowledgement is no failure: the delivery comes again and is known by then."""
        if delivery.qos == QOS and not self.lost.is_set():
            with contextlib.suppress(Exception):
                self._paho.ack(delivery.mid, QOS)

    def pause(self) -> None:
        """Read no more, until :meth:`resume`. Neither do confirms come meanwhile."""
        self._socket.pause()

    def resume(self) -> None:
        """Read again."""
        self._socket.resume()

    async def close(self, *, end_session: bool = False) -> None:
        """What is unacknowledged comes again, unless the session ends with the connection."""
        self.resume()  # the end of the connection has to be read
        if not self.lost.is_set():
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            if end_session:
                properties.SessionExpiryInterval = 0
            # Once this has its answer the server has read every acknowledgement before it: a socket
            # that is closed with something left to read may take them down with it.
            with contextlib.suppress(Exception):
                await self._client.unsubscribe(NO_TOPIC, timeout=CLOSE_SECONDS)
            with contextlib.suppress(Exception):
                self._paho.disconnect(properties=properties)
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.lost.wait()
        self._end()
        if self._watch is not None:
            self._watch.cancel()

    def abandon(self) -> None:
        """Give this connection up; its owner closes it and opens another."""
        self._end()

    async def _connect(self) -> None:
        # Shielded: the library connects in a thread, which cannot be called back.
        opening = asyncio.create_task(self._client.__aenter__())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._opened_in_vain)
            raise
        except MqttConnectError as error:
            self._end()
            raise CannotConnect(f"refused: {error.rc}") from None
        except Exception as error:
            self._end()
            raise CannotConnect(type(error.__context__ or error).__name__) from None
        self._watch = asyncio.create_task(self._watched())

    def _opened_in_vain(self, opening: asyncio.Task[Any]) -> None:
        if not opening.cancelled():
            opening.exception()
        self._end()

    async def _watched(self) -> None:
        await asyncio.wait([self._client._disconnected])
        if not self._client._disconnected.cancelled():
            self._client._disconnected.exception()
        self._end()

    def _end(self) -> None:
        self.lost.set()
        with contextlib.suppress(Exception):
            self._paho._sock_close()
        for confirm in self._confirms.values():
            if not confirm.done():
                confirm.set_exception(UnconfirmedError())

    # -- callbacks of the library, all but _connected in the event loop's thread -----------------

    def _take_over_callbacks(self) -> None:
        paho = self._paho
        paho.manual_ack_set(True)
        paho.max_inflight_messages_set(0)  # the library does not ask the server how many
        paho.connect_timeout = OPEN_SECONDS / 2
        self._connected_before: Any = paho.on_connect
        paho.on_connect = self._connected
        paho.on_message = self._message
        paho.on_publish = self._published
        paho.on_socket_register_write = self._socket.register_write

    def _connected(
        self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any = None
    ) -> None:
        self.session_present = bool(flags.session_present)
        allowed = getattr(properties, "ReceiveMaximum", MAX_UNCONFIRMED)
        self._room = asyncio.Semaphore(min(MAX_UNCONFIRMED, allowed))
        if self._connected_before is not None:
            self._connected_before(client, userdata, flags, code, properties)

    def _message(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        try:
            topic: str | None = message.topic
        except UnicodeDecodeError:
            topic = None
        self._on_delivery(
            self,
            Delivery(
                topic=topic,
                payload=bytes(message.payload),
                qos=message.qos,
                dup=message.dup,
                retain=message.retain,
                mid=message.mid,
                properties=message.properties,
            ),
        )

    def _published(
        self, client: Any, userdata: Any, mid: int, code: Any, properties: Any = None
    ) -> None:
        confirm = self._confirms.get(mid)
        if confirm is not None and not confirm.done():
            confirm.set_result(_code(code))


def nothing_expected(client: MqttClient, delivery: Delivery) -> None:
    """For a connection that subscribes to nothing."""
    client.acknowledge(delivery)


def _code(code: Any) -> int:
    return int(getattr(code, "value", code))
