"""Keys of an instance's own: read from key stores, pinned in the store that brokers share.

A file is read when an instance is published or changed, and once by each broker after that; never
for a request. What was published with is pinned: a broker whose file has another key by now refuses
to sign until the instance is published again, so that no token is signed with a key that is not in
the JWKS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.keys import key_store_files, private_keys
from adapters.keys.key_store_document import (
    PREFIX,
    KeyStoreUses,
    Place,
    StoredUse,
    document_name,
    realm_of,
)
from adapters.keys.key_store_files import ALGORITHM, ALIAS, KeyPair, KeyStoreProblem
from adapters.keys.public_jwk import MIN_RSA_EXPONENT_TO_ENCRYPT, UnusableKey, check_rsa
from adapters.keys.signers import KeySigner, Run, inline
from broker.errors import InvalidRequest, KeyUnavailable, Unavailable
from broker.instance import KeyStore, Recipient, SigningKey
from broker.ports import Clock, ConfigurationStore

MAX_ATTEMPTS = 100
"""How often a change is tried anew because another broker was faster."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Realm:
    raw: bytes | None
    document: KeyStoreUses
    kids: Mapping[Place, str]


@dataclass(frozen=True, slots=True)
class Use:
    """What an instance does with a key of a key store."""

    key: SigningKey
    id_tokens: bool
    lifetime_seconds: int


