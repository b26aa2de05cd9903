"""A realm's certificate authorities as one document of the configuration that brokers share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from broker.errors import Unavailable
from broker.model import ROOT_REALM

PREFIX = "authorities/"
MAX_AUTHORITIES = 50

Rows = dict[str, Mapping[str, Any]]


def document_name(realm: str) -> str:
    """``authorities/`` for the root realm, ``authorities/fred/bobo`` for ``/fred/bobo``."""
    return PREFIX + realm.removeprefix(ROOT_REALM)


def realm_of(name: str) -> str:
    return ROOT_REALM + name.removeprefix(PREFIX)


def read(value: bytes | None) -> Rows:
    """The authorities by name, in order. Raises Unavailable if the document is broken."""
    if value is None:
        return {}
    try:
        return {str(row["name"]): row for row in orjson.loads(value)["authorities"]}
    except (ValueError, KeyError, TypeError):
        raise Unavailable(
            "the store cannot be read", detail="a document of certificate authorities is broken"
        ) from None


def written(rows: Iterable[Mapping[str, Any]]) -> bytes | None:
    """None for no authorities: then there is no document."""
    found = sorted(rows, key=lambda row: str(row["name"]))
    return orjson.dumps({"authorities": found}, option=orjson.OPT_SORT_KEYS) if found else None


def revision(row: Mapping[str, Any]) -> str:
    """A signed 32-bit number as text, as for instances; it stands for the content, none of which
    is secret."""
    digest = hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()
    return str(int.from_bytes(digest[:4], "big", signed=True))
