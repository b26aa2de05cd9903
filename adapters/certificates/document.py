"""A realm's certificate authorities as one document of the configuration that brokers share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from adapters.realm_documents import RealmDocuments
from broker.ports import ConfigurationStore

MAX_AUTHORITIES = 50


def kept(configuration: ConfigurationStore) -> RealmDocuments:
    """The documents of all realms."""
    return RealmDocuments(configuration, "authorities", "certificate authorities")


def revision(row: Mapping[str, Any]) -> str:
    """A signed 32-bit number as text, as for instances; it stands for the content, none of which
    is secret."""
    digest = hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()
    return str(int.from_bytes(digest[:4], "big", signed=True))
