"""Issues OPAQUE tokens, and knows how one is named."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from broker.instance import Instance, SigningKey
from broker.model import IssuedToken, RequestedToken, TokenType
from broker.ports import IssueOrder, TokenName
from handlers.members import text_member

OPAQUE = TokenType("OPAQUE")
LIFETIME_SECONDS = 600
MAX_OPAQUE_TOKEN_LENGTH = 128
TOKEN_ID_LENGTH = 40  # hex digits of the token's SHA-256


def read(state: Mapping[str, Any]) -> TokenName:
    """The name of the token in ``state``; raises InvalidRequest if there is none."""
    return named(text_member(state, "opaque_token", MAX_OPAQUE_TOKEN_LENGTH))


def named(token: str) -> TokenName:
    """Only the hash of a token is kept, so that a copy of the store holds nothing to use."""
    digest = hashlib.sha256(token.encode()).digest()
    return TokenName(alias=digest.hex()[:TOKEN_ID_LENGTH], digest=digest)


class OpaqueProvider:
    """The token is the claim's entropy as text; what it stands for is in its record alone."""

    token_type = OPAQUE

    def parse(self, requested: RequestedToken, instance: Instance) -> None:
        """OPAQUE takes no options."""

    def token_id(self, entropy: bytes) -> str:
        return named(_text(entropy)).alias

    def lifetime_seconds(self, instance: Instance) -> int:
        return LIFETIME_SECONDS

    def signing_key(self, instance: Instance) -> SigningKey | None:
        """None: nothing is signed."""
        return None

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        """Empty: the token carries no claims."""
        return {}

    def persists(self, instance: Instance) -> bool:
        """Always: without its record the token means nothing."""
        return True

    async def issue(self, order: IssueOrder) -> IssuedToken:
        token = _text(order.claim.entropy)
        name = named(token)
        return IssuedToken(
            type=OPAQUE,
            token_id=order.claim.token_id,
            alias=name.alias,
            digest=name.digest,
            body={"issued_token": token},
        )

    def name(self, state: Mapping[str, Any]) -> TokenName:
        return read(state)


def _text(entropy: bytes) -> str:
    return urlsafe_b64encode(entropy).rstrip(b"=").decode()
