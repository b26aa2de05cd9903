"""``/json/trusted-issuers``: whose ID tokens a realm accepts, for its administrators."""

from __future__ import annotations

from adapters.components import Components
from adapters.http.rows import RowAdministration
from adapters.issuers import draft


def issuer_administration(components: Components) -> RowAdministration:
    """A client secret is never shown."""
    return RowAdministration(
        components.sessions, components.issuers, "trusted-issuers", draft.shown
    )
