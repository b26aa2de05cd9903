"""What administrators do to the keys of a realm: generate, rotate, import, revoke."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from adapters.keys import certificates, private_keys, ring_changes
from adapters.keys.realm_keys import RealmKeys, RingKey
from adapters.keys.ring_document import ACTIVE, NEXT, RingDocument, StoredKey
from adapters.keys.ring_store import Fact, RingStore, Step
from adapters.keys.spare import SpareKey, stored
from broker.errors import Conflict, NotFound
from broker.events import Event, KeyRevoked, KeyRotated
from broker.model import normal_realm
from broker.policy import shown
from broker.ports import Clock

SLOW_WRITE_SECONDS = 2
"""A key that took longer to be stored counts as published when it was."""

NOT_YET = (
    "brokers of an earlier version may share this store, and would go on with the old keys; "
    "once all are of this version, run remint store migrate"
)


class Rotation:
    """Changes of a ring; each can be repeated after a failure.

    All raise Unavailable if the store cannot be reached, and Conflict while ``may_change`` says no.
    ``margin`` is that of ``ring_changes``, in seconds.
    """

    def __init__(
        self,
        store: RingStore,
        clock: Clock,
        margin: float,
        may_change: Callable[[], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._margin = margin
        self._may_change = may_change

    async def generate(self, realm: str, algorithm: str) -> RingKey:
        """A standby key: published, and does not sign until the realm is rotated to it.

        Raises InvalidRequest for an algorithm without keys, Conflict if the ring is full.
        """
        realm, new = normal_realm(realm), SpareKey(realm, algorithm, self._clock)

        async def step(document: RingDocument) -> RingDocument:
            ring_changes.check_room(document)
            return ring_changes.added(document, await new.key())

        keys = await self._published(realm, step)
        return self._seen(keys, (await new.key()).kid)

    async def rotate(self, realm: str, algorithm: str) -> RingKey:
        """The key that takes over as soon as every relying party can know it.

        It is the one that is scheduled already, else the oldest standby key, else a new one. Raises
        InvalidRequest for an algorithm without keys, Conflict if the ring is full.
        """
        return await self._rotated(realm, algorithm, 0.0, None)

    async def rotate_old(self, realm: str, algorithm: str, every: float, ahead: float) -> None:
        """Have the active key replaced once it has signed for ``every`` seconds, if that moment is
        no more than ``ahead`` seconds away. Of many brokers that try, one does it."""

        def due(document: RingDocument) -> bool:
            return ring_changes.due(document, algorithm, self._clock.now(), ahead, every)

        known = self._store.realms.get(realm)
        if known is not None and due(known.document):
            await self._rotated(realm, algorithm, every, due)

    async def _rotated(
        self,
        realm: str,
        algorithm: str,
        lasts: float,
        wanted: Callable[[RingDocument], bool] | None,
    ) -> RingKey:
        realm, new = normal_realm(realm), SpareKey(realm, algorithm, self._clock)

        async def step(document: RingDocument) -> RingDocument:
            if document.scheduled(algorithm, self._clock.now()):
                return document
            if wanted is not None and not wanted(document):
                return document
            key = document.standby(algorithm)
            if key is None:
                ring_changes.check_room(document)
                key = await new.key()
            return ring_changes.rotated(document, key, self._clock.now(), self._margin, lasts)

        def fact(document: RingDocument) -> Event | None:
            now = self._clock.now()
            key = _coming(document, algorithm, now)
            if key is None:
                return None
            moment = key.signs_from if key.signs_from is not None else now
            return KeyRotated(now, realm, key.kid, algorithm, moment)

        keys = await self._published(realm, step, fact)
        key = _coming(keys.document, algorithm, self._clock.now())
        return self._seen(keys, key.kid if key is not None else "")

    async def import_pem(
        self,
        realm: str,
        pem: bytes,
        certificate_pem: bytes | None,
        *,
        now: bool = False,
        algorithm: str | None = None,
    ) -> RingKey:
        """A key from outside takes over, as after a rotation; at once if ``now``, for a key that
        relying parties know already. It signs with ``algorithm``, by default with RS256, the
        algorithm of its curve, or EdDSA.

        Of a key that is here, the certificate is replaced. Raises InvalidRequest with what is wrong
        with either file or for an algorithm that is none of the key's, and Conflict for a key that
        was revoked or is here for another algorithm.
        """
        realm = normal_realm(realm)
        key = private_keys.imported(pem)
        if algorithm is not None:
            private_keys.check_imported_for(key, algorithm)
        if certificate_pem is not None:
            certificate_pem = certificates.imported(certificate_pem, key)
        at = self._clock.now()
        new = await asyncio.to_thread(stored, key, realm, at, certificate_pem, algorithm)

        async def step(document: RingDocument) -> RingDocument:
            at = self._clock.now()
            known = document.key(new.kid)
            if known is None:
                ring_changes.check_room(document)
                known = replace(new, published_at=at)
                if not now:
                    return ring_changes.rotated(document, known, at, self._margin, 0.0)
            elif known.revoked_at is not None:
                raise Conflict("this key was revoked; import another one")
            elif algorithm not in (None, known.algorithm):
                raise Conflict(
                    f"this key is here for {known.algorithm}, and a key has one algorithm; "
                    "import another one"
                )
            elif certificate_pem is not None:
                known = replace(known, certificate=new.certificate)
            document = document.with_key(known)
            waiting = now and document.state(known, at) == NEXT
            return document.signing_from(known, at) if waiting else document

        keys = await self._published(realm, step)
        return self._seen(keys, new.kid)

    async def revoke(self, realm: str, kid: str) -> tuple[RingKey, RingKey | None]:
        """The compromised key, and the one that signs now in its algorithm.

        The key is out of the JWKS at once and its private half destroyed. If it was active, the
        newest key that is published takes its place, or a new one. Raises NotFound.
        """
        realm = normal_realm(realm)
        spares: dict[str, SpareKey] = {}

        async def step(document: RingDocument) -> RingDocument:
            key, now = document.key(kid), self._clock.now()
            if key is None:
                raise NotFound(f"there is no key {shown(kid)} in this realm")
            if key.revoked_at is not None:
                return document
            if document.state(key, now) != ACTIVE:
                return ring_changes.revoked(document, key, now)
            successor = document.stand_in(key.algorithm, now, self._margin)
            if successor is None:
                ring_changes.check_tombstones(document)
                new = spares.setdefault(kid, SpareKey(realm, key.algorithm, self._clock))
                successor = await new.key()
            now = self._clock.now()
            without = ring_changes.revoked(document, key, now)
            return ring_changes.standing_in(without, successor, key, now)

        def fact(document: RingDocument) -> Event | None:
            key, now = document.key(kid), self._clock.now()
            if key is None:
                return None
            successor = _successor(document, key.algorithm, now)
            return KeyRevoked(now, realm, kid, key.algorithm, successor)

        keys = await self._published(realm, step, fact)
        key, now = self._seen(keys, kid), self._clock.now()
        return key, keys.key(_successor(keys.document, key.algorithm, now), now)

    async def _published(self, realm: str, step: Step, fact: Fact | None = None) -> RealmKeys:
        """The realm's keys after ``step``; ``fact`` is announced with what it changed."""
        if not await self._may_change():
            raise Conflict(NOT_YET)
        began = self._clock.now()
        keys, changed = await self._store.changed(realm, step, fact)
        stored_at = self._clock.now()
        late = [
            key.kid
            for key in keys.document.keys
            if began <= key.published_at < stored_at - SLOW_WRITE_SECONDS
        ]
        if changed and late:
            # The moment that was announced has moved, so it is announced once more.
            keys, _ = await self._store.changed(realm, self._republished(late), fact)
        return keys

    def _republished(self, kids: list[str]) -> Step:
        async def step(document: RingDocument) -> RingDocument:
            for kid in kids:
                document = ring_changes.republished(document, kid, self._clock.now(), self._margin)
            return document

        return step

    def _seen(self, keys: RealmKeys, kid: str) -> RingKey:
        found = keys.key(kid, self._clock.now())
        if found is None:
            raise NotFound(f"there is no key {shown(kid)} in this realm")
        return found


def _coming(document: RingDocument, algorithm: str, now: float) -> StoredKey | None:
    """The key that is going to take over, else the one that signs."""
    return document.scheduled(algorithm, now) or document.active(algorithm, now)


def _successor(document: RingDocument, algorithm: str, now: float) -> str:
    """The kid of the key that signs now; empty where there is none."""
    active = document.active(algorithm, now)
    return active.kid if active is not None else ""
