"""How commands travel to Redis: together, in order, each reply to the one who asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.redis_commands import MAX_BATCH, MAX_WAITING, Commands
from adapters.stores.redis_urls import link_to
from broker.errors import Unavailable
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer
from tests.support.slow_proxy import SlowProxy, slow_proxy

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

CANCELS = 10_000
LANES = 100
DELAY_SECONDS = 0.005


@pytest.fixture
async def proxy(redis: RedisServer) -> AsyncIterator[SlowProxy]:
    async with slow_proxy(redis.port) as running:
        yield running


@pytest.fixture
async def commands(redis: RedisServer, proxy: SlowProxy) -> AsyncIterator[Commands]:
    """Commands through a proxy, as an administrator."""
    url = redis.administrator_url.replace(str(redis.port), str(proxy.port))
    opened = Commands(link_to(url))
    yield opened
    await opened.close()


async def fill(commands: Commands, count: int) -> list[str]:
    names = [f"remint:key-{n}" for n in range(count)]
    await commands.calls([("SET", name, name) for name in names])
    return names


async def test_concurrent_calls_share_round_trips(commands: Commands) -> None:
    """A hundred calls of one moment need one round trip, and each gets its own reply."""
    names = await fill(commands, 100)
    before = commands.round_trips
    replies = await asyncio.gather(*(commands.call("GET", name) for name in names))
    assert [reply.decode() for reply in replies] == names
    assert commands.round_trips - before == 1


async def test_calls_are_parted_into_batches(commands: Commands) -> None:
    """More than a batch's worth of calls goes out in several; one large call stays together."""
    names = await fill(commands, 3 * MAX_BATCH)
    before = commands.round_trips
    await asyncio.gather(*(commands.call("GET", name) for name in names))
    assert commands.round_trips - before == 3
    assert len(await commands.calls([("GET", name) for name in names])) == len(names)
    assert commands.round_trips - before == 4


async def test_the_commands_of_a_call_run_in_order(commands: Commands) -> None:
    """What a call sets first it can read next, among many that do the same."""

    async def one(name: str) -> bytes:
        *_, value = await commands.calls(
            [("SET", name, name), ("APPEND", name, "!"), ("GET", name)]
        )
        return bytes(value)

    names = [f"remint:{n}" for n in range(200)]
    values = await asyncio.gather(*(one(name) for name in names))
    assert [value.decode() for value in values] == [f"{name}!" for name in names]


async def test_a_refused_command_fails_its_own_call_alone(commands: Commands) -> None:
    """Neighbours of a command that Redis refuses get their replies."""
    names = await fill(commands, 2)
    results = await asyncio.gather(
        commands.call("GET", names[0]),
        commands.call("INCR", names[0]),
        commands.call("GET", names[1]),
        return_exceptions=True,
    )
    assert [results[0], results[2]] == [name.encode() for name in names]
    assert isinstance(results[1], Unavailable)
    assert "not an integer" in str(results[1].detail)


async def test_no_cancel_makes_a_reply_reach_another(commands: Commands, proxy: SlowProxy) -> None:
    """While ten thousand calls are cancelled at random moments, each reply matches its own key."""
    names = await fill(commands, 50)
    proxy.delay_seconds = DELAY_SECONDS
    dice = random.Random(51)  # noqa: S311 - no secret
    done = cancelled = 0

    async def lane() -> None:
        nonlocal done, cancelled
        while cancelled < CANCELS:
            name = dice.choice(names)
            call = asyncio.ensure_future(commands.call("GET", name))
            await asyncio.sleep(dice.random() * 2 * DELAY_SECONDS)
            if dice.random() < 0.8:
                call.cancel()
            try:
                assert await call == name.encode()
                done += 1
            except asyncio.CancelledError:
                cancelled += 1

    await asyncio.gather(*(lane() for _ in range(LANES)))
    assert done > CANCELS / 10
    replies = await asyncio.gather(*(commands.call("GET", name) for name in names))
    assert [reply.decode() for reply in replies] == names


