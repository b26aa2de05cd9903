"""How a claim is asked for and counted: in one call where one server has all the slots."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from adapters.stores import redis_whole
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import REQUEST, due, key, shard_of, tag
from adapters.stores.redis_links import Command
from adapters.stores.redis_schema import function
from broker.errors import Unavailable

KIND = "request"
QUOTA = "quota"


@dataclass(slots=True)
class Asked:
    """The claim of the request in ``slot``, whose function takes ``words``."""

    slot: str
    owner: str
    lease_until: float
    words: tuple[Any, ...] = field(repr=False)

    async def uncounted(self, commands: Commands) -> list[Any]:
        """What the function says; raises Unavailable."""
        if commands.ordered:
            return list(
                await commands.call(*redis_whole.claim(self.slot, self._due_set(), self.words))
            )
        return list((await commands.calls([self._schedule(), self._claim()]))[-1])

    async def counted(
        self, commands: Commands, quota: int, scope: str, ends_at: float
    ) -> list[Any]:
        """The same for a request that is counted, if it is new, among those of ``scope``, in the
        window that ends then. One round trip, unless a cluster counted what was not new."""
        counter = key(tag(QUOTA, scope, str(ends_at)), QUOTA)
        if commands.ordered:
            words = (*self.words, quota, ends_at)
            claim = redis_whole.counted_claim(self.slot, self._due_set(), counter, words)
            return list(await commands.call(*claim))
        count = ("FCALL", function("count"), 1, counter, quota, ends_at)
        _, within, said = await commands.calls([self._schedule(), count, self._claim()])
        return await self._balanced(commands, counter, bool(within), list(said))

    async def _balanced(
        self, commands: Commands, counter: str, within: bool, said: list[Any]
    ) -> list[Any]:
        """In a cluster, count and claim are two steps on two servers: undo the one that was made
        without the other. What cannot be undone now ends with the window, or with the lease."""
        new = said[0] == b"new"
        if new == within:
            return said
        undo: Command = ("FCALL", function("uncount"), 1, counter)
        if new:
            undo = ("FCALL", function("unclaim"), 1, key(self.slot, REQUEST), self.owner)
            said = [b"over"]
        with contextlib.suppress(Unavailable):
            await commands.call(*undo)
        return said

    def _due_set(self) -> str:
        return due(KIND, shard_of(self.slot))

    def _schedule(self) -> Command:
        return "FCALL", function("schedule"), 1, self._due_set(), self.lease_until, self.slot

    def _claim(self) -> Command:
        return "FCALL", function("claim"), 1, key(self.slot, REQUEST), *self.words
