"""The query string: what of it CREST knows, read once for each request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

TRANSLATE_BATCH = "translate_batch"

ONCE = frozenset(
    {
        "_action",
        "_pageSize",
        "_pagedResultsCookie",
        "_pagedResultsOffset",
        "_prettyPrint",
        "_queryExpression",
        "_queryFilter",
        "_queryId",
        "_totalPagedResultsPolicy",
    }
)
"""CREST's parameters of which there is one at most: two could be read in two ways."""


@dataclass(frozen=True, slots=True)
class Query:
    """What every endpoint looks at. ``twice`` is a parameter that may come once and came more
    often."""

    action: str | None
    pretty: bool = False
    fields: tuple[str, ...] = ()
    twice: str | None = None


_PLAIN: Mapping[str, Query] = {
    f"_action={action}": Query(action)
    for action in ("translate", TRANSLATE_BATCH, "validate", "cancel")
}
"""The query strings of nearly all requests; parsing one takes longer than all the rest here."""


def read(request: web.Request) -> Query:
    plain = _PLAIN.get(request.rel_url.raw_query_string)
    return plain if plain is not None else _parsed(request)


def _parsed(request: web.Request) -> Query:
    query = request.query
    return Query(
        query.get("_action"),
        query.get("_prettyPrint", "").lower() == "true",
        tuple(query.getall("_fields", ())),
        next((name for name in query if name in ONCE and len(query.getall(name)) > 1), None),
    )
