"""Bodies of trusted issuers, authorities, modules, chains and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.authentication import draft as authentication
from adapters.certificates import draft as authorities
from adapters.http.openapi.shapes import (
    FLAG,
    NAME,
    SECRET,
    TEXT,
    TEXTS,
    Schema,
    listed,
    obj,
    one_of,
    said,
)
from adapters.issuers import draft as issuers
from adapters.issuers.verification import ASYMMETRIC_ALGORITHMS, SECRET_ALGORITHMS
from broker.authorities import REVOCATION_POLICIES, USAGES
from broker.trust import MAX_LEEWAY_SECONDS

_NAMED = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
_PEM = {"type": "string", "description": "PEM, one or more."}


def schemas() -> dict[str, Schema]:
    return {
        **_row("issuer", "Whose ID tokens a realm accepts.", _issuer()),
        **_row("authority", "Whose client certificates a realm accepts.", _authority()),
        **_row("module", "Who checks a login; what else it says depends on kind.", _module()),
        **_row("chain", "Modules, one after the other.", _chain()),
        **_row("default", "Who checks a type of input where nobody else is named.", _default()),
    }


def _row(what: str, description: str, schema: Schema) -> dict[str, Schema]:
    """What is written, put, shown and listed of one sort of row."""
    written = {**schema, "description": description}
    required = [name for name in schema["required"] if name != "name"]
    put = {**written, "required": required}
    properties = {"_id": TEXT, "_rev": TEXT, **schema["properties"]}
    return {
        what: written,
        f"{what}.put": {**put, "description": f"{description} The path has the name."},
        f"{what}.shown": {
            "description": f"{description} Secrets are shown as {issuers.REDACTED}.",
            "type": "object",
            "properties": properties,
            "required": ["_id", "_rev", "name"],
        },
        f"{what}.list": listed(f"{what}.shown"),
    }


def _issuer() -> Schema:
    sources: Mapping[str, Any] = {
        "jwks": said("A JWK set (RFC 7517).", {"type": ["object", "string"]}),
        "jwks_url": TEXT,
        "jwks_file": said("Named in files alone; shown here.", TEXT),
        "discovery": FLAG,
        "own_keys": FLAG,
        "client_secret": SECRET,
    }
    rules: Mapping[str, Any] = {
        "authorized_parties": TEXTS,
        "algorithms": {
            "type": "array",
            "items": one_of(sorted({*ASYMMETRIC_ALGORITHMS, *SECRET_ALGORITHMS})),
        },
        "subject_claim": TEXT,
        "subject_prefix": TEXT,
        "link_local_users": FLAG,
        "leeway_seconds": {"type": "integer", "minimum": 0, "maximum": MAX_LEEWAY_SECONDS},
    }
    audiences = {"type": "array", "items": NAME, "minItems": 1}
    issuer = {"type": "string", "maxLength": issuers.MAX_ISSUER_LENGTH}
    needed: Mapping[str, Any] = {"name": _NAMED, "issuer": issuer, "audiences": audiences}
    return {
        **obj("", needed, {**rules, **sources}),
        "anyOf": [{"required": [source]} for source in issuers.SOURCES],
    }


def _authority() -> Schema:
    places = {"type": "array", "items": TEXT, "maxItems": authorities.MAX_PLACES}
    return obj(
        "",
        {"name": _NAMED, "anchors": _PEM},
        {
            "intermediates": _PEM,
            "usage": one_of(USAGES),
            "subject": one_of(authorities.SUBJECTS),
            "subject_prefix": TEXT,
            "link_local_users": FLAG,
            "revocation": one_of(REVOCATION_POLICIES),
            "crls": _PEM,
            "crl_files": said("Named in files alone; shown here.", places),
            "crl_urls": places,
            "ocsp_url": TEXT,
            "revocation_hosts": places,
        },
    )


def _module() -> Schema:
    return obj(
        "",
        {"name": _NAMED, "kind": said("One of the kinds that are installed.", NAME)},
        {"principal": said("For whom a login stands.", {"type": "object"})},
    )


def _chain() -> Schema:
    link = obj("", {"module": NAME, "flag": one_of(authentication.FLAGS)})
    return obj(
        "",
        {
            "name": _NAMED,
            "modules": {
                "type": "array",
                "minItems": 1,
                "maxItems": authentication.MAX_LINKS,
                "items": link,
            },
        },
        {"principal": said("For whom a login stands.", {"type": "object"})},
    )


def _default() -> Schema:
    target = said(
        "A chain or a module.",
        {"type": "string", "pattern": r"^\s*(service|module)\s*\|\s*\S.*$"},
    )
    return obj("", {"name": one_of(authentication.TYPES), "target": target})
