"""A closed loop of HTTP requests of any kind: a number in flight, until a number is done.

For requests that differ in more than their body; where they do not, ``bench.endtoend`` is cheaper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from bench.lanes import in_lanes
from bench.target import WrongAnswer

JSON = {"Content-Type": "application/json"}
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A POST of ``body``, or a GET where there is none."""

    url: str
    body: bytes | None = None
    head: Mapping[str, str] = field(default_factory=dict)


async def all_answered(
    requests: Sequence[Request], *, total: int, in_flight: int, holding: bytes, status: int = 200
) -> list[bytes]:
    """Send ``total`` requests, going round those given; the bodies of the answers, in order.

    Raises WrongAnswer unless each has that status, and ``holding`` in it.
    """
    answers = [b""] * total
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector, headers=JSON) as http:

        async def send(number: int) -> None:
            request = requests[number % len(requests)]
            method = "GET" if request.body is None else "POST"
            async with http.request(
                method, request.url, data=request.body, headers=request.head
            ) as response:
                body = await response.read()
                if response.status != status or holding not in body:
                    raise WrongAnswer(f"{response.status} from {request.url}: {body[:SHOWN]!r}")
                answers[number] = body

        await in_lanes(send, total, in_flight)
    return answers
