"""What may be written of a user, and users from a TOML file.

::

    [[user]]
    name = "ada"
    realm = "/"                       # optional
    password_hash = "$argon2id$…"     # made by `remint users hash`
    active = true                     # optional

    [user.attributes]
    mail = "ada@example.com"
    roles = ["admin"]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker.errors import InvalidRequest
from broker.model import Secret, User, normal_realm
from broker.ports import UserStore

MAX_NAME_LENGTH = 255
MAX_ATTRIBUTES = 100
MAX_VALUES = 100
MAX_VALUE_LENGTH = 4096
HASH_PREFIX = "$argon2id$"

# XML 1.0 section 2.2: what an assertion cannot carry is refused before it is stored.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked_name(value: Any) -> str:
    """A user name. Raises InvalidRequest."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH:
        raise InvalidRequest(f"a user needs a name of up to {MAX_NAME_LENGTH} characters")
    if not value.isprintable() or value != value.strip() or "/" in value:
        raise InvalidRequest("a user name is printable, without outer blanks and slashes")
    return value


def checked_hash(value: Any) -> Secret:
    """The PHC string of an argon2id hash. Raises InvalidRequest."""
    if not isinstance(value, str) or not value.startswith(HASH_PREFIX) or len(value) > 512:
        raise InvalidRequest("password_hash is what `remint users hash` prints")
    return Secret(value)


def checked_attributes(value: Any) -> dict[str, tuple[str, ...]]:
    """Profile attributes: each a string or a list of strings. Raises InvalidRequest."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"attributes are an object of up to {MAX_ATTRIBUTES} members")
    return {str(name): _values(str(name), values) for name, values in value.items()}


def _values(name: str, value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        raise InvalidRequest(f"attribute {name[:64]}: write a string or a list of strings")
    for item in values:
        if not isinstance(item, str) or len(item) > MAX_VALUE_LENGTH or _NOT_XML.search(item):
            raise InvalidRequest(
                f"attribute {name[:64]}: each value is text of up to {MAX_VALUE_LENGTH} characters "
                "that XML can carry"
            )
    return tuple(values)


def read(path: Path) -> list[User]:
    """The users of a file. Raises InvalidRequest naming what is wrong."""
    try:
        with path.open("rb") as file:
            entries = tomllib.load(file).get("user", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(f"{path}: {error}") from None
    if not isinstance(entries, list):
        raise InvalidRequest(f"{path}: write each user under [[user]]")
    return [_user(entry) for entry in entries]


async def import_file(path: Path, users: UserStore) -> int:
    """Put each user of a file into the store, replacing namesakes; returns how many."""
    found = read(path)
    for user in found:
        await users.put(user)
    return len(found)


def _user(entry: Mapping[str, Any]) -> User:
    name = checked_name(entry.get("name"))
    return User(
        name=name,
        realm=normal_realm(str(entry.get("realm", "/"))),
        password_hash=checked_hash(entry.get("password_hash")),
        attributes=checked_attributes(entry.get("attributes")),
        active=entry.get("active", True) is True,
    )
