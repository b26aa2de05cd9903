"""Which stores this deployment has used: a store that came back empty must not pass for a new one.

A store in Redis has a random id in its marker. The state folder remembers the id of each Redis that
was used from here. Where a marker was and none is now, data was lost (a volume that was not there,
a restart without persistence): tokens that were spent could be spent again and requests answered
twice. So the broker waits for an operator, who restores the data or confirms the loss
(``remint store confirm-empty``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import orjson

from adapters.stores import StoreRefused

FILE_NAME = "stores.json"
MAX_STORES = 64
"""Of the stores that were used last, how many are remembered."""

MAX_FILE_BYTES = 64 * 1024


class KnownStores:
    """The store ids in a file of the state folder, by a digest of the store's URL.

    The digest leaves out user and password. Another host, port, path or database is another store.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def id_of(self, url: str) -> str | None:
        """The id that the store had when it was last used; None if it never was.

        Raises StoreRefused for a file that cannot be understood.
        """
        return self._read().get(_name_of(url))

    def remember(self, url: str, store_id: str) -> None:
        """Raises StoreRefused and OSError."""
        known, name = self._read(), _name_of(url)
        if known.get(name) == store_id:
            return
        known.pop(name, None)
        kept = [*known.items(), (name, store_id)][-MAX_STORES:]
        self._write(orjson.dumps(dict(kept), option=orjson.OPT_INDENT_2))

    def _read(self) -> dict[str, str]:
        try:
            with self._path.open("rb") as file:
                body = orjson.loads(file.read(MAX_FILE_BYTES))
        except FileNotFoundError:
            return {}
        except ValueError:
            body = None
        if not isinstance(body, dict) or not all(isinstance(each, str) for each in body.values()):
            raise StoreRefused(
                f"{self._path} cannot be understood, so nobody can say whether the store lost its "
                "data; if you know that it did not, remove the file"
            )
        return body

    def _write(self, content: bytes) -> None:
        """All of it or nothing; several processes of one broker may write at once."""
        draft = self._path.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()


def _name_of(url: str) -> str:
    """SHA-256 over what the URL says of the place; hosts in any order are the same place."""
    parts = urlsplit(url)
    hosts = sorted(parts.netloc.rpartition("@")[2].lower().split(","))
    database = dict(parse_qsl(parts.query)).get("db", "")
    place = orjson.dumps([parts.scheme, hosts, parts.path, database])
    return hashlib.sha256(place).hexdigest()
