"""One administration client for both ways: a running broker, or the local state folder.

For the state folder the front door is opened on a Unix socket that only this user can reach, with
an administrator's session made for the moment and ended afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import orjson
import typer
from aiohttp import web

from adapters import bootstrap, codec
from adapters.administrator import ADMIN_PASSWORD_FILE
from adapters.http.app import FrontDoor
from adapters.settings import Settings, load, secret
from adapters.settings_values import is_loopback
from adapters.telemetry import log

T = TypeVar("T")

ADMINISTRATOR = "admin"
TIMEOUT_SECONDS = 30


class CallFailed(Exception):
    """The broker refused, or could not be reached."""


class Client:
    """Calls a broker as an administrator."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._headers = headers

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON answer. Raises CallFailed with the broker's own sentence."""
        head = {"Content-Type": "application/json", **self._headers, **(headers or {})}
        data = codec.encode(body) if body is not None else None
        try:
            async with self._http.request(
                method, self._url + path, data=data, params=query, headers=head
            ) as response:
                answer = orjson.loads(await response.read() or b"{}")
        except aiohttp.ClientError as error:
            raise CallFailed(f"cannot reach {self._url}: {error}") from None
        except orjson.JSONDecodeError:
            raise CallFailed(f"{self._url} does not answer as a broker does") from None
        except TimeoutError:
            raise CallFailed(f"{self._url} did not answer in {TIMEOUT_SECONDS} s") from None
        if response.status >= 400:
            raise CallFailed(f"{response.status} {_said(answer)}")
        return answer


def run(
    config: Path | None,
    url: str | None,
    admin: str,
    work: Callable[[Client], Awaitable[T]],
    *,
    anybody: bool = False,
) -> T:
    """Do ``work`` with a client for ``url``, or for the local state folder.

    ``anybody`` may do what needs no session; nobody logs in for it.
    """

    async def main() -> T:
        settings = load(config)
        # Standard output is for the command's result; structlog would write there by default.
        log.configure("warning", settings.log.format)
        opened = _remote(settings, url, None if anybody else admin) if url else local(settings)
        async with opened as client:
            return await work(client)

    return asyncio.run(main())


def ask(
    config: Path | None,
    url: str | None,
    admin: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    anybody: bool = False,
) -> Any:
    """The answer to one call, which is all that most commands need; the rest is as for ``run``."""

    async def work(client: Client) -> Any:
        return await client.call(method, path, body, query=query, headers=headers)

    return run(config, url, admin, work, anybody=anybody)


@contextlib.asynccontextmanager
async def _remote(settings: Settings, url: str, admin: str | None) -> AsyncIterator[Client]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        if admin is None:
            yield Client(http, url, {})
            return
        login = {
            "X-OpenAM-Username": admin,
            "X-OpenAM-Password": _password(settings, url, admin),
        }
        answer = await Client(http, url, login).call("POST", "/json/authenticate")
        if "tokenId" not in answer:
            raise CallFailed(
                f"the login of {admin} takes more than a password; run this where the store is, "
                "without --url"
            )
        session = {settings.http.cookie_name: answer["tokenId"]}
        client = Client(http, url, session)
        try:
            yield client
        finally:
            await client.call("POST", "/json/sessions", query={"_action": "logout"})


@contextlib.asynccontextmanager
async def local(settings: Settings) -> AsyncIterator[Client]:
    """The front door on a Unix socket. Raises CallFailed where nothing would be kept."""
    if settings.store_url == "memory://":
        raise CallFailed("memory:// has no state folder; name a running broker with --url")
    broker = await bootstrap.build(
        settings, url=settings.http.public_url or "http://localhost", declared=False
    )
    parts = broker.components
    try:
        administrator = await parts.users.get("/", ADMINISTRATOR)
        if administrator is None:
            raise CallFailed(f"the user {ADMINISTRATOR} is gone; import one with the role admin")
        session = await parts.sessions.open(administrator)
        try:
            async with _served(FrontDoor(parts, broker).application()) as http:
                head = {settings.http.cookie_name: session.id.reveal()}
                yield Client(http, "http://localhost", head)
        finally:
            await parts.sessions.end(session.id)
    finally:
        await broker.close()


@contextlib.asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    """A connection to the application, on a socket in a folder of our own (mode 0700)."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "remint.sock")
            await web.UnixSite(runner, path).start()
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as http:
                yield http
    finally:
        await runner.cleanup()


def _password(settings: Settings, url: str, admin: str) -> str:
    """The administrator's password for ``url``: from the settings, the terminal, or, for a broker
    on this machine, the state folder. Never sent in the clear beyond this machine."""
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise CallFailed(f"{url} is no URL of a broker, such as http://127.0.0.1:8080")
    here = is_loopback(place.hostname)
    if place.scheme != "https" and not here:
        raise CallFailed(f"{url} is another machine: use https, or the password could be read")
    given = secret(settings.admin.password)
    if given is not None:
        return given.reveal()
    path = settings.state_dir / ADMIN_PASSWORD_FILE
    if here and admin == ADMINISTRATOR and path.exists():
        return path.read_text().strip()
    if sys.stdin.isatty():
        entered: str = typer.prompt(f"Password of {admin} at {url}", hide_input=True, err=True)
        return entered
    raise CallFailed(f"set REMINT_ADMIN__PASSWORD to the password of {admin} at {url}")


def _said(answer: Any) -> str:
    if not isinstance(answer, dict):
        return "no reason given"
    return f"{answer.get('reason', '')}: {answer.get('message', 'no reason given')}"