@dataclass(slots=True)
class KeyStores:
    """The key stores of all realms, below ``folder``; None for none."""

    configuration: ConfigurationStore
    clock: Clock
    folder: Path | None
    run: Run = inline
    _realms: dict[str, _Realm] = field(default_factory=dict)
    _signers: dict[tuple[str, SigningKey], KeySigner] = field(default_factory=dict)
    _failures: dict[tuple[str, SigningKey], str] = field(default_factory=dict)

    # -- looking up --------------------------------------------------------------------------

    def signer(self, realm: str, key: SigningKey, key_id: str | None = None) -> KeySigner:
        """The signer of ``key``; of ``key_id`` if that is given. Raises KeyUnavailable."""
        found = self._signers.get((realm, key))
        if found is None:
            why = self._failures.get((realm, key), "it has not been read")
            raise KeyUnavailable(f"the key store that this instance names cannot be used: {why}")
        if self._pinned(realm, key) != found.kid:
            raise KeyUnavailable(
                "the key store has another key than the one that this instance was published "
                "with; publish the instance again"
            )
        if key_id not in (None, found.kid):
            raise KeyUnavailable("the key that this request was to be signed with is gone")
        return found

    def jwks(self, realm: str) -> list[dict[str, str]]:
        """The public keys that tokens may be signed with, each once."""
        known, now = self._realms.get(realm), self.clock.now()
        merged: dict[str, StoredUse] = {}
        for use in known.document.uses if known is not None else ():
            if use.ends_at is None or use.ends_at > now:
                before = merged.get(use.kid)
                merged[use.kid] = before.joined(use) if before is not None else use
        return [use.shown() for use in merged.values()]

    def knows(self, kid: str) -> bool:
        """Whether any realm signs with a key of that name."""
        return any(use.kid == kid for r in self._realms.values() for use in r.document.uses)

    def _pinned(self, realm: str, key: SigningKey) -> str | None:
        known = self._realms.get(realm)
        return known.kids.get(place_of(key)) if known is not None else None

    # -- reading files -----------------------------------------------------------------------

    async def opened(self, realm: str, key: SigningKey) -> KeySigner:
        """The signer of ``key`` as its file has it now. Raises KeyStoreProblem."""
        return await asyncio.to_thread(self._open, realm, key)

    async def load(self, realm: str, keys: Iterable[SigningKey]) -> bool:
        """Make ready what requests will ask for; False if something could not be read, which is
        told to those requests alone."""
        complete = True
        for key in keys:
            known = self._signers.get((realm, key))
            if known is None or known.kid != self._pinned(realm, key):
                complete = await self._load(realm, key) and complete
        return complete

    async def _load(self, realm: str, key: SigningKey) -> bool:
        try:
            self._signers[realm, key] = await self.opened(realm, key)
            self._failures.pop((realm, key), None)
        except KeyStoreProblem as problem:
            self._failures[realm, key] = problem.sentence
            _log.error("cannot read a key store", realm=realm, reason=problem.sentence)
            return False
        return True

    async def certificate(self, realm: str, recipient: Recipient) -> bytes:
        """DER of a recipient's certificate, fit to be encrypted to. Raises KeyStoreProblem.

        Its dates are not looked at: it carries a key, and nobody renews it for that. What has
        expired is logged.
        """
        der = recipient.certificate
        if der is None:
            store = recipient.store or KeyStore("")
            der = await asyncio.to_thread(
                key_store_files.certificate, self.folder, realm, store, recipient.alias
            )
        self._check_recipient(realm, der)
        return der

    def _check_recipient(self, realm: str, der: bytes) -> None:
        try:
            found = x509.load_der_x509_certificate(der)
            key = found.public_key()
        except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
            raise KeyStoreProblem(ALIAS, "this is no certificate that can be read") from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise KeyStoreProblem(ALIAS, "assertions are encrypted to RSA keys alone")
        numbers = key.public_numbers()
        try:
            check_rsa(numbers.n, numbers.e, MIN_RSA_EXPONENT_TO_ENCRYPT)
        except UnusableKey as error:
            raise KeyStoreProblem(
                ALIAS, f"the certificate's key cannot be encrypted to: {error.sentence}"
            ) from None
        if found.not_valid_after_utc.timestamp() < self.clock.now():
            _log.warning("a certificate that is encrypted to has expired", realm=realm)

    def _open(self, realm: str, key: SigningKey) -> KeySigner:
        store = key.store or KeyStore("")
        found: KeyPair = key_store_files.key_pair(self.folder, realm, store, key.alias)
        try:
            private_keys.check_fits(found.key, key.algorithm)
        except InvalidRequest as error:
            raise KeyStoreProblem(ALGORITHM, error.sentence) from None
        return KeySigner(found.key, found.certificate, self.run, key.algorithm)

    # -- what brokers share ------------------------------------------------------------------

    async def register(self, realm: str, uses: Mapping[Use, KeySigner]) -> None:
        """Pin the keys that an instance is published with, before it is stored.

        Raises Unavailable, and Conflict if the realm names too many.
        """
        for use, signer in uses.items():
            self._signers[realm, use.key] = signer
            self._failures.pop((realm, use.key), None)
        if not uses:
            return
        stored = [_stored(use, signer) for use, signer in uses.items()]

        def step(document: KeyStoreUses) -> KeyStoreUses:
            for each in stored:
                document = document.with_use(each, self.clock.now())
            return document

        await self._changed(realm, step)

    async def refresh(self) -> None:
        """See what other brokers pinned; read again what is not what was pinned.

        Raises Unavailable.
        """
        documents = await self.configuration.list(PREFIX)
        self._realms = {
            (realm := realm_of(name)): self._readable(realm, raw) for name, raw in documents.items()
        }
        for realm, key in list(self._signers):
            if self._pinned(realm, key) is None:
                self._signers.pop((realm, key), None)  # no instance has named it for long
            else:
                await self.load(realm, [key])

    async def tend(self, named: Mapping[str, Iterable[Place]]) -> None:
        """Forget keys that no instance names any more, once their last tokens have ended.

        ``named`` are the places that instances of each realm name. Raises Unavailable.
        """
        for realm, known in list(self._realms.items()):
            places = frozenset(named.get(realm, ()))

            def step(document: KeyStoreUses, places: frozenset[Place] = places) -> KeyStoreUses:
                return document.tidied(places, self.clock.now())

            if step(known.document) != known.document:
                await self._changed(realm, step)

    async def forget(self, realm: str) -> None:
        """Of a realm that is gone. Raises Unavailable."""
        await self._changed(realm, lambda _: KeyStoreUses())
        self._realms.pop(realm, None)

    async def _changed(self, realm: str, step: Callable[[KeyStoreUses], KeyStoreUses]) -> None:
        name = document_name(realm)
        for _ in range(MAX_ATTEMPTS):
            raw = await self.configuration.get(name)
            document = KeyStoreUses.read(raw)
            wanted = step(document)
            value = raw if wanted == document else wanted.written()
            if value == raw or await self.configuration.swap(name, raw, value):
                self._realms[realm] = _parsed(value)
                return
        raise Unavailable("other brokers are changing the keys; ask again shortly")

    def _readable(self, realm: str, raw: bytes) -> _Realm:
        """A document that cannot be read never takes the place of a good one."""
        known = self._realms.get(realm)
        if known is not None and known.raw == raw:
            return known
        try:
            return _parsed(raw)
        except Unavailable as error:
            _log.error("cannot read the keys of key stores", realm=realm, reason=error.detail)
            return known or _Realm(None, KeyStoreUses(), {})


def _parsed(raw: bytes | None) -> _Realm:
    document = KeyStoreUses.read(raw)
    return _Realm(raw, document, {use.place: use.kid for use in document.uses})


def place_of(key: SigningKey) -> Place:
    """Where a key is: its location, and the alias in it."""
    return (key.store.location if key.store else "", key.alias)


def _stored(use: Use, signer: KeySigner) -> StoredUse:
    jwk: Mapping[str, Any] = signer.public_jwk or {}
    members = {name: value for name, value in jwk.items() if name not in ("kid", "use", "alg")}
    return StoredUse(
        place=place_of(use.key),
        kid=signer.kid,
        jwk=members,
        algorithms=(use.key.algorithm,) if use.id_tokens else (),
        lifetime_seconds=use.lifetime_seconds,
    )
