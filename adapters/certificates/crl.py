"""What a certificate revocation list says (RFC 5280, section 5), once it is known whose it is.

Not supported, and then a list says nothing: delta lists, indirect ones, those of some reasons only,
and SHA-1 signatures.
"""

from __future__ import annotations

import asyncio

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from adapters.certificates.pem import UNREADABLE
from broker.authorities import Revocation

SKEW_SECONDS = 300
"""How far the clock of who signs may be ahead of ours."""

HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
HASHLESS = (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)
KNOWN_CRITICAL = {x509.IssuingDistributionPoint.oid}


class UnusableList(Exception):
    """The list says nothing that counts; the sentence says why."""


class RevocationList:
    """A list, parsed once. ``this_update`` and ``next_update`` are in seconds since the epoch."""

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        """Raises UnusableList."""
        until = crl.next_update_utc
        if until is None:
            raise UnusableList("it does not say when the next one is due")
        if any(each.critical and each.oid not in KNOWN_CRITICAL for each in crl.extensions):
            raise UnusableList("it is of a kind that is not supported, such as a delta list")
        if not strong(crl.signature_hash_algorithm, crl.signature_algorithm_oid):
            raise UnusableList("its signature is too weak")
        self._crl = crl
        self._point = _issuing_point(crl)
        self._issuers: dict[bytes, bool] = {}
        try:
            self._issuer = crl.issuer
            # The library would read the whole list again for every look.
            self._revoked = frozenset(entry.serial_number for entry in crl if not _removed(entry))
        except UNREADABLE:
            raise UnusableList("its names or entries cannot be read") from None
        self.next_update = until.timestamp()
        self.this_update = crl.last_update_utc.timestamp()

    async def says(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: float
    ) -> Revocation:
        """GOOD or REVOKED; UNKNOWN if the list does not cover the certificate, is not its issuer's,
        or not of this time."""
        begins = self.this_update - SKEW_SECONDS
        if not begins <= now < self.next_update or not self._covers(certificate):
            return Revocation.UNKNOWN
        if not await self.is_of(issuer):
            return Revocation.UNKNOWN
        revoked = certificate.serial_number in self._revoked
        return Revocation.REVOKED if revoked else Revocation.GOOD

    async def is_of(self, issuer: x509.Certificate) -> bool:
        """Whether the issuer signed it; each is tried once, and a long list takes its time."""
        name = issuer.public_bytes(Encoding.DER)
        if name not in self._issuers:
            self._issuers[name] = await asyncio.to_thread(self._verified, issuer)
        return self._issuers[name]

    def _verified(self, issuer: x509.Certificate) -> bool:
        try:
            usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound:
            usage = None
        if self._issuer != issuer.subject or (usage is not None and not usage.crl_sign):
            return False
        try:
            return self._crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        except UNREADABLE:  # a key or signature of another kind, or no signature at all
            return False

    def _covers(self, certificate: x509.Certificate) -> bool:
        point = self._point
        if point is None:
            return True
        is_authority = _is_authority(certificate)
        if point.only_contains_user_certs and is_authority:
            return False
        if point.only_contains_ca_certs and not is_authority:
            return False
        return point.full_name is None or not _points(certificate).isdisjoint(point.full_name)


def parsed(data: bytes) -> RevocationList:
    """A list that was fetched, DER or PEM. Raises UnusableList."""
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            found = x509.load_pem_x509_crl(data)
        else:
            found = x509.load_der_x509_crl(data)
        return RevocationList(found)
    except UNREADABLE:
        raise UnusableList("it is no revocation list") from None


def points(certificate: x509.Certificate) -> list[str]:
    """The URLs that a certificate names for its list (RFC 5280, section 4.2.1.13)."""
    names = _points(certificate)
    return sorted(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))


def strong(algorithm: hashes.HashAlgorithm | None, signature: x509.ObjectIdentifier) -> bool:
    """Whether what was signed that way is to be believed."""
    return isinstance(algorithm, HASHES) or (algorithm is None and signature in HASHLESS)


def _points(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    except x509.ExtensionNotFound:
        return set()
    return {
        name
        for point in extension.value
        if point.reasons is None and point.crl_issuer is None
        for name in point.full_name or ()
    }


def _issuing_point(
    crl: x509.CertificateRevocationList,
) -> x509.IssuingDistributionPoint | None:
    """Raises UnusableList for one that makes the list say less than it seems to."""
    try:
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return None
    if (
        point.indirect_crl
        or point.only_some_reasons is not None
        or point.only_contains_attribute_certs
        or point.relative_name is not None
    ):
        raise UnusableList("it is indirect, or of some reasons or certificates only")
    return point


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _removed(entry: x509.RevokedCertificate) -> bool:
    """Taken off hold again (RFC 5280, section 5.3.1)."""
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        return False
    return reason is x509.ReasonFlags.remove_from_crl
