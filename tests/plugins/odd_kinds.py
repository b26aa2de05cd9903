"""What no broker should start with."""

from __future__ import annotations

from adapters.authentication.modules.files import FilesKind


class Files(FilesKind):
    """Calls itself what a built-in kind is called."""


class Nothing:
    """Has none of the members of a kind."""
