"""Rows of one method and path as one OpenAPI operation.

OpenAPI knows no two operations that only the query tells apart. So ``_action`` is a parameter whose
values are those of the rows, the bodies are alternatives, and ``x-actions`` says which go together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from adapters.http.openapi import parameters, refusals
from adapters.http.openapi.row import ADMINISTRATOR, AROUND, JSON, OF_A_BODY, Row
from adapters.http.openapi.shapes import Schema, one_of, ref

HEADS: dict[str, str] = {
    "Location": "Where it can be read.",
    "ETag": "Its revision.",
    "Set-Cookie": "The session, for browsers.",
    "WWW-Authenticate": "The server's part of Negotiate (RFC 4559).",
    "Cache-Control": "For how long it may be kept.",
}
_BRACED = re.compile(r"\{([^}]+)\}")
_WORD = re.compile(r"[A-Za-z0-9]+")


def operation(rows: Sequence[Row]) -> Schema:
    """All rows are of one method and path."""
    first = rows[0]
    body = _body(rows)
    security = _distinct(requirement for row in rows for requirement in row.who)
    return {
        "operationId": _id(first),
        "tags": _distinct(row.tag for row in rows),
        "summary": first.summary if len(rows) == 1 else f"One of {', '.join(_names(rows))}.",
        **({"description": _description(rows)} if len(rows) > 1 else {}),
        **({"deprecated": True} if all(row.deprecated for row in rows) else {}),
        "parameters": _parameters(rows),
        **({"requestBody": body} if body else {}),
        "responses": _responses(rows),
        "security": [dict(requirement) for requirement in security],
        **({"x-actions": _actions(rows)} if _names(rows) else {}),
    }


def _id(row: Row) -> str:
    words = _WORD.findall(row.path)
    return row.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _names(rows: Sequence[Row]) -> list[str]:
    return [row.action for row in rows if row.action is not None]


def _description(rows: Sequence[Row]) -> str:
    return "\n".join(f"- `{row.action}`: {row.summary}" for row in rows)


def shared(row: Row) -> list[Schema]:
    """The parameters that all operations of the row's path have."""
    path = [f"{name}InPath" for name in _BRACED.findall(row.path)]
    return _named([*path, *(parameters.CREST if row.crest else ())])


def _parameters(rows: Sequence[Row]) -> list[Schema]:
    own = _distinct(name for row in rows for name in row.parameters)
    override = ["methodOverride"] if rows[0].method == "POST" else []
    action = _action(rows)
    return [*_named([*own, *override]), *([action] if action else [])]


def _named(names: Iterable[str]) -> list[Schema]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _action(rows: Sequence[Row]) -> Schema | None:
    names = _names(rows)
    if not names:
        return None
    needed = all(row.action is not None and row.needs_action for row in rows)
    return {
        "name": "_action",
        "in": "query",
        "description": "What is asked for, to the letter.",
        "required": needed,
        "schema": one_of(names),
    }


def _body(rows: Sequence[Row]) -> Schema | None:
    names = _distinct(row.takes for row in rows if row.takes is not None)
    if not names:
        return None
    examples = {name: {"value": body} for row in rows for name, body in row.examples.items()}
    return {
        "required": all(row.takes is not None and row.needs_body for row in rows),
        "content": {
            JSON: {"schema": _any(names), **({"examples": examples} if examples else {})},
        },
    }


def _responses(rows: Sequence[Row]) -> Schema:
    found: dict[str, Schema] = {}
    for status in sorted({status for row in rows for status in row.statuses}):
        found[str(status)] = _success([row for row in rows if status in row.statuses])
    refused = {status for row in rows for status in _refusals(row)}
    for status in sorted(refused - {int(status) for status in found}):
        found[str(status)] = {"$ref": f"#/components/responses/{refusals.name_of(status)}"}
    found["default"] = {"$ref": f"#/components/responses/{refusals.UNFORESEEN}"}
    return found


def _refusals(row: Row) -> tuple[int, ...]:
    around = AROUND if row.crest else ()
    if row.takes is not None:
        around = (*around, *OF_A_BODY)
    return (*row.refusals, *around, *((401, 403) if row.who == ADMINISTRATOR else ()))


def _success(rows: Sequence[Row]) -> Schema:
    names = _distinct(row.gives for row in rows if row.gives is not None)
    heads = _distinct(head for row in rows for head in row.heads)
    described = {head: {"description": HEADS[head], "schema": {"type": "string"}} for head in heads}
    return {
        "description": "Done." if len(rows) > 1 or rows[0].method != "GET" else "Found.",
        **({"headers": described} if described else {}),
        "content": {rows[0].media: {"schema": _any(names)}},
    }


def _actions(rows: Sequence[Row]) -> Schema:
    """What each action takes, what it gives by status, and, where they differ, whom it asks for."""
    mixed = any(row.who != rows[0].who for row in rows)
    return {
        row.action: {
            "summary": row.summary,
            **({"request": _request(row, row.takes)} if row.takes else {}),
            **({"responses": _gives(row)} if row.gives else {}),
            **({"examples": list(row.examples)} if row.examples else {}),
            **({"security": [dict(each) for each in row.who]} if mixed else {}),
        }
        for row in rows
        if row.action is not None
    }


def _request(row: Row, takes: str) -> Schema:
    return {"required": row.needs_body, "schema": ref(takes)}


def _gives(row: Row) -> Schema:
    return {str(status): ref(row.gives or "") for status in row.statuses}


def _any(names: Sequence[str]) -> Schema:
    return ref(names[0]) if len(names) == 1 else {"anyOf": [ref(name) for name in names]}


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Each once, in order."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
