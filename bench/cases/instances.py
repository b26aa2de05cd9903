"""Many published instances: what a translation costs, beside what it costs with one.

The requests go round all instances, one after the other, each with another session. Also told is
what publishing one took, and how long a broker took to get ready with all of them in its store.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.case import Case, Say
from bench.figures import MICRO
from bench.load import Request, all_answered
from bench.process import cpu_seconds
from bench.result import Row
from bench.rounds import in_turn
from bench.served import INSTANCE, ISSUER, SESSION_HEADER, Broker, served

NUMBERS = (1, 100, 10_000)
TARGET = 1.10
IN_FLIGHT = 16
PUBLISH = "/sts-publish/rest?_action=create"
TOKEN = b'"issued_token"'


@dataclass(frozen=True, slots=True)
class Options:
    most: int = 1000
    rounds: int = 5
    requests: int = 500


@dataclass(frozen=True, slots=True)
class _Side:
    instances: int
    broker: Broker
    publish_ms: float
    start_seconds: float
    round: Callable[[], float]


def rows(options: Options, say: Say) -> Iterator[Row]:
    numbers = [*(number for number in NUMBERS if number < options.most), options.most]
    with ExitStack() as stack:
        sides = []
        for number in numbers:
            say(f"publishing {number:,}")
            sides.append(_side(stack, number, options))
        say("translating")
        found = in_turn([side.round for side in sides], options.rounds)
    one = tuple(found[0])
    for side, ours in zip(sides, found, strict=True):
        more = side.instances > 1
        yield Row(
            f"{side.instances:,} instance{'s' if more else ''}",
            "µs",
            tuple(ours),
            one if more else (),
            TARGET if more else None,
            {
                "instances": side.instances,
                "store": "sqlite",
                "publish_ms": side.publish_ms,
                "start_seconds": side.start_seconds,
            },
        )


def _side(stack: ExitStack, number: int, options: Options) -> _Side:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-")))
    url = f"sqlite:///{folder / 'remint.db'}"
    with served(folder, url, {}, sessions=0) as broker:
        began = time.perf_counter()
        asyncio.run(_published(broker, number))
        publish_ms = (time.perf_counter() - began) / number * 1000
    sessions = (options.rounds + 1) * options.requests
    broker = stack.enter_context(served(folder, url, {}, sessions=sessions))
    requests = [
        replace(one, url=f"{broker.url}/rest-sts/{_name(at % number)}?_action=translate")
        for at, one in enumerate(broker.translations)
    ]
    each = options.requests
    parts = iter([requests[start : start + each] for start in range(0, len(requests), each)])
    return _Side(
        number, broker, publish_ms, broker.start_seconds, lambda: _cost(broker.pid, next(parts))
    )


def _cost(pid: int, requests: list[Request]) -> float:
    before = cpu_seconds(pid)
    asyncio.run(all_answered(requests, total=len(requests), in_flight=IN_FLIGHT, holding=TOKEN))
    return (cpu_seconds(pid) - before) / len(requests) * MICRO


async def _published(broker: Broker, number: int) -> None:
    head = {SESSION_HEADER: broker.administrator}
    requests = [Request(broker.url + PUBLISH, _document(_name(at)), head) for at in range(number)]
    await all_answered(requests, total=number, in_flight=IN_FLIGHT, holding=b"", status=201)


def _name(number: int) -> str:
    return f"{INSTANCE}-{number}"


def _document(name: str) -> bytes:
    state = {
        "deployment-config": {
            "deployment-url-element": name,
            "deployment-realm": "/",
            "deployment-auth-target-mappings": {},
        },
        "persist-issued-tokens-in-cts": "true",
        "supported-token-transforms": [
            {
                "inputTokenType": "OPENAM",
                "outputTokenType": "OPENIDCONNECT",
                "invalidateInterimOpenAMSession": False,
            }
        ],
        "oidc-id-token-config": {
            "oidc-issuer": ISSUER,
            "oidc-audience": [name],
            "oidc-token-lifetime-seconds": "600",
            "oidc-signature-algorithm": "ES256",
            "oidc-claim-map": {},
        },
    }
    context = "invocation_context_client_sdk"
    return json.dumps({"invocation_context": context, "instance_state": state}).encode()


CASE = Case(
    name="instances",
    title="session to OIDC ES256 over HTTP, SQLite, many instances: CPU of the broker, µs a token",
    formula="the same with one instance",
    quick=Options(),
    full=Options(most=10_000, rounds=15, requests=2000),
    rows=rows,
)
