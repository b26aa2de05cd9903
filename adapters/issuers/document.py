"""The trusted issuers of a realm as one document of the configuration that brokers share."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from adapters.realm_documents import RealmDocuments
from broker.ports import ConfigurationStore

MAX_ISSUERS = 100


def kept(configuration: ConfigurationStore) -> RealmDocuments:
    """The documents of all realms."""
    return RealmDocuments(configuration, "issuers", "trusted issuers")


def revision(row: Mapping[str, Any], key: bytes) -> str:
    """A signed 32-bit number as text, as for instances; it stands for the content.

    Keyed, since who reads it could else try out what the client secret in the content may be.
    """
    digest = hmac.digest(key, orjson.dumps(row, option=orjson.OPT_SORT_KEYS), "sha256")
    return str(int.from_bytes(digest[:4], "big", signed=True))
