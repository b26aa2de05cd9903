"""A custom provider: a JSON token with an HMAC beside it.

The token depends on nothing but what the plug-in is told, so that a request which is tried again
gets the same one.
"""

from __future__ import annotations

import hmac
import json
import os
from pathlib import Path
from typing import Any

from broker.errors import InvalidRequest
from broker.plug_ins import Translation

FILE_VARIABLE = "EXAMPLE_SIGNING_SECRET"
MAX_SCOPE_LENGTH = 100


class SignedJson:
    """Says who the token speaks for, until when, and the ``scope`` that the caller asked for."""

    def __init__(self) -> None:
        self._secret = Path(os.environ[FILE_VARIABLE]).read_bytes().strip()

    async def issue(self, order: Translation) -> dict[str, Any]:
        """A coroutine: it has nothing to wait for, and could."""
        scope = order.output.options.get("scope", "")
        if not isinstance(scope, str) or len(scope) > MAX_SCOPE_LENGTH:
            raise InvalidRequest(f"scope must be a string of up to {MAX_SCOPE_LENGTH} characters")
        said = {
            "id": order.token_id,
            "subject": order.principal.name,
            "from": order.principal.method,
            "key": (order.principal.state or {}).get("key"),
            "scope": scope,
            "expires": order.expires_at,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        mac = hmac.digest(self._secret, text.encode(), "sha256").hex()
        return {"issued_token": text, "hmac_sha256": mac}
