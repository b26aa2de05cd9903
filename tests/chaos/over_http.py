"""A caller over HTTP: asks any broker, again under the same key until the answer is definite."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random

import aiohttp

from tests.chaos.history import History, digest
from tests.chaos.scenario import GOOD, VALIDATE, Answered, Ask, presented, token_id
from tests.chaos.world import ELEMENT

ANSWER_SECONDS = 20.0
CONNECT_SECONDS = 2.0
PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 0.5
NOT_DEFINITE = frozenset({408, 429})


class HttpCaller:
    transport = name = "http"

    def __init__(self, urls: list[str], history: History, chance: random.Random) -> None:
        self._urls = urls
        self._history = history
        self._chance = chance
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
        )

    async def close(self) -> None:
        await self._http.close()

    async def ask(self, ask: Ask) -> Answered | None:
        pause = PAUSE_SECONDS
        while True:
            answer = await self.once(ask)
            if answer is not None:
                return answer
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1))
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    async def valid(self, token: str, url: str) -> bool:
        """What one broker says of a token; asks until it says something."""
        body = json.dumps({"validated_token_state": presented(token)}).encode()
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                status, raw = await self._post(url, VALIDATE, body, {})
                if status == 200:
                    return bool(Answered(status, raw).body["token_valid"])
            await asyncio.sleep(PAUSE_SECONDS)

    async def once(self, ask: Ask) -> Answered | None:
        """One attempt; None if it may be made again."""
        url = self._chance.choice(self._urls)
        self._history.note("sent", key=ask.key, by=self.transport, to=url)
        try:
            status, raw = await self._post(
                url, ask.operation, ask.body, {"Idempotency-Key": ask.id}
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._history.note("failed", key=ask.key, error=type(error).__name__)
            return None
        return note_answer(self._history, ask, status, raw, self.transport)

    async def _post(
        self, url: str, operation: str, body: bytes, head: dict[str, str]
    ) -> tuple[int, bytes]:
        path = f"{url}/rest-sts/{ELEMENT}?_action={operation}"
        headers = {"Content-Type": "application/json", **head}
        async with self._http.post(path, data=body, headers=headers) as answer:
            return answer.status, await answer.read()


def note_answer(history: History, ask: Ask, status: int, raw: bytes, by: str) -> Answered | None:
    """Write an answer down; None if asking again may change it."""
    answer = Answered(status, raw)
    definite = status < 500 and (status not in NOT_DEFINITE or ask.deadline is not None)
    token = answer.token if ask.kind == GOOD and status == 200 else None
    history.note(
        "answer",
        key=ask.key,
        by=by,
        status=status,
        digest=digest(raw),
        definite=definite,
        token=token_id(token) if token else None,
    )
    return answer if definite else None
