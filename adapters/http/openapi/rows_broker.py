"""Realms, events, and what those read who look after a broker."""

from __future__ import annotations

from adapters.http.openapi.row import ADMINISTRATOR, EVENTS, GLOBAL, TEXT, Row, tagged

_REALMS = f"/json{GLOBAL}/realms"

ROWS = (
    *tagged(
        "Realms",
        (
            Row(
                "POST",
                _REALMS,
                "Make a realm.",
                action="create",
                needs_action=False,
                takes="realm.create",
                gives="realm",
                statuses=(201,),
                refusals=(404, 409),
                examples={"partners": {"name": "partners", "parentPath": "/"}},
            ),
            Row("GET", _REALMS, "List the realms.", gives="realms"),
            Row("GET", _REALMS + "/{realmId}", "Read a realm.", gives="realm", refusals=(404,)),
            Row(
                "DELETE",
                _REALMS + "/{realmId}",
                "Delete a realm that was made at run time and that nothing is in.",
                gives="realm",
                refusals=(404, 409),
            ),
        ),
        who=ADMINISTRATOR,
    ),
    *tagged(
        "The broker",
        (
            Row(
                "GET",
                "/events",
                "Hear what happens, as server-sent events (WHATWG HTML, section 9.2).",
                gives="events",
                media=EVENTS,
                who=ADMINISTRATOR,
                parameters=("lastEventId",),
                refusals=(400, 404, 503),
                crest=False,
                prefixed=False,
            ),
        ),
    ),
    *tagged(
        "The broker",
        (
            Row("GET", "/livez", "Ask whether the process lives.", gives="alive"),
            Row(
                "GET",
                "/readyz",
                "Ask whether the broker takes requests.",
                gives="readiness",
                statuses=(200, 503),
            ),
            Row(
                "GET",
                "/metrics",
                "Read the numbers of all workers, as Prometheus writes them.",
                gives="page",
                media=TEXT,
            ),
            Row("GET", "/openapi.json", "Read this document.", gives="document"),
            Row(
                "GET",
                "/asyncapi.json",
                "Read what travels by message, as AsyncAPI 3.0.",
                gives="document",
            ),
        ),
        crest=False,
        prefixed=False,
        managed=True,
    ),
)
