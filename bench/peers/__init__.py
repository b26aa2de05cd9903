"""Servers of others, to be measured beside ours: one file each.

A peer is installed from its registry, started on loopback, asked the like request, and stopped.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from bench.target import Loaded


class PeerFailed(Exception):
    """The peer could not be installed, started or set up; the sentence says at which step."""


class Peer(Protocol):
    """A server that is not ours."""

    @property
    def name(self) -> str:
        """As its makers write it."""

    @property
    def version(self) -> str:
        """The version that :meth:`install` gets."""

    def missing(self) -> str | None:
        """The sentence that names the toolchain that is not here; None if all is."""

    def install(self, cache: Path) -> None:
        """Fetch and build it below ``cache``; at once if that was done. Raises PeerFailed."""

    def running(self, cache: Path, folder: Path) -> AbstractContextManager[dict[str, Loaded]]:
        """Started, set up and answering; gone at the end, with all its processes.

        ``folder`` takes what it writes. What it can be asked for comes by the name of the request:
        those of bench.peers.REQUESTS that it has. Raises PeerFailed.
        """


REQUESTS: dict[str, str] = {
    "jwt-to-rs256": "JWT RS256 in, verified; JWT RS256 out",
    "jwt-to-es256": "JWT RS256 in, verified; JWT ES256 out",
    "session-to-rs256": "session in, ID token RS256 out",
    "session-to-saml2": "session in, signed assertion (RSA-SHA256) out",
    "password-to-rs256": "user name and password in, JWT RS256 out",
    "password-to-saml2": "user name and password in, signed assertion (RSA-SHA256) out",
    "client-to-rs256": "client credentials in, JWT RS256 out",
    "client-to-es256": "client credentials in, JWT ES256 out",
}
"""Requests that several servers can be asked alike."""
