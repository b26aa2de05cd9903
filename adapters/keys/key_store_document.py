"""Which keys of key stores a realm signs with: a document of the configuration brokers share.

The files are each machine's own; this document holds the public halves, so that every broker has
them in the JWKS, and refuses to sign with a file that has another key than the one published with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from broker.errors import Conflict, Unavailable
from broker.model import ROOT_REALM

PREFIX = "key-stores/"
MIN_KEPT_SECONDS = 3600.0
CLOCKS_SECONDS = 300.0
"""How long a key that nothing names any more is kept: as long as its last token can live, at least
an hour, and five minutes for clocks that are behind."""

MAX_USES = 2000
"""Keys of key stores that a realm names, those on their way out included: aliases of Java count in
any letter case, so that one key has thousands of names."""

Place = tuple[str, str]
"""A location and an alias in it."""


def document_name(realm: str) -> str:
    return PREFIX + realm.removeprefix(ROOT_REALM)


def realm_of(name: str) -> str:
    return ROOT_REALM + name.removeprefix(PREFIX)


@dataclass(frozen=True, slots=True)
class StoredUse:
    """A key and where it was found. ``algorithms`` are those of ID tokens that it signs,
    ``lifetime_seconds`` that of the longest token it may sign, ``ends_at`` when it may go; None
    while it is named."""

    place: Place
    kid: str
    jwk: Mapping[str, str]
    algorithms: tuple[str, ...]
    lifetime_seconds: int
    ends_at: float | None = None

    def joined(self, other: StoredUse) -> StoredUse:
        return replace(
            self,
            algorithms=tuple(sorted({*self.algorithms, *other.algorithms})),
            lifetime_seconds=max(self.lifetime_seconds, other.lifetime_seconds),
            ends_at=None,
        )

    def ended(self, now: float) -> StoredUse:
        kept = max(float(self.lifetime_seconds), MIN_KEPT_SECONDS) + CLOCKS_SECONDS
        return self if self.ends_at is not None else replace(self, ends_at=now + kept)

    def shown(self) -> dict[str, str]:
        """As a JWK set shows it: with its algorithm, if it has but one (RFC 7517, section 4.4)."""
        alone = {"alg": self.algorithms[0]} if len(self.algorithms) == 1 else {}
        return {**self.jwk, "kid": self.kid, "use": "sig", **alone}


@dataclass(frozen=True, slots=True)
class KeyStoreUses:
    """Immutable; the last of one place is the one that signs."""

    uses: tuple[StoredUse, ...] = ()

    @classmethod
    def read(cls, raw: bytes | None) -> KeyStoreUses:
        """Raises Unavailable for a document that cannot be understood."""
        if raw is None:
            return cls()
        try:
            return cls(tuple(_use(row) for row in orjson.loads(raw)["uses"]))
        except (ValueError, KeyError, TypeError):
            raise Unavailable(
                "the store cannot be read", detail="the list of keys of key stores is broken"
            ) from None

    def written(self) -> bytes | None:
        rows = [
            {
                "location": use.place[0],
                "alias": use.place[1],
                "kid": use.kid,
                "jwk": dict(use.jwk),
                "algorithms": list(use.algorithms),
                "lifetime_seconds": use.lifetime_seconds,
                "ends_at": use.ends_at,
            }
            for use in self.uses
        ]
        return orjson.dumps({"uses": rows}) if rows else None

    def current(self, place: Place) -> StoredUse | None:
        return next((use for use in reversed(self.uses) if use.place == place), None)

    def with_use(self, wanted: StoredUse, now: float) -> KeyStoreUses:
        """``wanted`` signs from now on; another key of the same place is on its way out.

        Raises Conflict if the realm names too many.
        """
        changed = self._with_use(wanted, now)
        if len(changed.uses) > max(MAX_USES, len(self.uses)):
            raise Conflict(
                f"this realm names {MAX_USES} keys of key stores already, which is the most; "
                "those that no instance names any more go once their last tokens have ended"
            )
        return changed

    def _with_use(self, wanted: StoredUse, now: float) -> KeyStoreUses:
        current = self.current(wanted.place)
        if current is not None and current.kid == wanted.kid:
            joined = current.joined(wanted)
            return KeyStoreUses(tuple(joined if use is current else use for use in self.uses))
        known = next((u for u in self.uses if (u.place, u.kid) == (wanted.place, wanted.kid)), None)
        others = tuple(
            use.ended(now) if use.place == wanted.place else use
            for use in self.uses
            if use is not known
        )
        return KeyStoreUses((*others, wanted.joined(known) if known else wanted))

    def tidied(self, named: Iterable[Place], now: float) -> KeyStoreUses:
        """Without what has ended; what no instance names ends, what one names again does not."""
        places = frozenset(named)
        kept = []
        for use in self.uses:
            current = self.current(use.place) is use and use.place in places
            changed = replace(use, ends_at=None) if current else use.ended(now)
            if changed.ends_at is None or changed.ends_at > now:
                kept.append(changed)
        return KeyStoreUses(tuple(kept))


def _use(row: Mapping[str, Any]) -> StoredUse:
    return StoredUse(
        place=(str(row["location"]), str(row["alias"])),
        kid=str(row["kid"]),
        jwk={str(name): str(value) for name, value in row["jwk"].items()},
        algorithms=tuple(map(str, row["algorithms"])),
        lifetime_seconds=int(row["lifetime_seconds"]),
        ends_at=None if row["ends_at"] is None else float(row["ends_at"]),
    )
