"""``/sts-tokengen``: what was issued, for administrators; and ``/requests``, for who asked."""

from __future__ import annotations

from adapters.http.openapi import examples
from adapters.http.openapi.row import ADMINISTRATOR, SESSION, Row, tagged

ROWS = (
    *tagged(
        "Issued tokens",
        (
            Row(
                "GET",
                "/sts-tokengen",
                "List tokens, by instance, principal or both.",
                gives="tokens",
                parameters=(
                    *("queryFilter", "pageSize", "pagedResultsCookie"),
                    *("totalPagedResultsPolicy", "sortKeys"),
                ),
            ),
            Row(
                "POST",
                "/sts-tokengen",
                "Cancel all tokens that the whole of the body describes.",
                action="cancel",
                takes="tokens.cancel",
                gives="tokens.cancelled",
                examples={"ofAnInstance": {"instance": examples.INSTANCE}},
            ),
            Row(
                "GET",
                "/sts-tokengen/{token}",
                "Read the record of a token.",
                gives="token",
                refusals=(404,),
            ),
            Row(
                "DELETE",
                "/sts-tokengen/{token}",
                "Cancel a token by its id; one that is not there is none the less cancelled.",
                gives="removed",
            ),
        ),
        who=ADMINISTRATOR,
    ),
    *tagged(
        "Issued tokens",
        (
            Row(
                "GET",
                "/requests/{requestId}",
                "Read the stored answer to a request that had an Idempotency-Key, with the session "
                "that it was made with.",
                gives="stored.answer",
                refusals=(401, 403, 404, 409, 410, 429, 500),
                who=SESSION,
                prefixed=False,
            ),
        ),
    ),
)
