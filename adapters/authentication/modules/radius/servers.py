"""Several servers that know the same: the first that answers in time has the word."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from adapters.authentication.modules.radius import exchange
from adapters.authentication.modules.radius.addresses import Address, Addresses
from adapters.authentication.modules.radius.exchange import Silent
from adapters.authentication.modules.radius.packets import Answer, Login, Request
from adapters.telemetry.metrics import Metrics
from broker.errors import Unavailable
from broker.model import Secret

AVOIDED_SECONDS = 10.0
"""How long a server that did not answer is asked after those that do."""

MAX_WAITING = 256
"""Logins that one module waits for at a time: each has a socket."""

RETRY_AFTER_SECONDS = 1
DOWN = "whoever checks this login cannot be asked now; ask again shortly"
BUSY = "too many logins are being checked; ask again shortly"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """How servers are asked: sends for each, and whether answers without a Message-Authenticator
    are dropped."""

    secret: Secret
    tries: int
    signed_answers: bool


class Servers:
    """Asks them in order of preference; who was silent lately comes last.

    ``dropped`` counts datagrams that were no answers, by what was wrong with them.
    """

    def __init__(
        self, module: str, addresses: Sequence[Address], manner: Manner, metrics: Metrics
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._module = module
        self._servers = tuple(addresses)
        self._manner = manner
        self._metrics = metrics
        self._addresses = Addresses()
        self._avoided: dict[Address, float] = {}
        self._waiting = 0

    def named(self, text: str) -> Address | None:
        """The server that is written so; None if there is none."""
        return next((each for each in self._servers if str(each) == text), None)

    async def asked(
        self, login: Login, until: float, only: Address | None = None
    ) -> tuple[Answer, Address]:
        """The first answer, and whose it is; ``until`` is a time of the event loop, ``only`` the
        one server that knows what this is about. Raises Unavailable if nobody answers."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable(BUSY, retry_after=RETRY_AFTER_SECONDS)
        self._waiting += 1
        try:
            return await self._first(login, until, self._in_order() if only is None else [only])
        finally:
            self._waiting -= 1

    async def _first(
        self, login: Login, until: float, servers: list[Address]
    ) -> tuple[Answer, Address]:
        loop = asyncio.get_running_loop()
        told = []
        for number, server in enumerate(servers):
            # The rest of the time is shared by those who are left: each gets its turn.
            seconds = (until - loop.time()) / (len(servers) - number)
            if seconds <= 0:
                break
            try:
                answer = await self._one(server, login, seconds)
            except Silent as why:
                self._avoided[server] = loop.time() + AVOIDED_SECONDS
                told.append(f"{server} {why}")
                continue
            self._avoided.pop(server, None)
            return answer, server
        raise Unavailable(DOWN, retry_after=RETRY_AFTER_SECONDS, detail="; ".join(told))

    async def _one(self, server: Address, login: Login, seconds: float) -> Answer:
        """Raises Silent, which says what was dropped."""
        loop, manner = asyncio.get_running_loop(), self._manner
        dropped: Counter[str] = Counter()
        until = loop.time() + seconds
        request = Request(
            login, manner.secret.reveal().encode(), signed_answers=manner.signed_answers
        )
        try:
            async with asyncio.timeout(seconds):
                host = await self._addresses.of(server.host)
            return await exchange.asked(
                request,
                (host, server.port),
                seconds=max(until - loop.time(), 0.0),
                tries=manner.tries,
                dropped=dropped,
            )
        except Silent as why:
            raise Silent(f"{why}{_told(dropped)}") from None
        except (OSError, TimeoutError):
            raise Silent("its name is not resolved") from None
        finally:
            self._count(server, dropped)

    def _count(self, server: Address, dropped: Counter[str]) -> None:
        self.dropped.update(dropped)
        for why, times in dropped.items():
            self._metrics.count_dropped(why, times)
            _log.warning(
                "radius_answer_dropped",
                module=self._module,
                server=str(server),
                reason=why,
                times=times,
            )

    def _in_order(self) -> list[Address]:
        now = asyncio.get_running_loop().time()
        return sorted(self._servers, key=lambda each: self._avoided.get(each, 0.0) > now)


def _told(dropped: Counter[str]) -> str:
    if not dropped:
        return ""
    return f" ({', '.join(f'{times} dropped: {why}' for why, times in dropped.items())})"
