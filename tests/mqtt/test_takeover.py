"""Nobody but the broker takes over the broker's sessions, or learns what they are called."""

from __future__ import annotations

import asyncio

import aiomqtt
import pytest

from adapters.mqtt.names import Names
from adapters.mqtt.topics import CONTROL, LANES, REQUESTS
from tests.mqtt.caller import Caller, calling, translation
from tests.mqtt.conftest import Opened, until_ready
from tests.support.mosquitto import Mosquitto
from tests.support.planted import Planted

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]

KEY = b"k" * 32
MIN_HIDDEN_DIGITS = 32  # 128 bits


async def _discard(mosquitto: Mosquitto, client_id: str) -> None:
    """Connect as mallory under this client id, and have its session thrown away."""
    async with aiomqtt.Client(
        "127.0.0.1",
        mosquitto.port,
        username="mallory",
        password="mallory-password",
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
    ):
        pass


async def test_what_waits_is_not_thrown_away(
    opened: Opened, mosquitto: Mosquitto, planted: Planted
) -> None:
    """Requests that were acknowledged while no broker was there outlive another user who connects
    under every client id that can be guessed."""
    async with opened():
        pass
    async with calling(mosquitto, planted, "alice") as alice:
        ids = [f"m-{number}" for number in range(3)]
        for message_id in ids:
            await alice.send(translation(), message_id=message_id)
        for name in ("remint-0", "remint-0-control", "remint-0-batch", "remint-0-answers"):
            await _discard(mosquitto, name)
        async with opened():
            answered = {(await alice.reply()).correlation for _ in ids}
    assert answered == {message_id.encode() for message_id in ids}


async def test_a_broker_is_not_disconnected(
    opened: Opened, mosquitto: Mosquitto, alice: Caller
) -> None:
    """Another user who connects under a slot's name does not end the broker's connections."""
    async with opened() as door:
        transport = door.broker.mqtt
        assert transport is not None
        link = transport._link
        for name in ("remint-0", "remint-0-control", "remint-0-batch", "remint-0-answers"):
            await _discard(mosquitto, name)
        assert (await alice.ask(translation())).status == 200
        assert transport._link is link
        assert transport.ready


async def test_client_ids_stay_secret(
    opened: Opened, mosquitto: Mosquitto, planted: Planted, alice: Caller
) -> None:
    """Nothing that the broker writes shows a client id, whether it comes, goes or is disconnected:
    the log and the audit are searched for them when the test is over."""
    async with opened() as door:
        names = Names(door.broker.stores.deployment.key.derive("mqtt"))
        own = [*(names.client_id(0, lane) for lane in LANES), names.answers(0)]
        for name in own:
            planted.note(name.rpartition("-")[2])
        assert (await alice.ask(translation())).status == 200
        await mosquitto.saved(own[0].encode())  # it is what the server knows us by
        mosquitto.kill()
        await until_ready(door, ready=False)
        await asyncio.to_thread(mosquitto.start)
        await until_ready(door)


@pytest.mark.parametrize(("store", "seconds"), [("memory://", 60), (None, 86400)])
async def test_how_long_sessions_are_kept(opened: Opened, store: str | None, seconds: int) -> None:
    """A deployment whose key is gone with its process leaves no sessions that take a share of the
    requests for a day."""
    async with opened(store={"url": store}) as door:
        assert door.broker.mqtt is not None
        assert door.broker.mqtt._session_expiry == seconds


def test_client_ids() -> None:
    """A slot's number stands in its client ids, and a part that only the deployment knows: another
    for each slot, lane and deployment, and the same for each of its brokers."""
    ours, again, others = Names(KEY), Names(KEY), Names(b"o" * 32)
    made = [ours.client_id(slot, lane) for slot in range(3) for lane in LANES]
    made += [ours.answers(slot) for slot in range(3)]
    made += [others.client_id(0, REQUESTS)]
    made += [ours.marker(0, lane, "remint") for lane in LANES]
    hidden = {name.rpartition("-")[2] for name in made}
    assert len(hidden) == len(made)
    assert min(map(len, hidden)) >= MIN_HIDDEN_DIGITS
    assert ours.client_id(0, CONTROL).startswith("remint-0-control-")
    assert ours.client_id(0, REQUESTS) == again.client_id(0, REQUESTS)
    assert "kkkk" not in repr(ours)
