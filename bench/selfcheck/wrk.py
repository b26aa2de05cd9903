"""``wrk`` as a second opinion: another driver, by other people, against the same server."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass

GRACE_SECONDS = 60.0
_RATE = re.compile(rb"Requests/sec:\s+([0-9.]+)")
_REQUESTS = re.compile(rb"(\d+) requests in")


class WrkFailed(Exception):
    """wrk said something else than what it measured."""


@dataclass(frozen=True, slots=True)
class Said:
    """What wrk measured."""

    rate: float
    """Answers a second."""
    per_cpu_second: float
    """Answers for each second of its CPU time."""


def there() -> bool:
    """Whether it is installed."""
    return shutil.which("wrk") is not None


async def measured(url: str, *, connections: int, seconds: int) -> Said:
    """A closed model with one thread. Raises WrkFailed."""
    before = os.times()
    process = await asyncio.create_subprocess_exec(
        *("wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds}s", url),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    async with asyncio.timeout(seconds + GRACE_SECONDS):
        out, _ = await process.communicate()
    after = os.times()  # of children that were waited for; no other ends meanwhile
    rate, requests = _RATE.search(out), _REQUESTS.search(out)
    if not rate or not requests or b"Non-2xx" in out or b"Socket errors" in out:
        raise WrkFailed(f"wrk ended with exit code {process.returncode} or saw errors")
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Said(float(rate[1]), int(requests[1]) / max(cpu, 0.01))
