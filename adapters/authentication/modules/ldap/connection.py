"""One connection to a directory: several operations at a time, each answered by its number.

Nothing here blocks the event loop: names are resolved, connections made and TLS negotiated by
asyncio, and whoever waits can stop waiting at any moment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, MutableSet, Sequence
from dataclasses import dataclass, field
from typing import cast

from adapters.authentication.modules.ldap import ber, protocol
from adapters.authentication.modules.ldap.ber import Malformed
from adapters.authentication.modules.ldap.protocol import Code, Entry, Result, Scope

MAX_MESSAGE = 1024 * 1024
MAX_SKIPPED = 64 * MAX_MESSAGE
"""Of one message that is too large: whoever announces more does not speak LDAP."""
MAX_ID_BYTES = 6
"""Tag, length and up to four bytes: the number of a message (RFC 4511, section 4.1.1.1)."""
MAX_ANSWER = 8 * MAX_MESSAGE
"""Of all entries of one search."""
MAX_ENTRIES = 2_000
"""Of one search; ``Scope`` and the filter make it a handful."""


CLOSE_SECONDS = 1.0
"""With TLS both sides say goodbye; a server that does not is left."""

ANSWERS = {
    protocol.BIND: protocol.BOUND,
    protocol.SEARCH: protocol.DONE,
    protocol.EXTENDED: protocol.EXTENDED_ANSWER,
}
"""What ends each operation: an answer of another kind is none."""

BEFORE_TLS = "it sent something between its answer to StartTLS and TLS"


class Lost(Exception):
    """The directory cannot be talked to: it is away, broken, or not who it should be."""


class Unable(Exception):
    """The directory answers, and not to this question: another one may."""


class Unreadable(Exception):
    """What was found is too much, or no entry. Other questions are answered as before: nobody is to
    make a directory unusable for all by what his own entry holds."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a directory listens. ``path`` is set for a Unix socket, else ``host`` and ``port``."""

    url: str
    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False


@dataclass(slots=True)
class _Waiting:
    done: asyncio.Future[Result]
    ends: int
    """The tag of the answer that ends it."""
    entries: list[Entry] = field(default_factory=list)
    size: int = 0


