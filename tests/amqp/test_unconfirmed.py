"""A queue that never confirms costs the requests that need it, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.amqp import publish, quiet, transport
from adapters.amqp.topology import CONTROL, DEAD, REQUESTS
from adapters.messages.suspects import MAX_CRASHES, SUSPECT_FAILURES
from tests.amqp.caller import POLL_SECONDS, Caller, Reply, translation
from tests.amqp.conftest import Opened, all_acknowledged
from tests.amqp.stopped import stopped
from tests.support.confirm_proxy import ConfirmProxy, confirm_proxy
from tests.support.door import Door
from tests.support.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("rabbitmq"),
]

GARBAGE = b"{not json"
PREFETCH = 8
STUCK = 20  # more than the prefetch
GOOD = 100
WAITING = 3
DESK = "remint.reply.mallory.desk"
PATIENCE_SECONDS = 120.0
LONG_SECONDS = 600.0


@pytest.fixture
async def proxy(rabbitmq: RabbitMQ) -> AsyncIterator[ConfirmProxy]:
    async with confirm_proxy(rabbitmq.port) as between:
        yield between


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confirms are given up, and tried for again, sooner."""
    monkeypatch.setattr(publish, "LOOK_AFTER_SECONDS", 0.25)
    monkeypatch.setattr(publish, "CONFIRM_SECONDS", 1.0)
    _pauses(monkeypatch, first=0.2, most=1.0)


def _pauses(monkeypatch: pytest.MonkeyPatch, *, first: float, most: float) -> None:
    for module in (quiet, transport):
        monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", first)
        monkeypatch.setattr(module, "MAX_PAUSE_SECONDS", most)


def _through(proxy: ConfirmProxy) -> dict[str, Any]:
    """The settings of a broker that has its connections over the proxy."""
    url = f"amqp://broker:broker-password@127.0.0.1:{proxy.port}/"
    return {"url": url, "prefetch": PREFETCH, "control_prefetch": 1}


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(POLL_SECONDS)


async def _replies(caller: Caller, ids: set[str]) -> dict[str, Reply]:
    """One answer to each, of those that came; all answers to one are the same."""
    found: dict[str, Reply] = {}
    while found.keys() != ids:
        reply = await caller.reply()
        about = reply.message.correlation_id or ""
        assert about in ids
        assert found.setdefault(about, reply).raw == reply.raw
    return found


async def _ask_many(caller: Caller, count: int) -> None:
    """So many requests are answered, each with a token of its own."""
    ids = {f"good-{number}" for number in range(count)}
    for each in sorted(ids):
        await caller.send(translation(), message_id=each)
    replies = await _replies(caller, ids)
    assert {reply.status for reply in replies.values()} == {200}
    assert len({reply.headers["token-id"] for reply in replies.values()}) == count


async def test_dead_letters_never_confirmed(
    opened: Opened, proxy: ConfirmProxy, links: list[str], alice: Caller, mallory: Caller
) -> None:
    """While remint.dead confirms nothing, malformed requests wait, more of them than the prefetch,
    and good ones are answered over the same link; afterwards each has its letter and its answer."""
    proxy.mute = {DEAD}
    bad = {f"bad-{number}" for number in range(STUCK)}
    async with opened(amqp=_through(proxy)) as door:
        for each in sorted(bad):
            await mallory.send(GARBAGE, message_id=each)
        await _until(lambda: proxy.kept_back[DEAD] > 0)
        await _ask_many(alice, GOOD)
        assert await mallory.silent()
        assert links == ["link"]
        assert len(await door.tokens()) == GOOD
        proxy.let_through()
        replies = await _replies(mallory, bad)
        assert {reply.status for reply in replies.values()} == {400}
        assert links == ["link"]
        # What is held back is not worked on again and again: who was worked on was tried, but for
        # the first time of each.
        refused = [line for line in door.audit() if line["outcome"] == "refused"]
        assert len(refused) <= proxy.kept_back[DEAD] + 2 * STUCK
        await all_acknowledged(door, alice)
        letters = [await alice.dead_letter() for _ in range(await alice.waiting(DEAD))]
        assert {letter.message_id for letter in letters} == bad


