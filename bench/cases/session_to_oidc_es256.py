"""Session in, ID token ES256 out, over HTTP on the memory store, records kept, audit on.

Floor: an aiohttp echo of the same bytes plus one bare ES256 signature a request.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from adapters.directories.local import HashCost, Passwords
from bench.load import post_all
from bench.process import cpu_seconds, first_line, started
from broker.model import Secret

NAME = "session → OIDC ES256, HTTP, memory store"
ROUNDS = 5
REQUESTS = 3000
WARM_UP = 500
IN_FLIGHT = 16
SESSIONS = 100
PASSWORD = "bench"  # noqa: S105  # of a user that lives as long as the run

INSTANCE = """
url_element = "bench"
persist_issued_tokens = true
transforms = ["OPENAM -> OPENIDCONNECT"]
[oidc]
issuer = "https://sts.example.com"
audience = ["bench"]
signing_key = "ES256"
"""


@dataclass(frozen=True)
class Result:
    """CPU microseconds per request of each round, ours and the floor's."""

    name: str
    ours: tuple[float, ...]
    floor: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(a / b for a, b in zip(self.ours, self.floor, strict=True))

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def run(rounds: int = ROUNDS, requests: int = REQUESTS) -> Result:
    """Alternate broker and floor, ``rounds`` times."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        environment = _environment(Path(folder), port)
        with (
            started("-m", "adapters.cli", "serve", environment=environment) as broker,
            started("-m", "bench.floors.echo_es256") as floor,
        ):
            url = f"http://127.0.0.1:{port}"
            floor_url = f"http://127.0.0.1:{first_line(floor)}"
            asyncio.run(_ready(url))
            bodies = asyncio.run(_bodies(url))
            path = "/rest-sts/bench?_action=translate"
            ours, floors = [], []
            for target, pid in ((url, broker.pid), (floor_url, floor.pid)):
                _measured(target + path, pid, bodies, WARM_UP)
            for _ in range(rounds):
                ours.append(_measured(url + path, broker.pid, bodies, requests))
                floors.append(_measured(floor_url + path, floor.pid, bodies, requests))
    return Result(NAME, tuple(ours), tuple(floors))


def _measured(url: str, pid: int, bodies: Sequence[bytes], total: int) -> float:
    before = cpu_seconds(pid)
    asyncio.run(post_all(url, bodies, total=total, in_flight=IN_FLIGHT))
    return (cpu_seconds(pid) - before) / total * 1e6


def _environment(folder: Path, port: int) -> dict[str, str]:
    password_hash = Passwords(cost=HashCost(64, 1, 1)).hash(Secret(PASSWORD)).reveal()
    (folder / "users.toml").write_text(
        f'[[user]]\nname = "bench"\npassword_hash = "{password_hash}"\n'
    )
    (folder / "bench.toml").write_text(INSTANCE)
    return {
        "REMINT_STATE_DIR": str(folder / "state"),
        "REMINT_STORE__URL": "memory://",
        "REMINT_HTTP__PORT": str(port),
        "REMINT_USERS__FILE": str(folder / "users.toml"),
        "REMINT_INSTANCES": json.dumps([str(folder / "bench.toml")]),
        "REMINT_LOG__LEVEL": "error",
    }


async def _ready(url: str) -> None:
    until = time.monotonic() + 20
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url + "/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(0.05)


async def _bodies(url: str) -> list[bytes]:
    head = {"X-OpenAM-Username": "bench", "X-OpenAM-Password": PASSWORD}
    bodies = []
    async with aiohttp.ClientSession(url) as http:
        for number in range(SESSIONS):
            async with http.post("/json/authenticate", headers=head) as response:
                session = (await response.json())["tokenId"]
            given = {"token_type": "OPENAM", "session_id": session}
            wanted = {
                "token_type": "OPENIDCONNECT",
                "nonce": f"n-{number}",
                "allow_access": True,
            }
            body = {"input_token_state": given, "output_token_state": wanted}
            bodies.append(json.dumps(body).encode())
    return bodies


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
