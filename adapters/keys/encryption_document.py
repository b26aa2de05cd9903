"""One realm's encryption keys as one document: those that requests are encrypted to.

They stand apart from the signing keys, in documents of their own, so that neither is ever used in
the place of the other, and brokers of an earlier version never see them.

The newest key of an algorithm is published. A superseded one is not, and still decrypts for
``keep_seconds``: a sender may hold an older JWKS, and a request may wait in a queue. Times are
seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from broker.errors import Unavailable


@dataclass(frozen=True, slots=True)
class StoredEncryptionKey:
    """A key in the document; ``private_key`` is PKCS #8 in DER (RFC 5958)."""

    kid: str
    algorithm: str
    created: float
    private_key: bytes = field(repr=False)
    superseded_at: float | None = None

    def ended(self, now: float, keep_seconds: float) -> bool:
        """Whether nothing is decrypted with it any more."""
        return self.superseded_at is not None and self.superseded_at + keep_seconds <= now


@dataclass(frozen=True, slots=True)
class EncryptionDocument:
    """The encryption keys of one realm, oldest first."""

    keys: tuple[StoredEncryptionKey, ...] = ()

    def current(self, algorithm: str) -> StoredEncryptionKey | None:
        """The key that requests are to be encrypted to."""
        return next(
            (k for k in self.keys if k.algorithm == algorithm and k.superseded_at is None), None
        )

    def with_key(self, key: StoredEncryptionKey) -> EncryptionDocument:
        """``key`` takes over in its algorithm from the moment it was made."""
        older = tuple(
            replace(k, superseded_at=key.created)
            if k.algorithm == key.algorithm and k.superseded_at is None
            else k
            for k in self.keys
        )
        return EncryptionDocument((*older, key))

    def without(self, kid: str) -> EncryptionDocument:
        return EncryptionDocument(tuple(key for key in self.keys if key.kid != kid))

    def without_ended(self, now: float, keep_seconds: float) -> EncryptionDocument:
        return EncryptionDocument(tuple(k for k in self.keys if not k.ended(now, keep_seconds)))

    def written(self) -> bytes:
        return orjson.dumps({"keys": [_row(key) for key in self.keys]})

    @classmethod
    def read(cls, value: bytes | None) -> EncryptionDocument:
        """The document, an empty one where there is none. Raises Unavailable if it is broken."""
        if value is None:
            return cls()
        try:
            return cls(tuple(_key(row) for row in orjson.loads(value)["keys"]))
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise Unavailable(
                "the store cannot be read", detail="a document of encryption keys is broken"
            ) from None


def _row(key: StoredEncryptionKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "created": key.created,
        "private_key": base64.b64encode(key.private_key).decode(),
        "superseded_at": key.superseded_at,
    }


def _key(row: dict[str, Any]) -> StoredEncryptionKey:
    """Raises KeyError, TypeError, ValueError."""
    superseded = row["superseded_at"]
    return StoredEncryptionKey(
        kid=str(row["kid"]),
        algorithm=str(row["algorithm"]),
        created=float(row["created"]),
        private_key=base64.b64decode(row["private_key"]),
        superseded_at=None if superseded is None else float(superseded),
    )
