"""Ports for the servers that a measurement or a test starts: free, and nobody else's soon.

A port that the kernel chooses (``bind`` to 0) is of the range from which it also takes the local
ends of connections, so that any connection may have it before a server binds it, or while a server
that was killed is away. These ports are of outside that range. Processes of one user that draw side
by side never draw the same, as long as they live: each holds a lock on one byte of a common file.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import random
import socket
import tempfile
from pathlib import Path

LOWEST, HIGHEST = 10_000, 65_535
ENOUGH = 1_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
IANA_EPHEMERAL = (49_152, 65_535)
"""RFC 6335 section 6: for systems that do not tell theirs."""
NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
TAKEN = (
    "address already in use",
    "eaddrinuse",
    "could be in use by another process",  # RabbitMQ, of its distribution port
    "no_reg_reply_from_epmd",  # Erlang, where another program answers for epmd
)


class NoPort(Exception):
    """Every port outside the kernel's own range is taken."""


class Ports:
    """Draws ports of ``candidates`` at random, never one twice."""

    def __init__(self, candidates: list[int], locks: Path) -> None:
        self._left = random.sample(candidates, len(candidates))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._locks = os.open(locks, flags, 0o600)

    def draw(self) -> int:
        """A port that nothing is bound to, on any address; raises NoPort."""
        while self._left:
            port = self._left.pop()
            if self._locked(port) and unbound(port):
                return port
        raise NoPort("every port outside the range of local ports is taken")

    def _locked(self, port: int) -> bool:
        try:
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of this machine that no process is bound to, and that this process did not draw
    before; raises NoPort."""
    return _of_this_process(os.getpid()).draw()


def free_ports(number: int) -> list[int]:
    """So many of them; raises NoPort."""
    return [free_port() for _ in range(number)]


def unbound(port: int) -> bool:
    """Whether a server could bind it now on every address, by TCP and UDP, without SO_REUSEADDR."""
    return all(
        _binds(family, kind, address, port)
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))  # noqa: S104
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    )


def says_taken(log: str) -> bool:
    """Whether a server that did not start complains there of a port that is in use."""
    text = log.lower()
    return any(words in text for words in TAKEN)


def candidates(ephemeral: tuple[int, int]) -> list[int]:
    """The ports outside of a range; all of them if it leaves too few."""
    low, high = ephemeral
    every = range(LOWEST, HIGHEST + 1)
    outside = [port for port in every if not low <= port <= high]
    return outside if len(outside) >= ENOUGH else list(every)


def ephemeral_range(told: Path = EPHEMERAL) -> tuple[int, int]:
    """The first and the last port that the kernel gives to connections (ip(7))."""
    try:
        low, high = map(int, told.read_text().split())
    except (OSError, ValueError):
        return IANA_EPHEMERAL
    return low, high


@functools.lru_cache(maxsize=1)
def _of_this_process(_pid: int) -> Ports:
    """A forked child draws anew: locks of this kind stay with the parent (fcntl(2))."""
    locks = Path(tempfile.gettempdir()) / f"remint-ports-{os.getuid()}"
    return Ports(candidates(ephemeral_range()), locks)


def _binds(family: socket.AddressFamily, kind: socket.SocketKind, address: str, port: int) -> bool:
    try:
        with socket.socket(family, kind) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.errno in NO_SUCH_FAMILY
    return True
