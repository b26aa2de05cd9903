"""New keys for a ring: made on a thread, since finding an RSA key takes tenths of a second."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from adapters.keys import certificates, private_keys
from adapters.keys.jwks import public_members, thumbprint
from adapters.keys.private_keys import ALGORITHMS, PrivateKey, algorithm_of
from adapters.keys.ring_document import StoredKey
from broker.errors import InvalidRequest
from broker.ports import Clock


class SpareKey:
    """A key that is made when it is first needed, and the same one ever after."""

    def __init__(self, realm: str, algorithm: str, clock: Clock) -> None:
        """Raises InvalidRequest for an algorithm that keys are not made for."""
        if algorithm not in ALGORITHMS:
            raise InvalidRequest(f"keys are made for one of {', '.join(ALGORITHMS)}")
        self._realm = realm
        self._algorithm = algorithm
        self._clock = clock
        self._made: StoredKey | None = None

    async def key(self) -> StoredKey:
        """The key, as one that is published now."""
        if self._made is None:
            self._made = await asyncio.to_thread(self._make)
        return replace(self._made, published_at=self._clock.now())

    def _make(self) -> StoredKey:
        key = private_keys.generated(self._algorithm)
        return stored(key, self._realm, self._clock.now(), algorithm=self._algorithm)


def stored(
    key: PrivateKey,
    realm: str,
    now: float,
    certificate_pem: bytes | None = None,
    algorithm: str | None = None,
) -> StoredKey:
    """``key`` as a standby key, with that certificate or one of its own, for that algorithm or
    its usual one."""
    certificate = certificate_pem or certificates.self_signed(key, realm, now)
    return StoredKey(
        kid=kid_of(key),
        algorithm=algorithm or algorithm_of(key),
        created=now,
        published_at=now,
        signs_from=None,
        private_key=private_keys.written(key),
        certificate=certificates.der(certificate),
    )


def kid_of(key: PrivateKey) -> str:
    """RFC 7638."""
    return thumbprint(public_members(key.public_key()))
