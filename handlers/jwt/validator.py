"""Accepts ID tokens of issuers that the realm trusts."""

from __future__ import annotations

from hmac import compare_digest

from broker.errors import InvalidRequest, InvalidToken
from broker.instance import Instance
from broker.model import OPENIDCONNECT, Principal, ReceivedToken, Secret, TokenRecord
from broker.ports import TokenStore, UserStore
from broker.trust import IssuerKeys, Trust, account, account_parts
from handlers.jwt import compact, rules
from handlers.jwt.attributes import ClaimAttributes
from handlers.jwt.provider import MAX_TOKEN_LENGTH, named
from handlers.members import text_member

NOT_TRUSTED = "this is no ID token that is signed by an issuer whom this realm trusts"
NO_ACCOUNT = "the ID token speaks for nobody who has an account here"
TAKEN_BACK = "this ID token of ours is not known any more"


class OidcValidator:
    """Verifies with the issuer's keys. Until the signature holds, whatever is wrong is said in the
    same words; afterwards the holder hears what it is.
    """

    token_type = OPENIDCONNECT

    def __init__(self, issuers: IssuerKeys, users: UserStore, tokens: TokenStore) -> None:
        self._issuers = issuers
        self._users = users
        self._tokens = tokens

    def parse(self, token: ReceivedToken) -> Secret:
        """Raises InvalidRequest naming the member that is missing."""
        return Secret(text_member(token.unverified, "oidc_id_token", MAX_TOKEN_LENGTH))

    async def validate(self, credential: Secret, instance: Instance, now: float) -> Principal:
        """Raises InvalidRequest where the realm trusts nobody, InvalidToken, and Unavailable if
        the issuer's keys cannot be had."""
        realm = instance.realm
        if not self._issuers.any(realm):
            raise InvalidRequest("this realm trusts no issuer of ID tokens; name one first")
        token = credential.reveal().encode()
        try:
            jws = compact.read(token)
        except compact.Malformed as error:
            raise InvalidToken(NOT_TRUSTED, detail=str(error)) from None
        trust, ours = await self._verified(jws, realm)
        claims = jws.unverified  # which from here on they are not
        rules.check(claims, trust.rules, now)
        subject = rules.subject(claims, trust.rules)
        record = await self._still_known(token, realm, now) if ours else None
        parent = None if record is None else record.alias
        ends = rules.not_after(claims, trust.rules, now)
        login = rules.login(claims)
        authenticated_at = int(claims["iat"]) if login.at is None else login.at
        if trust.rules.link_local_users:
            if record is not None and account_parts(record.principal) is not None:
                # Whatever the token calls it, a foreign subject does not become a local user.
                raise InvalidToken(NO_ACCOUNT, detail="a foreign subject in a token of ours")
            user = await self._users.get(realm, subject)
            if user is None or not user.active:
                raise InvalidToken(NO_ACCOUNT)
            return Principal(
                name=user.name,
                realm=realm,
                method=OPENIDCONNECT,
                authenticated_at=authenticated_at,
                attributes=user.attributes,
                not_after=ends,
                parent=parent,
                login=login,
            )
        return Principal(
            name=trust.rules.named(subject),
            realm=realm,
            method=OPENIDCONNECT,
            authenticated_at=authenticated_at,
            attributes=ClaimAttributes(claims),
            not_after=ends,
            parent=parent,
            foreign=account(trust.rules.issuer, subject),
            login=login,
        )

    async def _verified(self, jws: compact.Jws, realm: str) -> tuple[Trust, bool]:
        """Who signed it, and whether that is this broker. Raises InvalidToken, Unavailable."""
        issuer = jws.unverified.get("iss")
        trust = self._issuers.find(realm, issuer) if isinstance(issuer, str) else None
        if trust is None:
            raise InvalidToken(NOT_TRUSTED, detail="the issuer is not trusted")
        algorithm = jws.header.algorithm
        if algorithm not in trust.rules.algorithms:
            raise InvalidToken(NOT_TRUSTED, detail="the algorithm is not this issuer's")
        for key in await trust.keys(algorithm, jws.header.kid):
            if key.verifies(algorithm, jws.signature, jws.signing_input):
                return trust, trust.ours(key)
        raise InvalidToken(NOT_TRUSTED, detail="no key of the issuer made the signature")

    async def _still_known(self, token: bytes, realm: str, now: float) -> TokenRecord:
        """The record of a token of ours: one that was cancelled, or never kept, is no good.

        Whether it was taken back with its parent or its key, the pipeline looks at.
        """
        name = named(token)
        record = await self._tokens.get(name.alias)
        if (
            record is None
            or record.realm != realm
            or record.expires_at <= now
            or not compare_digest(record.digest, name.digest)
        ):
            raise InvalidToken(TAKEN_BACK)
        return record
