"""Rings of keys on a store in memory, with a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from adapters.keys import certificates
from adapters.keys.private_keys import PrivateKey, algorithm_of
from adapters.keys.ring import PROPAGATION_SECONDS, KeyRing
from adapters.keys.ring_document import CLOCK_SKEW_SECONDS, LONGEST_LIFETIME_FLOOR
from adapters.keys.spare import kid_of
from adapters.stores.memory import open_memory
from broker.errors import Unavailable
from broker.instance import SigningKey
from broker.model import Announcement
from broker.ports import ConfigurationStore
from tests.support.door import FrozenClock

T = TypeVar("T")

RS256, ES256 = SigningKey("RS256"), SigningKey("ES256")
MAX_AGE = 300
MARGIN = MAX_AGE + PROPAGATION_SECONDS
"""How long a new key is published before it signs."""
TAIL = LONGEST_LIFETIME_FLOOR + CLOCK_SKEW_SECONDS
"""How long a superseded key stays published."""


async def a_ring(
    clock: FrozenClock, configuration: ConfigurationStore | None = None, **options: Any
) -> KeyRing:
    """A ring of the root realm, unless ``realms`` are given."""
    realms = options.pop("realms", ("/",))
    store = configuration or open_memory().configuration
    return await KeyRing.open(store, clock, realms, jwks_max_age=MAX_AGE, **options)


def states(ring: KeyRing, algorithm: str = "ES256", realm: str = "/") -> dict[str, str]:
    """State by kid."""
    return {key.kid: key.state for key in ring.list(realm) if key.algorithm == algorithm}


def published(ring: KeyRing, realm: str = "/") -> set[str]:
    """The kids of the signing keys in the JWKS."""
    return {key["kid"] for key in ring.jwks(realm)["keys"] if key["use"] == "sig"}


def signs(ring: KeyRing, key: SigningKey = ES256, realm: str = "/") -> str:
    """The kid that signs now."""
    return str(ring.key_id(realm, key))


class FailingStore:
    """A ConfigurationStore that can be cut off at any call, as a kill or an outage has it.

    ``calls`` counts. A swap takes ``swap_seconds`` of the clock, if there is one.
    """

    def __init__(self, store: ConfigurationStore, clock: FrozenClock | None = None) -> None:
        self._store = store
        self._clock = clock
        self._ends_at: int | None = None
        self._applied = False
        self.calls = 0
        self.swap_seconds = 0.0

    def end_at(self, call: int, *, applied: bool = False) -> None:
        """That call of those to come fails, though it may have been ``applied``; so do all later
        ones."""
        self.calls, self._ends_at, self._applied = 0, call, applied

    def mend(self) -> None:
        self.calls, self._ends_at = 0, None

    async def generation(self) -> int:
        return await self._done(self._store.generation())

    async def get(self, name: str) -> bytes | None:
        return await self._done(self._store.get(name))

    async def swap(
        self,
        name: str,
        expected: bytes | None,
        value: bytes | None,
        announcement: Announcement | None = None,
    ) -> bool:
        if self._clock is not None:
            self._clock.advance(self.swap_seconds)
        return await self._done(self._store.swap(name, expected, value, announcement))

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        return await self._done(self._store.list(prefix))

    async def _done(self, work: Coroutine[Any, Any, T]) -> T:
        number = self.calls
        self.calls += 1
        if self._ends_at is None or number < self._ends_at:
            return await work
        if number == self._ends_at and self._applied:
            await work
        work.close()
        raise Unavailable("the store cannot be reached")


# -- the folder that an earlier version kept -----------------------------------------------------


def write_folder(
    folder: Path,
    keys: Sequence[tuple[PrivateKey, str, int]],
    *,
    realm: str = "/",
    passphrase: str | None = None,
) -> list[str]:
    """Keys with their states and times of creation, in files. Returns their kids."""
    path = folder / ("root" if realm == "/" else quote(realm, safe=""))
    path.mkdir(mode=0o700, parents=True)
    protection: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        protection = BestAvailableEncryption(passphrase.encode())
    rows: list[Mapping[str, object]] = []
    for key, state, created in keys:
        kid = kid_of(key)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
        (path / f"{kid}.pem").write_bytes(pem)
        (path / f"{kid}.crt").write_bytes(certificates.self_signed(key, realm, created))
        algorithm = algorithm_of(key)
        rows.append({"kid": kid, "algorithm": algorithm, "state": state, "created": created})
    (path / "ring.json").write_text(json.dumps({"keys": rows}))
    return [str(row["kid"]) for row in rows]
