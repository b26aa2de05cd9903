"""Trusted issuers from a TOML file.

::

    [[issuer]]
    name = "partner"
    realm = "/"                              # optional
    issuer = "https://idp.example.com"
    audiences = ["https://sts.example.com"]
    jwks_file = "partner.json"               # beside this file; read again when it changes
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.issuers import draft
from adapters.issuers.directory import TrustedIssuers
from adapters.issuers.draft import Draft
from adapters.toml_entries import entries
from broker.errors import InvalidIssuer, InvalidRequest
from broker.model import normal_realm


def read(path: Path) -> list[Draft]:
    """The issuers of a file. Raises InvalidRequest naming what is wrong."""
    return entries(path, "issuer", lambda entry: _draft(entry, path.parent))


async def import_file(path: Path, issuers: TrustedIssuers) -> int:
    """Put each issuer of a file into the store, replacing namesakes; returns how many."""
    found = read(path)
    for issuer in found:
        await issuers.load(issuer.rules.realm, issuer.document)
    return len(found)


def _draft(entry: Any, folder: Path) -> Draft:
    if not isinstance(entry, Mapping):
        raise InvalidRequest("write each issuer under [[issuer]]")
    state = dict(entry)
    realm = state.pop("realm", "/")
    if not isinstance(realm, str):
        raise InvalidRequest("realm is a string")
    if state.get("client_secret") == draft.REDACTED:
        raise InvalidIssuer([("client_secret", "write the secret itself")])
    file = state.get("jwks_file")
    if isinstance(file, str) and file:
        state["jwks_file"] = str((folder / file).absolute())
    return draft.decoded(normal_realm(realm), state, any_file=True)
