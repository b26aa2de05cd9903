"""Failed logins, counted in Redis, where all brokers see them. They end by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import ATTEMPTS, key, text_of
from adapters.stores.redis_schema import function
from broker.attempts import NONE_YET, Failure, Tally
from broker.errors import Unavailable


class RedisAttempts:
    """AttemptStore."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def tallies(self, keys: Sequence[bytes]) -> list[Tally]:
        return [
            _tally(text)
            for text in await self._commands.calls([("GET", _key(each)) for each in keys])
        ]

    async def failed(self, failures: Sequence[Failure]) -> list[Tally]:
        counts = [
            (
                "FCALL",
                function("count_failure"),
                1,
                _key(failure.key),
                repr(failure.at),
                repr(failure.rule.leak_seconds),
                repr(failure.rule.most),
            )
            for failure in failures
        ]
        return [_tally(text) for text in await self._commands.calls(counts)]

    async def succeeded(self, key: bytes, at: float, until: float) -> None:
        name = function("note_success")
        await self._commands.call("FCALL", name, 1, _key(key), repr(at), math.ceil(until))

    async def reap(self, now: float) -> int:
        """Nothing is left to do: Redis forgets them."""
        return 0


def _key(key_of_tally: bytes) -> str:
    return key(text_of(key_of_tally), ATTEMPTS)


def _tally(text: bytes | None) -> Tally:
    if not text:
        return NONE_YET
    try:
        failures, counted_at, succeeded_at, _ = (float(word) for word in text.split(b" "))
    except ValueError:
        raise Unavailable("the store cannot be read", detail="redis: a broken tally") from None
    return Tally(failures, counted_at, succeeded_at)
