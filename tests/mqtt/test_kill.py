"""``kill -9`` of the broker and of Mosquitto at the moments that matter: nothing lost, no second
token."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from broker.model import TokenRecord
from tests.mqtt.caller import ANSWER_SECONDS, Caller, Reply, calling, translation
from tests.mqtt.conftest import Opened, until_ready
from tests.support import door as doors
from tests.support.auditing import HeldAudit
from tests.support.door import ASSERTION, ID_TOKEN, session_input, user_input
from tests.support.hurried import HURRIED
from tests.support.mosquitto import Mosquitto
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.sharing import ROOT_SECRET, sharing

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("mosquitto"),
]


def _settings(mosquitto: Mosquitto) -> dict[str, str]:
    return {"MQTT__URL": mosquitto.url, "MQTT__REQUIRE_ENCRYPTED_CREDENTIALS": "false"}


async def _records(folder: Path, planted: Planted) -> list[TokenRecord]:
    """What the store holds, read by a broker that has no topic; makes the store at first."""
    async with doors.opened(folder / "state", planted) as door:
        return await door.tokens()


async def _ask_until_killed(
    mosquitto: Mosquitto, folder: Path, alice: Caller, module: str, *arguments: str, body: Any
) -> BrokerProcess:
    """Sends one request to a broker that dies of it."""
    broker = BrokerProcess(folder, *arguments, module=module, settings=_settings(mosquitto))
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        await alice.send(body, message_id="m-1")
        assert await asyncio.to_thread(broker.wait) == -signal.SIGKILL
    return broker


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["id-token", "assertion"])
async def test_killed_between_commit_and_answer(
    mosquitto: Mosquitto, tmp_path: Path, alice: Caller, planted: Planted, wanted: dict[str, Any]
) -> None:
    """The token that was committed is the one that is answered after the restart, once."""
    assert await _records(tmp_path, planted) == []
    body = translation(user_input(), wanted)
    killed = await _ask_until_killed(
        mosquitto, tmp_path, alice, "tests.support.crashing", "committed", body=body
    )
    [committed] = await _records(tmp_path, planted)
    assert await alice.silent()
    broker = BrokerProcess(tmp_path, module=HURRIED, settings=_settings(mosquitto))
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        reply = await alice.reply()
        assert reply.headers["token-id"] == committed.token_id
        again = await alice.ask(body, message_id="m-1")
        assert again.raw == reply.raw
        assert await asyncio.to_thread(broker.terminate) == 0
    assert await _records(tmp_path, planted) == [committed]
    assert not planted.found_in([*killed.texts(), *broker.texts()])


async def test_killed_between_answer_and_acknowledgement(
    mosquitto: Mosquitto, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """The request is delivered again and gets the same bytes; there is one token record."""
    assert await _records(tmp_path, planted) == []
    await _ask_until_killed(
        mosquitto, tmp_path, alice, "tests.support.killable_broker", body=translation()
    )
    first = await alice.reply()
    broker = BrokerProcess(tmp_path, module=HURRIED, settings=_settings(mosquitto))
    with ended(broker):
        broker.launch()
        second = await alice.reply()
        assert first.status == second.status == 200
        assert (first.raw, first.headers) == (second.raw, second.headers)
        assert await alice.silent()
        assert await asyncio.to_thread(broker.terminate) == 0
    [record] = await _records(tmp_path, planted)
    assert record.token_id == first.headers["token-id"]


async def test_mosquitto_killed_with_a_request_in_hand(
    opened: Opened, mosquitto: Mosquitto, planted: Planted
) -> None:
    """A request in work when the server is killed is answered after its restart; one token."""
    audit = HeldAudit()
    async with opened(audit=audit) as door:
        async with calling(mosquitto, planted, "alice", session="alice") as alice:
            await alice.send(translation(), message_id="m-1")
            await audit.entered.wait()
            await mosquitto.saved(b"remint/v1/reply/alice/#")
            mosquitto.kill()
        audit.let_go.set()
        await until_ready(door, ready=False)
        await asyncio.to_thread(mosquitto.start)
        async with calling(mosquitto, planted, "alice", session="alice") as alice:
            reply = await alice.reply()
        [record] = await door.tokens()
        assert reply.headers["token-id"] == record.token_id


async def test_mosquitto_killed_before_it_could_deliver(
    opened: Opened, mosquitto: Mosquitto, planted: Planted
) -> None:
    """Requests that were acknowledged and saved while no broker was there outlive a kill."""
    async with opened():
        pass
    async with calling(mosquitto, planted, "alice", session="alice") as alice:
        for number in range(10):
            await alice.send(translation(), message_id=f"kept-{number}")
        await mosquitto.saved(b"kept-9")
        mosquitto.kill()
    await asyncio.to_thread(mosquitto.start)
    async with opened(), calling(mosquitto, planted, "alice", session="alice") as alice:
        answered = {(await alice.reply()).correlation for _ in range(10)}
    assert answered == {f"kept-{number}".encode() for number in range(10)}


async def test_one_of_two_brokers_is_killed(
    mosquitto: Mosquitto, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """Two brokers share the requests; one is killed under load, and the other answers all that it
    had, each id with one token."""
    store = f"sqlite:///{tmp_path / 'shared.db'}"
    with sharing(tmp_path, store, store, module=HURRIED, settings=_settings(mosquitto)) as brokers:
        async with _seeded(tmp_path, store, planted) as door:
            body = translation(session_input(await door.login()), ID_TOKEN)
        ids = [f"m-{number}" for number in range(200)]
        for message_id in ids[:50]:
            await alice.send(body, message_id=message_id)
        answers = await _answers(alice, set(ids[:50]))
        assert all(broker.audit() for broker in brokers)  # both have had some
        sending = asyncio.create_task(_send_all(alice, body, ids[50:]))
        answers += [await alice.reply() for _ in range(20)]
        os.kill(brokers[1].pid, signal.SIGKILL)
        await sending
        missing = set(ids) - {_id(reply) for reply in answers}
        answers += await _answers(alice, missing)
    assert all(reply.status == 200 for reply in answers)
    tokens = {(_id(reply), reply.headers["token-id"]) for reply in answers}
    assert len(tokens) == len(ids)


async def test_stop_under_load(
    mosquitto: Mosquitto, tmp_path: Path, alice: Caller, planted: Planted
) -> None:
    """A broker that is told to stop finishes what it has: no failure, and nothing whose answer was
    confirmed comes again; what it had not begun waits for the next."""
    settings = _settings(mosquitto)
    await _records(tmp_path, planted)
    async with doors.opened(tmp_path / "state", planted) as door:
        body = translation(session_input(await door.login()), ID_TOKEN)
    ids = [f"m-{number}" for number in range(300)]
    broker = BrokerProcess(tmp_path, module=HURRIED, settings=settings)
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        sending = asyncio.create_task(_send_all(alice, body, ids))
        answers = [await alice.reply() for _ in range(50)]
        assert await asyncio.to_thread(broker.terminate) == 0
        await sending
        broker.launch()
        answers += await _answers(alice, set(ids) - {_id(reply) for reply in answers})
        assert await alice.silent()
        assert await asyncio.to_thread(broker.terminate) == 0
    assert sorted(_id(reply) for reply in answers) == sorted(ids)
    assert {reply.status for reply in answers} == {200}


def _seeded(folder: Path, store: str, planted: Planted) -> Any:
    """A broker without topics on the shared store: it adds user and instance."""
    return doors.opened(
        folder / "seed", planted, store={"url": store}, keys={"root_secret": ROOT_SECRET}
    )


async def _send_all(alice: Caller, body: Any, ids: Sequence[str]) -> None:
    for message_id in ids:
        await alice.send(body, message_id=message_id)


async def _answers(alice: Caller, missing: set[str]) -> list[Reply]:
    """Answers until each of ``missing`` has come."""
    answers = []
    async with asyncio.timeout(2 * ANSWER_SECONDS):
        while missing:
            answers.append(await alice.reply())
            missing = missing - {_id(answers[-1])}
    return answers


def _id(reply: Reply) -> str:
    assert reply.correlation is not None
    return reply.correlation.decode()
