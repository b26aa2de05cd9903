"""What the wrapper takes from the insides of aiomqtt and paho-mqtt keeps its promise."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest

from adapters.mqtt.address import address
from adapters.mqtt.client import MqttClient
from adapters.mqtt.packets import (
    NO_MATCHING_SUBSCRIBERS,
    CannotConnect,
    Delivery,
    UnconfirmedError,
    publish_properties,
)
from broker.model import Secret
from tests.mqtt.caller import SILENCE_SECONDS, Caller, topic_of
from tests.support.mosquitto import Mosquitto
from tests.support.planted import MARK

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]

FILTER = "$share/remint/remint/v1/+/+/translate/+"
PATIENCE_SECONDS = 30.0
PINGS = 4
NOT_AUTHORIZED = 0x87


class Inbox:
    """What one connection brought."""

    def __init__(self) -> None:
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    def take(self, client: MqttClient, delivery: Delivery) -> None:
        self.deliveries.put_nowait(delivery)

    async def some(self, count: int) -> list[Delivery]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await self.deliveries.get() for _ in range(count)]

    async def silent(self) -> bool:
        await asyncio.sleep(SILENCE_SECONDS)
        return self.deliveries.empty()


@contextlib.asynccontextmanager
async def opened(
    mosquitto: Mosquitto, *, receive_maximum: int = 10, subscribe: bool = True
) -> AsyncIterator[tuple[MqttClient, Inbox]]:
    inbox = Inbox()
    client = await MqttClient.open(
        address(Secret(mosquitto.url)),
        "remint-0",
        receive_maximum=receive_maximum,
        session_expiry=3600,
        on_delivery=inbox.take,
    )
    try:
        if subscribe:
            await client.subscribe([FILTER])
        yield client, inbox
    finally:
        await client.close()


async def _sent(alice: Caller, count: int) -> list[bytes]:
    bodies = [f"body {number}".encode() for number in range(count)]
    for body in bodies:
        await alice.publish(topic_of("alice"), body)
    return bodies


async def test_unacknowledged_comes_again(mosquitto: Mosquitto, alice: Caller) -> None:
    """What was not acknowledged comes again to the next connection of the session; what was does
    not."""
    async with opened(mosquitto) as (client, inbox):
        assert not client.session_present
        sent = await _sent(alice, 3)
        came = await inbox.some(3)
        assert [each.payload for each in came] == sent
        client.acknowledge(came[1])
    async with opened(mosquitto, subscribe=False) as (client, inbox):
        assert client.session_present
        again = await inbox.some(2)
        assert [each.payload for each in again] == [sent[0], sent[2]]
        assert await inbox.silent()


async def test_receive_maximum(mosquitto: Mosquitto, alice: Caller) -> None:
    """No more comes than the Receive Maximum allows before something is acknowledged."""
    async with opened(mosquitto, receive_maximum=2) as (_, inbox):
        await _sent(alice, 20)
        await inbox.some(2)
        assert await inbox.silent()


async def test_a_paused_connection(mosquitto: Mosquitto, alice: Caller) -> None:
    """Nothing comes over a connection that is paused, and all of it once it is resumed."""
    async with opened(mosquitto) as (client, inbox):
        client.pause()
        await _sent(alice, 3)
        assert await inbox.silent()
        client.resume()
        await inbox.some(3)


async def test_a_paused_connection_lives_on(
    mosquitto: Mosquitto, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is not read from outlasts its keepalive, however often that passes, and
    brings what waited once it is resumed."""
    monkeypatch.setattr("adapters.mqtt.client.KEEPALIVE_SECONDS", 1)
    pings = asyncio.Semaphore(0)
    async with opened(mosquitto) as (client, inbox):
        send = client._paho._send_pingreq
        monkeypatch.setattr(client._paho, "_send_pingreq", lambda: (pings.release(), send())[1])
        client.pause()
        await _sent(alice, 3)
        losing = asyncio.create_task(client.lost.wait())
        for _ in range(PINGS):
            pinging = asyncio.create_task(pings.acquire())
            await asyncio.wait([pinging, losing], return_when=asyncio.FIRST_COMPLETED)
            pinging.cancel()
        losing.cancel()
        assert not client.lost.is_set()
        client.resume()
        await inbox.some(3)
        assert not client.lost.is_set()


