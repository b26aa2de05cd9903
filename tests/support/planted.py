"""Secrets that the tests plant, and the search for them in whatever the broker put out.

Every password the tests use carries ``MARK``. Tokens and session ids that were handed out are
noted as they come, since they too may stand nowhere but in the answer that delivers them.
"""

from __future__ import annotations

from collections.abc import Iterable

MARK = "pl4nted"
USER_PASSWORD = f"Ch4ng31t-{MARK}"
ADMIN_PASSWORD = f"adm1n-{MARK}"
CLIENT_SECRET = f"client-secret-of-32-bytes-{MARK}"
PASSPHRASE = f"passphrase-{MARK}"

PRIVATE_KEY_LINE = "PRIVATE KEY"


class Planted:
    """What must not be found: the marked secrets, and what was noted."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def note(self, secret: str) -> None:
        self._noted.add(secret)

    def found_in(self, texts: Iterable[str]) -> list[str]:
        """The secrets that stand in any of the texts."""
        joined = "\n".join(texts)
        secrets = [MARK, PRIVATE_KEY_LINE, *self._noted]
        return [secret for secret in secrets if secret in joined]
