"""Translations over HTTP, end to end, on each kind of store: records kept, audit on.

Every request carries another subject token, made before the run. Measured is the CPU of the
broker's process; that of Redis stands beside it. Floor: an aiohttp echo of the same bytes that
signs (and verifies, where a JWT comes in) as often, and where there is a store one write to it,
32 to a round trip or commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import subjects
from bench.case import Case, Say
from bench.endtoend import Clock, Cost, Loop, cost, facts
from bench.floors import redis_set, sqlite_insert
from bench.process import cpu_seconds, first_line, started
from bench.redis_server import redis_server
from bench.result import Row
from bench.rounds import in_turn
from bench.served import INSTANCE, PASSWORD, RSA_INSTANCE, USER, Broker, served
from bench.target import Target
from bench.target.options import Input, Kind, Output, TargetOptions, target_from
from bench.verification import verified

MEMORY, SQLITE, REDIS = "memory", "sqlite", "redis"
EVENTS_OFF, EVENTS_ON = "off", "on"
RECORD_BYTES = 300
IN_A_TRIP = 32
KEPT_EVENTS = {EVENTS_OFF: "0", EVENTS_ON: "1000"}


@dataclass(frozen=True, slots=True)
class Translation:
    """One kind of request: what comes in, what goes out, and who offers it."""

    label: str
    input: Input
    output: Output
    algorithm: str
    instance: str
    targets: dict[tuple[str, str], float]
    """The ratio to be reached, by store and events."""


TRANSLATIONS = (
    Translation("session to OIDC ES256", Input.OPENAM, Output.OIDC, "ES256", INSTANCE, {}),
    Translation("session to OIDC RS256", Input.OPENAM, Output.OIDC, "RS256", RSA_INSTANCE, {}),
    Translation(
        "session to SAML2 RS256",
        Input.OPENAM,
        Output.SAML2,
        "RS256",
        RSA_INSTANCE,
        {(REDIS, EVENTS_OFF): 1.25},
    ),
    Translation(
        "JWT RS256 to OIDC RS256",
        Input.OIDC,
        Output.OIDC,
        "RS256",
        RSA_INSTANCE,
        {(MEMORY, EVENTS_OFF): 1.20, (REDIS, EVENTS_OFF): 1.25, (REDIS, EVENTS_ON): 1.35},
    ),
    Translation(
        "JWT RS256 to OIDC ES256",
        Input.OIDC,
        Output.OIDC,
        "ES256",
        INSTANCE,
        {(MEMORY, EVENTS_OFF): 1.60, (REDIS, EVENTS_OFF): 1.70},
    ),
)


@dataclass(frozen=True, slots=True)
class Options:
    store: str
    events: str = EVENTS_OFF
    rounds: int = 5
    requests: int = 500
    in_flight: int = 16


@dataclass(frozen=True, slots=True)
class _Place:
    """A store, its server's CPU, and what one bare write to one like it costs."""

    url: str
    write: Callable[[int], float]
    server: Clock | None = None


def rows(options: Options, say: Say) -> Iterator[Row]:
    settings = {
        "REMINT_EVENTS__KEEP": KEPT_EVENTS[options.events],
        "REMINT_KEYS__SIGNING_THREADS": "inline",  # as the floors sign
    }
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        tempfile.TemporaryDirectory(prefix="remint-bench-") as folder,
        _place(options.store, runner, Path(folder)) as place,
        served(Path(folder), place.url, settings, sessions=0) as broker,
    ):
        for translation in TRANSLATIONS:
            say(translation.label)
            yield _row(translation, options, runner, place, broker)


