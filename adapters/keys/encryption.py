"""The keys that requests are encrypted to, of every realm, in the store that brokers share.

Each realm has one for ECDH-ES (P-256) and one for RSA-OAEP-256, published in its JWKS with
``"use": "enc"``. They never sign, and no signing key ever decrypts: the two kinds stand in
different documents and are reached by different calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from adapters.keys import private_keys
from adapters.keys.encryption_document import EncryptionDocument, StoredEncryptionKey
from adapters.keys.jwks import encryption_jwk
from adapters.keys.private_keys import ENCRYPTION_ALGORITHMS, PrivateKey
from adapters.keys.spare import kid_of
from broker.errors import RemintError, Unavailable
from broker.model import ROOT_REALM
from broker.ports import Clock, ConfigurationStore

PREFIX = "encryption/"
MAX_ATTEMPTS = 100
"""How often a change is tried anew because another broker was faster."""

QUEUED_SECONDS = 24 * 3600
"""How long a request may wait in a queue and still be decrypted with a superseded key, beyond the
age of the JWKS that its sender had."""

Step = Callable[[EncryptionDocument], Awaitable[EncryptionDocument]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A key that decrypts with its one algorithm."""

    kid: str
    algorithm: str
    private_key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Realm:
    """A realm's document as it is stored, and its keys, parsed once."""

    raw: bytes | None
    document: EncryptionDocument
    keys: Mapping[str, EncryptionKey]


