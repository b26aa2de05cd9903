"""What carries requests: HTTP here, messages elsewhere, each behind the same three calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

TRANSPORTS: dict[str, str] = {
    "http": "bench.driver.http",
    "amqp": "bench.driver.amqp",
    "mqtt": "bench.driver.mqtt",
}
"""The module of each transport: it has ``sender(options, lanes) -> Sender``."""

TIMEOUT = "timeout"
CONNECTION = "connection"
PARSE = "parse"
TOO_LARGE = "too large"


class Failed(Exception):
    """A request without a good answer. Raised often while the driver is busy, hence so plain."""

    def __init__(self, kind: str, detail: str = "", body: bytes = b"") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        """``status 503``, ``connection``, ``parse``, ``too large``; ``timeout`` is the model's."""
        self.detail = detail
        self.body = body
        """Of an answer that is no good one."""


class Sender(Protocol):
    """Sends bodies to one place, several at once if it is told so."""

    async def open(self) -> None:
        """Connect, so that no request of the run pays for it; raises Failed."""

    async def ask(self, body: bytes) -> bytes:
        """The body of the good answer to a request; raises Failed.

        It knows no timeout: the model cancels what takes too long, and the next call must work
        nevertheless.
        """

    async def close(self) -> None:
        """Leave nothing open."""


@runtime_checkable
class Strays(Protocol):
    """What a sender may have besides: it hears answers that nobody waits for."""

    def strays(self) -> dict[str, int]:
        """How many since the last call, by the kind of error that they are."""


Make = Callable[[Mapping[str, Any], int], Sender]


def made(options: Mapping[str, Any], lanes: int) -> Sender:
    """The sender of ``options["transport"]``, for at most ``lanes`` calls at once.

    Raises ValueError with a sentence for options that cannot be used.
    """
    name = str(options.get("transport"))
    if name not in TRANSPORTS:
        raise ValueError(f"there is no transport {name}; there are {', '.join(TRANSPORTS)}")
    make: Make = import_module(TRANSPORTS[name]).sender
    return make(options, lanes)
