"""Many translations at once over several brokers, and what became of each."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.door import ID_TOKEN

PAUSE_SECONDS = 0.05
"""After a 503. Its Retry-After says longer; who asks sooner finds out sooner."""

LOOK_SECONDS = 0.002
DEADLINE_SECONDS = 30.0
UNAVAILABLE = {"code": 503, "reason": "Service Unavailable"}


@dataclass(frozen=True)
class Said:
    """An answer. Times are of one monotonic clock, in seconds; ``key`` is the request's id."""

    url: str
    instance: str
    began: float
    ended: float
    status: int
    body: Any
    key: str | None = None

    @property
    def token(self) -> str:
        return str(self.body["issued_token"])


@dataclass
class Load:
    """Sends each request until it is answered, those without an id only once.

    ``answered`` holds the good answers; ``refused`` counts clean refusals of a store that is away;
    ``surprises`` holds whatever else came, which should be nothing. Of ``mortal`` brokers no answer
    at all is no surprise either.
    """

    http: aiohttp.ClientSession
    urls: Sequence[str]
    given: Mapping[str, Any]
    chance: random.Random
    pause_seconds: float = PAUSE_SECONDS
    mortal: bool = False
    answered: list[Said] = field(default_factory=list)
    refused: int = 0
    surprises: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left: deque[tuple[str, str | None]] = deque()

    async def run(self, requests: Iterable[tuple[str, str | None]], lanes: int) -> None:
        """``requests`` are instances and ids, which are sent in random order."""
        shuffled = list(requests)
        self.chance.shuffle(shuffled)
        self._left.extend(shuffled)
        await asyncio.gather(*(self._lane() for _ in range(lanes)))

    async def more_than(self, count: int) -> None:
        """Returns once as many were answered."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                if len(self.answered) > count:
                    return
                await asyncio.sleep(LOOK_SECONDS)

    def first_after(self, moment: float, url: str) -> float:
        """When a broker gave its first good answer after a moment."""
        return min(s.ended for s in self.answered if s.ended > moment and s.url == url)

    async def _lane(self) -> None:
        while self._left:
            instance, key = self._left.popleft()
            until = time.monotonic() + DEADLINE_SECONDS
            while not self._settled(await self._once(instance, key)):
                await asyncio.sleep(self.pause_seconds)
                if key is None:
                    break
                if time.monotonic() > until:
                    self.surprises.append(f"no answer to {key}")
                    break

    async def _once(self, instance: str, key: str | None) -> Said | Exception:
        url = self.chance.choice(self.urls)
        try:
            return await translated(self.http, url, self.given, instance, key)
        except (aiohttp.ClientError, OSError) as error:
            return error

    def _settled(self, said: Said | Exception) -> bool:
        if isinstance(said, Said) and said.status == 200:
            self.answered.append(said)
            return True
        if isinstance(said, Said) and said.status == 503:
            self.refused += 1
            return False
        if isinstance(said, Exception) and self.mortal:
            return False
        self.surprises.append(said)
        return True


async def translated(
    http: aiohttp.ClientSession,
    url: str,
    given: Mapping[str, Any],
    instance: str,
    key: str | None = None,
) -> Said:
    body = {"input_token_state": given, "output_token_state": ID_TOKEN}
    head = {"Idempotency-Key": key} if key else {}
    return await asked(http, url, instance, "translate", body, head)


async def validated(http: aiohttp.ClientSession, url: str, token: str, instance: str) -> Said:
    body = {"validated_token_state": presented(token)}
    return await asked(http, url, instance, "validate", body)


async def cancelled(http: aiohttp.ClientSession, url: str, token: str, instance: str) -> Said:
    body = {"cancelled_token_state": presented(token)}
    return await asked(http, url, instance, "cancel", body)


async def all_valid(
    http: aiohttp.ClientSession, tokens: Sequence[tuple[str, str]], url: str, lanes: int = 16
) -> list[bool]:
    """Whether the broker calls each token of an instance valid, in that order."""
    left = deque(enumerate(tokens))
    found = [False] * len(tokens)

    async def lane() -> None:
        while left:
            at, (token, instance) = left.popleft()
            said = await validated(http, url, token, instance)
            assert said.status == 200, said
            found[at] = said.body["token_valid"]

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return found


async def asked(
    http: aiohttp.ClientSession,
    url: str,
    instance: str,
    action: str,
    body: Any,
    head: Mapping[str, str] | None = None,
) -> Said:
    """The answer to one call. A refusal for want of the store must be a clean one."""
    began = time.monotonic()
    headers = {"Content-Type": "application/json", **(head or {})}
    path = f"/rest-sts/{instance}?_action={action}"
    async with http.post(url + path, data=json.dumps(body), headers=headers) as answer:
        said = json.loads(await answer.read())
        ended = time.monotonic()
        if answer.status == 503:
            assert answer.headers["Retry-After"].isdigit()
            assert {name: said[name] for name in UNAVAILABLE} == UNAVAILABLE
    key = headers.get("Idempotency-Key")
    return Said(url, instance, began, ended, answer.status, said, key)


def header(token: str) -> dict[str, Any]:
    """The head of a signed token (RFC 7515, section 4)."""
    return _part(token, 0)


def claims(token: str) -> dict[str, Any]:
    """What stands in a signed token (RFC 7519, section 4), unchecked."""
    return _part(token, 1)


def _part(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def presented(token: str) -> dict[str, str]:
    return {"token_type": "OPENIDCONNECT", "oidc_id_token": token}


def client() -> aiohttp.ClientSession:
    """Any number of connections, and no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=DEADLINE_SECONDS),
    )
