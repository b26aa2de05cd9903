"""The link, its slots and its bounds: requests wait or are finished, none is dropped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.mqtt.address import address
from adapters.mqtt.client import MqttClient, nothing_expected
from adapters.mqtt.names import Names
from adapters.mqtt.topics import REQUESTS
from broker.model import Secret
from tests.mqtt.caller import POLL_SECONDS, Caller, calling, topic_of, translation
from tests.mqtt.conftest import OPEN, Opened, until_ready
from tests.support import door as doors
from tests.support.auditing import HeldAudit
from tests.support.door import ID_TOKEN, Door, session_input
from tests.support.hurried import quick_events
from tests.support.mosquitto import WATCHER, Mosquitto, running_mosquitto
from tests.support.planted import MARK, Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]

PATIENCE_SECONDS = 60.0


async def _session_exists(mosquitto: Mosquitto, client_id: str) -> bool:
    client = await MqttClient.open(
        address(Secret(mosquitto.url)),
        client_id,
        receive_maximum=1,
        session_expiry=0,
        on_delivery=nothing_expected,
    )
    await client.close(end_session=True)
    return client.session_present


async def test_server_restarted(mqtt: Door, mosquitto: Mosquitto, planted: Planted) -> None:
    """After the server was away the consumer comes back by itself."""
    mosquitto.kill()
    await until_ready(mqtt, ready=False)
    await asyncio.to_thread(mosquitto.start)
    await until_ready(mqtt)
    async with calling(mosquitto, planted, "alice") as alice:
        assert (await alice.ask(translation())).status == 200


@pytest.fixture
def _quick_events(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_events(monkeypatch)


async def test_what_waited_is_served(opened: Opened, alice: Caller) -> None:
    """Hundreds of requests that came while no broker was there are all answered afterwards."""
    async with opened() as door:
        body = translation(session_input(await door.login()), ID_TOKEN)
    for number in range(300):
        await alice.send(body, message_id=f"m-{number}")
    async with opened(mqtt={"prefetch": 4}):
        answered = {(await alice.reply()).correlation for _ in range(300)}
    assert answered == {f"m-{number}".encode() for number in range(300)}


async def test_in_hand_is_bounded(opened: Opened, mosquitto: Mosquitto, alice: Caller) -> None:
    """However many wait, a broker takes no more in hand than twice its prefetch, and a cancel does
    not wait behind them."""
    audit = HeldAudit()
    async with opened(audit=audit, mqtt={"prefetch": 4}) as door:
        transport = door.broker.mqtt
        assert transport is not None
        for number in range(100):
            await alice.send(translation(), message_id=f"m-{number}")
        await audit.entered.wait()
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": "a.b.c"}
        await alice.send({"cancelled_token_state": state}, "cancel", message_id="c-1")
        audit.let_go.set()
        most, answered = 0, []
        while len(answered) < 101:
            answered.append((await alice.reply()).correlation)
            most = max(most, transport.in_hand)
    assert most <= 4 * 2 + 1
    assert answered.index(b"c-1") < 50


async def test_in_hand_is_bounded_over_lost_links(opened: Opened, alice: Caller) -> None:
    """However often the link is lost, what comes again with the next adds nothing to what is in
    hand beyond the bound, and all of it is answered in the end."""
    audit = HeldAudit()
    async with opened(audit=audit, mqtt={"prefetch": 2}) as door:
        transport = door.broker.mqtt
        assert transport is not None
        ids = {f"m-{number}".encode() for number in range(20)}
        for message_id in sorted(ids):
            await alice.send(translation(), message_id=message_id.decode())
        await audit.entered.wait()
        most = 0
        for _ in range(4):
            link = transport._publishing
            assert link is not None
            link.abandon()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while transport._publishing is link:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
            assert await alice.silent()
            most = max(most, transport.in_hand)
        assert most <= 2 * 2
        audit.let_go.set()
        while ids:
            ids.discard((await alice.reply()).correlation or b"")


async def test_a_slot_that_was_left(
    opened: Opened, mosquitto: Mosquitto, alice: Caller, planted: Planted
) -> None:
    """What was sent to a broker that then stopped is served by another, and its sessions end."""
    async with opened() as door:
        body = translation(session_input(await door.login()), ID_TOKEN)
        async with opened() as other:
            assert other.broker.mqtt is not None
        key = door.broker.stores.deployment.key.derive("mqtt")
        left = Names(key).client_id(1, REQUESTS)
        ids = [f"m-{number}" for number in range(40)]
        for message_id in ids:
            await alice.send(body, message_id=message_id)
        answered = {(await alice.reply()).correlation for _ in ids}
        assert answered == {message_id.encode() for message_id in ids}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await _session_exists(mosquitto, left):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
        assert await alice.silent()


async def test_drain_finishes_what_is_in_hand(opened: Opened, alice: Caller) -> None:
    """A stop waits for the request in work, answers it, and takes no other."""
    audit = HeldAudit()
    async with opened(audit=audit) as door:
        transport = door.broker.mqtt
        assert transport is not None
        await alice.send(translation(), message_id="m-1")
        await audit.entered.wait()
        stopping = asyncio.create_task(transport.drain(30))
        await until_ready(door, ready=False)
        await alice.send(translation(), message_id="m-2")
        audit.let_go.set()
        assert (await alice.reply()).correlation == b"m-1"
        await stopping
        assert await alice.silent()
        assert len(audit.records) == 1
    async with opened():
        assert (await alice.reply()).correlation == b"m-2"
        assert await alice.silent()


async def test_drain_has_an_end(opened: Opened, alice: Caller) -> None:
    """What is not finished when the time is up waits for the next broker."""
    audit = HeldAudit()
    async with opened(audit=audit) as door:
        transport = door.broker.mqtt
        assert transport is not None
        await alice.send(translation(), message_id="m-1")
        await audit.entered.wait()
        await transport.drain(0.1)
    async with opened():
        assert (await alice.reply()).status == 200


async def test_drain_without_a_server(opened: Opened) -> None:
    """A broker that never reached its message server says so, and stops at once all the same."""
    async with opened(wait=False, mqtt={"url": f"mqtt://nobody:{MARK}@127.0.0.1:9"}) as door:
        transport = door.broker.mqtt
        assert transport is not None
        assert not transport.ready
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "ConnectionRefusedError" not in str(transport.trouble):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
            assert any(reason.startswith("mqtt: ") for reason in door.broker.not_ready())
            await transport.drain(60)


async def test_retained_requests_are_refused_by_the_server(
    mqtt: Door, mosquitto: Mosquitto, planted: Planted, alice: Caller
) -> None:
    """The server that was configured as shipped takes no retained message."""
    async with calling(mosquitto, planted, "mallory") as mallory:
        mallory.client.timeout = 1.0
        with pytest.raises(Exception, match="timed out"):
            await mallory.send(translation(), retain=True)
    assert await mqtt.tokens() == []


async def test_retained_requests_are_refused_by_the_broker(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Where the server lets one through, the broker refuses it."""
    with running_mosquitto(retain_available="retain_available true") as mosquitto:
        mqtt = {"url": mosquitto.url, **OPEN}
        async with doors.opened(tmp_path / "state", planted, mqtt=mqtt) as door:
            await until_ready(door)
            async with calling(mosquitto, planted, "alice") as alice:
                await alice.send(translation(), retain=True)
                reply = await alice.reply()
            assert reply.status == 400
            assert "retain" in reply.body["message"]
            assert await door.tokens() == []


