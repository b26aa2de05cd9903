"""HTTP to somebody else's AM: bounded in size, no redirects, nothing that it says is believed.

A redirect would send a password wherever the other side likes, so there is none.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from adapters.authentication.modules.told import told
from adapters.nearness import Resolver, why
from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, Unavailable

MAX_ANSWER_BYTES = 256 * 1024
MAX_CONNECTIONS = 64
KEPT_SECONDS = 4.0
"""How long an idle connection is used again: most servers close theirs after 5 s or more."""
MAX_TOLD_LENGTH = 128
"""Of its words in the audit."""
RETRY_AFTER_SECONDS = 1
DOWN = "whoever checks this login cannot be asked now; ask again shortly"
REFUSALS = (400, 401, 403)
"""What a login may be answered with that is not good; anything else is its own trouble."""

HEAD = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # what is small enough must not grow here
    "User-Agent": "remint",
    "X-Requested-With": "remint",  # newer versions want this or Accept-API-Version
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request: ``path`` below the server's own, encoded."""

    method: str
    path: str
    head: Mapping[str, str] = field(repr=False)
    body: Any = field(default=None, repr=False)


class Client:
    """Asks one server; connects when it is first needed."""

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        self._url = url
        self._tls = tls
        self._http: aiohttp.ClientSession | None = None

    async def answer(self, call: Call) -> dict[str, Any]:
        """The JSON object that it answers with. Raises AuthenticationFailed if it refuses, and
        Unavailable if it cannot be asked or what it says cannot be read."""
        status, data = await self._sent(call)
        found = _object(data)
        if status in REFUSALS:
            raise AuthenticationFailed(FAILED, detail=f"it answered {status}{_said(found, call)}")
        if status != 200:
            raise down(f"it answered {status}{_said(found, call)}")
        if found is None:
            raise down("its answer is not a JSON object")
        return found

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _sent(self, call: Call) -> tuple[int, bytes]:
        data = _written(call.body)
        try:
            async with self._session().request(
                call.method,
                self._url + call.path,
                data=data,
                headers=call.head,
                allow_redirects=False,
            ) as response:
                read = bytearray()
                async for chunk in response.content.iter_any():
                    read += chunk
                    if len(read) > MAX_ANSWER_BYTES:
                        raise down(f"its answer is over {MAX_ANSWER_BYTES} bytes")
                return response.status, bytes(read)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise down(why(error)) from None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(
                resolver=Resolver(),
                limit=MAX_CONNECTIONS,
                keepalive_timeout=KEPT_SECONDS,
                ssl=True if self._tls is None else self._tls,
            )
            self._http = aiohttp.ClientSession(
                connector=connector,
                headers=HEAD,
                cookie_jar=aiohttp.DummyCookieJar(),  # sessions are handed over by name alone
                auto_decompress=False,
            )
        return self._http


def down(detail: str) -> Unavailable:
    """Nobody could be asked; ``detail`` is for the audit."""
    return Unavailable(DOWN, retry_after=RETRY_AFTER_SECONDS, detail=detail)


def _written(body: Any) -> bytes | None:
    """As JSON. Raises AuthenticationFailed for a string that is no text: nobody's password."""
    try:
        return None if body is None else orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise AuthenticationFailed(FAILED, detail="what came is not Unicode text") from None


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _said(found: Mapping[str, Any] | None, call: Call) -> str:
    """The message of a CREST error, as far as it is fit for the audit."""
    message = found.get("message") if found is not None else None
    if not isinstance(message, str):
        return ""
    return f" ({told(message, MAX_TOLD_LENGTH, _sent(call))})"


def _sent(call: Call) -> Iterator[str]:
    """What a call holds that somebody typed, or that lets somebody in."""
    for value in call.head.values():
        yield value
        yield value.partition("=")[2]  # of a cookie
    yield from _answers(call.body)


def _answers(body: Any) -> Iterator[str]:
    """What callbacks were answered with. Those that ask nothing are in whatever shape the AM gave
    them."""
    for callback in body.get("callbacks", ()) if isinstance(body, Mapping) else ():
        inputs = callback.get("input")
        for each in inputs if isinstance(inputs, list) else ():
            if isinstance(each, Mapping) and isinstance(each.get("value"), str):
                yield each["value"]
