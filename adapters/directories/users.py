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

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from argon2 import Parameters, extract_parameters
from argon2.exceptions import InvalidHashError

from adapters.toml_entries import entries
from broker.errors import InvalidRequest
from broker.model import Secret, User, normal_realm
from broker.ports import UserStore

MAX_NAME_LENGTH = 255
MAX_ATTRIBUTES = 100
MAX_VALUES = 100
MAX_VALUE_LENGTH = 4096
MAX_HASH_LENGTH = 512
MAX_HASH_MEMORY_KIB = 64 * 1024
MAX_HASH_PASSES = 10
MAX_HASH_LANES = 4
MEMBERS = {"name", "realm", "password_hash", "active", "attributes"}
HASH_PREFIX = "$argon2id$"

# XML 1.0 section 2.2: what an assertion cannot carry is refused before it is stored.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked_name(value: Any) -> str:
    """A user name. Raises InvalidRequest."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH:
        raise InvalidRequest(f"a user needs a name of up to {MAX_NAME_LENGTH} characters")
    if not value.isprintable() or value != value.strip() or "/" in value or value in (".", ".."):
        raise InvalidRequest("a user name is printable, without outer blanks and slashes")
    return value


def checked_hash(value: Any) -> Secret:
    """The PHC string of an argon2id hash. Raises InvalidRequest."""
    if isinstance(value, str) and value.startswith(HASH_PREFIX) and len(value) <= MAX_HASH_LENGTH:
        with contextlib.suppress(InvalidHashError):
            _check_cost(extract_parameters(value))
            return Secret(value)
    raise InvalidRequest("password_hash is what `remint users hash` prints")


def _check_cost(cost: Parameters) -> None:
    """Every login with it pays the cost that a hash names, in memory and time."""
    if (
        cost.memory_cost > MAX_HASH_MEMORY_KIB
        or cost.time_cost > MAX_HASH_PASSES
        or cost.parallelism > MAX_HASH_LANES
    ):
        raise InvalidRequest(
            f"password_hash may cost {MAX_HASH_MEMORY_KIB} KiB, {MAX_HASH_PASSES} passes and "
            f"{MAX_HASH_LANES} lanes at most"
        )


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
    return entries(path, "user", _user)


async def import_file(path: Path, users: UserStore) -> int:
    """Put each user of a file into the store, replacing namesakes; returns how many."""
    found = read(path)
    for user in found:
        await users.put(user)
    return len(found)


def _user(entry: Any) -> User:
    if not isinstance(entry, Mapping):
        raise InvalidRequest("write each user under [[user]]")
    unknown = sorted(entry.keys() - MEMBERS)
    if unknown:
        raise InvalidRequest(f"there is no member {', '.join(unknown)[:64]}")
    realm = entry.get("realm", "/")
    if not isinstance(realm, str) or not isinstance(entry.get("active", True), bool):
        raise InvalidRequest("realm is a string, active is true or false")
    return User(
        name=checked_name(entry.get("name")),
        realm=normal_realm(realm),
        password_hash=checked_hash(entry.get("password_hash")),
        attributes=checked_attributes(entry.get("attributes")),
        active=entry.get("active", True),
    )
