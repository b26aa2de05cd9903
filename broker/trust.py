"""Issuers of ID tokens that a realm trusts, and whom their subjects are here.

The subject of a foreign token is the pair of issuer and ``sub`` (OpenID Connect Core 1.0, section
2). It is nobody of ours, whatever it is called, unless its issuer's rule says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SUBJECT_MARK = "#"
"""Between issuer and subject. No issuer has one, and no local user's name an issuer's slashes."""

DEFAULT_LEEWAY_SECONDS = 60
MAX_LEEWAY_SECONDS = 300

DEFAULT_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
DEFAULT_SECRET_ALGORITHMS = ("HS256",)


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """What a realm accepts of one issuer; where its keys are is the adapter's business.

    ``audiences`` are those of which a token must name one, ``authorized_parties`` those who may
    have asked for it (``azp``); ``algorithms`` are named as in RFC 7518, section 3.1.
    ``subject_claim`` says who the subject is. With ``link_local_users`` that is the name of a local
    user; without, ``subject_prefix`` is put before it, by default the issuer and ``#``.
    """

    realm: str
    name: str
    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    authorized_parties: frozenset[str] = frozenset()
    subject_claim: str = "sub"
    subject_prefix: str | None = None
    link_local_users: bool = False
    leeway_seconds: int = DEFAULT_LEEWAY_SECONDS

    def named(self, subject: str) -> str:
        """What a foreign subject is called in the tokens that it gets here."""
        if self.subject_prefix is None:
            return account(self.issuer, subject)
        return self.subject_prefix + subject


def account(issuer: str, subject: str) -> str:
    """How records know a foreign subject: never as a local user."""
    return issuer + SUBJECT_MARK + subject


def account_parts(name: str) -> tuple[str, str] | None:
    """Issuer and subject of such a name; None for that of a local user."""
    issuer, mark, subject = name.partition(SUBJECT_MARK)
    return (issuer, subject) if mark and "://" in issuer else None


class VerificationKey(Protocol):
    """Somebody else's key, ready: it verifies with the algorithms of its own kind alone."""

    def verifies(self, algorithm: str, signature: bytes, data: bytes) -> bool:
        """Whether the JWS signature (RFC 7518, section 3) over ``data`` is this key's."""


class Trust(Protocol):
    """A trusted issuer with its keys, which may have to be fetched."""

    @property
    def rules(self) -> TrustedIssuer: ...

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        """The keys that a token with this header may be signed with; empty if there is none.

        Raises Unavailable if the issuer's keys are not known and cannot be had.
        """

    def ours(self, key: VerificationKey) -> bool:
        """Whether it is this broker itself: by its name, or since the key is one of ours."""


class IssuerKeys(Protocol):
    """The issuers that realms trust. Looking one up asks neither store nor network."""

    def find(self, realm: str, issuer: str) -> Trust | None:
        """The issuer that calls itself ``issuer``, to the letter, if the realm trusts it."""

    def any(self, realm: str) -> bool:
        """Whether the realm trusts any issuer at all."""
