"""The whole table: everything that the front door can be asked."""

from __future__ import annotations

from adapters.http.openapi import (
    rows_broker,
    rows_instances,
    rows_keys,
    rows_logins,
    rows_sts,
    rows_tokens,
    rows_trust,
    rows_users,
)
from adapters.http.openapi.row import Row, spelt

TABLE: tuple[Row, ...] = tuple(
    spelt(
        (
            *rows_sts.ROWS,
            *rows_tokens.ROWS,
            *rows_instances.ROWS,
            *rows_logins.ROWS,
            *rows_users.ROWS,
            *rows_keys.ROWS,
            *rows_trust.ROWS,
            *rows_broker.ROWS,
        )
    )
)
"""In the order in which each row finds what the rows before it made; deletions, from the end."""