class Connection(asyncio.Protocol):
    """Open from ``connected`` until ``close`` or a failure; then every operation raises Lost.

    It is among ``opened`` for as long as it has a socket; None where nobody asks.
    """

    def __init__(self, opened: MutableSet[Connection] | None = None) -> None:
        self._opened = opened
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._to_skip = 0
        self._hushed = False
        self._waiting: dict[int, _Waiting] = {}
        self._last = 0
        self._lost: str | None = None
        self.opened_at = asyncio.get_running_loop().time()
        self.used_at = self.opened_at

    @property
    def closed(self) -> bool:
        return self._lost is not None

    async def bind(self, dn: str, password: str) -> Result:
        """A simple bind, the password policy asked for. Raises Lost.

        Nothing else may be under way on the connection (RFC 4511, section 4.2.1).
        """
        if not dn or not password:
            raise ValueError("a bind without a name or a password proves nothing")
        result, _ = await self._asked(protocol.bind(dn, password), protocol.ASK_FOR_POLICY)
        return result

    async def sasl(self, mechanism: str, credentials: bytes | None) -> Result:
        """One step of a SASL bind. Raises Lost."""
        result, _ = await self._asked(protocol.sasl_bind(mechanism, credentials))
        return result

    async def search(
        self,
        base: str,
        scope: Scope,
        filter_: bytes,
        attributes: Sequence[str],
        *,
        most: int,
        seconds: int,
    ) -> tuple[Result, list[Entry]]:
        """The entries found, and how it ended. Raises Lost and Unreadable."""
        asked = protocol.search(base, scope, filter_, attributes, most=most, seconds=seconds)
        return await self._asked(asked)

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """From here on everything is encrypted (RFC 4511, section 4.14). Raises Lost."""
        self._hushed = True
        result, _ = await self._asked(protocol.start_tls())
        if result.code != Code.SUCCESS:
            raise Lost(f"it refuses StartTLS (result code {result.code})")
        transport = self._transport
        # What came with the answer came before TLS: nobody vouches for it.
        if transport is None or self._buffer or self.closed:
            raise Lost(BEFORE_TLS)
        self._hushed = False
        loop = asyncio.get_running_loop()
        upgraded = await loop.start_tls(transport, self, context, server_hostname=host)
        if upgraded is None:
            raise Lost("it closed the connection during StartTLS")
        self._transport = upgraded

    def close(self) -> None:
        """Say goodbye without waiting."""
        if self._transport is not None and not self.closed:
            self._last += 1
            self._transport.write(protocol.message(self._last, protocol.unbind()))
        self._fail("it was closed")

    async def _asked(self, operation: bytes, *controls: bytes) -> tuple[Result, list[Entry]]:
        if self._transport is None or self._lost is not None:
            raise Lost(self._lost or "it is not open")
        self._last += 1
        number, loop = self._last, asyncio.get_running_loop()
        waiting = self._waiting[number] = _Waiting(loop.create_future(), ANSWERS[operation[0]])
        self._transport.write(protocol.message(number, operation, *controls))
        try:
            result = await waiting.done
        except (asyncio.CancelledError, Unreadable):
            self._give_up(number, operation)
            raise
        finally:
            self._waiting.pop(number, None)
        self.used_at = loop.time()
        return result, waiting.entries

    def _give_up(self, number: int, operation: bytes) -> None:
        """A search is abandoned. Whatever else is, the connection goes with it: who is bound by
        a bind that nobody waits for is unknown (RFC 4511, section 4.11)."""
        if operation[0] != protocol.SEARCH:
            self._fail("an operation was given up")
        elif self._transport is not None and not self.closed:
            self._last += 1
            self._transport.write(protocol.message(self._last, protocol.abandon(number)))

    # -- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._opened is not None:
            self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        if self._opened is not None:
            self._opened.discard(self)
        self._fail(f"it closed the connection{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._buffer += data
        try:
            self._read()
        except Malformed as error:
            self._fail(f"its answer is not LDAP: {error}")

    def _read(self) -> None:
        at = 0
        while not self.closed and (found := ber.head(self._buffer, at)) is not None:
            tag, start, end = found
            if tag != ber.SEQUENCE or end - at > MAX_SKIPPED:
                raise Malformed(f"no message, or one of more than {MAX_SKIPPED} bytes")
            if end - at > MAX_MESSAGE:
                if len(self._buffer) < start + MAX_ID_BYTES:
                    break
                self._oversized(bytes(self._buffer[start : start + MAX_ID_BYTES]))
                self._to_skip = max(end - len(self._buffer), 0)
            elif end > len(self._buffer):
                break
            else:
                self._message(bytes(self._buffer[start:end]))
            at = end
        del self._buffer[:at]

    def _oversized(self, begin: bytes) -> None:
        """A message that is not read: whoever waits for it hears so, and nobody else."""
        waiting = self._waiting.get(ber.Reader(begin).whole())
        if waiting is None or waiting.done.done():
            return
        if waiting.ends != protocol.DONE:
            raise Malformed(f"an answer of more than {MAX_MESSAGE} bytes")
        waiting.done.set_exception(Unreadable(f"its entry is over {MAX_MESSAGE} bytes"))

    def _message(self, content: bytes) -> None:
        number, tag, operation, controls = protocol.opened(content)
        if number == protocol.UNSOLICITED:
            self._fail("it said that it disconnects")  # RFC 4511 section 4.4.1
            return
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done.done():
            if self._hushed:
                raise Malformed(BEFORE_TLS)
            return
        if tag == waiting.ends:
            waiting.done.set_result(protocol.result(operation, controls))
        elif tag == protocol.ENTRY and waiting.ends == protocol.DONE:
            self._entry(waiting, operation)
        elif tag != protocol.REFERENCE:  # a pointer to another directory, which nobody follows
            raise Malformed(f"an answer of tag {tag:#x}")

    def _entry(self, waiting: _Waiting, operation: bytes) -> None:
        waiting.size += len(operation)
        try:
            if len(waiting.entries) >= MAX_ENTRIES or waiting.size > MAX_ANSWER:
                raise Unreadable("it found more than is looked at")
            waiting.entries.append(protocol.entry(operation))
        except Malformed as error:
            waiting.done.set_exception(Unreadable(f"what it found is no entry: {error}"))
        except Unreadable as error:
            waiting.done.set_exception(error)

    def _fail(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        for waiting in self._waiting.values():
            if not waiting.done.done():
                waiting.done.set_exception(Lost(self._lost))
        # asyncio's TLS transport could not be aborted any more after a second close.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()


async def close_all(opened: Collection[Connection]) -> None:
    """Close them, and return once their sockets are closed."""
    connections = list(opened)
    for connection in connections:
        connection.close()
    if not connections:
        return
    await asyncio.wait([each._gone for each in connections], timeout=CLOSE_SECONDS)
    for connection in connections:
        if connection._transport is not None and not connection._gone.done():
            connection._transport.abort()
    await asyncio.sleep(0)  # an aborted one is closed by the loop's next turn
