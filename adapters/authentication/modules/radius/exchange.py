"""One request to one server over UDP: sent again until it answers or the time is up.

Each request has a socket, and so a port, of its own, connected to the server: what comes from
anywhere else never arrives, identifiers never run out, and what comes late finds nobody.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from adapters.authentication.modules.radius.packets import Answer, NotAnAnswer, Request

MAX_DROPPED = 1000
"""So many datagrams that are no answer, and we stop listening."""


UNHEARD = "did not answer: is this broker one of its clients, with this secret?"
"""A server drops what comes from others, and what was made with another secret, without a word."""

FIRST_WAIT_SECONDS = 1.0
"""Until a request is sent again; twice as long each time after that (RFC 5080, section 2.2.1)."""


class Silent(Exception):
    """The server did not answer; the words say how, for the audit."""


class _Ears(asyncio.DatagramProtocol):
    def __init__(self, request: Request, dropped: Counter[str]) -> None:
        self.answer: asyncio.Future[Answer | Silent] = asyncio.get_running_loop().create_future()
        self._request = request
        self._dropped = dropped
        self._left = MAX_DROPPED

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.answer.done() or self._left <= 0:
            return
        try:
            self.answer.set_result(self._request.answer(data))
        except NotAnAnswer as why:
            self._left -= 1
            self._dropped[str(why)] += 1

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_result(Silent(f"cannot be reached ({type(exc).__name__})"))


async def asked(
    request: Request,
    at: tuple[str, int],
    *,
    seconds: float,
    tries: int,
    dropped: Counter[str],
) -> Answer:
    """What the server says. The same bytes go out each time, so that it knows them again
    (RFC 2865, section 2.4); ``dropped`` counts what was no answer. Raises Silent."""
    loop = asyncio.get_running_loop()
    try:
        transport, ears = await loop.create_datagram_endpoint(
            lambda: _Ears(request, dropped), remote_addr=at
        )
    except OSError as error:
        raise Silent(f"cannot be reached ({type(error).__name__})") from None
    try:
        for wait in _waits(seconds, tries):
            transport.sendto(request.data)
            await asyncio.wait((ears.answer,), timeout=wait)
            if ears.answer.done():
                break
    finally:
        transport.close()
    if not ears.answer.done():
        raise Silent("did not answer" if dropped else UNHEARD)
    told = ears.answer.result()
    if isinstance(told, Silent):
        raise told
    return told


def _waits(seconds: float, tries: int) -> Iterator[float]:
    """How long each try waits: evenly where time is short, else longer and longer. The last one
    waits for the rest, since somebody may have to look at a telephone."""
    for number in range(tries - 1):
        wait = min(seconds / (tries - number), FIRST_WAIT_SECONDS * 2**number)
        yield wait
        seconds -= wait
    yield seconds
