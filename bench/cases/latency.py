"""Latency over HTTP against the offered rate, in an open model, up to what saturates the broker.

A closed loop tells the rate at saturation; then requests arrive at parts of it, in a Poisson
process, and a latency counts from the moment when its request was to begin. JWT RS256 in, ID token
ES256 out, on Redis. Every request carries another JWT.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.case import Case, Say, Stages
from bench.cases.http import TRANSLATIONS, target_of
from bench.driver.http import Endpoint
from bench.driver.load import Closed, Load, Open, Stage
from bench.driver.loading import Loading, load
from bench.driver.plan import Planned
from bench.driver.processes import DriverFailed
from bench.driver.run import WRONG, Rules
from bench.ours import REDIS, likeness
from bench.redis_server import redis_server
from bench.result import Measured, Row
from bench.served import served
from bench.target import Target, WrongAnswer

TRANSLATION = TRANSLATIONS[-1]
REQUEST = "jwt-to-es256"
IN_FLIGHT = 32
CONNECTIONS = 100
WARM_UP_SHARE = 0.2
JUDGED_PERCENT = 70
TARGET = 20.0
MILLI = 1000.0


@dataclass(frozen=True, slots=True)
class Options:
    percents: str = "25,50,70,90,100"
    """Of the rate at saturation, one stage each."""
    seconds: int = 3
    rounds: int = 3
    """Stages at 70 %, which the target is for."""
    seed: int = 1


def rows(options: Options, say: Say) -> Iterator[Row | Stages]:
    """Raises RedisMissing, WrongAnswer."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-"))
        settings = {"REMINT_EVENTS__KEEP": "0"}
        broker = stack.enter_context(served(Path(folder), redis.url, settings, sessions=0))
        target = target_of(TRANSLATION, broker)
        pids = {"broker": broker.pid, "redis": redis.pid}
        say("saturation")
        (closed,) = _measured(target, [Closed(IN_FLIGHT)], pids, options)
        percents = [int(text) for text in options.percents.split(",")]
        more = [JUDGED_PERCENT] * (options.rounds - percents.count(JUDGED_PERCENT))
        offered = sorted([*percents, *more])
        say(f"{closed.rate:,.0f}/s at saturation; parts of it")
        loads = [Open(closed.rate * percent / 100) for percent in offered]
        stages = _measured(target, loads, pids, options)
    about = likeness(TRANSLATION.input, TRANSLATION.output, TRANSLATION.instance, REDIS)
    yield Stages(REQUEST, tuple(stages), likeness=about)
    judged = [
        stage for percent, stage in zip(offered, stages, strict=True) if percent == JUDGED_PERCENT
    ]
    yield _row(closed, judged)


def _measured(
    target: Target, loads: Sequence[Load], pids: dict[str, int], options: Options
) -> tuple[Measured, ...]:
    loading = Loading(
        sender=Endpoint(target.url, target.head).options(),
        plan=[
            Planned.of(Stage(one, options.seconds, options.seconds * WARM_UP_SHARE), f"{at}")
            for at, one in enumerate(loads)
        ],
        lanes=max(IN_FLIGHT, CONNECTIONS if isinstance(loads[0], Open) else 0),
        seed=options.seed,
        pids=pids,
        rules=Rules(saturated=True),
        quiet=True,
    )
    try:
        outcome = load(loading, target)
    except DriverFailed as error:
        raise WrongAnswer(str(error)) from None
    for stage in outcome.stages:
        for problem in stage.problems:
            if problem.startswith(WRONG):
                raise WrongAnswer(problem.removeprefix(WRONG))
    return outcome.stages


def _row(closed: Measured, judged: Sequence[Measured]) -> Row:
    """The 99th percentile, beside what one request takes where nothing waits."""
    service = MILLI / closed.rate
    return Row(
        f"p99 at {JUDGED_PERCENT} % of saturation",
        "ms",
        tuple(stage.latency.percentile(99) * MILLI for stage in judged),
        (service,) * len(judged),
        TARGET,
        {"store": "redis", "saturation": closed.rate, "in_flight": IN_FLIGHT},
    )


CASE = Case(
    name="latency",
    title="latency against the offered rate, JWT RS256 to OIDC ES256 over HTTP, Redis",
    formula="the mean service time: one divided by the rate at saturation",
    quick=Options(),
    full=Options(percents="10,20,30,40,50,60,70,80,90,100", seconds=30, rounds=5),
    rows=rows,
    servers=("redis-server",),
)
