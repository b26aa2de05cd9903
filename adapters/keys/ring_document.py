"""One realm's signing keys as one document, and what each key is at a given moment.

The state of a key is a function of time, so that no step of a rotation has to be made at the right
moment: whoever reads the document knows when the next key takes over, and a broker that dies in
the middle of anything leaves nothing to be mended.

===========  ======================================================================================
``next``     published, and does not sign yet: a standby key, or one whose time is set
``active``   of those of its algorithm that have begun to sign, the last
``retired``  superseded; published until every token it can have signed has ended
``revoked``  compromised: not published, its private half destroyed, its tokens not believed
===========  ======================================================================================

Times are seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from broker.errors import Unavailable

CLOCK_SKEW_SECONDS = 300
"""How long a key outlives its last token, for verifiers whose clocks are behind."""

LONGEST_LIFETIME_FLOOR = 3600
"""The token lifetime in seconds that every ring allows for, whatever is published."""

NEXT, ACTIVE, RETIRED, REVOKED = "next", "active", "retired", "revoked"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key in the document.

    ``signs_from`` is None for a standby key. ``private_key`` is PKCS #8 in DER (RFC 5958) and empty
    once the key is revoked, ``certificate`` is DER. ``named`` says that an instance names this very
    key, which is then kept; ``keep_until`` covers its tokens after that.
    """

    kid: str
    algorithm: str
    created: float
    published_at: float
    signs_from: float | None
    private_key: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    named: bool = False
    keep_until: float | None = None
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class RingDocument:
    """The keys of one realm. Of two that sign from the same moment, the later in ``keys`` counts.

    ``longest_lifetime`` is in seconds, and covers every token that these keys may sign.
    ``files_imported`` says that the realm's folder of an earlier version has been read.
    """

    keys: tuple[StoredKey, ...] = ()
    longest_lifetime: int = LONGEST_LIFETIME_FLOOR
    files_imported: bool = False

    # -- what is so at a moment --------------------------------------------------------------

    def key(self, kid: str) -> StoredKey | None:
        return next((key for key in self.keys if key.kid == kid), None)

    def signing_order(self, algorithm: str) -> list[StoredKey]:
        """The keys of an algorithm that sign at some time, in the order in which they take over."""
        begun = [k for k in self.keys if k.algorithm == algorithm and k.signs_from is not None]
        return sorted(begun, key=lambda key: key.signs_from or 0.0)

    def algorithms(self) -> list[str]:
        """What the keys sign with, each algorithm once, in the order in which they came."""
        return list(dict.fromkeys(key.algorithm for key in self.keys))

    def active(self, algorithm: str, at: float) -> StoredKey | None:
        """The key that signs; None if the realm has none of that algorithm.

        By the clock of a broker that is behind, a realm's first key has yet to begin: it signs.
        """
        order = [key for key in self.signing_order(algorithm) if key.revoked_at is None]
        begun = [key for key in order if (key.signs_from or 0.0) <= at]
        return begun[-1] if begun else next(iter(order), None)

    def state(self, key: StoredKey, at: float) -> str:
        if key.revoked_at is not None:
            return REVOKED
        if self.active(key.algorithm, at) == key:
            return ACTIVE
        return NEXT if key.signs_from is None or key.signs_from > at else RETIRED

    def ends_at(self, key: StoredKey) -> float | None:
        """When the last token that ``key`` can have signed has ended; None while it may sign on.

        From then on the key need not be published. It does not depend on the present moment.
        """
        last_token = self.longest_lifetime + CLOCK_SKEW_SECONDS
        if key.revoked_at is not None:
            return key.revoked_at + last_token
        successor = self._successor(key)
        if key.named or successor is None or successor.signs_from is None:
            return None
        return max(successor.signs_from + last_token, key.keep_until or 0.0)

    def ended(self, key: StoredKey, at: float) -> bool:
        ends_at = self.ends_at(key)
        return ends_at is not None and ends_at <= at

    def published(self, at: float) -> Iterator[StoredKey]:
        """The keys that belong into the JWKS."""
        return (k for k in self.keys if k.revoked_at is None and not self.ended(k, at))

    def scheduled(self, algorithm: str, at: float) -> StoredKey | None:
        """The key that takes over next, if its time is set."""
        return next((key for key in self._next(algorithm, at) if key.signs_from is not None), None)

    def standby(self, algorithm: str) -> StoredKey | None:
        """Of the keys whose time is not set, the one that was published first."""
        idle = [
            key
            for key in self.keys
            if key.algorithm == algorithm and key.signs_from is None and key.revoked_at is None
        ]
        return min(idle, key=lambda key: key.published_at, default=None)

    def _next(self, algorithm: str, at: float) -> Iterator[StoredKey]:
        return (
            key for key in self.keys if key.algorithm == algorithm and self.state(key, at) == NEXT
        )

    def stand_in(self, algorithm: str, at: float, margin: float) -> StoredKey | None:
        """What may sign at once in the place of the active key: the newest that has been published
        for ``margin`` seconds, else the newest that is."""
        return max(
            self._next(algorithm, at),
            key=lambda key: (key.published_at + margin <= at, key.published_at),
            default=None,
        )

    def _successor(self, key: StoredKey) -> StoredKey | None:
        order = self.signing_order(key.algorithm)
        if key not in order:
            return None
        return next(iter(order[order.index(key) + 1 :]), None)

    # -- as bytes ----------------------------------------------------------------------------

    def written(self) -> bytes:
        return orjson.dumps(
            {
                "longest_lifetime": self.longest_lifetime,
                "files_imported": self.files_imported,
                "keys": [_row(key) for key in self.keys],
            }
        )

    @classmethod
    def read(cls, value: bytes | None) -> RingDocument:
        """The document, an empty one where there is none. Raises Unavailable if it is broken."""
        if value is None:
            return cls()
        try:
            body = orjson.loads(value)
            return cls(
                keys=tuple(_key(row) for row in body["keys"]),
                longest_lifetime=max(LONGEST_LIFETIME_FLOOR, int(body["longest_lifetime"])),
                files_imported=bool(body["files_imported"]),
            )
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise Unavailable(
                "the store cannot be read", detail="a document of signing keys is broken"
            ) from None

    # -- changed -----------------------------------------------------------------------------

    def with_key(self, key: StoredKey) -> RingDocument:
        """``key`` in the place of the one with its ``kid``; else as the last."""
        if self.key(key.kid) is None:
            return replace(self, keys=(*self.keys, key))
        return replace(self, keys=tuple(key if k.kid == key.kid else k for k in self.keys))

    def signing_from(self, key: StoredKey, moment: float) -> RingDocument:
        """``key`` takes over at ``moment``, and counts as the last of those that do."""
        others = tuple(k for k in self.keys if k.kid != key.kid)
        return replace(self, keys=(*others, replace(key, signs_from=moment)))


def _row(key: StoredKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "created": key.created,
        "published_at": key.published_at,
        "signs_from": key.signs_from,
        "private_key": base64.b64encode(key.private_key).decode(),
        "certificate": base64.b64encode(key.certificate).decode(),
        "named": key.named,
        "keep_until": key.keep_until,
        "revoked_at": key.revoked_at,
    }


def _key(row: dict[str, Any]) -> StoredKey:
    """Raises KeyError, TypeError, ValueError."""
    return StoredKey(
        kid=str(row["kid"]),
        algorithm=str(row["algorithm"]),
        created=float(row["created"]),
        published_at=float(row["published_at"]),
        signs_from=_moment(row["signs_from"]),
        private_key=base64.b64decode(row["private_key"]),
        certificate=base64.b64decode(row["certificate"]),
        named=bool(row["named"]),
        keep_until=_moment(row["keep_until"]),
        revoked_at=_moment(row["revoked_at"]),
    )


def _moment(value: Any) -> float | None:
    return None if value is None else float(value)
