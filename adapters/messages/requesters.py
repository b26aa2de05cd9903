"""The keys of requesters who sign: a JWK set in a file (RFC 7517), read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import structlog

from adapters.keys.public_jwk import SIGNATURE, PublicKey, UnusableKey, algorithm_of, public_key
from adapters.messages.compact import MAX_KID_LENGTH
from broker.errors import InvalidRequest

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_KEYS = 10_000

_log = structlog.get_logger(__name__)

_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class RequesterKey:
    """A registered key and the one algorithm that it signs with."""

    kid: str
    algorithm: str
    key: PublicKey = field(repr=False)


class RequesterKeys:
    """The registered keys. A file that cannot be read never takes the place of a good set, and
    the log says so; an empty set is one: nobody's signature counts."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidRequest with what is wrong with the file."""
        self._path = path
        self._stamp = _stamp(path)
        self._keys = read(path)

    def find(self, kid: str) -> RequesterKey | None:
        """The key of that name as the file now says. Looks at the file's date, not into it."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._read_again()
        return self._keys.get(kid)

    def _read_again(self) -> None:
        try:
            self._keys = read(self._path)
        except InvalidRequest as error:
            _log.error("requesters' keys not read; those known before count", why=error.sentence)
        else:
            _log.info("requesters' keys read", count=len(self._keys))


def read(path: Path) -> Mapping[str, RequesterKey]:
    """The keys in a file by ``kid``. Raises InvalidRequest with what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InvalidRequest(f"{path}: the file is over {MAX_FILE_BYTES} bytes")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise InvalidRequest(f"{path}: the file is not valid JSON") from None
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list) or len(rows) > MAX_KEYS:
        raise InvalidRequest(f'{path}: write {{"keys": […]}} with up to {MAX_KEYS} keys')
    found: dict[str, RequesterKey] = {}
    for number, row in enumerate(rows, 1):
        try:
            key = _requester_key(row)
            if key.kid in found:
                raise UnusableKey("another key has the same kid")
        except UnusableKey as error:
            raise InvalidRequest(f"{path}: key {number}: {error.sentence}") from None
        found[key.kid] = key
    return found


def _requester_key(row: Any) -> RequesterKey:
    """Raises UnusableKey."""
    key = public_key(row, SIGNATURE)
    kid = row.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH or not kid.isprintable():
        raise UnusableKey(f"it needs a kid of up to {MAX_KID_LENGTH} printable characters")
    return RequesterKey(kid, algorithm_of(row, SIGNATURE), key)


def _stamp(path: Path) -> _Stamp:
    """Changes with the file, also when another takes its place."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
