"""The wires to one server: opened by redis-py's pool, kept open, each in one round trip at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from hiredis import pack_command
from redis.exceptions import MasterDownError, ReadOnlyError, RedisError

from adapters.stores.redis_wire import Answered, Outcome, Wire

Command = Sequence[Any]

Cut = Callable[[BaseException], None]
"""Ends a round trip that is under way, with an error."""


class Wires:
    """Round trips, each over a wire that is idle, or over a new one."""

    def __init__(self, pool: Any, moves: bool = False) -> None:
        """``moves`` is for a pool that asks anew each time where the server is."""
        self._pool = pool
        self._moves = moves
        self._idle: list[Wire] = []
        self._parting: set[asyncio.Task[None]] = set()

    def begin(self, commands: Sequence[Command], answered: Answered) -> Cut | None:
        """As ``redis_links.Link.begin``: at once if a wire is idle, else not at all."""
        if not self._idle:
            return None
        words = packed(commands)
        wire = self._quiet()
        if wire is None:
            return None
        self._ask(wire, words, len(commands), answered)
        return wire.cut

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Raises RedisError, OSError, and what ``begin`` raises."""
        words = packed(commands)
        wire = self._quiet() or await self._open()
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

        def answered(outcome: Outcome) -> None:
            if future.done():
                return  # its caller went away
            if isinstance(outcome, list):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

        self._ask(wire, words, len(commands), answered)
        try:
            return await future
        except asyncio.CancelledError as error:
            wire.cut(error)
            raise

    async def close(self) -> None:
        for wire in list(self._idle):
            wire.cut(RedisError("closed"))
        if self._parting:
            await asyncio.wait(self._parting)

    def _ask(self, wire: Wire, words: bytes, count: int, answered: Answered) -> None:
        """A wire is idle again only once every reply was read from it."""

        def ended(outcome: Outcome) -> None:
            if isinstance(outcome, list):
                if any(isinstance(reply, ReadOnlyError | MasterDownError) for reply in outcome):
                    # After a fail-over the old address may still answer, as a replica.
                    wire.cut(RedisError("a replica"))
                else:
                    self._idle.append(wire)
            answered(outcome)

        wire.ask(words, count, ended)

    def _quiet(self) -> Wire | None:
        """An idle wire, no longer among them; those that ended are dropped."""
        while self._idle:
            wire = self._idle.pop()
            if wire.quiet():
                return wire
            wire.cut(RedisError("it ended while nobody used it"))
        return None

    async def _open(self) -> Wire:
        connection = await self._pool.get_connection()
        wire = Wire(connection, self._lost)
        if self._moves:
            self._leave_others(connection)
        return wire

    def _leave_others(self, connection: Any) -> None:
        """Those to where the server was before."""
        place = connection.host, connection.port
        for wire in list(self._idle):
            if (wire.connection.host, wire.connection.port) != place:
                wire.cut(RedisError("the server has moved"))

    def _lost(self, wire: Wire) -> None:
        if wire in self._idle:
            self._idle.remove(wire)
        task = asyncio.get_running_loop().create_task(self._let_go(wire.connection))
        self._parting.add(task)
        task.add_done_callback(self._parting.discard)

    async def _let_go(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
        await self._pool.release(connection)


def packed(commands: Sequence[Command]) -> bytes:
    """Commands in RESP, as hiredis writes them: redis-py's own packing takes ten times as long.

    Raises TypeError for a word that is no text, bytes or number, and UnicodeEncodeError.
    """
    return b"".join([pack_command(tuple(command)) for command in commands])