class EncryptionKeys:
    """The encryption keys of all realms. Looking one up asks the store only if it is unknown."""

    def __init__(
        self, configuration: ConfigurationStore, clock: Clock, *, jwks_max_age: int
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        self._keep_seconds = float(jwks_max_age + QUEUED_SECONDS)
        self._generation: int | None = None
        self._looking = asyncio.Lock()
        self._realms: dict[str, _Realm] = {}

    # -- looking up --------------------------------------------------------------------------

    async def find(self, kid: str) -> EncryptionKey | None:
        """The key of that name, whichever realm has it. Raises Unavailable.

        A sender may know a key before this broker does: it is looked for once more in the store.
        """
        found = self._known(kid)
        if found is None:
            await self.refresh(await self._configuration.generation())
            found = self._known(kid)
        return found

    def jwks(self, realm: str) -> list[dict[str, str]]:
        """The public keys that requests are to be encrypted to (RFC 7517)."""
        known = self._realms.get(realm)
        if known is None:
            return []
        return [
            encryption_jwk(known.keys[key.kid].private_key.public_key(), key.algorithm)
            for key in known.document.keys
            if key.superseded_at is None
        ]

    def _known(self, kid: str) -> EncryptionKey | None:
        now = self._clock.now()
        for realm in self._realms.values():
            stored = next((key for key in realm.document.keys if key.kid == kid), None)
            if stored is not None and not stored.ended(now, self._keep_seconds):
                return realm.keys[kid]
        return None

    # -- keeping up --------------------------------------------------------------------------

    async def refresh(self, generation: int | None) -> None:
        """See what other brokers changed, if the store's generation is another than the one known
        here. Raises Unavailable; then the known keys serve on."""
        async with self._looking:  # many requests wait for one look
            if generation == self._generation:
                return
            documents = await self._configuration.list(PREFIX)
            self._realms = {
                realm: known
                for name, raw in documents.items()
                if (known := self._readable(realm := ROOT_REALM + name.removeprefix(PREFIX), raw))
            }
            self._generation = generation

    async def ensure(self, realm: str) -> None:
        """A key of each algorithm for a realm that lacks one, however many brokers ask at once."""
        made: dict[str, StoredEncryptionKey] = {}

        async def step(document: EncryptionDocument) -> EncryptionDocument:
            for algorithm in ENCRYPTION_ALGORITHMS:
                if document.current(algorithm) is None:
                    if algorithm not in made:
                        made[algorithm] = await asyncio.to_thread(self._made, algorithm)
                    document = document.with_key(made[algorithm])
            return document

        await self._changed(realm, step)

    async def rotate(self, realm: str, algorithm: str, older_than: float = 0.0) -> None:
        """A new key takes over, unless the present one is not ``older_than`` seconds old.

        The old one decrypts on for the age of a JWKS and ``QUEUED_SECONDS``. Raises Unavailable.
        """
        made: list[StoredEncryptionKey] = []

        async def step(document: EncryptionDocument) -> EncryptionDocument:
            current = document.current(algorithm)
            if current is None or self._clock.now() - current.created < older_than:
                return document  # a realm that is gone stays gone
            if not made:
                made.append(await asyncio.to_thread(self._made, algorithm))
            return document.with_key(made[0])

        await self._changed(realm, step)

    async def tend(self, rotate_every: float) -> None:
        """Drop what has ended; replace what has served for ``rotate_every`` seconds (0: never).

        What fails is logged, and done the next time.
        """
        try:
            await self._tended(rotate_every)
        except RemintError as error:
            _log.warning("could not look after the encryption keys", reason=error.sentence)

    async def _tended(self, rotate_every: float) -> None:
        for realm, known in list(self._realms.items()):
            await self._drop_ended(realm, known.document)
            for algorithm in ENCRYPTION_ALGORITHMS if rotate_every else ():
                current = known.document.current(algorithm)
                if current is not None and self._clock.now() - current.created >= rotate_every:
                    await self.rotate(realm, algorithm, rotate_every)

    async def forget(self, realm: str) -> None:
        """Destroy the keys of a realm that is gone: what is encrypted to them is lost."""
        name = _document_name(realm)
        while (raw := await self._configuration.get(name)) is not None:
            if await self._configuration.swap(name, raw, None):
                break
        self._realms.pop(realm, None)

    async def _drop_ended(self, realm: str, document: EncryptionDocument) -> None:
        async def step(document: EncryptionDocument) -> EncryptionDocument:
            return document.without_ended(self._clock.now(), self._keep_seconds)

        if await step(document) != document:
            await self._changed(realm, step)

    async def _changed(self, realm: str, step: Step) -> None:
        name = _document_name(realm)
        for _ in range(MAX_ATTEMPTS):
            raw = await self._configuration.get(name)
            document = EncryptionDocument.read(raw)
            wanted = await step(document)
            value = raw if wanted == document else wanted.written()
            if value == raw or await self._configuration.swap(name, raw, value):
                self._realms[realm] = self._parsed(realm, value)
                return
        raise Unavailable("other brokers are changing the keys; ask again shortly")

    def _made(self, algorithm: str) -> StoredEncryptionKey:
        """Takes tenths of a second for RSA."""
        key = private_keys.generated(algorithm)
        return StoredEncryptionKey(
            kid=kid_of(key),
            algorithm=algorithm,
            created=self._clock.now(),
            private_key=private_keys.written(key),
        )

    def _readable(self, realm: str, raw: bytes) -> _Realm | None:
        """A document that cannot be read never takes the place of a good one."""
        try:
            return self._parsed(realm, raw)
        except Unavailable as error:
            _log.error("cannot read the encryption keys", realm=realm, reason=error.detail)
            return self._realms.get(realm)

    def _parsed(self, realm: str, raw: bytes | None) -> _Realm:
        known = self._realms.get(realm)
        if known is not None and known.raw == raw:
            return known
        document = EncryptionDocument.read(raw)
        already = known.keys if known is not None else {}
        keys = {key.kid: already.get(key.kid) or _opened(key) for key in document.keys}
        return _Realm(raw, document, keys)


def _document_name(realm: str) -> str:
    return PREFIX + realm.removeprefix(ROOT_REALM)


def _opened(key: StoredEncryptionKey) -> EncryptionKey:
    try:
        private = private_keys.read(key.private_key)
    except ValueError:
        raise Unavailable(
            "the store cannot be read", detail=f"the encryption key {key.kid} is broken"
        ) from None
    return EncryptionKey(key.kid, key.algorithm, private)
