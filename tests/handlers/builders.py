"""Small stand-ins for the ports, and builders with everything filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from adapters.keys import certificates, private_keys
from adapters.keys.signers import KeySigner
from broker.errors import AuthenticationFailed
from broker.instance import Instance, OidcOptions, Saml2Options, SigningKey, Transform
from broker.model import (
    OPENIDCONNECT,
    SAML2,
    USERNAME,
    Claim,
    Principal,
    ReceivedToken,
    RequestedToken,
    Secret,
    Session,
    TokenRecord,
    User,
    VerifiedClaims,
)
from broker.ports import IssueOrder, Signer, TokenProvider, TokenQuery
from broker.trust import Trust

NOW = 1_700_000_000
ENTROPY = bytes(range(32))


@lru_cache
def signer(algorithm: str) -> KeySigner:
    """One key of each kind for the whole run."""
    key = private_keys.generated(algorithm)
    # The judges look at the certificate's dates with their own clock, so it starts in the past.
    pem = certificates.self_signed(key, "/", NOW)
    return KeySigner(key, certificates.der(pem), algorithm=algorithm)


def saml2_options(**changes: Any) -> Saml2Options:
    options = Saml2Options(
        issuer="https://idp.example/", audience="https://sp.example/", recipient="https://sp/acs"
    )
    return replace(options, **changes)


def oidc_options(**changes: Any) -> OidcOptions:
    options = OidcOptions(
        issuer="https://idp.example/", audience=("rp",), signing_key=SigningKey("RS256")
    )
    return replace(options, **changes)


def instance(**changes: Any) -> Instance:
    draft = Instance(
        realm="/",
        url_element="inst",
        transforms=(Transform(USERNAME, SAML2), Transform(USERNAME, OPENIDCONNECT)),
        saml2=saml2_options(),
        oidc=oidc_options(),
    )
    return replace(draft, **changes)


def principal(**changes: Any) -> Principal:
    return replace(Principal("demo", "/", USERNAME, NOW - 60), **changes)


def order(
    provider: TokenProvider,
    options: Any,
    *,
    to: Instance,
    key: Signer | None = None,
    subject: Principal | None = None,
    claims: Mapping[str, tuple[str, ...]] | None = None,
    expires_at: int | None = None,
) -> IssueOrder:
    expiry = NOW + provider.lifetime_seconds(to) if expires_at is None else expires_at
    claim = Claim(provider.token_id(ENTROPY), NOW, expiry, key.kid if key else None, ENTROPY)
    return IssueOrder(
        to, subject or principal(), VerifiedClaims(claims or {}), options, claim, expiry, key
    )


def received(token_type: Any, **members: Any) -> ReceivedToken:
    return ReceivedToken(token_type, members)


def requested(token_type: Any, **members: Any) -> RequestedToken:
    return RequestedToken(token_type, members)


class Issuers:
    """IssuerKeys of a realm that trusts nobody, or just ``trust``."""

    def __init__(self, trust: Trust | None = None) -> None:
        self.trust = trust

    def find(self, realm: str, issuer: str) -> Trust | None:
        fits = self.trust is not None and (realm, issuer) == (
            self.trust.rules.realm,
            self.trust.rules.issuer,
        )
        return self.trust if fits else None

    def any(self, realm: str) -> bool:
        return self.trust is not None and realm == self.trust.rules.realm


class Tokens:
    """A TokenStore of one record."""

    def __init__(self, record: TokenRecord | None = None) -> None:
        self.record = record

    async def get(self, alias: str) -> TokenRecord | None:
        return self.record if self.record is not None and self.record.alias == alias else None

    async def query(self, query: TokenQuery) -> list[TokenRecord]:
        return [self.record] if self.record and query.limit else []

    async def cancel(self, alias: str) -> bool:
        found = await self.get(alias)
        self.record = None if found else self.record
        return found is not None

    async def reap(self, now: float) -> list[TokenRecord]:
        return [self.record] if self.record and self.record.expires_at <= now else []


class Sessions:
    """A SessionStore that remembers who was touched."""

    def __init__(self, *sessions: Session) -> None:
        self.sessions = {session.id: session for session in sessions}
        self.touched: list[tuple[Secret, int]] = []

    async def put(self, session: Session) -> None:
        self.sessions[session.id] = session

    async def get(self, session_id: Secret) -> Session | None:
        return self.sessions.get(session_id)

    async def touch(self, session_id: Secret, now: int) -> None:
        self.touched.append((session_id, now))

    async def end(self, session_id: Secret) -> bool:
        return self.sessions.pop(session_id, None) is not None

    async def reap(self, now: float) -> int:
        return sum(session.expired(now) for session in self.sessions.values())


class Users:
    """A UserStore that counts how often it was read."""

    def __init__(self, *users: User) -> None:
        self.users = {(user.realm, user.name): user for user in users}
        self.reads = 0

    async def get(self, realm: str, name: str) -> User | None:
        self.reads += 1
        return self.users.get((realm, name))

    async def put(self, user: User) -> None:
        self.users[user.realm, user.name] = user

    async def create(self, user: User) -> bool:
        return self.users.setdefault((user.realm, user.name), user) is user

    async def delete(self, realm: str, name: str) -> bool:
        return self.users.pop((realm, name), None) is not None

    async def list(self, realm: str) -> list[User]:
        return [user for user in self.users.values() if user.realm == realm]


class Passwords:
    """An Authenticator that knows one user, and remembers what it was asked."""

    def __init__(self, user: User, password: str) -> None:
        self._user, self._password = user, Secret(password)
        self.asked: list[tuple[str, str, str | None]] = []

    async def authenticate(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> User:
        self.asked.append((realm, username, address))
        if username != self._user.name or password != self._password:
            raise AuthenticationFailed("wrong name or password")
        return self._user


def user(**changes: Any) -> User:
    return replace(
        User("demo", "/", Secret("$argon2id$"), {"mail": ("demo@example.com",)}), **changes
    )