async def test_queue_that_stands_still(
    opened: Opened, rabbitmq: RabbitMQ, links: list[str], alice: Caller, mallory: Caller
) -> None:
    """The same where RabbitMQ itself is held up by a queue: good requests are answered meanwhile,
    and what was malformed has its letter and its answer once the queue goes on."""
    async with opened(amqp={"prefetch": PREFETCH}) as door:
        async with stopped(rabbitmq, DEAD):
            bad = {f"bad-{number}" for number in range(STUCK)}
            for each in sorted(bad):
                await mallory.send(GARBAGE, message_id=each)
            await _until(lambda: _held_back(door))
            await _ask_many(alice, GOOD)
        replies = await _replies(mallory, bad)
        assert {reply.status for reply in replies.values()} == {400}
        assert links == ["link"]
        await all_acknowledged(door, alice)
        letters = [await alice.dead_letter() for _ in range(await alice.waiting(DEAD))]
        assert {letter.message_id for letter in letters} == bad


async def test_reply_queue_that_stands_still(
    opened: Opened, rabbitmq: RabbitMQ, links: list[str], alice: Caller, mallory: Caller
) -> None:
    """The same with a requester's own queue: others are answered, and so is she in the end."""
    quorum = {"x-queue-type": "quorum"}
    desk = await mallory.channel.declare_queue(DESK, durable=True, arguments=quorum)
    async with opened(amqp={"prefetch": PREFETCH}) as door:
        ids = {f"stuck-{number}" for number in range(STUCK)}
        async with stopped(rabbitmq, DESK):
            for each in sorted(ids):
                await mallory.send(translation(), message_id=each, reply_to=DESK)
            await _until(lambda: _held_back(door))
            await _ask_many(alice, GOOD)
        mallory.replies = desk
        replies = await _replies(mallory, ids)
        assert {reply.status for reply in replies.values()} == {200}
        await _until(lambda: not _held_back(door))
        await mallory.until_waiting(REQUESTS, 0)
        assert len(await door.tokens()) == GOOD + STUCK
        assert links == ["link"]
    await mallory.channel.queue_delete(DESK)


def _held_back(door: Door) -> bool:
    amqp = door.broker.amqp
    assert amqp is not None
    return amqp._room.aside > 0


async def test_reply_queue_never_confirmed(
    opened: Opened, proxy: ConfirmProxy, links: list[str], alice: Caller, mallory: Caller
) -> None:
    """A requester whose reply queue confirms nothing is answered once it does; others at once, and
    every request has one token."""
    proxy.mute = {mallory.replies.name}
    async with opened(amqp=_through(proxy)) as door:
        ids = {f"stuck-{number}" for number in range(STUCK)}
        for each in sorted(ids):
            await mallory.send(translation(), message_id=each)
        await _until(lambda: proxy.kept_back[mallory.replies.name] > 0)
        await _ask_many(alice, GOOD)
        proxy.let_through()
        await _until(lambda: proxy.passed[mallory.replies.name] >= STUCK)
        replies = await _replies(mallory, ids)
        assert {reply.status for reply in replies.values()} == {200}
        await all_acknowledged(door, alice)
        assert len(await door.tokens()) == GOOD + STUCK
        assert links == ["link"]


async def test_another_way_back(
    opened: Opened, proxy: ConfirmProxy, alice: Caller, mallory: Caller
) -> None:
    """Who asks again with the same id and another reply queue is answered there at once."""
    proxy.mute = {mallory.replies.name}
    async with opened(amqp=_through(proxy)) as door:
        await mallory.send(translation(), message_id="m-1")
        await _until(lambda: _held_back(door))
        mallory.replies = await mallory.channel.declare_queue(exclusive=True)
        assert (await mallory.ask(translation(), message_id="m-1")).status == 200
        assert len(await door.tokens()) == 1


