"""Path validation (RFC 5280, section 6) against the anchors of one authority.

The library builds the path and checks signatures, dates, basic constraints, path lengths, name
constraints and unknown critical extensions. What it leaves to its caller is checked here: keys,
key usage, extended key usage, and the kinds of name constraints that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from broker.authorities import CLIENT_AUTH, MAX_PATH, ClientAuthority
from handlers.x509.reading import UNREADABLE, Credential, parsed_all

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # a longer one only costs time
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

KNOWN_CONSTRAINTS = (x509.DNSName, x509.IPAddress, x509.RFC822Name)
"""The kinds of names whose constraints the library checks."""

MAX_CACHED = 256

_CLIENTS = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_T = TypeVar("_T", bound=x509.ExtensionType)


class NotValid(Exception):
    """The certificate proves nothing; the sentence is for its holder once ``vouched``: then one of
    the realm's authorities stands behind it."""

    def __init__(self, sentence: str, *, vouched: bool) -> None:
        super().__init__(sentence)
        self.vouched = vouched


def verified(
    given: Credential, authority: ClientAuthority, now: float
) -> tuple[x509.Certificate, ...]:
    """The path from the client's certificate to an anchor, both included. Raises NotValid."""
    path = _path(given, authority, now)
    for certificate in path[:-1]:
        _check_key(certificate)
    _check_leaf(path[0], authority.usage)
    for certificate in path[1:]:
        _check_issuer(certificate)
    if authority.usage == CLIENT_AUTH:
        for certificate in path[1:-1]:
            usage = _extension(certificate, x509.ExtendedKeyUsage)
            if usage is not None and _CLIENTS.isdisjoint(usage):
                raise NotValid("an issuer in its path is not for client certificates", vouched=True)
    _check_constraints(path)
    return path


def _path(
    given: Credential, authority: ClientAuthority, now: float
) -> tuple[x509.Certificate, ...]:
    intermediates = [*given.chain, *_parsed(authority.intermediates)]
    authority_policy = ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, None
    )
    verifier = (
        PolicyBuilder()
        .store(_store(authority.anchors))
        .time(datetime.fromtimestamp(now, UTC).replace(tzinfo=None))
        .max_chain_depth(MAX_PATH)
        .extension_policies(ca_policy=authority_policy, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(given.leaf, intermediates).chain)
    except VerificationError as error:
        # The library's words are for the audit: they quote the certificate's names.
        raise NotValid(str(error).partition(" (encountered")[0], vouched=False) from None


@lru_cache(maxsize=MAX_CACHED)
def _store(anchors: tuple[bytes, ...]) -> Store:
    return Store(list(parsed_all(anchors)))


@lru_cache(maxsize=MAX_CACHED)
def _parsed(certificates: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    return parsed_all(certificates)


def _check_key(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        good = MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    else:
        good = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES)
    if not good:
        raise NotValid(
            f"a key in its path is too weak: use RSA of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, or "
            "P-256, P-384 or P-521",
            vouched=True,
        )
    written = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if written not in certificate.tbs_certificate_bytes:
        # RFC 5480, section 2.1.1: parameters of one's own (CVE-2020-0601) are not for certificates.
        raise NotValid("a key in its path does not name its curve, or not its point", vouched=True)


def _check_leaf(leaf: x509.Certificate, usage: str) -> None:
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise NotValid("it is the certificate of an authority, not of a client", vouched=True)
    keys = _extension(leaf, x509.KeyUsage)
    if keys is not None and not keys.digital_signature:
        raise NotValid("its key is not for signatures (key usage)", vouched=True)
    if usage != CLIENT_AUTH:
        return
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if extended is None or ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        raise NotValid("it is not for client authentication (extended key usage)", vouched=True)


def _check_issuer(certificate: x509.Certificate) -> None:
    keys = _extension(certificate, x509.KeyUsage)
    if keys is not None and not keys.key_cert_sign:
        raise NotValid("an issuer in its path may not sign certificates (key usage)", vouched=True)


def _check_constraints(path: Sequence[x509.Certificate]) -> None:
    """A constraint that nobody here can check might be broken, so it is. E-mail addresses in the
    subject are names like others (RFC 5280, section 4.2.1.10); the library looks at the rest."""
    constrained = [
        name
        for certificate in path[1:]
        if (found := _extension(certificate, x509.NameConstraints)) is not None
        for name in (*(found.permitted_subtrees or ()), *(found.excluded_subtrees or ()))
    ]
    if not all(isinstance(name, KNOWN_CONSTRAINTS) for name in constrained):
        raise NotValid("its path has name constraints that are not supported here", vouched=True)
    if any(isinstance(name, x509.RFC822Name) for name in constrained):
        leaf = path[0]
        written = {str(each.value) for each in _addresses(leaf)}
        if not written.issubset(_alternative_addresses(leaf)):
            raise NotValid("its subject has an e-mail address that its path forbids", vouched=True)


def _addresses(leaf: x509.Certificate) -> Iterable[x509.NameAttribute[str | bytes]]:
    return leaf.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)


def _alternative_addresses(leaf: x509.Certificate) -> list[str]:
    """Those that the library held against the constraints."""
    names = _extension(leaf, x509.SubjectAlternativeName)
    return [] if names is None else names.get_values_for_type(x509.RFC822Name)


def _extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except UNREADABLE:
        raise NotValid("a certificate in its path cannot be read", vouched=True) from None
