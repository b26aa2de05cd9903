"""A token record as Redis keeps it, and the entries by which it is found.

The record is sealed, bound to its alias: who can write to Redis can remove tokens, but can neither
make one nor change whose it is. Outside the seal stands only what the functions must read: when it
expires, and its identity, a digest of its names.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_keys import (
    HOME,
    SHORT_DIGEST_BYTES,
    TOKEN,
    bytes_of,
    expiry,
    index,
    key,
    remembered_short,
    shard_of,
    short,
    tag,
    text_of,
)
from adapters.stores.sealing import opened, plain
from broker.errors import Unavailable
from broker.model import TokenRecord, TokenType

_DIGESTS_BYTES = 3 * SHORT_DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Place:
    """Where the record of an alias is: beside the alias, or in the slot of its request."""

    tag: str
    identity: str

    @property
    def key(self) -> str:
        return key(self.tag, TOKEN)

    @property
    def pointer(self) -> str:
        """The value of the alias's pointer to this place."""
        return f"{self.identity} {self.tag}"


def alias_tag(alias: str) -> str:
    return tag("alias", alias)


def alias_keys(alias: str) -> tuple[str, str]:
    """The record beside the alias, and the pointer to a record elsewhere; one slot."""
    return keys_in(alias_tag(alias))


def keys_in(slot: str) -> tuple[str, str]:
    """``alias_keys`` of the alias whose tag is ``slot``."""
    return key(slot, TOKEN), key(slot, HOME)


def identity(record: TokenRecord) -> str:
    return text_of(short("identity", f"{len(record.alias)}:{record.alias}{record.token_id}"))


def written(sealer: Sealer, record: TokenRecord, name: str) -> bytes:
    """The record as it is stored, beside its identity, which is ``name``.

    Raises InvalidRequest for a name that is no Unicode text.
    """
    body = plain(
        [
            record.token_id,
            text_of(record.digest),
            record.type,
            record.instance,
            record.realm,
            record.principal,
            record.issued_at,
            record.expires_at,
            record.key_id,
            record.parent,
            # Brokers that know nothing of it read records without.
            *([] if record.kept is None else [text_of(record.kept)]),
        ]
    )
    sealed = sealer.seal(body, _context(record.alias))
    return f"{record.expires_at} {name} ".encode() + sealed


def read(sealer: Sealer, alias: str, value: bytes) -> TokenRecord:
    """The record; raises Unavailable if it is not what was written for this alias."""
    try:
        _, _, sealed = value.split(b" ", 2)
    except ValueError:
        raise Unavailable("the store cannot be read", detail="redis: a broken record") from None
    body = orjson.loads(opened(sealer, sealed, _context(alias)))
    (
        token_id,
        digest,
        token_type,
        instance,
        realm,
        principal,
        issued,
        expires,
        kid,
        parent,
        *more,
    ) = body
    return TokenRecord(
        token_id=token_id,
        alias=alias,
        digest=bytes_of(digest),
        type=TokenType(token_type),
        instance=instance,
        realm=realm,
        principal=principal,
        issued_at=issued,
        expires_at=expires,
        key_id=kid,
        parent=parent,
        kept=bytes_of(more[0]) if more else None,
    )


def identity_of(value: bytes) -> str:
    return value.split(b" ", 2)[1].decode()


def place_of(alias: str, found: list[bytes | None]) -> Place | None:
    """Where a record is, by what stands under ``alias_keys``."""
    value, pointer = found
    if value is not None:
        return Place(alias_tag(alias), identity_of(value))
    if pointer is None:
        return None
    known, _, home = pointer.decode("ascii", "replace").partition(" ")
    return Place(home, known)


# -- indexes -------------------------------------------------------------------------------------


def index_keys(alias: str) -> tuple[str, str]:
    """The names and the expiry of the alias's shard; one slot."""
    shard = shard_of(alias)
    return index(shard), expiry(shard)


def index_member(record: TokenRecord) -> bytes:
    """What a record is indexed by: three digests and the alias.

    Brokers of schema 1 read it as well, so what came later is in ``index_stems``.
    """
    return (
        remembered_short("instance", record.instance)
        + short("principal", record.principal)
        + remembered_short("realm", record.realm)
        + record.alias.encode()
    )


def index_stems(record: TokenRecord) -> list[bytes]:
    """The beginnings of the names under which a record is found besides: by key, by parent."""
    stems = []
    if record.key_id is not None:
        stems.append(key_stem(record.key_id))
    if record.parent is not None:
        stems.append(parent_stem(record.parent))
    return stems


def key_stem(key_id: str) -> bytes:
    return b"k" + remembered_short("key", key_id)


def parent_stem(parent: str) -> bytes:
    """Of the children of a parent."""
    return b"c" + short("parent", parent)


def alias_of(member: bytes) -> str:
    """The alias in an index member."""
    return member[_DIGESTS_BYTES:].decode()


def _context(alias: str) -> bytes:
    return plain(["record", alias])
