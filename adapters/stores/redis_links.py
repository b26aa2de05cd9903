"""Connections to Redis: to one server (found by Sentinel or not), or to a cluster.

A link runs a list of commands in one round trip. It gives a reply or an error for each, or raises;
then no reply of that round trip is left on any connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError

Command = Sequence[Any]


class Link(Protocol):
    """Raises RedisError or OSError from every method but ``close``."""

    @property
    def ordered(self) -> bool:
        """True where one server runs the commands of one round trip one after the other."""

    async def run(self, commands: Sequence[Command]) -> list[Any]: ...

    async def everywhere(self, *command: Any) -> list[Any]:
        """The reply of every server that is written to."""

    def listener(self) -> PubSub:
        """A new subscriber."""

    async def close(self) -> None: ...


class ServerLink:
    """One server at a time, whether its address is fixed or comes from Sentinel."""

    ordered = True

    def __init__(self, client: Redis, sentinels: Sequence[Redis] = ()) -> None:
        self._client = client
        self._sentinels = sentinels
        self._pool = client.connection_pool

    @property
    def connection_arguments(self) -> Mapping[str, Any]:
        """How connections are made; holds the password."""
        return self._pool.connection_kwargs

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """A connection goes back to the pool only once every reply was read from it."""
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py's
        usable = False
        try:
            packed = connection.pack_commands(commands)
            await connection.send_packed_command(packed, check_health=False)
            replies: list[Any] = []
            for _ in commands:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
            # After a fail-over the old address may still answer, as a replica.
            usable = not any(
                isinstance(reply, ReadOnlyError | MasterDownError) for reply in replies
            )
        finally:
            if not usable:
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)
        return replies

    async def everywhere(self, *command: Any) -> list[Any]:
        return await self.run([command])

    def listener(self) -> PubSub:
        return self._client.pubsub()

    async def close(self) -> None:
        for client in (self._client, *self._sentinels):
            await client.aclose(close_connection_pool=True)


class ClusterLink:
    """A cluster; redis-py sends each command to the server of its slot."""

    ordered = False

    def __init__(self, client: RedisCluster) -> None:
        self._client = client

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        pipeline = self._client.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    async def everywhere(self, *command: Any) -> list[Any]:
        await self._client.initialize()
        nodes = self._client.get_primaries()
        return [await self._client.execute_command(*command, target_nodes=node) for node in nodes]

    def listener(self) -> PubSub:
        return self._client.pubsub()

    async def close(self) -> None:
        await self._client.aclose()
