"""The OpenAPI 3.1 document of the HTTP front door, as its settings have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from adapters.http.openapi import (
    parameters,
    refusals,
    schemas_instances,
    schemas_logins,
    schemas_sts,
    schemas_trust,
    schemas_users,
)
from adapters.http.openapi.operations import operation, shared
from adapters.http.openapi.row import Row
from adapters.http.openapi.shapes import Schema
from adapters.http.openapi.table import TABLE
from adapters.settings_http import Http

VERSION: Final = "3.1.1"
API_VERSION: Final = "1.0.0"
"""Of what is described; its first number is raised by an incompatible change."""

_DESCRIPTION = (
    "Remint takes a security token of one kind and returns one of another, on the wire of the REST "
    "STS of ForgeRock and Ping Access Management. Whoever asks for a token needs no session: the "
    "token that is given is the credential. Every refusal has the same body."
)


@dataclass(frozen=True, slots=True)
class Front:
    """What settings decide of the document.

    ``url`` is where the front door is when the document is read elsewhere, on a management port;
    else everything is where the document is.
    """

    cookie_name: str = Http.model_fields["cookie_name"].default
    prefixes: tuple[str, ...] = tuple(Http.model_fields["context_path"].default)
    url: str = ""

    @classmethod
    def of(cls, http: Http, url: str) -> Front:
        """``url`` is the public one."""
        elsewhere = http.management_place is not None
        return cls(http.cookie_name, tuple(http.context_path), url if elsewhere else "")


def document(front: Front | None = None) -> dict[str, Any]:
    """The whole document; by default that of the default settings."""
    front = front or Front()
    return {
        "openapi": VERSION,
        "info": {
            "title": "Remint",
            "version": API_VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": front.url + prefix or "/"} for prefix in ("", *front.prefixes)],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in TABLE)],
        "paths": _paths(front),
        "components": {
            "schemas": _schemas(),
            "parameters": parameters.parameters(),
            "responses": refusals.responses(),
            "securitySchemes": _security(front.cookie_name),
        },
    }


def _paths(front: Front) -> Schema:
    found: dict[str, dict[str, list[Row]]] = {}
    for row in TABLE:
        found.setdefault(row.path, {}).setdefault(row.method.lower(), []).append(row)
    return {
        path: {
            **_around(front, next(iter(methods.values()))[0]),
            **{method: operation(rows) for method, rows in methods.items()},
        }
        for path, methods in found.items()
    }


def _around(front: Front, row: Row) -> Schema:
    """What all operations of a path have in common: parameters, and servers where no prefix may
    stand in front of it."""
    common = shared(row)
    servers = [] if row.prefixed else [{"url": "/" if row.managed else front.url or "/"}]
    return {
        **({"parameters": common} if common else {}),
        **({"servers": servers} if servers else {}),
    }


def _schemas() -> Schema:
    return {
        **schemas_sts.schemas(),
        **schemas_logins.schemas(),
        **schemas_instances.schemas(),
        **schemas_users.schemas(),
        **schemas_trust.schemas(),
    }


def _security(cookie_name: str) -> Schema:
    role = "The role admin: an administrator of the realm, or of the root realm."
    return {
        "session": {
            "type": "apiKey",
            "in": "header",
            "name": cookie_name,
            "description": f"The tokenId of a login. {role}",
        },
        "sessionCookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie_name,
            "description": f"The same as a cookie; from the broker's own origin alone. {role}",
        },
        "clientCertificate": {
            "type": "mutualTLS",
            "description": "For input of the type X509, unless a TLS offloader's header has it.",
        },
        "negotiate": {
            "type": "http",
            "scheme": "negotiate",
            "description": "Kerberos (RFC 4559), where a module of the realm takes it.",
        },
    }
