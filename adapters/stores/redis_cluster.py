"""Connections to a Redis Cluster: each command to the server of its slot, wherever that is now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.client import PubSub
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)

from adapters.stores.redis_links import (
    Greeting,
    Unwelcome,
    checked,
    connecting,
    key_of,
    touch,
    wait_for,
    writes,
)
from adapters.stores.redis_wire import Answered
from adapters.stores.redis_wires import Command, Cut

TOPOLOGY_SECONDS = 1.0
"""After a failure, a cluster is asked for its servers at most this often."""

MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where a command is tried: a server (None if it is not known), ``asking`` for a key of a slot
    that is still on its way there."""

    server: Any
    asking: bool = False


class ClusterLink:
    """A cluster; each command goes to the server of its slot, all servers at once."""

    ordered = False

    def __init__(self, client: RedisCluster, replicas: int = 0) -> None:
        self._client = client
        self.replicas = replicas
        self._asked_at = 0.0
        self._stale = False

    def greet(self, greeting: Greeting) -> None:
        nodes = self._client.nodes_manager
        for arguments in (
            nodes.connection_kwargs,
            *(node.connection_kwargs for node in nodes.startup_nodes.values()),
        ):
            arguments["redis_connect_func"] = connecting(greeting)

    def begin(self, commands: Sequence[Command], answered: Answered) -> Cut | None:
        return None  # several servers have to be asked

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        held = self.replicas > 0 and any(map(writes, commands))
        try:
            await self._find_servers()
            replies = await self._followed(commands, held)
        except (RedisError, RedisClusterException, OSError) as error:
            self._stale = True
            raise _in_one_tree(error) from error
        if any(_unreachable(reply) for reply in replies):
            self._stale = True
        return replies

    async def everywhere(self, *command: Any) -> list[Any]:
        try:
            await self._client.initialize()
            return [
                await self._client.execute_command(*command, target_nodes=node)
                for node in self._client.get_primaries()
            ]
        except RedisClusterException as error:
            raise _in_one_tree(error) from error

    async def covering(self, keys: Sequence[str]) -> list[str]:
        try:
            await self._client.initialize()
            return list({self._server_of(key).name: key for key in keys}.values())
        except RedisClusterException as error:
            raise _in_one_tree(error) from error

    def listener(self) -> PubSub:
        return self._client.pubsub()

    async def close(self) -> None:
        await self._client.aclose()

    async def _find_servers(self) -> None:
        """A server that failed may have a successor, of whom the others know."""
        await self._client.initialize()
        now = asyncio.get_running_loop().time()
        if self._stale and now >= self._asked_at + TOPOLOGY_SECONDS:
            self._asked_at = now
            await self._client.nodes_manager.initialize()
            self._stale = False

    async def _followed(self, commands: Sequence[Command], held: bool) -> list[Any]:
        """With each command sent again to where its slot has gone: it was not run where it was."""
        replies: list[Any] = [None] * len(commands)
        left = {at: _Stop(self._server_of(key_of(each))) for at, each in enumerate(commands)}
        for _ in range(MAX_REDIRECTS):
            found = await self._once([(stop, commands[at]) for at, stop in left.items()], held)
            following: dict[int, _Stop] = {}
            for at, reply in zip(left, found, strict=True):
                replies[at] = reply
                if isinstance(reply, AskError):  # a MovedError is one
                    following[at] = await self._next_stop(reply)
            left = {at: stop for at, stop in following.items() if stop.server is not None}
            if not left:
                break
        return replies

    async def _once(self, wanted: Sequence[tuple[_Stop, Command]], held: bool) -> list[Any]:
        """Each server is named, since redis-py would have Redis look for the key of each FCALL."""
        pipeline = self._client.pipeline()
        places, size = [], 0
        written: dict[str, tuple[Any, Command]] = {}
        for stop, command in wanted:
            if stop.asking:
                pipeline.execute_command("ASKING", target_nodes=stop.server)
                size += 1
            pipeline.execute_command(*command, target_nodes=stop.server)
            places.append(size)
            size += 1
            if held and writes(command):
                written[stop.server.name] = stop.server, touch(key_of(command))
        for server, touching in written.values():
            pipeline.execute_command("ASKING", target_nodes=server)  # its slot may be on its way
            pipeline.execute_command(*touching, target_nodes=server)
            pipeline.execute_command(*wait_for(self.replicas), target_nodes=server)
        replies = await pipeline.execute(raise_on_error=False, allow_redirections=False)
        own = [replies[place] for place in places]
        if not held:
            return own
        counts = dict(zip(written, replies[size + 2 :: 3], strict=True))
        return [
            checked([command], [reply, counts.get(stop.server.name)], self.replicas)[0]
            for (stop, command), reply in zip(wanted, own, strict=True)
        ]

    async def _next_stop(self, reply: AskError) -> _Stop:
        nodes = self._client.nodes_manager
        if isinstance(reply, MovedError):
            await nodes.move_slot(reply)
            return _Stop(nodes.get_node_from_slot(reply.slot_id))
        return _Stop(nodes.get_node(host=reply.host, port=reply.port), asking=True)

    def _server_of(self, key: Any) -> Any:
        nodes = self._client.nodes_manager
        return nodes.get_node_from_slot(self._client.keyslot(key))


def _unreachable(reply: object) -> bool:
    """An error that is not the word of a server in its right place."""
    if not isinstance(reply, Exception):
        return False
    return not isinstance(reply, ResponseError) or isinstance(
        reply, AskError | ClusterDownError | ReadOnlyError | TryAgainError
    )


def _in_one_tree(error: Exception) -> Exception:
    """redis-py's errors of clusters are no RedisError, and hide what a greeting said."""
    if isinstance(error.__cause__, Unwelcome):
        return error.__cause__
    return RedisError(str(error)) if isinstance(error, RedisClusterException) else error
