"""A ring of signing keys in files: made at first start, parsed once, read again when it changes.

``KEYS/<realm>/`` holds ``<kid>.pem`` (PKCS #8), ``<kid>.crt`` (its certificate) and ``ring.json``
(which keys there are, and their state). Several processes share one folder; see ``realm_folder``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.keys import certificates, private_keys
from adapters.keys.jwks import public_members, thumbprint
from adapters.keys.private_keys import ALGORITHMS, PrivateKey, algorithm_of
from adapters.keys.realm_folder import (
    Entry,
    KeyRingError,
    RealmFolder,
    Stamp,
    make_private,
    realm_of,
)
from adapters.keys.signers import HmacSigner, KeySigner, Run, inline
from broker.errors import KeyUnavailable, Unavailable
from broker.instance import ACTIVE_KEY, HMAC_ALGORITHMS, SigningKey
from broker.model import Secret, normal_realm
from broker.ports import Signer

__all__ = ["KeyRing", "KeyRingError", "RingKey"]


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key, ready to sign, and what is known of it."""

    entry: Entry
    signer: KeySigner

    def shown(self) -> dict[str, str]:
        """Name and state, for administrators; never the key."""
        created = datetime.fromtimestamp(self.entry.created, UTC)
        return {
            "kid": self.entry.kid,
            "algorithm": self.entry.algorithm,
            "state": self.entry.state,
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@dataclass(frozen=True, slots=True)
class _RealmKeys:
    """One realm's set, replaced as a whole, so that a reader never sees half of a change."""

    stamp: Stamp | None
    keys: Mapping[str, RingKey]

    def active(self, algorithm: str) -> RingKey | None:
        for key in self.keys.values():
            if key.entry.state == "active" and key.entry.algorithm == algorithm:
                return key
        return None


_NO_KEYS = _RealmKeys(None, {})


class KeyRing:
    """The keys of every realm (port KeySource). Make it with :meth:`open`.

    Looking keys up touches no file. ``generate`` and ``import_pem`` block for tenths of a second:
    call them on a thread.
    """

    def __init__(
        self, folder: Path, passphrase: Secret | None, now: Callable[[], float], run: Run
    ) -> None:
        self._folder = folder
        self._passphrase = passphrase or None  # an empty passphrase is none
        self._now = now
        self._run = run
        self._realms: dict[str, _RealmKeys] = {}

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: Secret | None,
        realms: Iterable[str],
        *,
        now: Callable[[], float] = time.time,
        run: Run = inline,
    ) -> KeyRing:
        """The ring in ``folder``, with a first set of keys for each of ``realms`` that has none.

        Keys that were written without a passphrase are encrypted once there is one. Raises
        KeyRingError if the keys cannot be opened.
        """
        ring = cls(folder, passphrase, now, run)
        try:
            make_private(folder)
            for realm in realms:
                ring._ensure(realm)
            ring._reload(protect=True)
        except OSError as error:
            raise KeyRingError(
                f"the key folder {folder} cannot be used: {error.strerror}"
            ) from error
        return ring

    # -- looking up --------------------------------------------------------------------------

    def key_id(self, realm: str, key: SigningKey) -> str | None:
        """The ``kid`` that ``key`` means now; None for a secret. Raises KeyUnavailable."""
        if key.algorithm in HMAC_ALGORITHMS:
            return None
        if key.alias != ACTIVE_KEY:
            return self._fitting(realm, key, key.alias).entry.kid
        active = self._of(realm).active(key.algorithm)
        if active is None:
            raise KeyUnavailable(f"this realm has no active key for {key.algorithm}")
        return active.entry.kid

    def signer(self, realm: str, key: SigningKey, key_id: str | None) -> Signer:
        """The signer of a claimed ``kid``, retired since or not. Raises KeyUnavailable."""
        if key.algorithm in HMAC_ALGORITHMS:
            if not key.secret:
                raise KeyUnavailable(f"this instance has no client secret for {key.algorithm}")
            return HmacSigner(key.secret)
        return self._fitting(realm, key, key_id or "").signer

    def jwks(self, realm: str) -> dict[str, Any]:
        """The realm's public keys, whatever their state (RFC 7517, section 5)."""
        return {"keys": [dict(key.signer.public_jwk or {}) for key in self.list(realm)]}

    def list(self, realm: str) -> list[RingKey]:
        """The realm's keys, oldest first."""
        keys = self._of(realm).keys.values()
        return sorted(keys, key=lambda key: (key.entry.created, key.entry.kid))

    def _of(self, realm: str) -> _RealmKeys:
        return self._realms.get(normal_realm(realm), _NO_KEYS)

    def _fitting(self, realm: str, key: SigningKey, kid: str) -> RingKey:
        found = self._of(realm).keys.get(kid)
        if found is None:
            raise KeyUnavailable("the signing key that this instance names is not in its realm")
        if found.entry.algorithm != key.algorithm:
            raise KeyUnavailable(
                f"the signing key that this instance names is not one for {key.algorithm}"
            )
        return found

    # -- changing ----------------------------------------------------------------------------

    def _ensure(self, realm: str) -> None:
        """A first set of keys for a realm that has none, however many processes ask at once."""
        folder = RealmFolder(self._folder, normal_realm(realm))
        if folder.stamp() is not None:
            return
        with folder.locked():
            if folder.stamp() is not None:
                return
            made = [private_keys.generated(algorithm) for algorithm in ALGORITHMS]
            folder.write_entries([self._stored(folder, realm, key, None) for key in made])

    def generate(self, realm: str, algorithm: str) -> str:
        """A new active key; the one before it is retired and stays in the JWKS. Returns its kid.

        Raises InvalidRequest for an algorithm without keys, Unavailable if it cannot be written.
        """
        return self._add(realm, private_keys.generated(algorithm), None)

    def import_pem(self, realm: str, pem: bytes, certificate_pem: bytes | None) -> str:
        """A key from outside becomes the active one of its kind. Returns its kid.

        For a key that is here already, this replaces its certificate and leaves its state alone.
        Raises InvalidRequest with what is wrong with either file, and Unavailable.
        """
        key = private_keys.imported(pem)
        if certificate_pem is not None:
            certificate_pem = certificates.imported(certificate_pem, key)
        return self._add(realm, key, certificate_pem)

    def _add(self, realm: str, key: PrivateKey, certificate: bytes | None) -> str:
        realm = normal_realm(realm)
        folder = RealmFolder(self._folder, realm)
        try:
            with folder.locked():
                kid = _kid(key)
                entries = folder.entries()
                if all(entry.kid != kid for entry in entries):
                    new = self._stored(folder, realm, key, certificate)
                    entries = [*(_retired(entry, new.algorithm) for entry in entries), new]
                elif certificate is not None:
                    folder.write_certificate(kid, certificate)
                folder.write_entries(entries)
                self._realms[realm] = self._loaded(folder)
        except OSError as error:
            raise Unavailable("the key folder cannot be written", detail=str(error)) from error
        return kid

    def _stored(
        self, folder: RealmFolder, realm: str, key: PrivateKey, certificate: bytes | None
    ) -> Entry:
        """Key and certificate written; the index, which makes them count, is the caller's."""
        kid, now = _kid(key), self._now()
        folder.write_key(kid, private_keys.written(key, self._passphrase))
        folder.write_certificate(kid, certificate or certificates.self_signed(key, realm, now))
        return Entry(kid, algorithm_of(key), "active", int(now))

    # -- reading files -----------------------------------------------------------------------

    def reload_if_changed(self) -> bool:
        """Read again what another process changed; True if anything was. A few ``stat`` calls.

        Raises KeyRingError, once for each change, if the new set cannot be read; the old one
        stays.
        """
        try:
            return self._reload(protect=False)
        except OSError as error:
            raise KeyRingError(
                f"the key folder {self._folder} cannot be read: {error.strerror}"
            ) from error

    def _reload(self, *, protect: bool) -> bool:
        changed = False
        for path in sorted(self._folder.iterdir()):
            realm = realm_of(path.name)
            if realm is None:
                continue
            folder = RealmFolder(self._folder, realm)
            known = self._realms.get(realm, _NO_KEYS)
            stamp = folder.stamp()
            if stamp is None or stamp == known.stamp:
                continue
            # Noted before it is read: a set that cannot be read is reported once, not each time.
            self._realms[realm] = replace(known, stamp=stamp)
            if protect and self._passphrase is not None:
                self._protect(folder)
            self._realms[realm] = self._loaded(folder)
            changed = True
        return changed

    def _loaded(self, folder: RealmFolder) -> _RealmKeys:
        stamp = folder.stamp()  # before the index is read: a change in between is seen next time
        keys = [self._load(folder, entry) for entry in folder.entries()]
        return _RealmKeys(stamp, {key.entry.kid: key for key in keys})

    def _load(self, folder: RealmFolder, entry: Entry) -> RingKey:
        try:
            pem = folder.read_key(entry.kid)
            certificate = certificates.der(folder.read_certificate(entry.kid))
        except FileNotFoundError as error:
            raise KeyRingError(f"{error.filename} is missing: restore it from a copy") from None
        except ValueError:
            raise KeyRingError(f"the certificate of key {entry.kid} is damaged") from None
        key = self._opened(folder, entry.kid, pem)
        signer = KeySigner(key, certificate, self._run)
        if signer.kid != entry.kid or signer.algorithm != entry.algorithm:
            raise KeyRingError(f"{folder.key_file(entry.kid)} holds another key than its name says")
        return RingKey(entry, signer)

    def _opened(self, folder: RealmFolder, kid: str, pem: bytes) -> PrivateKey:
        if private_keys.encrypted(pem) and self._passphrase is None:
            raise KeyRingError(f"{folder.key_file(kid)} is encrypted: set keys.passphrase")
        try:
            return private_keys.read(pem, self._passphrase)
        except ValueError:
            reason = "is damaged"
            if private_keys.encrypted(pem):
                reason = "does not open with keys.passphrase: set the one it was written with"
            raise KeyRingError(f"{folder.key_file(kid)} {reason}") from None

    def _protect(self, folder: RealmFolder) -> None:
        """Encrypt what was written before there was a passphrase."""
        with folder.locked():
            for entry in folder.entries():
                pem = folder.read_key(entry.kid)
                if not private_keys.encrypted(pem):
                    key = self._opened(folder, entry.kid, pem)
                    folder.write_key(entry.kid, private_keys.written(key, self._passphrase))


def _kid(key: PrivateKey) -> str:
    return thumbprint(public_members(key.public_key()))


def _retired(entry: Entry, algorithm: str) -> Entry:
    """Retired, if it was the active key for ``algorithm``."""
    if entry.algorithm == algorithm and entry.state == "active":
        return replace(entry, state="retired")
    return entry
