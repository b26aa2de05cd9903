"""Has the store forgotten what it acknowledged last? The end of the audit file tells.

Redis may come back without its last writes: after a loss of power with ``appendfsync everysec``, or
with the tail of its append-only file cut off. Then the newest tokens that this broker handed out
are not in the store, while older ones are. Validity fails closed, so nobody gains by it, but an
operator must know: what was cancelled in the same moment is valid again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from broker.ports import TokenStore

MAX_TAIL_BYTES = 256 * 1024
MAX_TOKENS = 500
"""Of the newest tokens in the audit file, how many are looked for at most."""


async def lost(audit: Path, tokens: TokenStore, now: float) -> int:
    """How many of the newest tokens should be in the store at ``now`` and are not.

    0 if the newest one is there, whatever became of older ones: those may have been cancelled by
    another broker. Raises Unavailable.
    """
    missing = 0
    for alias in _newest(_tail(audit), now):
        if await tokens.get(alias) is not None:
            return missing
        missing += 1
    return missing


def _newest(lines: list[bytes], now: float) -> list[str]:
    """Aliases of kept tokens that have not ended, newest first."""
    aliases: list[str] = []
    ended: set[str] = set()
    for record in _records(reversed(lines)):
        alias, kept_until = record.get("token_alias"), record.get("kept_until")
        if _others_cancelled(record.get("cancelled"), alias):
            break  # nobody says which: what was issued before proves nothing
        if not isinstance(alias, str) or record.get("outcome") != "ok":
            continue
        if not isinstance(kept_until, str) or not kept_until.isdigit():
            ended.add(alias)  # it was cancelled or only looked at: it proves nothing
        elif int(kept_until) > now and alias not in ended:
            aliases.append(alias)
        if len(aliases) == MAX_TOKENS:
            break
    return aliases


def _others_cancelled(cancelled: Any, alias: Any) -> bool:
    """Whether tokens ended that the line does not name: more than ``alias``, or any without it."""
    named = ("0", "1") if isinstance(alias, str) else ("0",)
    return cancelled is not None and cancelled not in named


def _records(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            record = orjson.loads(line)
        except ValueError:
            continue  # a line that was torn by a crash
        if isinstance(record, dict):
            yield record


def _tail(path: Path) -> list[bytes]:
    """The last whole lines; none where there is no file yet."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_TAIL_BYTES))
            return file.read(MAX_TAIL_BYTES).splitlines()
    except FileNotFoundError:
        return []
