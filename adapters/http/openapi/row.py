"""A row of the table: one thing that can be asked of the front door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

REALM: Final = "{/realm}"
"""Stands in a path where a realm may be named: each such row is two paths."""

GLOBAL: Final = "{/global-config}"
"""Stands where AM has had the path with and without this segment."""

JSON: Final = "application/json"
TEXT: Final = "text/plain"
EVENTS: Final = "text/event-stream"

Requirement = Mapping[str, list[str]]
"""The security schemes that are needed together, each with the roles that it needs."""

ANYBODY: tuple[Requirement, ...] = ()
SESSION: tuple[Requirement, ...] = ({"session": []}, {"sessionCookie": []})
PERHAPS_SESSION: tuple[Requirement, ...] = ({}, *SESSION)
ADMINISTRATOR: tuple[Requirement, ...] = ({"session": ["admin"]}, {"sessionCookie": ["admin"]})
CERTIFICATE: tuple[Requirement, ...] = ({}, {"clientCertificate": []})
NEGOTIATE: tuple[Requirement, ...] = ({}, {"negotiate": []})

AROUND = (400, 503)
"""Refusals of the envelope that every CREST call travels in."""

OF_A_BODY = (408, 413, 415)
"""Refusals of a body, before it is read."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is asked by a method, a path and perhaps an ``_action``, and what comes of it.

    ``takes`` and ``gives`` name schemas. ``examples`` are bodies by name. ``statuses`` are those
    of success: the first is what the examples bring about. ``refusals`` are told without those of
    the envelope, which ``crest`` adds. ``prefixed`` says that ``http.context_path`` may stand in
    front; ``managed``, that ``http.management_port`` has it.
    """

    method: str
    path: str
    summary: str
    tag: str = ""
    action: str | None = None
    needs_action: bool = True
    takes: str | None = None
    needs_body: bool = True
    gives: str | None = None
    media: str = JSON
    statuses: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = ()
    who: tuple[Requirement, ...] = ANYBODY
    parameters: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    crest: bool = True
    prefixed: bool = True
    managed: bool = False
    deprecated: bool = False


def spelt(rows: Iterable[Row]) -> list[Row]:
    """The rows with every path that they stand for."""
    found: list[Row] = []
    for row in rows:
        if REALM in row.path:
            root = replace(row, parameters=(*row.parameters, "realmQuery"))
            found.append(replace(root, path=row.path.replace(REALM, "")))
            refusals = (*row.refusals, 404)
            inner = row.path.replace(REALM, "/{realm}")
            found.append(replace(row, path=inner, refusals=refusals))
        elif GLOBAL in row.path:
            found.append(replace(row, path=row.path.replace(GLOBAL, "")))
            found.append(replace(row, path=row.path.replace(GLOBAL, "/global-config")))
        else:
            found.append(row)
    return found


def tagged(tag: str, rows: Iterable[Row], **common: Any) -> tuple[Row, ...]:
    """The rows under one heading, with what they have in common."""
    return tuple(replace(row, tag=tag, **common) for row in rows)
