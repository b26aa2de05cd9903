"""Where a server is, and what its name is resolved to."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from adapters.nearness import is_near

PORT = 1812  # RFC 2865, section 3
RESOLVED_SECONDS = 60.0
"""How long a name's address is used before it is looked up again."""

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of a server, as the module's document names them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address | None:
    """Out of ``host``, ``host:port`` or ``[IPv6]:port``; None for anything else."""
    try:
        place = urlsplit(f"//{text}")
        port = PORT if place.port is None else place.port
    except ValueError:
        return None
    host = place.hostname or ""
    plain = not (place.path or place.query or place.fragment or "@" in place.netloc)
    usable = is_address(host) or _HOST.fullmatch(host) is not None
    return Address(host, port) if plain and usable and port > 0 else None


def is_address(host: str) -> bool:
    """Whether the host is an address, which needs no looking up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Addresses:
    """Looks names up, and keeps what was found for a while."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, str]] = {}

    async def of(self, host: str) -> str:
        """An address of the host. Raises OSError: also where another machine's name leads here."""
        if is_address(host):
            return host
        loop = asyncio.get_running_loop()
        until, found = self._found.get(host, (0.0, ""))
        if loop.time() >= until:
            try:
                told = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            except UnicodeError:
                raise OSError("its name is none that can be looked up") from None
            found = str(told[0][4][0])
            if is_near(found) and not is_near(host):
                raise OSError("its name leads to this machine: write localhost or the address")
            self._found[host] = (loop.time() + RESOLVED_SECONDS, found)
        return found
