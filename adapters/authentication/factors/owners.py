"""Whose a second factor is."""

from __future__ import annotations

from dataclasses import dataclass

from broker.authentication import Identity


@dataclass(frozen=True, slots=True)
class Owner:
    """An account of a realm, as records name it: a local user's name, or
    ``broker.authentication.account`` of whom a module knows."""

    realm: str
    account: str

    @classmethod
    def of(cls, realm: str, known: Identity) -> Owner:
        return cls(realm, known.name if known.foreign is None else known.foreign)
