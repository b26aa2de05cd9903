"""Accepts OPAQUE tokens, each of them once."""

from __future__ import annotations

from hmac import compare_digest

from broker.authorities import ClientAuthorities, ClientAuthority, authority_in
from broker.errors import InvalidToken
from broker.instance import Instance
from broker.model import Login, Principal, ReceivedToken, TokenRecord
from broker.ports import TokenName, TokenStore, UserStore
from broker.trust import IssuerKeys, TrustedIssuer, account_parts
from handlers import NOBODY
from handlers.opaque.provider import OPAQUE, read

UNKNOWN = "this token is not known here, or it has ended"


class OpaqueValidator:
    """Looks the token up in ``tokens``; whatever is wrong with it, the caller hears the same."""

    token_type = OPAQUE

    def __init__(
        self,
        tokens: TokenStore,
        users: UserStore,
        issuers: IssuerKeys,
        authorities: ClientAuthorities = NOBODY,
    ) -> None:
        self._tokens = tokens
        self._users = users
        self._issuers = issuers
        self._authorities = authorities

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
        foreign = account_parts(record.principal)
        if foreign is not None:
            return self._of_another_issuer(record, *foreign)
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
            # When the user logged in is not kept: to say when this token was issued instead would
            # make an old login a fresh one.
            login=Login(),
        )

    def _of_another_issuer(self, record: TokenRecord, issuer: str, subject: str) -> Principal:
        """Whoever a trusted issuer or authority spoke for; what else it said is not kept."""
        rules = self._rules(record.realm, issuer)
        if rules is None or rules.link_local_users:
            raise InvalidToken(UNKNOWN, detail="the issuer of its subject is not trusted any more")
        return Principal(
            name=rules.named(subject),
            realm=record.realm,
            method=OPAQUE,
            attributes={},
            authenticated_at=record.issued_at,
            not_after=record.expires_at,
            parent=record.alias,
            one_time_token=record.token_id,
            foreign=record.principal,
            login=Login(),
        )

    def _rules(self, realm: str, issuer: str) -> TrustedIssuer | ClientAuthority | None:
        """Those of whoever spoke for the subject, if the realm still believes it."""
        name = authority_in(issuer)
        if name is None:
            trust = self._issuers.find(realm, issuer)
            return None if trust is None else trust.rules
        found = [each.rules for each in self._authorities.of(realm) if each.rules.name == name]
        return found[0] if found else None
