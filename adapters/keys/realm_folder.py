"""One realm's keys on disk: a PEM and a certificate for each, and an index that says which count.

The index is written last and whole, so that a reader without the lock sees a set as it was before
a change or after it. Key files are never overwritten by another key: their name is the thumbprint.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from adapters.keys.private_keys import ALGORITHMS
from broker.errors import InvalidRequest
from broker.model import ROOT_REALM

FOLDER_MODE = 0o700
FILE_MODE = 0o600
MAX_FOLDER_NAME_LENGTH = 200
ROOT_FOLDER = "root"
INDEX = "ring.json"
LOCK = "lock"
STATES = ("next", "active", "retired")

_KID = re.compile(r"[A-Za-z0-9_-]{43}")

Stamp = tuple[int, int, int]


class KeyRingError(Exception):
    """The key folder cannot be used; the sentence says what to do and never holds a secret."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of a key. ``created`` is seconds since the epoch."""

    kid: str
    algorithm: str
    state: str
    created: int


def folder_name(realm: str) -> str:
    """``root`` for the root realm, else the path with its slashes escaped: ``%2Ffred%2Fbobo``.

    Raises InvalidRequest for a realm whose path no file name can hold.
    """
    if realm == ROOT_REALM:
        return ROOT_FOLDER
    name = quote(realm, safe="")
    if len(name) > MAX_FOLDER_NAME_LENGTH:
        raise InvalidRequest("the path of this realm is too long to keep keys for it")
    return name


def realm_of(name: str) -> str | None:
    """The realm of a folder; None for a folder that is not a realm's."""
    if name == ROOT_FOLDER:
        return ROOT_REALM
    realm = unquote(name)
    return realm if realm.startswith("/") and quote(realm, safe="") == name else None


def make_private(folder: Path) -> None:
    """The folder, open to its owner alone, parents included where they are missing."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)


class RealmFolder:
    """The folder of one realm below ``parent``; made on the first change."""

    def __init__(self, parent: Path, realm: str) -> None:
        self.path = parent / folder_name(realm)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among all processes that change this folder."""
        make_private(self.path)
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def stamp(self) -> Stamp | None:
        """Differs whenever the index was replaced; None where there is none."""
        try:
            found = (self.path / INDEX).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def entries(self) -> list[Entry]:
        """Raises KeyRingError if the index is damaged."""
        try:
            index = json.loads((self.path / INDEX).read_bytes())
            entries = [_entry(row) for row in index["keys"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError):
            raise KeyRingError(f"{self.path / INDEX} is damaged: restore it from a copy") from None
        return entries

    def write_entries(self, entries: Sequence[Entry]) -> None:
        index = {"keys": [asdict(entry) for entry in entries]}
        self._replace(INDEX, json.dumps(index, indent=2).encode() + b"\n")

    def key_file(self, kid: str) -> Path:
        return self.path / f"{kid}.pem"

    def read_key(self, kid: str) -> bytes:
        return self.key_file(kid).read_bytes()

    def write_key(self, kid: str, pem: bytes) -> None:
        self._replace(f"{kid}.pem", pem)

    def read_certificate(self, kid: str) -> bytes:
        return (self.path / f"{kid}.crt").read_bytes()

    def write_certificate(self, kid: str, pem: bytes) -> None:
        self._replace(f"{kid}.crt", pem)

    def _replace(self, name: str, data: bytes) -> None:
        """All of it or nothing, and still there after a power cut. Call it locked."""
        temporary = self.path / f".{name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)
        folder = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _entry(row: dict[str, object]) -> Entry:
    """Raises KeyError, TypeError, ValueError. A kid becomes a file name: its form is checked."""
    kid, algorithm, state, created = (row[n] for n in ("kid", "algorithm", "state", "created"))
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ValueError("not a thumbprint")
    if algorithm not in ALGORITHMS or state not in STATES or not isinstance(created, int):
        raise ValueError("not an entry")
    return Entry(kid, str(algorithm), str(state), created)
