"""Connections to Redis: what all have in common, and those to one server, by Sentinel or without.

A link runs a list of commands in one round trip. It gives a reply or an error for each, or raises;
then no reply of that round trip is left on any connection.

With ``replicas`` set, a write counts only once as many replicas have it: ``WAIT`` follows on the
same connection, its count is checked, and the reply to each write is an error if it falls short. A
small write goes before it, because newer servers wait only for what the same connection changed: a
retry that finds its work done changes nothing, and must not be told so before the replicas have it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError, ResponseError

from adapters.stores.redis_keys import PREFIX
from adapters.stores.redis_wire import Answered, Outcome
from adapters.stores.redis_wires import Command as Command
from adapters.stores.redis_wires import Cut, Wires
from adapters.stores.redis_wires import packed as packed

Exchange = Callable[[Sequence[Command]], Awaitable[list[Any]]]
"""Commands over one connection, and a reply or an error for each."""

Greeting = Callable[[Exchange], Awaitable[None]]
"""Has the first word on each new connection; a RedisError from it closes the connection."""

WAIT_MILLISECONDS = 1000
"""How long a write may take to reach the replicas; less than ``redis_commands.CALL_SECONDS``."""

TOUCH_MILLISECONDS = 1000

READS = frozenset({"EXISTS", "GET", "HGET", "HGETALL", "HMGET", "INFO", "MGET", "ZCARD", "ZRANGE"})
"""Commands after which nobody has to wait for a replica. Whatever is not named here is a write."""


class Unwelcome(RedisError):
    """A connection or a reply that must not be used; the text is a sentence for callers."""


class TooFewReplicas(Unwelcome):
    """The primary has the write and not enough replicas do; it may happen or be lost."""


TOO_FEW = (
    "the store has fewer replicas within reach than store.wait_replicas asks for; "
    "ask again with the same id"
)


class Link(Protocol):
    """Raises RedisError or OSError from every method but ``close``, ``greet`` and ``listener``."""

    @property
    def ordered(self) -> bool:
        """True where one server runs the commands of one round trip one after the other."""

    @property
    def replicas(self) -> int:
        """How many of them a write waits for."""

    def greet(self, greeting: Greeting) -> None:
        """Must be called before the first command."""

    def begin(self, commands: Sequence[Command], answered: Answered) -> Cut | None:
        """Begin a round trip if that can be done at once, and say how to cut it short; else None.

        ``answered`` is called once, and never from here. Raises TypeError and UnicodeEncodeError
        for what cannot be written, and has then begun nothing.
        """

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """A round trip, on a new connection if need be."""

    async def everywhere(self, *command: Any) -> list[Any]:
        """The reply of every server that is written to; no replica is waited for."""

    async def covering(self, keys: Sequence[str]) -> list[str]:
        """Of ``keys``, one for each server that holds any; none where there is one server."""

    def listener(self) -> PubSub:
        """A new subscriber."""

    async def close(self) -> None: ...


class ServerLink:
    """One server at a time, whether its address is fixed or comes from Sentinel."""

    ordered = True

    def __init__(self, client: Redis, sentinels: Sequence[Redis] = (), replicas: int = 0) -> None:
        self._client = client
        self._sentinels = sentinels
        self.replicas = replicas
        self._pool = client.connection_pool
        self._wires = Wires(self._pool, moves=bool(sentinels))

    @property
    def connection_arguments(self) -> dict[str, Any]:
        """How connections are made; holds the password."""
        return self._pool.connection_kwargs

    def greet(self, greeting: Greeting) -> None:
        self._pool.connection_kwargs["redis_connect_func"] = connecting(greeting)

    def begin(self, commands: Sequence[Command], answered: Answered) -> Cut | None:
        if self.replicas == 0 or not any(map(writes, commands)):
            return self._wires.begin(commands, answered)

        def counted(outcome: Outcome) -> None:
            if isinstance(outcome, list):
                outcome = checked(commands, outcome, self.replicas)
            answered(outcome)

        return self._wires.begin(held(commands, self.replicas), counted)

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        if self.replicas == 0 or not any(map(writes, commands)):
            return await self._wires.run(commands)
        replies = await self._wires.run(held(commands, self.replicas))
        return checked(commands, replies, self.replicas)

    async def everywhere(self, *command: Any) -> list[Any]:
        return await self._wires.run([command])

    async def covering(self, keys: Sequence[str]) -> list[str]:
        return []

    def listener(self) -> PubSub:
        return self._client.pubsub()

    async def close(self) -> None:
        await self._wires.close()
        for client in (self._client, *self._sentinels):
            await client.aclose(close_connection_pool=True)


def writes(command: Command) -> bool:
    return command[0] not in READS


def key_of(command: Command) -> Any:
    """The key by which a command of ours finds its server."""
    return command[3] if command[0] == "FCALL" else command[1]


def touch(key: str) -> Command:
    """A write that changes nothing for anybody, on the server that has ``key``."""
    slot = key.partition("{")[2].partition("}")[0]
    return ("SET", f"{PREFIX}{{{slot}}}:barrier", "", "PX", TOUCH_MILLISECONDS)


def wait_for(replicas: int) -> Command:
    return ("WAIT", replicas, WAIT_MILLISECONDS)


def held(commands: Sequence[Command], replicas: int) -> list[Command]:
    """The commands, of which one writes at least, and what waits for the replicas."""
    touched = key_of(next(filter(writes, commands)))
    return [*commands, touch(touched), wait_for(replicas)]


def checked(commands: Sequence[Command], replies: Sequence[Any], replicas: int) -> list[Any]:
    """The replies to ``commands``, errors if that of ``WAIT``, the last, tells of too few."""
    own, count = replies[: len(commands)], replies[-1]
    if isinstance(count, int) and count >= replicas:
        return list(own)
    fault = count if isinstance(count, Exception) else TooFewReplicas(TOO_FEW)
    return [
        fault if writes(command) and not isinstance(reply, Exception) else reply
        for command, reply in zip(commands, own, strict=True)
    ]


async def _exchange(connection: Any, commands: Sequence[Command]) -> list[Any]:
    await connection.send_packed_command(packed(commands), check_health=False)
    replies: list[Any] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    return replies


def connecting(greeting: Greeting) -> Callable[[Any], Awaitable[None]]:
    """What redis-py calls once the socket is open."""

    async def connected(connection: Any) -> None:
        await connection.on_connect()  # logs in
        await greeting(partial(_exchange, connection))

    return connected
