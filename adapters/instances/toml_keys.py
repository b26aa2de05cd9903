"""Keys and key stores in TOML.

::

    signing_key = "RS256"            # the realm's active key; or "RS256 <kid>"

    signing_key = "RS256 our-alias"  # with a key store beside it: the key of that alias
    key_store = { file = "sts.p12", password = "…", key_password = "…" }
"""

from __future__ import annotations

from adapters.instances.members import Members
from broker.instance import ACTIVE_KEY, KeyStore, SigningKey


def key_store(members: Members) -> KeyStore | None:
    """The key store of a section, if it has one of its own."""
    if not members.given("key_store"):
        return None
    entry = members.section("key_store")
    entry.only("file", "password", "key_password")
    file = entry.text("file")
    if not file:
        entry.wrong("file", "name the file, below the folder of keys.keystore_dir")
    return KeyStore(file, entry.secret("password"), entry.secret("key_password"))


def signing_key(text: str, own: KeyStore | None) -> SigningKey:
    """An algorithm, and after a blank the alias or ``kid`` of the key."""
    algorithm, _, alias = text.partition(" ")
    return SigningKey(algorithm, alias.strip() or ("" if own else ACTIVE_KEY), store=own)