async def test_cancels_pass(
    opened: Opened, proxy: ConfirmProxy, alice: Caller, mallory: Caller
) -> None:
    """Of a queue that is taken from one by one, the next is taken while an answer is not
    confirmed."""
    proxy.mute = {mallory.replies.name}
    async with opened(amqp=_through(proxy)) as door:
        token = (await alice.ask(translation())).body["issued_token"]
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
        validate = {"instance": "username-transformer", "validated_token_state": state}
        cancel = {"instance": "username-transformer", "cancelled_token_state": state}
        for _ in range(WAITING):
            await mallory.send(validate, type="validate", queue=CONTROL)
        await _until(lambda: proxy.kept_back[mallory.replies.name] > 0)
        assert (await alice.ask(cancel, type="cancel", queue=CONTROL)).status == 200
        proxy.let_through()
        await _until(lambda: proxy.passed[mallory.replies.name] >= WAITING)
        await all_acknowledged(door, alice)
        assert await mallory.waiting(CONTROL) == 0


async def test_not_a_crash(
    opened: Opened, proxy: ConfirmProxy, mallory: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that came back more often than a crash is borne is answered, and not given up."""
    monkeypatch.setattr(publish, "CONFIRM_SECONDS", 0.5)
    _pauses(monkeypatch, first=0.02, most=0.05)
    proxy.mute = {mallory.replies.name}
    async with opened(amqp=_through(proxy)) as door:
        await mallory.send(translation(), message_id="m-1")
        times = SUSPECT_FAILURES + MAX_CRASHES + 2
        await _until(lambda: proxy.kept_back[mallory.replies.name] >= times)
        proxy.let_through()
        await _until(lambda: proxy.passed[mallory.replies.name] > 0)
        await all_acknowledged(door, mallory)
        replies = [await mallory.reply() for _ in range(times)]
        assert {reply.status for reply in replies} == {200}
        assert len({reply.raw for reply in replies}) == 1
        assert len(await door.tokens()) == 1
        assert await mallory.waiting(DEAD) == 0


async def test_late_confirm(
    opened: Opened, proxy: ConfirmProxy, links: list[str], alice: Caller
) -> None:
    """A confirm that comes after it was given up harms nothing."""
    proxy.mute = {DEAD}
    async with opened(amqp=_through(proxy)) as door:
        await alice.send(GARBAGE, message_id="bad", reply_to=None)
        await _until(lambda: proxy.kept_back[DEAD] > 1)  # the first of them is given up by then
        proxy.send_late()
        assert (await alice.ask(translation())).status == 200
        proxy.let_through()
        await _until(lambda: proxy.passed[DEAD] > 0)
        await all_acknowledged(door, alice)
        assert (await alice.dead_letter()).message_id == "bad"
        assert links == ["link"]


async def test_nothing_confirmed(
    opened: Opened, proxy: ConfirmProxy, links: list[str], alice: Caller
) -> None:
    """A link on which nothing is confirmed any more is given up, and the next one answers."""
    async with opened(amqp=_through(proxy)) as door:
        proxy.mute_all = True
        await alice.send(translation(), message_id="m-1")
        await _until(lambda: len(links) > 1)
        proxy.let_through()
        await _until(lambda: proxy.passed[alice.replies.name] > 0)
        replies = await _replies(alice, {"m-1"})
        assert replies["m-1"].status == 200
        await all_acknowledged(door, alice)
        assert len(await door.tokens()) == 1


async def test_stop(
    opened: Opened, proxy: ConfirmProxy, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop waits for nothing that is held back, and leaves it in its queue."""
    _pauses(monkeypatch, first=LONG_SECONDS, most=LONG_SECONDS)
    proxy.mute = {DEAD}
    async with opened(amqp=_through(proxy)) as door:
        amqp = door.broker.amqp
        assert amqp is not None
        await alice.send(GARBAGE, reply_to=None)
        await _until(lambda: _held_back(door) and not amqp._room.in_work[REQUESTS])
        async with asyncio.timeout(PATIENCE_SECONDS):
            await amqp.drain(LONG_SECONDS)
        await alice.until_waiting(REQUESTS, 1)