async def test_what_came_while_nobody_was_there(mosquitto: Mosquitto, alice: Caller) -> None:
    """The session keeps what is published while its client is away, over a kill of the server."""
    async with opened(mosquitto):
        pass
    sent = await _sent(alice, 3)
    await mosquitto.saved(sent[-1])
    mosquitto.kill()
    mosquitto.start()
    async with opened(mosquitto, subscribe=False) as (_, inbox):
        assert [each.payload for each in await inbox.some(3)] == sent


async def test_an_ended_session_is_gone(mosquitto: Mosquitto) -> None:
    """A session that was ended is not there for the next connection."""
    async with opened(mosquitto) as (client, _):
        await client.close(end_session=True)
    async with opened(mosquitto) as (client, _):
        assert not client.session_present


async def test_publish_says_what_the_server_said(mosquitto: Mosquitto, alice: Caller) -> None:
    """A publication returns the reason code of its PUBACK: success, nobody there, not allowed."""
    properties = publish_properties({"status": 200}, ContentType="text/plain")
    async with opened(mosquitto) as (client, _):
        assert await client.publish("remint/v1/reply/alice/desk", b"x", properties) == 0
        message = await alice.message()
        assert message.payload == b"x"
        nobody = await client.publish("remint/v1/reply/bob/desk", b"", properties)
        assert nobody == NO_MATCHING_SUBSCRIBERS
        assert await client.publish("elsewhere", b"", properties) == NOT_AUTHORIZED


async def test_more_publications_than_the_server_takes_at_once(
    mosquitto: Mosquitto, alice: Caller
) -> None:
    """Two hundred publications at once are all confirmed, though the server takes 20 at a time."""
    async with opened(mosquitto) as (client, _):
        many = (
            client.publish("remint/v1/reply/alice/desk", b"%d" % number, publish_properties())
            for number in range(200)
        )
        assert set(await asyncio.gather(*many)) == {0}
        assert {(await alice.message()).payload for _ in range(200)} == {
            b"%d" % number for number in range(200)
        }


async def test_a_second_connection_of_the_same_id_ends_the_first(mosquitto: Mosquitto) -> None:
    """Whoever takes a session over ends the connection that had it: at most one works on it."""
    async with opened(mosquitto) as (first, _), opened(mosquitto) as (second, _):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await first.lost.wait()
        assert not second.lost.is_set()
        with pytest.raises(UnconfirmedError):
            await first.publish("remint/v1/reply/alice/desk", b"", publish_properties())


async def test_a_server_that_dies(mosquitto: Mosquitto) -> None:
    """The end of the server is noticed, and a publication under way says that nobody knows."""
    async with opened(mosquitto) as (client, _):
        os.kill(mosquitto.pid, signal.SIGSTOP)
        publishing = asyncio.create_task(
            client.publish("remint/v1/reply/alice/desk", b"", publish_properties())
        )
        await asyncio.sleep(0)
        mosquitto.kill()
        with pytest.raises(UnconfirmedError):
            await publishing
        async with asyncio.timeout(PATIENCE_SECONDS):
            await client.lost.wait()


async def test_wrong_password(mosquitto: Mosquitto) -> None:
    """A login that the server refuses says so, without the password."""
    url = Secret(f"mqtt://remint:{MARK}@127.0.0.1:{mosquitto.port}")
    with pytest.raises(CannotConnect) as caught:
        await MqttClient.open(
            address(url), "remint-0", receive_maximum=1, session_expiry=60, on_delivery=_unexpected
        )
    assert str(caught.value) == "refused: Not authorized"
    assert MARK not in repr(address(url))


async def test_nobody_listens() -> None:
    """A port where nobody listens is a connection that cannot be had."""
    with pytest.raises(CannotConnect, match="ConnectionRefusedError"):
        await MqttClient.open(
            address(Secret("mqtt://127.0.0.1:9")),
            "remint-0",
            receive_maximum=1,
            session_expiry=60,
            on_delivery=_unexpected,
        )


def _unexpected(client: MqttClient, delivery: Delivery) -> None:
    raise AssertionError(delivery)
