"""A broker under measurement: ``remint serve`` with one instance and users who are logged in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import aiohttp

from adapters.directories.local import HashCost, Passwords
from bench.lanes import in_lanes
from bench.load import Request
from bench.ports import free_port
from bench.process import started
from bench.subjects import SubjectIssuer
from broker.model import Secret

START_SECONDS = 30.0
PAUSE_SECONDS = 0.05
SESSIONS = 100
LOGINS_AT_ONCE = 8
USER = "bench"
PASSWORD = "bench"  # noqa: S105  # of users who live as long as the run
ADMINISTRATOR = "admin"
SESSION_HEADER = "iPlanetDirectoryPro"
INSTANCE = "bench"
RSA_INSTANCE = "bench-rs256"
TRANSLATE = f"/rest-sts/{INSTANCE}?_action=translate"
ISSUER = "https://sts.example.com"
AUDIENCE = "https://sp.example.com"

_INSTANCE = """
url_element = "{name}"
persist_issued_tokens = true
transforms = [
    "OPENAM -> OPENIDCONNECT", "OPENAM -> SAML2",
    "USERNAME -> OPENIDCONNECT", "USERNAME -> SAML2",
    "OPENIDCONNECT -> OPENIDCONNECT", "OPENIDCONNECT -> SAML2",
]
[saml2]
issuer = "{issuer}"
audience = "{audience}"
recipient = "{audience}"
signing_key = "{key}"
[oidc]
issuer = "{issuer}"
audience = ["bench"]
signing_key = "{key}"
"""

INSTANCES: Mapping[str, str] = {
    name: _INSTANCE.format(name=name, issuer=ISSUER, audience=AUDIENCE, key=key)
    for name, key in ((INSTANCE, "ES256"), (RSA_INSTANCE, "RS256"))
}
"""The text of each instance that is published, by its name."""


class NotServed(Exception):
    """There is no broker to measure; what it said about it went to standard error."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that answers: its address, its process (the parent of its workers, if there are
    several), an administrator's session, and what to send in order to get tokens. It trusts the
    ``issuer`` of subject tokens, whose private key is in ``mint_key``."""

    url: str
    pid: int
    administrator: str
    translations: tuple[Request, ...]
    start_seconds: float
    """From its start until it was ready."""
    issuer: SubjectIssuer
    mint_key: Path


@contextlib.contextmanager
def served(
    folder: Path,
    store_url: str,
    settings: Mapping[str, str],
    *,
    sessions: int = SESSIONS,
    instances: Mapping[str, str] = INSTANCES,
) -> Iterator[Broker]:
    """A broker on ``store_url`` that publishes ``instances``, with ``sessions`` users logged in.

    ``settings`` are further ``REMINT_…`` variables. Raises NotServed.
    """
    port, issuer = free_port(), SubjectIssuer()
    mint_key, trusted = issuer.write(folder)
    environment = {
        **_environment(folder, port, store_url, instances),
        "REMINT_ISSUERS__FILE": str(trusted),
        **settings,
    }
    began = time.perf_counter()
    with started("-m", "adapters.cli", "serve", environment=environment) as process:
        url = f"http://127.0.0.1:{port}"
        asyncio.run(_ready(url, process))
        start_seconds = time.perf_counter() - began
        administrator, *opened = asyncio.run(_logged_in(url, sessions))
        bodies = [_translation(number, session) for number, session in enumerate(opened)]
        requests = tuple(Request(url + TRANSLATE, body) for body in bodies)
        yield Broker(url, process.pid, administrator, requests, start_seconds, issuer, mint_key)


def _environment(
    folder: Path, port: int, store_url: str, instances: Mapping[str, str]
) -> dict[str, str]:
    password_hash = Passwords(cost=HashCost(64, 1, 1)).hash(Secret(PASSWORD)).reveal()
    (folder / "users.toml").write_text(
        f'[[user]]\nname = "{USER}"\npassword_hash = "{password_hash}"\n'
    )
    paths = []
    for name, text in instances.items():
        path = folder / f"{name}.toml"
        path.write_text(text)
        paths.append(str(path))
    return {
        "REMINT_STATE_DIR": str(folder / "state"),
        "REMINT_STORE__URL": store_url,
        "REMINT_HTTP__PORT": str(port),
        "REMINT_ADMIN__PASSWORD": PASSWORD,
        "REMINT_USERS__FILE": str(folder / "users.toml"),
        "REMINT_INSTANCES": json.dumps(paths),
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


async def _logged_in(url: str, number: int) -> list[str]:
    """The administrator's session, then those of the user."""
    names = [ADMINISTRATOR] + [USER] * number
    sessions = [""] * len(names)
    async with aiohttp.ClientSession(url) as http:

        async def log_in(at: int) -> None:
            head = {"X-OpenAM-Username": names[at], "X-OpenAM-Password": PASSWORD}
            async with http.post("/json/authenticate", headers=head) as response:
                sessions[at] = str((await response.json())["tokenId"])

        await in_lanes(log_in, len(names), LOGINS_AT_ONCE)
    return sessions


def _translation(number: int, session: str) -> bytes:
    given = {"token_type": "OPENAM", "session_id": session}
    wanted = {"token_type": "OPENIDCONNECT", "nonce": f"n-{number}", "allow_access": True}
    return json.dumps({"input_token_state": given, "output_token_state": wanted}).encode()
