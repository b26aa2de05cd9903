"""``python -m tests.chaos``: the runs that take longer than the suite may."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import tracing
from tests.chaos.nemesis import Plan
from tests.chaos.points import AMQP, HTTP, Sweep, sweep
from tests.chaos.stopped import Stops, stops
from tests.chaos.storm import storm
from tests.chaos.world import REDIS, SQLITE

FAILED = 1
OK = 0
SHOWN = 50
PARTS = {(SQLITE, HTTP): 1, (SQLITE, AMQP): 4, (REDIS, HTTP): 1, (REDIS, AMQP): 1}
"""How many share the points of a store and a transport. A message waits for the lease of the
broker that died over it, which takes five seconds each time."""


def _storm(given: argparse.Namespace) -> int:
    seed = random.randrange(2**32) if given.seed is None else given.seed  # noqa: S311
    folder = Path(tempfile.mkdtemp(prefix="remint-chaos-"))
    again = f"python -m tests.chaos {' '.join(sys.argv[1:])}"
    if given.seed is None:
        again += f" --seed {seed}"
    _say(f"seed {seed}, in {folder}")
    began = time.monotonic()
    verdict = asyncio.run(
        storm(folder, seed=seed, requests=given.requests, plan=plan(given), brokers=given.brokers)
    )
    _say(verdict.report)
    _say(f"{time.monotonic() - began:.0f} s")
    code = _judged(verdict.violations, folder)
    if code:
        _say(f"again: {again}")
    return code


def _moments(given: argparse.Namespace) -> int:
    if reason := tracing.why_not():
        _say(f"skipped: {reason}")
        return OK
    folder = Path(tempfile.mkdtemp(prefix="remint-chaos-"))
    found, stood = asyncio.run(_moments_in(folder, given))
    for report in (*(one.report for one in found), stood.report):
        _say(report)
    broken = [line for one in (*found, stood) for line in one.violations]
    return _judged(broken, folder)


async def _moments_in(folder: Path, given: argparse.Namespace) -> tuple[list[Sweep], Stops]:
    """Side by side: most of the time they wait for a process to start, or for a lease to end."""
    runs = []
    for (store, transport), parts in PARTS.items():
        for part in range(parts):
            place = _made(folder / f"{store}-{transport}-{part}")
            every, first = given.every * parts, given.every * part
            runs.append(sweep(place, store=store, transport=transport, every=every, first=first))
    place = _made(folder / "stopped")
    standing = asyncio.create_task(stops(place, seconds=given.seconds, rounds=given.rounds))
    return await asyncio.gather(*runs), await standing


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _judged(violations: list[str], folder: Path) -> int:
    if not violations:
        shutil.rmtree(folder, ignore_errors=True)
        return OK
    for line in violations[:SHOWN]:
        _say(line)
    _say(f"history and audits are kept in {folder}")
    return FAILED


def plan(given: argparse.Namespace) -> Plan:
    servers = ("redis", "rabbitmq", "mosquitto")
    some = max(1, given.server_kills // 3)
    return Plan(
        kills={"broker": given.broker_kills, **dict.fromkeys(servers, given.server_kills)},
        stops={"broker": max(1, given.broker_kills // 10), **dict.fromkeys(servers, some)},
        terms={"broker": max(1, given.broker_kills // 10), **dict.fromkeys(servers, some)},
        pairs=(("redis", "rabbitmq"), ("broker", "redis"), ("broker", "rabbitmq"))
        * max(1, given.server_kills // 10),
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parts = parser.add_subparsers(required=True)
    storms = parts.add_parser("storm", help="kill at random moments under load")
    storms.add_argument("--requests", type=int, default=10_000)
    storms.add_argument("--brokers", type=int, default=2)
    storms.add_argument("--broker-kills", type=int, default=100)
    storms.add_argument("--server-kills", type=int, default=10, help="of each server")
    storms.add_argument("--seed", type=int)
    storms.set_defaults(run=_storm)
    moments = parts.add_parser("moments", help="kill and stop at the calls of one translation")
    moments.add_argument("--every", type=int, default=1, help="kill at every n-th only")
    moments.add_argument("--seconds", type=float, default=60.0, help="how long to stand still")
    moments.add_argument("--rounds", type=int, default=1, help="of four brokers that stand still")
    moments.set_defaults(run=_moments)
    given = parser.parse_args()
    result: int = given.run(given)
    return result


if __name__ == "__main__":
    sys.exit(main())
