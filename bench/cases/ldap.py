"""A name and a password in, an ID token out, checked by a directory: a slapd of the bench's own.

Measured is the CPU of the broker's process over HTTP, a search and a bind for each token; that of
slapd stands beside it. Floor: a bare bind with bonsai, which searches nothing and signs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen

import uvloop

from bench.case import Case, Missing, Say
from bench.endtoend import Clock, Cost, Loop, cost, facts
from bench.process import cpu_seconds, first_line
from bench.result import Row
from bench.rounds import in_turn
from bench.served import INSTANCE, INSTANCES, Broker, served
from bench.slapd_server import PASSWORD, SERVICE, SUFFIX, SlapdServer, slapd_server
from bench.target import Target
from bench.target.options import Input, Kind, Output, TargetOptions, target_from
from bench.verification import verified

ATTEMPTS_OF_THE_FLOOR = 4
"""It binds once where so many tokens are asked for: it takes that much longer."""

_MODULE = """
[[module]]
name = "bench"
kind = "ldap"
servers = [{url}]
ca_file = "server.pem"
bind_dn = "{service}"
bind_password = "{password}"
search_bases = ["{suffix}"]
attributes = ["mail", "cn"]
timeout = 10
"""

_TARGET = 'auth_targets.USERNAME = { type = "module", value = "bench" }\n'
"""Of the instance alone: the administrator of the bench is a user of the broker."""


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int = 5
    requests: int = 400
    in_flight: int = 16


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Raises SlapdMissing, and Missing where bonsai is not installed."""
    if importlib.util.find_spec("bonsai") is None:
        raise Missing("there is no bonsai here to measure beside: pip install 'remint[ldap]'")
    with slapd_server() as slapd:
        for scheme, url in (("ldap", slapd.url), ("ldaps", slapd.tls_url)):
            say(scheme)
            yield _row(options, slapd, scheme, url)


def _row(options: Options, slapd: SlapdServer, scheme: str, url: str) -> Row:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-")))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        broker = stack.enter_context(_broker(folder, slapd, url))
        floor = stack.enter_context(_floor(slapd, url))
        target = _target(broker)
        bodies = list(target.bodies(options.requests))
        loop = Loop(target.url, target.head, options.in_flight)
        runner.run(loop.open())
        others: dict[str, Clock] = {"slapd": lambda: cpu_seconds(slapd.pid)}

        def ours() -> Cost:
            return cost(runner, loop, bodies, lambda: cpu_seconds(broker.pid), others)

        number = max(1, options.requests // ATTEMPTS_OF_THE_FLOOR)
        costs, floors = in_turn([ours, lambda: Cost(floor(number), 0.0)], options.rounds)
        runner.run(loop.close())
        runner.run(verified(target, loop.samples))
    return Row(
        f"password to OIDC ES256 by {scheme}",
        "µs",
        tuple(one.cpu for one in costs),
        tuple(one.cpu for one in floors),
        None,
        {**facts(costs), "operation": "translate", "scheme": scheme, "algorithm": "ES256"},
    )


@contextlib.contextmanager
def _broker(folder: Path, slapd: SlapdServer, url: str) -> Iterator[Broker]:
    (folder / "server.pem").write_bytes(slapd.ca_file.read_bytes())
    modules = folder / "authentication.toml"
    modules.write_text(
        _MODULE.format(url=json.dumps(url), service=SERVICE, password=PASSWORD, suffix=SUFFIX)
    )
    settings = {"REMINT_AUTHENTICATION__FILE": str(modules), "REMINT_EVENTS__KEEP": "0"}
    one = {INSTANCE: _TARGET + INSTANCES[INSTANCE]}
    with served(folder, "memory://", settings, sessions=0, instances=one) as broker:
        yield broker


@contextlib.contextmanager
def _floor(slapd: SlapdServer, url: str) -> Iterator[Callable[[int], float]]:
    """CPU microseconds of one of so many binds, in a process of their own."""
    words = (url, str(slapd.ca_file), slapd.user, str(slapd.password_file))
    with _asked("-m", "bench.floors.ldap_bind", *words) as process:
        first_line(process)
        yield lambda number: _micros(process, number)


def _micros(process: Popen[str], number: int) -> float:
    if process.stdin is None:
        raise RuntimeError("the floor is asked over its standard input")
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    return float(first_line(process))


@contextlib.contextmanager
def _asked(*arguments: str) -> Iterator[Popen[str]]:
    """``python <arguments>`` that is asked over its standard input; stopped at the end."""
    process = Popen(  # noqa: S603  # a floor of the bench
        [sys.executable, *arguments], stdin=PIPE, stdout=PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def _target(broker: Broker) -> Target:
    options = TargetOptions(
        input=Input.USERNAME, output=Output.OIDC, username="bench", password=PASSWORD, quiet=True
    )
    url = f"{broker.url}/rest-sts/{INSTANCE}?_action=translate"
    return target_from(Kind.REST_STS, url, options)


CASE = Case(
    name="ldap",
    title="password → OIDC, checked by slapd: CPU of the broker, µs a token",
    formula="a bare bonsai bind: connect, bind, close; no search, no HTTP, no signature",
    quick=Options(),
    full=Options(rounds=15, requests=2000),
    rows=rows,
)