def _row(
    translation: Translation,
    options: Options,
    runner: asyncio.Runner,
    place: _Place,
    broker: Broker,
) -> Row:
    target = target_of(translation, broker)
    bodies = list(target.bodies((options.rounds + 1) * options.requests))
    loop = Loop(target.url, target.head, options.in_flight)
    runner.run(loop.open())
    warm_up, rest = bodies[: options.requests], bodies[options.requests :]
    runner.run(loop.all_answered(warm_up))
    size = len(target.token(loop.samples[0][1]))
    words = [translation.algorithm, str(size)]
    if translation.input == Input.OIDC:
        words.append(broker.issuer.public_pem)
    with started("-m", "bench.floors.http_echo", *words) as floor:
        echo = Loop(f"http://127.0.0.1:{first_line(floor)}/", target.head, options.in_flight)
        runner.run(echo.open())
        runner.run(echo.all_answered(warm_up))
        others: dict[str, Clock] = {REDIS: place.server} if place.server else {}
        ours = _side(runner, loop, rest, options.requests, lambda: cpu_seconds(broker.pid), others)
        theirs = _side(runner, echo, rest, options.requests, lambda: cpu_seconds(floor.pid), {})
        costs, floors, writes = in_turn(
            [ours, theirs, lambda: _write_cost(place, options)], options.rounds, warm_up=False
        )
        runner.run(echo.close())
    runner.run(loop.close())
    runner.run(verified(target, loop.samples))
    return Row(
        translation.label,
        "µs",
        tuple(one.cpu for one in costs),
        tuple(one.cpu + write.cpu for one, write in zip(floors, writes, strict=True)),
        translation.targets.get((options.store, options.events)),
        {
            **facts(costs),
            "algorithm": translation.algorithm,
            "operation": "translate",
            "store": options.store,
            "events": options.events,
            "input": str(translation.input),
            "output": str(translation.output),
            "in_flight": options.in_flight,
        },
    )


def target_of(translation: Translation, broker: Broker) -> Target:
    """The endpoint of a translation; raises NotPrepared."""
    url = f"{broker.url}/rest-sts/{translation.instance}?_action=translate"
    return target_from(
        Kind.REST_STS,
        url,
        TargetOptions(
            input=translation.input,
            output=translation.output,
            username=USER,
            password=PASSWORD,
            mint_key=broker.mint_key,
            mint_issuer=subjects.ISSUER,
            mint_audience=subjects.AUDIENCE,
            mint_subject=subjects.SUBJECT,
            quiet=True,
        ),
    )


def _side(
    runner: asyncio.Runner,
    loop: Loop,
    bodies: Sequence[bytes],
    each: int,
    server: Clock,
    others: dict[str, Clock],
) -> Callable[[], Cost]:
    """A round of it takes the next bodies."""
    parts = iter([bodies[start : start + each] for start in range(0, len(bodies), each)])
    return lambda: cost(runner, loop, next(parts), server, others)


def _write_cost(place: _Place, options: Options) -> Cost:
    return Cost(place.write(options.requests), 0.0)


@contextlib.contextmanager
def _place(store: str, runner: asyncio.Runner, folder: Path) -> Iterator[_Place]:
    """Raises RedisMissing."""
    if store == REDIS:
        with redis_server() as server, redis_server() as bare:
            yield _Place(
                server.url,
                lambda writes: runner.run(
                    redis_set.micros(bare.port, writes, IN_A_TRIP, RECORD_BYTES)
                ),
                lambda: cpu_seconds(server.pid),
            )
    elif store == SQLITE:
        path = str(folder / "floor.db")
        yield _Place(
            f"sqlite:///{folder / 'remint.db'}",
            lambda writes: sqlite_insert.micros(path, writes, IN_A_TRIP, RECORD_BYTES),
        )
    else:
        yield _Place("memory://", lambda _: 0.0)


def _case(store: str, formula: str, events: str = EVENTS_OFF) -> Case[Options]:
    name = f"http-{store}" if events == EVENTS_OFF else f"http-{store}-events"
    return Case(
        name=name,
        title=f"HTTP end to end, {store} store, events {events}: CPU of the broker, µs a token",
        formula=formula,
        quick=Options(store, events),
        full=Options(store, events, rounds=15, requests=3000),
        rows=rows,
        servers=("redis-server",) if store == REDIS else (),
    )


_ECHO = "aiohttp echo of the same bytes + signature (+ RS256 verification where a JWT comes in)"

CASES = (
    _case(MEMORY, _ECHO),
    _case(SQLITE, f"{_ECHO} + INSERT, {IN_A_TRIP} to a commit"),
    _case(REDIS, f"{_ECHO} + SET, {IN_A_TRIP} to a round trip"),
    _case(REDIS, f"{_ECHO} + SET, {IN_A_TRIP} to a round trip", EVENTS_ON),
)
