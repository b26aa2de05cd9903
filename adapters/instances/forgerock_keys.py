"""Keys, key stores and what is named by token type, as an ``instance_state`` writes them.

A location that is empty or ``remint:`` is the realm's ring, and its aliases are ``active`` or a
``kid``. Any other is a file below the folder that settings name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.instances.members import Members
from broker.instance import ACTIVE_KEY, KeyStore, SigningKey
from broker.model import Secret, TokenType

OWN_KEY_RING = "remint:"


def store(
    members: Members, location: str, password: str, key_password: str | None = None
) -> KeyStore | None:
    """The key store under these keys; None for the realm's ring."""
    where = members.text(location)
    if where in ("", OWN_KEY_RING):
        return None
    return KeyStore(
        where,
        members.secret(password),
        members.secret(key_password) if key_password is not None else None,
    )


def signing_key(members: Members, algorithm: str, alias: str, own: KeyStore | None) -> SigningKey:
    """The key called ``alias`` in its store, or in the realm's ring."""
    named = members.text(alias, "" if own else ACTIVE_KEY)
    return SigningKey(algorithm, named, store=own)


def location(key: SigningKey) -> str:
    return key.store.location if key.store else OWN_KEY_RING


def revealed(secret: Secret | None) -> str | None:
    """For the store, which seals it."""
    return secret.reveal() if secret else None


def by_type(members: Members, key: str) -> dict[TokenType, str]:
    """A map from token types."""
    return {TokenType(name): value.strip() for name, value in members.text_map(key).items()}


def plug_ins(members: Members, keys: Mapping[str, str]) -> dict[str, str | None]:
    """The plug-in that is named under each key, by the member that it fills."""
    return {member: members.optional(key) for member, key in keys.items()}


def without_nothing(state: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say something: brokers that do not know one yet write the same document."""
    return {key: value for key, value in state.items() if value not in (None, "", {}, [])}
