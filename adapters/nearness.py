"""Addresses of this machine and of its link: those whom others must not have the broker ask.

What listens there often asks nobody for a name. So keys and revocations are fetched from such a
place only where a file or the root realm names it; what an issuer or a certificate says leads
there as little as a host whose name is resolved to it.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

FULL_STOP = "\u3002"  # an ideographic one, which resolvers take for a dot

NEARBY = "an address of this machine is named in files, or in the root realm"


def is_near(host: str) -> bool:
    """Whether a host, as a URL writes it, says itself that it is this machine or on its link."""
    name = unicodedata.normalize("NFKC", host).replace(FULL_STOP, ".").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_link_local or address.is_unspecified


def leads_near(url: str) -> bool:
    """Whether the URL names such a host; one that cannot be read names none."""
    try:
        return is_near(urlsplit(url).hostname or "")
    except ValueError:
        return False


class LeadsHere(OSError):
    """A name that is resolved to this machine and does not say so."""


def why(error: Exception) -> str:
    """What kept us from asking, in words for the log that hold nothing of the other side's."""
    if isinstance(getattr(error, "os_error", None), LeadsHere):
        return "its name leads to this machine: write localhost or the address"
    return f"it cannot be reached ({type(error).__name__})"


class Resolver(AbstractResolver):
    """Names as the system resolves them, but for those of other hosts that lead here."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError, LeadsHere among them."""
        found = await self._system.resolve(host, port, family)
        if not is_near(host) and any(is_near(each["host"]) for each in found):
            raise LeadsHere
        return found

    async def close(self) -> None:
        await self._system.close()
