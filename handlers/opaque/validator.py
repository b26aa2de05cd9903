"""Accepts OPAQUE tokens, each of them once."""

from __future__ import annotations

from hmac import compare_digest

from broker.errors import InvalidToken
from broker.instance import Instance
from broker.model import Principal, ReceivedToken
from broker.ports import TokenName, TokenStore, UserStore
from handlers.opaque.provider import OPAQUE, read

UNKNOWN = "this token is not known here, or it has ended"


class OpaqueValidator:
    """Looks the token up in ``tokens``; whatever is wrong with it, the caller hears the same."""

    token_type = OPAQUE

    def __init__(self, tokens: TokenStore, users: UserStore) -> None:
        self._tokens = tokens
        self._users = users

    def parse(self, token: ReceivedToken) -> TokenName:
        return read(token.unverified)

    async def validate(self, credential: TokenName, instance: Instance, now: float) -> Principal:
        record = await self._tokens.get(credential.alias)
        if (
            record is None
            or record.type != OPAQUE
            or record.realm != instance.realm
            or record.expires_at <= now
            or not compare_digest(record.digest, credential.digest)
        ):
            raise InvalidToken(UNKNOWN)
        user = await self._users.get(record.realm, record.principal)
        if user is None or not user.active:
            raise InvalidToken(UNKNOWN, detail="the token's user is gone or inactive")
        return Principal(
            name=record.principal,
            realm=record.realm,
            method=OPAQUE,
            attributes=user.attributes,
            authenticated_at=record.issued_at,
            not_after=record.expires_at,
            parent=record.alias,
            one_time_token=record.token_id,
        )
