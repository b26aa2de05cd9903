"""``/json/certificate-authorities``: whose client certificates a realm accepts, for its
administrators."""

from __future__ import annotations

from adapters.components import Components
from adapters.http.rows import RowAdministration


def authority_administration(components: Components) -> RowAdministration:
    """Nothing of an authority is secret."""
    return RowAdministration(components.sessions, components.authorities, "certificate-authorities")
