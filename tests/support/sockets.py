"""What the kernel knows of a server's connections (proc(5)): whose they are, what is unread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ESTABLISHED = "01"


@dataclass(frozen=True)
class Accepted:
    """The server's end of a connection. ``unread`` is in bytes."""

    inode: str
    unread: int


def accepted(port: int) -> dict[int, Accepted]:
    """The connections to a port of 127.0.0.1, by the port at the client's end."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, _, _, _, _, inode, *_ = line.split()
        if state == ESTABLISHED and _port(local) == port:
            found[_port(remote)] = Accepted(inode, int(queues.split(":")[1], 16))
    return found


def owner(connection: Accepted, pids: Iterable[int]) -> int | None:
    """Which of the processes has the connection open."""
    name = f"socket:[{connection.inode}]"
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(descriptor.readlink()) == name:
                    return pid
            except FileNotFoundError:
                continue  # closed since it was listed
    return None


def _port(address: str) -> int:
    return int(address.split(":")[1], 16)
