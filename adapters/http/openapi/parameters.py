"""Parameters in path, query and head, each by its name in the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.authentication.draft import MODULE, SERVICE, TYPES
from adapters.http import fields, filters, paging
from adapters.http.authenticate import PASSWORD_HEADER, USERNAME_HEADER
from adapters.http.call import METHODS, OVERRIDE
from adapters.http.events import MAX_POSITION_LENGTH
from adapters.http.factors import QUERY
from adapters.http.login_evidence import MAX_PASSWORD_LENGTH, MAX_USERNAME_LENGTH
from adapters.http.login_query import INDEX_TYPE, INDEX_VALUE, MAX_TARGET_LENGTH, NO_SESSION
from adapters.http.openapi import examples
from adapters.http.openapi.shapes import FLAG, NAME, TEXT, Schema, one_of
from adapters.trace import TRACEPARENT, TRACESTATE
from broker.idempotency import MAX_REQUEST_ID_LENGTH

CREST = ("fields", "prettyPrint", "apiVersion")
"""What every CREST call may have."""


def parameters() -> dict[str, Schema]:
    return {**_paths(), **_envelope(), **_queries(), **_heads()}


def _paths() -> dict[str, Schema]:
    return {
        f"{name}InPath": _parameter(
            "path", name, description, schema, example=example, required=True
        )
        for name, (description, schema, example) in _PATHS.items()
    }


_SLASHES = "Its slashes may stand as they are, or as %2F."
_PATHS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "instance": (
        f"The realm's path and the element, or the element in the root realm. {_SLASHES}",
        NAME,
        examples.INSTANCE,
    ),
    "realm": (
        f"The realm's path, or realms/root/realms/X as AM has it. {_SLASHES}",
        NAME,
        "partners",
    ),
    "realmId": ("The realm's _id: its path in base64url.", NAME, "L3BhcnRuZXJz"),
    "token": ("The token's id, as a list of tokens has it.", NAME, "s2f3c0…"),
    "tokenId": ("The session. It may end up in logs: better send it in the head.", NAME, "AQIC5…"),
    "requestId": (
        "The Idempotency-Key of the request.",
        {"type": "string", "minLength": 1, "maxLength": MAX_REQUEST_ID_LENGTH},
        "order-4711",
    ),
    "user": ("The user's name.", NAME, "bob"),
    "passcode": ("The passcode's _id, the first symbols of it.", NAME, "7K3Q"),
    "kid": ("The key's thumbprint (RFC 7638).", NAME, "NzbLs…"),
    "issuer": ("The name that administrators gave it.", NAME, "partner"),
    "authority": ("The name that administrators gave it.", NAME, "partner"),
    "module": ("The module's name.", NAME, "codes"),
    "chain": ("The chain's name.", NAME, "strong"),
    "type": ("The type of input.", one_of(TYPES), "USERNAME"),
}


def _envelope() -> dict[str, Schema]:
    return {
        "fields": _parameter(
            "query",
            "_fields",
            "The members of the answer that are wanted: JSON pointers (RFC 6901) with commas.",
            {"type": "string", "maxLength": fields.MAX_FIELDS_LENGTH},
        ),
        "prettyPrint": _parameter("query", "_prettyPrint", "An answer for people to read.", FLAG),
        "apiVersion": _parameter(
            "header",
            "Accept-API-Version",
            "protocol=2.1 is what is meant without it; resource= is ignored.",
            TEXT,
        ),
        "methodOverride": _parameter(
            "header", OVERRIDE, "On a POST: the method that is meant.", one_of(sorted(METHODS))
        ),
    }


def _queries() -> dict[str, Schema]:
    size = {"type": "integer", "minimum": 0, "maximum": paging.MAX_PAGE_SIZE}
    return {
        "realmQuery": _parameter(
            "query", "realm", "The realm, where the path does not name it.", TEXT
        ),
        "queryFilter": _parameter(
            "query",
            "_queryFilter",
            filters.USAGE,
            {"type": "string", "maxLength": filters.MAX_FILTER_LENGTH},
            example=f'/sts_id eq "{examples.INSTANCE}"',
            required=True,
        ),
        "pageSize": _parameter("query", "_pageSize", "How many at most; 0 is all.", size),
        "pagedResultsCookie": _parameter(
            "query",
            "_pagedResultsCookie",
            "That of the page before.",
            {"type": "string", "maxLength": paging.MAX_COOKIE_LENGTH},
        ),
        "totalPagedResultsPolicy": _parameter(
            "query",
            "_totalPagedResultsPolicy",
            "Whether to count what there is in all.",
            one_of(paging.POLICIES),
        ),
        "sortKeys": _parameter(
            "query", "_sortKeys", "The order there is.", one_of(sorted(paging.SORT_KEYS))
        ),
        "queryIdFactors": _parameter(
            "query", "_queryId", "List second factors in the place of users.", {"const": QUERY}
        ),
        "module": _parameter(
            "query",
            "module",
            "The account that this module calls so, not the local user.",
            {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
        ),
        "tokenId": _parameter(
            "query", "tokenId", "The session. It may end up in logs: better send the head.", TEXT
        ),
        **_targets(),
    }


def _targets() -> dict[str, Schema]:
    """Who is to check a login, and what is to come of it."""
    name = {"type": "string", "minLength": 1, "maxLength": MAX_TARGET_LENGTH}
    return {
        "authIndexType": _parameter(
            "query", INDEX_TYPE, "Chain or module.", one_of((SERVICE, MODULE))
        ),
        "authIndexValue": _parameter("query", INDEX_VALUE, "Its name.", name),
        "loginService": _parameter("query", SERVICE, "In one word: the chain.", name),
        "loginModule": _parameter("query", MODULE, "In one word: the module.", name),
        "noSession": _parameter(
            "query", NO_SESSION, "Whether to open none: the answer says that all is right.", FLAG
        ),
    }


def _heads() -> dict[str, Schema]:
    return {
        "idempotencyKey": _parameter(
            "header",
            "Idempotency-Key",
            "The same in each retry: it gets the same answer, never a second token.",
            {"type": "string", "minLength": 1, "maxLength": MAX_REQUEST_ID_LENGTH},
        ),
        "traceparent": _parameter(
            "header",
            "traceparent",
            "W3C Trace Context.",
            {"type": "string", "pattern": f"^{TRACEPARENT.pattern}$"},
        ),
        "tracestate": _parameter(
            "header",
            "tracestate",
            "W3C Trace Context.",
            {"type": "string", "pattern": f"^{TRACESTATE.pattern}$"},
        ),
        "username": _parameter(
            "header",
            USERNAME_HEADER,
            "In ASCII, in UTF-8, or as encoded words (RFC 2047).",
            {"type": "string", "maxLength": MAX_USERNAME_LENGTH},
            example=examples.USER,
        ),
        "password": _parameter(
            "header",
            PASSWORD_HEADER,
            "As the name, and always with it.",
            {"type": "string", "format": "password", "maxLength": MAX_PASSWORD_LENGTH},
            example=examples.PASSWORD,
        ),
        "ifMatch": _parameter(
            "header", "If-Match", "The revision that the caller saw; another is a 412.", TEXT
        ),
        "ifMatchAny": _parameter(
            "header", "If-Match", "With it, nothing is made that was not there.", TEXT
        ),
        "ifNoneMatch": _parameter(
            "header", "If-None-Match", "An asterisk: nothing there is replaced.", {"const": "*"}
        ),
        "lastEventId": _parameter(
            "header",
            "Last-Event-ID",
            "The id of the last event that was heard; without it, from now on.",
            {"type": "string", "maxLength": MAX_POSITION_LENGTH, "pattern": "^[0-9A-Za-z]*$"},
        ),
    }


def _parameter(
    place: str,
    name: str,
    description: str,
    schema: Mapping[str, Any],
    *,
    example: str | None = None,
    required: bool = False,
) -> Schema:
    return {
        "name": name,
        "in": place,
        "description": description,
        **({"required": True} if required else {}),
        "schema": dict(schema),
        **({} if example is None else {"example": example}),
    }