async def test_a_round_trip_cut_short_discards_its_connection(
    commands: Commands, proxy: SlowProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that time out just before their replies come leave none of them to later calls."""
    names = await fill(commands, 50)
    before = proxy.connections
    monkeypatch.setattr("adapters.stores.redis_commands.CALL_SECONDS", 0.02)
    for delay in (0.018, 0.019, 0.02, 0.021, 0.022, 0.04):
        proxy.delay_seconds = delay
        await asyncio.gather(
            *(commands.call("GET", name) for name in names), return_exceptions=True
        )
    proxy.delay_seconds = 0.0
    monkeypatch.setattr("adapters.stores.redis_commands.CALL_SECONDS", 5.0)
    replies = await asyncio.gather(*(commands.call("GET", name) for name in names[::-1]))
    assert [reply.decode() for reply in replies] == names[::-1]
    assert proxy.connections > before


async def test_a_cancelled_call_that_was_not_sent_is_not_sent(commands: Commands) -> None:
    """A caller that goes away in the moment of asking leaves no trace."""
    call = asyncio.ensure_future(commands.call("SET", "remint:x", "1"))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert await commands.call("GET", "remint:x") is None


async def test_a_mute_server_is_unavailable(
    commands: Commands, proxy: SlowProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes commands and says nothing is Unavailable to all, sent or not."""
    await fill(commands, 1)
    proxy.deaf = True
    monkeypatch.setattr("adapters.stores.redis_commands.CALL_SECONDS", 0.05)
    results = await asyncio.gather(
        *(commands.call("GET", "remint:key-0") for _ in range(5 * MAX_BATCH)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {Unavailable}
    assert {str(result) for result in results if isinstance(result, Unavailable)} == {
        "the store cannot be reached",
        "the store is too slow",
    }
    proxy.deaf = False
    monkeypatch.setattr("adapters.stores.redis_commands.CALL_SECONDS", 5.0)
    assert await commands.call("GET", "remint:key-0") == b"remint:key-0"


async def test_a_cut_connection_is_replaced(commands: Commands, proxy: SlowProxy) -> None:
    """Calls under way fail as Unavailable; the next one goes over a new connection."""
    (name,) = await fill(commands, 1)
    proxy.delay_seconds = 0.2
    call = asyncio.ensure_future(commands.call("GET", name))
    await asyncio.sleep(0.1)
    proxy.cut()
    with pytest.raises(Unavailable) as raised:
        await call
    assert "ConnectionError" in str(raised.value.detail)
    proxy.delay_seconds = 0.0
    assert await commands.call("GET", name) == name.encode()


async def test_an_idle_connection_that_was_cut_costs_nobody_a_call(
    commands: Commands, proxy: SlowProxy
) -> None:
    """A connection that ended while nobody used it is noticed before it is used."""
    (name,) = await fill(commands, 1)
    proxy.cut()
    await asyncio.sleep(0.05)
    assert await commands.call("GET", name) == name.encode()


async def test_too_many_waiting_calls_are_refused(commands: Commands) -> None:
    """One call above the limit is refused at once; those that wait are all answered."""
    tasks = [asyncio.create_task(commands.call("PING")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="busy"):
        await commands.call("PING")
    assert set(await asyncio.gather(*tasks)) == {b"PONG"}


async def test_nobody_listening_is_unavailable() -> None:
    """A port on which nothing listens is Unavailable at once, with the cause for the audit."""
    with pytest.raises(Unavailable) as raised:
        await open_stores("redis://127.0.0.1:1", ROOT)
    assert "ConnectionError" in str(raised.value.detail)


async def test_a_broker_survives_the_loss_of_all_connections(
    redis: RedisServer, proxy: SlowProxy
) -> None:
    """Cut off in the midst of everything, the stores and their subscription come back."""
    stores: Stores = await open_stores(redis.url.replace(str(redis.port), str(proxy.port)), ROOT)
    for _ in range(3):
        known = await stores.instances.generation()
        proxy.cut()
        await asyncio.sleep(0.05)
        assert await stores.instances.generation() == known
        assert await stores.tokens.get("a") is None
    await stores.close()
