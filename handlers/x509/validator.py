"""Accepts client certificates of authorities that the realm names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from broker.authorities import (
    HARD,
    OFF,
    ClientAuthorities,
    ClientAuthority,
    ClientTrust,
    Revocation,
    account,
)
from broker.errors import InvalidRequest, InvalidToken, Unavailable
from broker.instance import Instance
from broker.model import X509, Principal, ReceivedToken
from broker.ports import UserStore
from handlers.x509 import path, subjects
from handlers.x509.path import NotValid
from handlers.x509.reading import Credential, credential

NOT_TRUSTED = "no certificate authority of this realm vouches for this client certificate"
REVOKED = "this client certificate, or one in its path, was revoked"
NOT_KNOWN = "whether this client certificate was revoked is not known to its authority"
NOT_ASKED = "whether this client certificate was revoked cannot be asked now; ask again shortly"
RETRY_SECONDS = 5
MAX_DETAIL_LENGTH = 1000  # of a line of the audit that anybody can have written


class X509Validator:
    """The holder proved to have the key, to the TLS layer; here the certificate is looked at. Until
    an authority stands behind it, whatever is wrong is said in the same words."""

    token_type = X509

    def __init__(self, authorities: ClientAuthorities, users: UserStore) -> None:
        self._authorities = authorities
        self._users = users

    def parse(self, token: ReceivedToken) -> Credential:
        """Raises InvalidRequest if no certificate came that counts, or none that can be read."""
        return credential(token.presented)

    async def validate(self, credential: Credential, instance: Instance, now: float) -> Principal:
        """Raises InvalidRequest where the realm has no authority, InvalidToken, and Unavailable if
        nobody can say whether the certificate was revoked."""
        authorities = self._authorities.of(instance.realm)
        if not authorities:
            raise InvalidRequest("this realm has no certificate authority; name one first")
        trust, chain = _vouched(credential, authorities, now)
        rules = trust.rules
        await _check_revocation(trust, chain, now)
        try:
            subject = subjects.subject(credential.leaf, rules.subject)
        except subjects.NoSubject as error:
            raise InvalidToken(f"this client certificate names nobody: {error}") from None
        ends = min(int(each.not_valid_after_utc.timestamp()) for each in chain)
        if rules.link_local_users:
            return await self._local(subject, rules, ends, now)
        return Principal(
            name=rules.named(subject),
            realm=rules.realm,
            method=X509,
            authenticated_at=int(now),
            attributes=subjects.CertificateAttributes(credential.leaf),
            not_after=ends,
            foreign=account(rules.name, subject),
        )

    async def _local(
        self, subject: str, rules: ClientAuthority, ends: int, now: float
    ) -> Principal:
        user = await self._users.get(rules.realm, subject)
        if user is None or not user.active:
            raise InvalidToken("the client certificate speaks for nobody who has an account here")
        return Principal(
            name=user.name,
            realm=rules.realm,
            method=X509,
            authenticated_at=int(now),
            attributes=user.attributes,
            not_after=ends,
        )


def _vouched(
    given: Credential, authorities: Sequence[ClientTrust], now: float
) -> tuple[ClientTrust, tuple[x509.Certificate, ...]]:
    """The authority that stands behind the certificate, and the path to its anchor: the nearest
    one, or the client could choose its rules by the chain that it sends along."""
    if now >= given.leaf.not_valid_after_utc.timestamp():
        raise InvalidToken("the client certificate has expired")
    if now < given.leaf.not_valid_before_utc.timestamp():
        raise InvalidToken("the client certificate is not valid yet: look at both clocks")
    why, found = [], []
    for trust in authorities:
        try:
            found.append((trust, path.verified(given, trust.rules, now)))
        except NotValid as error:
            if error.vouched:
                raise InvalidToken(f"this client certificate is no good: {error}") from None
            why.append(f"{trust.rules.name}: {error}")
    if found:
        return min(found, key=lambda each: len(each[1]))
    raise InvalidToken(NOT_TRUSTED, detail="; ".join(why)[:MAX_DETAIL_LENGTH])


async def _check_revocation(
    trust: ClientTrust, chain: tuple[x509.Certificate, ...], now: float
) -> None:
    """The client's certificate first, and every issuer below the anchor."""
    policy = trust.rules.revocation
    if policy == OFF:
        return
    for certificate, issuer in itertools.pairwise(chain):
        found = await trust.revocation(_der(certificate), _der(issuer), now)
        if found is Revocation.REVOKED:
            raise InvalidToken(REVOKED)
        if policy == HARD and found is Revocation.UNKNOWN:
            raise InvalidToken(NOT_KNOWN)
        if policy == HARD and found is Revocation.UNREACHABLE:
            raise Unavailable(NOT_ASKED, retry_after=RETRY_SECONDS)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
