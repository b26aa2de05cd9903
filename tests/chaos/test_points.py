"""A sample of the exact moments: death, or a standstill, at outbound calls of one translation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.conftest import Say
from tests.chaos.points import AMQP, HTTP, sweep
from tests.chaos.stopped import AT_ONCE, stops
from tests.chaos.world import REDIS, SQLITE

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("chaos")]

EVERY = 5
LONGER_THAN_A_LEASE_SECONDS = 6.0


async def test_killed_at_a_call(tmp_path: Path, traceable: None, say: Say) -> None:
    """``kill -9`` before every fifth outbound call of a translation, by HTTP and by AMQP, on SQLite
    and on Redis: after the restart the request has one token, and all its answers are the same
    bytes (F1 to F9)."""
    runs = []
    for store in (SQLITE, REDIS):
        for transport in (HTTP, AMQP):
            folder = tmp_path / f"{store}-{transport}"
            folder.mkdir()
            runs.append(sweep(folder, store=store, transport=transport, every=EVERY))
    for found in await asyncio.gather(*runs):
        say(found.report)
        assert found.violations == []
        assert found.killed > found.tried / 2


async def test_stopped_at_a_call(tmp_path: Path, traceable: None, say: Say) -> None:
    """A broker that stands still for longer than its lease, in the midst of a translation, changes
    nothing when it wakes up: the request has the token that another broker gave it (F14)."""
    found = await stops(tmp_path, seconds=LONGER_THAN_A_LEASE_SECONDS, rounds=1)
    say(found.report)
    assert found.violations == []
    assert found.stopped == AT_ONCE