async def test_events(mqtt: Door, mosquitto: Mosquitto, alice: Caller, planted: Planted) -> None:
    """What happens is announced at the topic of its type, as a CloudEvent without the token."""
    topics = ["remint/v1/events/token.issued"]
    async with calling(mosquitto, planted, WATCHER, topics=topics) as watcher:
        reply = await alice.ask(translation())
        event = await watcher.message()
    assert isinstance(event.payload, bytes)
    assert event.properties is not None
    assert event.properties.ContentType == "application/cloudevents+json"
    assert reply.headers["token-id"].encode() in event.payload
    assert reply.body["issued_token"].encode() not in event.payload


@pytest.mark.usefixtures("_quick_events")
async def test_events_wait_for_the_server(
    mqtt: Door, mosquitto: Mosquitto, planted: Planted
) -> None:
    """What happened while the server was away is announced once it is back."""
    topics = ["remint/v1/events/token.issued"]
    async with calling(mosquitto, planted, WATCHER, topics=topics, session="watcher"):
        pass
    await mosquitto.saved(topics[0].encode())
    mosquitto.kill()
    issued = await mqtt.translate(session_input(await mqtt.login()), ID_TOKEN)
    assert issued.status == 200
    await asyncio.to_thread(mosquitto.start)
    async with calling(mosquitto, planted, WATCHER, topics=topics, session="watcher") as watcher:
        assert (await watcher.message()).topic.value == topics[0]


async def test_topic_without_a_broker(mosquitto: Mosquitto, alice: Caller) -> None:
    """A request that no broker ever subscribed to is not acknowledged as kept."""
    await alice.publish(topic_of("alice"), b"{}")
    assert alice.codes.popitem()[1] == 0x10
