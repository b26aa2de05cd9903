"""A realm's modules, chains and defaults as one document of the configuration that brokers share.

Each is a row of its own (``module/NAME``, ``chain/NAME``, ``default/TYPE``), so that what a chain
names is there in the same step in which the chain is.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from adapters.realm_documents import RealmDocuments
from broker.ports import ConfigurationStore

MODULE, CHAIN, DEFAULT = "module/", "chain/", "default/"

MOST = {MODULE: 100, CHAIN: 100, DEFAULT: 20}
"""How many of each a realm has at most."""


def kept(configuration: ConfigurationStore) -> RealmDocuments:
    """The documents of all realms."""
    return RealmDocuments(configuration, "authentication", "authentication modules and chains")


def revision(row: Mapping[str, Any], key: bytes) -> str:
    """A signed 32-bit number as text, as for instances; it stands for the content.

    Keyed, since who reads it could else try out what the secrets in the content may be.
    """
    digest = hmac.digest(key, orjson.dumps(row, option=orjson.OPT_SORT_KEYS), "sha256")
    return str(int.from_bytes(digest[:4], "big", signed=True))
