"""Certificate authorities whose client certificates a realm accepts, and whom those speak for here.

The subject of a certificate (RFC 5280) is the pair of authority and name. It is nobody of ours,
whatever it is called, unless the authority's rule says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from broker import trust

SCHEME = "x509://"
"""Before the authority's name; no trusted issuer and no local user has a name that begins so."""

CLIENT_AUTH = "client_auth"
ANY_USAGE = "any"
USAGES = (CLIENT_AUTH, ANY_USAGE)

HARD, SOFT, OFF = "hard", "soft", "off"
REVOCATION_POLICIES = (HARD, SOFT, OFF)

MAX_PATH = 8
"""The most certificates between a client's and its anchor."""


class Revocation(Enum):
    """What is known of a certificate: RFC 6960, section 2.2, or that nobody could be asked."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ClientAuthority:
    """What a realm accepts of one authority; where revocations are learnt is the adapter's.

    ``anchors`` and ``intermediates`` are DER certificates. ``usage`` says whether a certificate
    must be for client authentication (``client_auth``: RFC 5280, section 4.2.1.12) or for whatever.
    ``subject`` names the part of the certificate that says who it is (``handlers.x509.subjects``).
    With ``link_local_users`` that is the name of a local user; without, ``subject_prefix`` is put
    before it, by default the authority. ``revocation`` is ``hard`` (what cannot be looked up is
    refused), ``soft`` (it is accepted) or ``off``.
    """

    realm: str
    name: str
    anchors: tuple[bytes, ...] = field(repr=False)
    intermediates: tuple[bytes, ...] = field(default=(), repr=False)
    usage: str = CLIENT_AUTH
    subject: str = "dn"
    subject_prefix: str | None = None
    link_local_users: bool = False
    revocation: str = HARD

    def named(self, subject: str) -> str:
        """What a foreign subject is called in the tokens that it gets here."""
        if self.subject_prefix is None:
            return account(self.name, subject)
        return self.subject_prefix + subject


def account(authority: str, subject: str) -> str:
    """How records know a certificate's subject: never as a local user."""
    return trust.account(SCHEME + authority, subject)


def authority_in(issuer: str) -> str | None:
    """The authority in the first part of an account; None where that is an issuer of tokens."""
    return issuer.removeprefix(SCHEME) if issuer.startswith(SCHEME) else None


class ClientTrust(Protocol):
    """A certificate authority of a realm, with what is known of its revocations."""

    @property
    def rules(self) -> ClientAuthority: ...

    async def revocation(self, certificate: bytes, issuer: bytes, now: float) -> Revocation:
        """What is known of a certificate that ``issuer`` signed; both are DER. UNREACHABLE means
        that whoever knows could not be asked, or said nothing that counts."""


class ClientAuthorities(Protocol):
    """The certificate authorities of realms. Looking them up asks neither store nor network."""

    def of(self, realm: str) -> Sequence[ClientTrust]:
        """Those whose client certificates the realm accepts, in order of name."""
