"""How people are named in the audit and in log lines: in full, truncated, or by a keyed hash."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, MutableMapping
from typing import Any, Literal

from adapters import pseudonyms
from broker import trust
from broker.model import ROOT_REALM

Shown = Literal["full", "truncated", "hashed"]

PRINCIPALS = ("principal", "login", "user", "username")
ADDRESSES = ("address", "peer")
"""The members of audit and log lines that name somebody, and that say where somebody is."""

LETTERS = 2
"""What is left of a truncated name; one letter of a name of three and less."""

HIDDEN = "…"

NETWORKS = {4: 24, 6: 48}
"""What is left of a truncated address, in bits by version: what a household shares with others."""


class Display:
    """``key`` is the deployment's, so that all brokers of a store write the same hash, and for
    principals the one that events write; empty while it is not known yet, and then nothing is left
    of what is to be hashed."""

    def __init__(
        self, principals: Shown = "full", addresses: Shown = "full", key: bytes = b""
    ) -> None:
        self._principals = principals
        self._addresses = addresses
        self._key = key

    @property
    def full(self) -> bool:
        """Whether everything is shown as it is."""
        return self._principals == self._addresses == "full"

    def hide(self, members: MutableMapping[str, Any]) -> None:
        """Put the members of a line into the form they may be shown in."""
        if self._principals != "full":
            realm = members.get("realm")
            for name, value in _texts(members, PRINCIPALS):
                members[name] = self.principal(realm if isinstance(realm, str) else None, value)
        if self._addresses != "full":
            for name, value in _texts(members, ADDRESSES):
                members[name] = self.address(value)

    def principal(self, realm: str | None, name: str) -> str:
        """A name; of a foreign one the issuer stays as it is where it is truncated."""
        if self._principals == "full":
            return name
        if self._principals == "hashed":
            key = self._key
            return pseudonyms.principal(key, realm or ROOT_REALM, name) if key else HIDDEN
        parts = trust.account_parts(name)
        if parts is None:
            return _truncated(name)
        return trust.account(parts[0], _truncated(parts[1]))

    def address(self, text: str) -> str:
        """An address, or the network it is in."""
        if self._addresses == "full":
            return text
        if self._addresses == "hashed":
            return pseudonyms.keyed(self._key, "address", text) if self._key else HIDDEN
        try:
            found = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return _truncated(text)
        return str(ipaddress.ip_network((found, NETWORKS[found.version]), strict=False))


def _texts(members: MutableMapping[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    found = ((name, members.get(name)) for name in names)
    return [(name, value) for name, value in found if isinstance(value, str)]


def _truncated(name: str) -> str:
    kept = LETTERS if len(name) > LETTERS + 1 else 1
    return name[:kept] + HIDDEN
