"""``remint migrate``: whether this broker answers as the AM that it takes over from."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
import typer

from adapters import bootstrap
from adapters.cli import options
from adapters.cli.client import TIMEOUT_SECONDS, CallFailed
from adapters.migration import comparing
from adapters.migration.comparing import Answered, Asked, Difference, Refused
from adapters.printable import printable
from adapters.settings_values import is_loopback

app = typer.Typer(help="Moving here from ForgeRock or Ping AM.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Moving here from ForgeRock or Ping AM."""


@app.command()
def compare(
    instance: Annotated[str, typer.Option("--instance", help="realm/element, the same at both.")],
    am: Annotated[str, typer.Option("--am", help="AM with its context, such as …/openam.")],
    remint: Annotated[
        str | None, typer.Option("--remint", help="The broker; else the one that settings name.")
    ] = None,
    requests: Annotated[
        str, typer.Option("--requests", help="A JSON file of requests; - is standard input.")
    ] = "-",
    validate: Annotated[
        bool, typer.Option("--validate", help="Validate what each issued at its issuer.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel it there, and validate it once more.")
    ] = False,
    ignore: Annotated[
        list[str], typer.Option("--ignore", help="A fact that may differ, as the output names it.")
    ] = [],  # noqa: B006  # typer wants the list; it is never changed
    as_json: Annotated[bool, typer.Option("--json", help="The differences, as JSON.")] = False,
    config: options.Config = None,
) -> None:
    """Send each request to both and print what is different, claim by claim.

    Exit code 1 if something differs that is not expected.
    """
    settings = options.settings(config)
    here = remint or settings.http.public_url or f"http://127.0.0.1:{settings.http.port}"
    follow = ["validate"] * validate + (["cancel", "validate"] if cancel else [])
    try:
        asked = comparing.requests(_document(requests))
    except Refused as error:
        raise CallFailed(str(error)) from None
    places = _place(am, instance), _place(here, instance)
    found = asyncio.run(_compared(*places, asked, follow, frozenset(ignore)))
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        lines = comparing.lines(found, [each.name for each in asked])
        print("\n".join(map(printable, lines)))
    if any(each.matters for each in found):
        raise typer.Exit(1)


def _document(requests: str) -> Any:
    text = sys.stdin.read() if requests == "-" else Path(requests).read_text()
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # The parser's own words stay out: they may quote a secret.
        raise Refused("the requests are no JSON") from None


def _place(url: str, instance: str) -> str:
    """The instance's URL. Passwords are in the requests, so they never cross a net in the clear."""
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise CallFailed(f"{url} is no URL of a server, such as https://am.example.com/openam")
    if place.scheme != "https" and not is_loopback(place.hostname):
        raise CallFailed(f"{url} is another machine: use https, or the requests could be read")
    return f"{url.rstrip('/')}/rest-sts/{quote(instance.strip('/'))}"


async def _compared(
    am: str, remint: str, asked: list[Asked], follow: list[str], ignore: frozenset[str]
) -> list[Difference]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    found: list[Difference] = []
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for each in asked:
            pair = _Instance(http, am), _Instance(http, remint)
            found += await comparing.compared(
                *pair, each, follow, ignore, bootstrap.ASSERTION_OUTLINE
            )
    return found


class _Instance:
    """An instance of a server."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def send(
        self, action: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Answered:
        """Raises CallFailed where nothing answers."""
        head = {"Content-Type": "application/json", **headers}
        query = {"_action": action}
        try:
            async with self._http.post(
                self._url,
                params=query,
                data=orjson.dumps(body),
                headers=head,
                allow_redirects=False,
            ) as response:
                return Answered(response.status, _parsed(await response.read()))
        except aiohttp.ClientError as error:
            raise CallFailed(f"cannot reach {self._url}: {error}") from None
        except TimeoutError:
            raise CallFailed(f"{self._url} did not answer in {TIMEOUT_SECONDS} s") from None


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
