"""A broker under measurement: ``remint serve`` with one instance and users who are logged in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import aiohttp

from adapters.directories.local import HashCost, Passwords
from bench.load import Request
from bench.process import started
from broker.model import Secret

START_SECONDS = 30.0
PAUSE_SECONDS = 0.05
SESSIONS = 100
USER = "bench"
PASSWORD = "bench"  # noqa: S105  # of users who live as long as the run
ADMINISTRATOR = "admin"
SESSION_HEADER = "iPlanetDirectoryPro"
TRANSLATE = "/rest-sts/bench?_action=translate"

INSTANCE = """
url_element = "bench"
persist_issued_tokens = true
transforms = ["OPENAM -> OPENIDCONNECT"]
[oidc]
issuer = "https://sts.example.com"
audience = ["bench"]
signing_key = "ES256"
"""


class NotServed(Exception):
    """There is no broker to measure; what it said about it went to standard error."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that answers: its address, its process, an administrator's session, and what to
    send in order to get tokens."""

    url: str
    pid: int
    administrator: str
    translations: tuple[Request, ...]


@contextlib.contextmanager
def served(folder: Path, store_url: str, settings: Mapping[str, str]) -> Iterator[Broker]:
    """A broker on ``store_url``; ``settings`` are further ``REMINT_…`` variables.

    Raises NotServed.
    """
    port = free_port()
    environment = {**_environment(folder, port, store_url), **settings}
    with started("-m", "adapters.cli", "serve", environment=environment) as process:
        url = f"http://127.0.0.1:{port}"
        asyncio.run(_ready(url, process))
        administrator, *sessions = asyncio.run(_logged_in(url))
        bodies = [_translation(number, session) for number, session in enumerate(sessions)]
        requests = tuple(Request(url + TRANSLATE, body) for body in bodies)
        yield Broker(url, process.pid, administrator, requests)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _environment(folder: Path, port: int, store_url: str) -> dict[str, str]:
    password_hash = Passwords(cost=HashCost(64, 1, 1)).hash(Secret(PASSWORD)).reveal()
    (folder / "users.toml").write_text(
        f'[[user]]\nname = "{USER}"\npassword_hash = "{password_hash}"\n'
    )
    (folder / "bench.toml").write_text(INSTANCE)
    return {
        "REMINT_STATE_DIR": str(folder / "state"),
        "REMINT_STORE__URL": store_url,
        "REMINT_HTTP__PORT": str(port),
        "REMINT_ADMIN__PASSWORD": PASSWORD,
        "REMINT_USERS__FILE": str(folder / "users.toml"),
        "REMINT_INSTANCES": json.dumps([str(folder / "bench.toml")]),
        "REMINT_LOG__LEVEL": "error",
    }


async def _ready(url: str, process: Popen[str]) -> None:
    answered = None
    until = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url + "/readyz") as response:
                    if response.status == 200:
                        return
                    answered = response.status
            except aiohttp.ClientConnectionError:
                if process.poll() is not None:
                    raise NotServed("the broker did not start") from None
            if time.monotonic() > until:
                raise NotServed(f"the broker did not get ready: /readyz gave {answered}")
            await asyncio.sleep(PAUSE_SECONDS)


async def _logged_in(url: str) -> list[str]:
    """The administrator's session, then those of the user."""
    names = [ADMINISTRATOR] + [USER] * SESSIONS
    sessions = []
    async with aiohttp.ClientSession(url) as http:
        for name in names:
            head = {"X-OpenAM-Username": name, "X-OpenAM-Password": PASSWORD}
            async with http.post("/json/authenticate", headers=head) as response:
                sessions.append(str((await response.json())["tokenId"]))
    return sessions


def _translation(number: int, session: str) -> bytes:
    given = {"token_type": "OPENAM", "session_id": session}
    wanted = {"token_type": "OPENIDCONNECT", "nonce": f"n-{number}", "allow_access": True}
    return json.dumps({"input_token_state": given, "output_token_state": wanted}).encode()
