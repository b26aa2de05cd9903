"""Signing keys in files, as an earlier version kept them: read once, to be copied into the store.

``STATE_DIR/keys/<realm>/`` holds ``<kid>.pem`` (PKCS #8), ``<kid>.crt`` (its certificate) and
``ring.json`` (which keys there are, and their state). Nothing in it is changed or removed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

import structlog

from adapters.keys import certificates, private_keys
from adapters.keys.private_keys import ALGORITHMS, PrivateKey, algorithm_of
from adapters.keys.ring_document import StoredKey
from adapters.keys.spare import kid_of
from broker.model import ROOT_REALM, Secret

ROOT_FOLDER = "root"
INDEX = "ring.json"
STATES = ("next", "active", "retired")
NOTE = "MOVED"
NOTE_TEXT = """\
The signing keys in this folder were copied into the store; this broker does not read them any more.
They are still private keys: remove them once the store has been backed up.
"""

_KID = re.compile(r"[A-Za-z0-9_-]{43}")

_log = structlog.get_logger(__name__)


class KeyRingError(Exception):
    """The key folder cannot be used; the sentence says what to do and never holds a secret."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the index says of a key. ``created`` is seconds since the epoch."""

    kid: str
    algorithm: str
    state: str
    created: int


class KeyFiles:
    """The key folder. ``passphrase`` opens files that were written with one."""

    def __init__(self, folder: Path, passphrase: Secret | None) -> None:
        self._folder = folder
        self._passphrase = passphrase or None  # an empty passphrase is none

    def read(self) -> dict[str, tuple[StoredKey, ...]]:
        """The keys of each realm in the folder, in the order in which they took over; none if
        there is no folder, or its keys were copied before. Raises KeyRingError."""
        if not self._folder.is_dir() or (self._folder / NOTE).exists():
            return {}
        try:
            folders = {_realm_of(path.name): path for path in sorted(self._folder.iterdir())}
            return {
                realm: self._keys(path)
                for realm, path in folders.items()
                if realm is not None and (path / INDEX).exists()
            }
        except OSError as error:
            raise KeyRingError(
                f"the key folder {self._folder} cannot be read: {error.strerror}"
            ) from error

    def note(self) -> None:
        """Leave word in the folder that its keys are in the store. The store remembers as well."""
        if not self._folder.is_dir() or (self._folder / NOTE).exists():
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(self._folder / NOTE, flags, 0o600), "w") as file:
                file.write(NOTE_TEXT)
        except OSError as error:
            _log.warning("cannot leave a note in the key folder", reason=error.strerror)

    def _keys(self, folder: Path) -> tuple[StoredKey, ...]:
        keys = [(entry.state, self._load(folder, entry)) for entry in _entries(folder)]
        # Retired keys are kept until it is known that no instance names them.
        retired = [replace(key, named=True) for state, key in keys if state == "retired"]
        retired.sort(key=lambda key: key.created)
        active = [_not_before(key, retired) for state, key in keys if state == "active"]
        standby = [replace(key, signs_from=None) for state, key in keys if state == "next"]
        return (*retired, *active, *standby)

    def _load(self, folder: Path, entry: _Entry) -> StoredKey:
        file = folder / f"{entry.kid}.pem"
        try:
            pem = file.read_bytes()
            certificate = certificates.der((folder / f"{entry.kid}.crt").read_bytes())
        except FileNotFoundError as error:
            raise KeyRingError(f"{error.filename} is missing: restore it from a copy") from None
        except ValueError:
            raise KeyRingError(f"the certificate of key {entry.kid} is damaged") from None
        key = self._opened(file, pem)
        if (kid_of(key), algorithm_of(key)) != (entry.kid, entry.algorithm):
            raise KeyRingError(f"{file} holds another key than its name says")
        created = float(entry.created)
        return StoredKey(
            kid=entry.kid,
            algorithm=entry.algorithm,
            created=created,
            published_at=created,
            signs_from=created,
            private_key=private_keys.written(key),
            certificate=certificate,
        )

    def _opened(self, file: Path, pem: bytes) -> PrivateKey:
        if private_keys.encrypted(pem) and self._passphrase is None:
            raise KeyRingError(f"{file} is encrypted: set keys.passphrase")
        try:
            return private_keys.from_file(pem, self._passphrase)
        except ValueError:
            reason = "is damaged"
            if private_keys.encrypted(pem):
                reason = "does not open with keys.passphrase: set the one it was written with"
            raise KeyRingError(f"{file} {reason}") from None


def _realm_of(name: str) -> str | None:
    """The realm of a folder, ``%2Ffred%2Fbobo`` say; None for a folder that is not a realm's."""
    if name == ROOT_FOLDER:
        return ROOT_REALM
    realm = unquote(name)
    return realm if realm.startswith("/") and quote(realm, safe="") == name else None


def _not_before(active: StoredKey, retired: Iterable[StoredKey]) -> StoredKey:
    """The active key signs after those that it superseded, even if it is older than they are."""
    begun = [key.created for key in retired if key.algorithm == active.algorithm]
    return replace(active, signs_from=max([active.created, *begun]))


def _entries(folder: Path) -> list[_Entry]:
    """Raises KeyRingError if the index is damaged."""
    try:
        return [_entry(row) for row in json.loads((folder / INDEX).read_bytes())["keys"]]
    except (ValueError, KeyError, TypeError):
        raise KeyRingError(f"{folder / INDEX} is damaged: restore it from a copy") from None


def _entry(row: dict[str, object]) -> _Entry:
    """Raises KeyError, TypeError, ValueError. A kid becomes a file name: its form is checked."""
    kid, algorithm, state, created = (row[n] for n in ("kid", "algorithm", "state", "created"))
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ValueError("not a thumbprint")
    if algorithm not in ALGORITHMS or state not in STATES or not isinstance(created, int):
        raise ValueError("not an entry")
    return _Entry(kid, str(algorithm), str(state), created)
