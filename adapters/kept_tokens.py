"""Issued tokens that are kept with their records, for instances that ask for it."""

from __future__ import annotations

from adapters.keys.root_secret import Sealer
from adapters.stores.sealing import opened
from broker.model import TokenRecord


class KeptTokens:
    """Seals them before any store sees them. ``key`` is the same in all brokers of a store."""

    def __init__(self, key: bytes) -> None:
        self._sealer = Sealer(key)

    def seal(self, alias: str, token: str) -> bytes:
        """The token, for the record of this alias and no other."""
        return self._sealer.seal(_bytes(token), _bytes(alias))

    def token(self, record: TokenRecord) -> str | None:
        """The token of a record, None where it was not kept; raises Unavailable if it was changed
        in the store."""
        if record.kept is None:
            return None
        sealed = opened(self._sealer, record.kept, _bytes(record.alias))
        return sealed.decode("utf-8", "surrogatepass")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
