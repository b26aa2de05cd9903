"""The signing keys of every realm, in the store that brokers share.

Each realm has one document (``ring_document``). What is asked for each request is answered from
memory; what changes a ring is a pure step (``ring_changes``), tried until no other broker is
faster (``ring_store``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from adapters.keys import certificates, ring_changes
from adapters.keys.encryption import EncryptionKeys
from adapters.keys.files import KeyFiles
from adapters.keys.key_stores import KeyStores
from adapters.keys.private_keys import ALGORITHMS, FIRST_ALGORITHMS, ring_algorithm
from adapters.keys.realm_keys import RealmKeys, RingKey
from adapters.keys.ring_changes import NO_NEEDS, KeyNeeds
from adapters.keys.ring_document import RingDocument, StoredKey
from adapters.keys.ring_store import RingStore, Step
from adapters.keys.rotation import NOT_YET, Rotation
from adapters.keys.signers import HmacSigner, Run, inline
from adapters.keys.spare import SpareKey
from broker.errors import Conflict, KeyUnavailable, NotFound, RemintError, Unavailable
from broker.instance import ACTIVE_KEY, HMAC_ALGORITHMS, SigningKey
from broker.model import normal_realm
from broker.policy import shown
from broker.ports import Clock, ConfigurationStore, EventSink, Signer

DEFAULT_JWKS_MAX_AGE = 300

PROPAGATION_SECONDS = 5
"""What a new key waits beyond the age of a JWKS: a second until every broker has heard of it, two
for a slow write, and two for clocks that differ."""

TEND_SECONDS = 60.0
"""How often ``tend`` is to be called."""

_log = structlog.get_logger(__name__)


async def _always() -> bool:
    return True


class KeyRing(Rotation):
    """The keys of every realm (port KeySource). Make it with :meth:`open`.

    Looking keys up asks neither store nor disk. ``encryption`` are the keys that requests are
    encrypted to; what is done to a realm's ring is done to them as well.
    """

    def __init__(
        self,
        configuration: ConfigurationStore,
        clock: Clock,
        *,
        jwks_max_age: int,
        rotate_every: int,
        events: EventSink | None,
        may_change: Callable[[], Awaitable[bool]],
        run: Run,
        keystore_dir: Path | None = None,
    ) -> None:
        margin = float(jwks_max_age + PROPAGATION_SECONDS)
        store = RingStore(configuration, run, margin, events)
        super().__init__(store, clock, margin, may_change)
        self._rotate_every = rotate_every
        self.encryption = EncryptionKeys(configuration, clock, jwks_max_age=jwks_max_age)
        self.stores = KeyStores(configuration, clock, keystore_dir, run)
        self._stores_generation: int | None = None

    @classmethod
    async def open(
        cls,
        configuration: ConfigurationStore,
        clock: Clock,
        realms: Iterable[str],
        *,
        jwks_max_age: int = DEFAULT_JWKS_MAX_AGE,
        rotate_every: int = 0,
        files: KeyFiles | None = None,
        events: EventSink | None = None,
        may_change: Callable[[], Awaitable[bool]] = _always,
        run: Run = inline,
        keystore_dir: Path | None = None,
    ) -> KeyRing:
        """The ring in the store, with a first set of keys for each of ``realms`` that has none.

        ``jwks_max_age`` is how long relying parties may keep a JWKS and ``rotate_every`` how long a
        key signs before ``tend`` has it replaced (0: until told), in seconds. ``files`` are keys of
        an earlier version, copied into the store once. Raises KeyRingError if those cannot be read,
        and Unavailable.
        """
        ring = cls(
            configuration,
            clock,
            jwks_max_age=jwks_max_age,
            rotate_every=rotate_every,
            events=events,
            may_change=may_change,
            run=run,
            keystore_dir=keystore_dir,
        )
        await ring.refresh()
        if files is not None:
            await ring._import(files)
        for realm in realms:
            await ring.ensure(realm)
        return ring

    # -- looking up --------------------------------------------------------------------------

    def key_id(self, realm: str, key: SigningKey) -> str | None:
        """The ``kid`` that ``key`` means now; None for a secret. Raises KeyUnavailable."""
        if key.algorithm in HMAC_ALGORITHMS:
            return None
        if key.store is not None:
            return self.stores.signer(realm, key).kid
        keys, now = self._required(realm, key.algorithm), self._clock.now()
        if key.alias == ACTIVE_KEY:
            return keys.active(key.algorithm, now)
        return keys.named(key.algorithm, key.alias, now)

    def signer(self, realm: str, key: SigningKey, key_id: str | None) -> Signer:
        """The signer of a claimed ``kid``, retired since or not. Raises KeyUnavailable."""
        if key.algorithm in HMAC_ALGORITHMS:
            if not key.secret:
                raise KeyUnavailable(f"this instance has no client secret for {key.algorithm}")
            return HmacSigner(key.secret, key.algorithm)
        if key.store is not None:
            return self.stores.signer(realm, key, key_id)
        keys = self._required(realm, key.algorithm)
        return keys.signer(key.algorithm, key_id or "", self._clock.now())

    def revoked(self, realm: str, key_id: str) -> bool:
        """True for a compromised key, until the last of its tokens would have ended."""
        keys = self._of(realm)
        return keys is not None and keys.revoked(key_id)

    def jwks(self, realm: str) -> dict[str, Any]:
        """The realm's public keys (RFC 7517, section 5): those that tokens may be signed with,
        and after them those that requests are encrypted to."""
        keys = self._of(realm)
        signing = keys.jwks(self._clock.now()) if keys is not None else []
        ours = {key["kid"] for key in signing}
        stored = [key for key in self.stores.jwks(normal_realm(realm)) if key["kid"] not in ours]
        return {"keys": [*signing, *stored, *self.encryption.jwks(normal_realm(realm))]}

    def knows(self, key_id: str) -> bool:
        """Whether a key of that name is in the ring of any realm, or in a key store of one."""
        return self._store.knows(key_id) or self.stores.knows(key_id)

    def list(self, realm: str) -> list[RingKey]:
        """The realm's keys, revoked ones too, oldest first."""
        keys = self._of(realm)
        return keys.all(self._clock.now()) if keys is not None else []

    def certificate(self, realm: str, kid: str) -> str:
        """PEM of a key's certificate, whatever its state. Raises NotFound."""
        keys = self._of(realm)
        certificate = keys.certificate(kid) if keys is not None else None
        if certificate is None:
            raise NotFound(f"there is no key {shown(kid)} in this realm")
        return certificates.pem(certificate)

    def _of(self, realm: str) -> RealmKeys | None:
        realms = self._store.realms
        # Nearly always it is spelt as it is kept.
        return realms.get(realm) or realms.get(normal_realm(realm))

    def _required(self, realm: str, algorithm: str) -> RealmKeys:
        keys = self._of(realm)
        if keys is None:
            raise KeyUnavailable(f"this realm has no active key for {algorithm}")
        return keys

    # -- keeping up --------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """See what other brokers changed; cheap if that is nothing.

        False if the store could not be asked: then the keys that are known are used on.
        """
        if not await self._store.refresh():
            return False
        try:
            await self.encryption.refresh(self._store.generation)
            if self._stores_generation != self._store.generation:
                generation = self._store.generation
                await self.stores.refresh()
                self._stores_generation = generation
        except Unavailable:
            return False
        return True

    async def ensure(self, realm: str) -> None:
        """A first set of keys for a realm that has none, however many brokers ask at once.

        The store is asked, not this broker's memory: the realm may have been deleted since.
        """
        realm = normal_realm(realm)
        await self._store.changed(realm, self._supplied(realm, FIRST_ALGORITHMS))
        await self.encryption.ensure(realm)

    def _supplied(self, realm: str, algorithms: Iterable[str]) -> Step:
        """A key of each algorithm that nothing signs with yet; it signs from the first moment."""
        spares = {algorithm: SpareKey(realm, algorithm, self._clock) for algorithm in algorithms}

        async def step(document: RingDocument) -> RingDocument:
            for algorithm in _lacking(document, spares):
                ring_changes.check_room(document)
                document = ring_changes.added(document, await spares[algorithm].key())
            return document

        return step

    async def forget(self, realm: str) -> None:
        """Destroy the keys of a realm that is gone."""
        await self.encryption.forget(normal_realm(realm))
        await self.stores.forget(normal_realm(realm))
        await self._store.forget(normal_realm(realm))

    async def cover_lifetime(
        self, realm: str, seconds: int, named: Iterable[str] = (), algorithms: Iterable[str] = ()
    ) -> None:
        """Allow for tokens of that lifetime, keep the keys that are ``named``, and have a key of
        each of ``algorithms``; those that no ring signs with are passed over.

        To be awaited before an instance is stored that issues such tokens or names such keys.
        Raises Conflict if the ring is full, or may not change while older brokers share it.
        """
        await self._supply(realm, {ring_algorithm(each) for each in algorithms} & {*ALGORITHMS})
        needs, known = KeyNeeds(seconds, frozenset(named)), self._of(realm)
        if known is not None and ring_changes.covered(known.document, needs) == known.document:
            return

        async def step(document: RingDocument) -> RingDocument:
            return ring_changes.covered(document, needs)

        await self._store.changed(normal_realm(realm), step)

    async def _supply(self, realm: str, algorithms: set[str]) -> None:
        known = self._of(realm)
        if known is not None and not _lacking(known.document, algorithms):
            return
        if not await self._may_change():
            raise Conflict(NOT_YET)
        realm = normal_realm(realm)
        await self._store.changed(realm, self._supplied(realm, sorted(algorithms)))

    async def tend(self, needs: Mapping[str, KeyNeeds] | None = None) -> None:
        """Every ``TEND_SECONDS``: drop what has ended, and rotate what has signed long enough.

        ``needs`` are those of all published instances by realm; None where they are not known.
        What fails is logged, and done the next time.
        """
        for realm in self._store.realms:
            try:
                # A broker of an earlier version would not understand what is done to the keys.
                may_change = await self._may_change()
                wanted = None if needs is None else needs.get(realm, NO_NEEDS)
                await self._tidy(realm, wanted, drop=may_change)
                if may_change and self._rotate_every:
                    await self._rotate_old_ones(realm)
            except RemintError as error:
                _log.warning("could not look after the keys", realm=realm, reason=error.sentence)
        await self.encryption.tend(float(self._rotate_every))
        if needs is not None:
            await self._tend_stores(needs)

    async def _tend_stores(self, needs: Mapping[str, KeyNeeds]) -> None:
        try:
            await self.stores.tend({realm: each.stored for realm, each in needs.items()})
        except RemintError as error:
            _log.warning("could not look after the key stores", reason=error.sentence)

    async def _tidy(self, realm: str, needs: KeyNeeds | None, *, drop: bool) -> None:
        def tidied(document: RingDocument) -> RingDocument:
            now = self._clock.now()
            if needs is not None:
                covered = ring_changes.covered(document, needs)
                document = ring_changes.released(covered, needs, now)
            return ring_changes.without_ended(document, now) if drop else document

        async def step(document: RingDocument) -> RingDocument:
            return tidied(document)

        known = self._of(realm)
        if known is not None and tidied(known.document) != known.document:
            await self._store.changed(realm, step)

    async def _rotate_old_ones(self, realm: str) -> None:
        ahead = self._margin + 2 * TEND_SECONDS
        known = self._of(realm)
        for algorithm in known.document.algorithms() if known is not None else ():
            await self.rotate_old(realm, algorithm, self._rotate_every, ahead)

    # -- files of an earlier version ---------------------------------------------------------

    async def _import(self, files: KeyFiles) -> None:
        for realm, keys in files.read().items():
            await self._store.changed(realm, _with_files(keys))
        files.note()


def _lacking(document: RingDocument, algorithms: Iterable[str]) -> list[str]:
    """Those of the algorithms that nothing signs with."""
    return [algorithm for algorithm in algorithms if not document.active(algorithm, 0.0)]


def _with_files(keys: tuple[StoredKey, ...]) -> Step:
    """The keys of a folder come before those that are there, once."""

    async def step(document: RingDocument) -> RingDocument:
        if document.files_imported:
            return document
        missing = tuple(key for key in keys if document.key(key.kid) is None)
        return replace(document, keys=(*missing, *document.keys), files_imported=True)

    return step
