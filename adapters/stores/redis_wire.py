"""One connection to a Redis server, without a task, a stream or a timer of its own.

redis-py opens a connection and says hello on it: TLS, login, database, greeting. From then on it is
a ``Wire``: one write for the commands of a round trip, and their replies read where they arrive.
One round trip at a time, so that no reply can be taken for that of another; a wire that is cut in
the midst of one, or that says what nobody asked for, is never used again.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Any

from hiredis import Reader
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

Outcome = list[Any] | BaseException
"""A reply or an error for each command; or why there are none."""

Answered = Callable[[Outcome], None]

CLOSED = "Connection closed by server."
UNASKED = "Redis said something that nobody had asked for."

_INCOMPLETE = object()


class Wire(asyncio.Protocol):
    """A connection that is open, logged in and greeted."""

    def __init__(self, connection: Any, lost: Callable[[Wire], None]) -> None:
        """Takes over from redis-py, whose ``connection`` must have nothing left to read.

        ``lost`` is called once, when the connection is closed or about to be.
        """
        self.connection = connection
        self._lost = lost
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=DefaultParser.parse_error,
            notEnoughData=_INCOMPLETE,
        )
        self._replies: list[Any] = []
        self._wanted = 0
        self._answered: Answered | None = None
        self._transport: asyncio.Transport = connection._writer.transport
        self._streams: Any = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self.usable = not self._transport.is_closing()
        self._readable = select.poll()
        self._readable.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)

    def quiet(self) -> bool:
        """Whether the server is still there and has nothing to say, which between two round trips
        the event loop may not have seen yet."""
        return self.usable and not self._readable.poll(0)

    def ask(self, commands: bytes, count: int, answered: Answered) -> None:
        """Write ``count`` packed commands. ``answered`` is called once, later, never from here.

        Only while the wire is ``usable`` and has no other round trip under way.
        """
        self._answered = answered
        self._wanted = count
        self._transport.write(commands)

    def cut(self, error: BaseException) -> None:
        """Close at once; what is under way ends with ``error``."""
        self._transport.abort()
        self._end(error)

    def data_received(self, data: bytes) -> None:
        answered = self._answered
        if answered is None:
            self.cut(InvalidResponse(UNASKED))
            return
        try:
            self._reader.feed(data)
            complete = self._read()
        except (InvalidResponse, RedisConnectionError) as error:
            self.cut(error)
            return
        if not complete:
            return
        if self._reader.has_data():
            self.cut(InvalidResponse(UNASKED))
            return
        replies = self._replies
        self._answered, self._replies = None, []
        answered(replies)

    def _read(self) -> bool:
        """Whether all replies are there. Raises InvalidResponse, and the error of a server that
        serves nobody (it loads its data, or has too many clients)."""
        replies, wanted, gets = self._replies, self._wanted, self._reader.gets
        while len(replies) < wanted:
            reply = gets()
            if reply is _INCOMPLETE:
                return False
            if isinstance(reply, RedisConnectionError):
                raise reply
            replies.append(reply)
        return True

    def eof_received(self) -> bool:
        self._end(RedisConnectionError(CLOSED))
        return False  # the transport closes

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.connection_lost(exc)  # for whoever waits until redis-py's side is closed
        self._end(RedisConnectionError(CLOSED if exc is None else f"Connection lost: {exc}"))

    def pause_writing(self) -> None:
        """A round trip's commands are bounded, and so is the time it may take."""

    def resume_writing(self) -> None:
        """See ``pause_writing``."""

    def _end(self, error: BaseException) -> None:
        if self.usable:
            self.usable = False
            self._lost(self)
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(error)
