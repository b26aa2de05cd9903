"""What a broker says to Redis that was written for revision 3 of the functions.

Such brokers run beside those of this revision while one replaces the other. They took a step for
each thing, in one round trip, where this revision has one function for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_links import Command
from adapters.stores.redis_schema import function


class Revision3(Commands):
    """Commands that speak it. ``said`` are the functions that were called."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.said: set[str] = set()

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        steps = [as_revision_3(command) for command in commands]
        sent = [step for each in steps for step in each]
        self.said |= {step[1] for step in sent if step[0] == "FCALL"}
        replies = iter(await super().calls(sent))
        return [[next(replies) for _ in each][-1] for each in steps]


def as_revision_3(command: Command) -> list[Command]:
    """The steps that stood for a command; the reply to the last one is the reply to it."""
    if command[0] != "FCALL":
        return [command]
    _, name, count, *rest = command
    keys, words = rest[:count], rest[count:]
    for whole, apart in _APART.items():
        if name == function(whole):
            return apart(keys, words)
    return [command]


def _claim(keys: list[Any], words: list[Any]) -> list[Command]:
    request, due_set, *counter = keys
    slot, *claim = words
    lease_until = claim[2]
    return [
        _call("schedule", [due_set], lease_until, slot),
        _call("claim", [request, *counter], *claim),
    ]


def _issue(keys: list[Any], words: list[Any]) -> list[Command]:
    beside, pointer, names, expiry, *letter = keys
    identity, record, expires_at, *told = words[:6]
    announced = told[:1] if letter else []
    return [
        _call("index", [names, expiry], expires_at, *words[6:]),
        *_expected(letter, told),
        _call("add", [beside, pointer, *letter[:1]], identity, record, expires_at, *announced),
    ]


def _commit(keys: list[Any], words: list[Any]) -> list[Command]:
    request, token, beside, pointer, names, expiry, *letter = keys
    *claimed, slot, identity, record, expires_at = words[:9]
    told = words[9:12]
    announced = told[:1] if letter else []
    settled = [*claimed, record, expires_at, f"{identity} {slot}", *announced]
    return [
        _call("point", [beside, pointer], identity, slot, expires_at),
        _call("index", [names, expiry], expires_at, *words[12:]),
        *_expected(letter, told),
        _call("commit", [request, token, pointer, *letter[:1]], *settled),
    ]


def _expected(letter: list[Any], told: list[Any]) -> list[Command]:
    return [_call("expect", letter[1:], *told[1:])] if letter else []


def _call(name: str, keys: list[Any], *words: Any) -> Command:
    return ("FCALL", function(name), len(keys), *keys, *words)


_APART = {"claim_whole": _claim, "issue_whole": _issue, "commit_whole": _commit}
