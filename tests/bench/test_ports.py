"""Ports for servers: free, outside the kernel's own range, and never drawn by two."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ports import (
    IANA_EPHEMERAL,
    LOWEST,
    NoPort,
    Ports,
    candidates,
    ephemeral_range,
    free_port,
    free_ports,
    says_taken,
    unbound,
)

_DRAW = """
import sys
from pathlib import Path
from bench.ports import NoPort, Ports
ports = Ports([int(word) for word in sys.argv[2:]], Path(sys.argv[1]))
try:
    while True:
        print(ports.draw())
except NoPort:
    print("none", flush=True)
sys.stdin.read()
"""

_FORK = """
import os
from bench.ports import free_ports
print(*free_ports(200), flush=True)
child = os.fork()
if child == 0:
    print(*free_ports(200), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104  # for a moment
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that a server listens on, on one address."""
    address: str = request.param
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    port = free_port()
    with socket.create_server((address, port), family=family):
        yield port


def test_not_of_the_kernels_range() -> None:
    """No connection's local end can take a port that was drawn."""
    low, high = ephemeral_range()
    assert all(not low <= port <= high for port in free_ports(50))


def test_never_twice() -> None:
    """A process draws no port a second time, even if nobody bound it."""
    assert len(set(free_ports(500))) == 500


def test_taken(taken: int, tmp_path: Path) -> None:
    """A port that somebody listens on, on whatever address, is not drawn."""
    other = free_port()
    ports = Ports([taken, other], tmp_path / "locks")
    assert not unbound(taken)
    assert ports.draw() == other
    with pytest.raises(NoPort, match="every port"):
        ports.draw()


def test_taken_by_udp(tmp_path: Path) -> None:
    """Nor is one of UDP, which RADIUS is served by."""
    taken, other = free_ports(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", taken))
        assert Ports([taken, other], tmp_path / "locks").draw() == other


def test_two_processes(tmp_path: Path) -> None:
    """What a living process drew no other draws; when it has ended, others may."""
    locks, offered = tmp_path / "locks", free_ports(4)
    ours = Ports(offered, locks)
    drawn = {ours.draw(), ours.draw()}
    first = _drawing(locks, offered)
    with first:
        theirs = set(_drawn_by(first))
        assert theirs == set(offered) - drawn
        with _drawing(locks, offered) as second:
            assert _drawn_by(second) == []
            second.communicate()
        first.communicate()
    with _drawing(locks, offered) as third:
        assert set(_drawn_by(third)) == theirs
        third.communicate()


def test_forked() -> None:
    """A forked child draws no port of its parent's."""
    run = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, check=True)
    ours, theirs = (set(line.split()) for line in run.stdout.splitlines())
    assert (len(ours), len(theirs)) == (200, 200)
    assert not ours & theirs


def test_range_that_the_kernel_tells(tmp_path: Path) -> None:
    """The range is the kernel's; where it tells none, that of RFC 6335."""
    told = tmp_path / "range"
    assert ephemeral_range(told) == IANA_EPHEMERAL
    told.write_text("10000\t65000\n")
    assert ephemeral_range(told) == (10_000, 65_000)


@pytest.mark.parametrize(
    ("ephemeral", "first", "number"),
    [
        ((32_768, 60_999), LOWEST, 27_304),
        ((10_000, 60_000), 60_001, 5_535),
        ((1_024, 65_535), LOWEST, 55_536),
    ],
    ids=["below and above", "above", "no room"],
)
def test_candidates(ephemeral: tuple[int, int], first: int, number: int) -> None:
    """They are all that the kernel leaves; if it leaves nearly none, all there are."""
    found = candidates(ephemeral)
    assert (found[0], len(found)) == (first, number)


@pytest.mark.parametrize(
    "log",
    [
        "Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in use",
        "Error: Address already in use",
        "Failed to start Ranch listener {acceptor,{127,0,0,1},5672} for reason eaddrinuse",
        "could not bind to distribution port 25672. It could be in use by another process",
        "Protocol 'inet_tcp': register/listen error: no_reg_reply_from_epmd",
    ],
    ids=["redis", "mosquitto", "rabbitmq", "distribution", "epmd"],
)
def test_complaints(log: str) -> None:
    """A server's complaint of a port in use is known as one, another is not."""
    assert says_taken(log)
    assert not says_taken("Can't open the append-only file: Permission denied")


def _drawing(locks: Path, offered: list[int]) -> subprocess.Popen[str]:
    """A process that draws all it can, and lives until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", _DRAW, str(locks), *map(str, offered)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _drawn_by(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    words = iter(process.stdout.readline, "none\n")
    return [int(word) for word in words]
