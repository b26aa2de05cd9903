"""A connection to Redis that says what it should not, or ends when it should not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_urls import link_to
from broker.errors import Unavailable

REQUEST = b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"

Talk = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does on its n-th connection."""


@asynccontextmanager
async def commands_to(talk: Talk) -> AsyncIterator[Commands]:
    """Commands to a server made for the occasion."""
    count = 0

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await talk(count, reader, writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    commands = Commands(link_to(f"redis://127.0.0.1:{port}"))
    try:
        yield commands
    finally:
        await commands.close()
        server.close()
        await server.wait_closed()


async def answer_properly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each GET by its own number, until the client goes."""
    number = 0
    while await reader.read(len(REQUEST)):
        number += 1
        writer.write(b":%d\r\n" % number)
    writer.close()


@pytest.mark.parametrize(
    "said", [b":1\r\n:2\r\n", b":1\r\n$5\r\nab"], ids=["one too many", "the beginning of one"]
)
async def test_what_nobody_asked_is_answered_to_nobody(said: bytes) -> None:
    """A server that says more than it was asked fails that call; the next one gets its own reply
    over another connection."""

    async def talk(n: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if n > 1:
            await answer_properly(reader, writer)
            return
        await reader.readexactly(len(REQUEST))
        writer.write(said)
        await reader.read()
        writer.close()

    async with commands_to(talk) as commands:
        with pytest.raises(Unavailable) as raised:
            await commands.call("GET", "x")
        assert "nobody had asked" in str(raised.value.detail)
        assert await commands.call("GET", "x") == 1
        assert await commands.call("GET", "x") == 2


async def test_word_between_two_calls_ends_a_connection() -> None:
    """What comes while no call is under way is never the reply to the next one."""
    wanted, gone = asyncio.Event(), asyncio.Event()

    async def talk(n: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if n > 1:
            await answer_properly(reader, writer)
            return
        await reader.readexactly(len(REQUEST))
        writer.write(b":7\r\n")
        await asyncio.wait_for(wanted.wait(), 60)
        writer.write(b":8\r\n")
        await reader.read()  # until the client has gone
        writer.close()
        gone.set()

    async with commands_to(talk) as commands:
        assert await commands.call("GET", "x") == 7
        wanted.set()
        await asyncio.wait_for(gone.wait(), 60)
        assert await commands.call("GET", "x") == 1


@pytest.mark.parametrize("said", [b"?\r\n", b"-LOADING Redis is loading the dataset in memory\r\n"])
async def test_server_that_cannot_serve_is_unavailable(said: bytes) -> None:
    """No RESP, or a server that is starting: all calls of the round trip fail, and a new
    connection is tried next."""

    async def talk(n: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if n > 2:
            await answer_properly(reader, writer)
            return
        await reader.readexactly(len(REQUEST))
        writer.write(said)
        await reader.read()
        writer.close()

    async with commands_to(talk) as commands:
        for _ in range(2):
            calls = [commands.call("GET", "x") for _ in range(3)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert await commands.call("GET", "x") == 1


async def test_replies_in_many_small_parts_are_whole() -> None:
    """However the network cuts them, replies come complete and in order."""

    async def talk(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            await reader.readexactly(len(REQUEST))
            for byte in b"*2\r\n$2\r\nab\r\n:%d\r\n" % number:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
        await reader.read()
        writer.close()

    async with commands_to(talk) as commands:
        for number in range(3):
            assert await commands.call("GET", "x") == [b"ab", number]


async def test_word_that_cannot_be_sent_keeps_the_connection() -> None:
    """A mistake in a call is that call's, and the next one goes over the same connection."""

    async def talk(n: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert n == 1
        await answer_properly(reader, writer)

    async with commands_to(talk) as commands:
        assert await commands.call("GET", "x") == 1
        with pytest.raises(Unavailable, match="reached"):
            await commands.call("GET", None)
        assert await commands.call("GET", "x") == 2
