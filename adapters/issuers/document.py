"""The trusted issuers of a realm as one document of the configuration that brokers share."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from broker.errors import Unavailable
from broker.model import ROOT_REALM

PREFIX = "issuers/"
MAX_ISSUERS = 100

Rows = dict[str, Mapping[str, Any]]


def document_name(realm: str) -> str:
    """``issuers/`` for the root realm, ``issuers/fred/bobo`` for ``/fred/bobo``."""
    return PREFIX + realm.removeprefix(ROOT_REALM)


def realm_of(name: str) -> str:
    return ROOT_REALM + name.removeprefix(PREFIX)


def read(value: bytes | None) -> Rows:
    """The issuers by name. Raises Unavailable if the document is broken."""
    if value is None:
        return {}
    try:
        return {str(row["name"]): row for row in orjson.loads(value)["issuers"]}
    except (ValueError, KeyError, TypeError):
        raise Unavailable(
            "the store cannot be read", detail="a document of trusted issuers is broken"
        ) from None


def written(rows: Iterable[Mapping[str, Any]]) -> bytes | None:
    """None for no issuers: then there is no document."""
    found = sorted(rows, key=lambda row: str(row["name"]))
    return orjson.dumps({"issuers": found}, option=orjson.OPT_SORT_KEYS) if found else None


def revision(row: Mapping[str, Any], key: bytes) -> str:
    """A signed 32-bit number as text, as for instances; it stands for the content.

    Keyed, since who reads it could else try out what the client secret in the content may be.
    """
    digest = hmac.digest(key, orjson.dumps(row, option=orjson.OPT_SORT_KEYS), "sha256")
    return str(int.from_bytes(digest[:4], "big", signed=True))
