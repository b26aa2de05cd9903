"""Free ports for the servers of the tests, and a start anew where a stranger was faster."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import ParamSpec, TypeVar

from bench.ports import free_port, free_ports, says_taken, unbound

__all__ = [
    "PortTaken",
    "check_ports",
    "check_unbound",
    "first_that_starts",
    "free_port",
    "free_ports",
    "on_free_ports",
]

ATTEMPTS = 5

_Given = ParamSpec("_Given")
_Opened = TypeVar("_Opened")
_Context = Callable[_Given, AbstractContextManager[_Opened]]


class PortTaken(RuntimeError):
    """Another program bound a port between the look at it and the server's start."""


def check_ports(log: str) -> None:
    """Raises PortTaken if that is what a server says which did not start."""
    if says_taken(log):
        raise PortTaken(log[-4000:])


def check_unbound(*ports: int) -> None:
    """Raises PortTaken if somebody is bound to one of them. A look just before a server's first
    start costs less than the wait for one that cannot start, and tells its answers from others'."""
    for port in ports:
        if not unbound(port):
            raise PortTaken(f"port {port} is taken")


def on_free_ports(opened: _Context[_Given, _Opened]) -> _Context[_Given, _Opened]:
    """A context that starts servers; entered anew, a few times, where it raises PortTaken."""

    @contextmanager
    @functools.wraps(opened)
    def entered(*given: _Given.args, **named: _Given.kwargs) -> Iterator[_Opened]:
        with ExitStack() as stack:
            yield first_that_starts(lambda: stack.enter_context(opened(*given, **named)))

    return entered


def first_that_starts(start: Callable[[], _Opened]) -> _Opened:
    """What ``start`` gives, which is called again, a few times, where it raises PortTaken."""
    for _ in range(ATTEMPTS - 1):
        try:
            return start()
        except PortTaken:
            continue
    return start()
