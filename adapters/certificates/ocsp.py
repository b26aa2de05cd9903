"""Asking whether one certificate was revoked (OCSP, RFC 6960), and judging what comes back.

A response counts if the certificate's issuer signed it, or somebody whom that issuer certified for
it. Whether such a responder was revoked itself is not asked. No nonce is sent: a response is good
for the time that it names.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from adapters.certificates.crl import SKEW_SECONDS, strong
from adapters.certificates.pem import MIN_RSA_BITS, UNREADABLE
from broker.authorities import Revocation

MAX_RESPONDERS = 4
MAX_RESPONSES = 16
OPEN_SECONDS = 3600
"""For how long a response counts that does not say when the next one is due."""

FOUND = {
    ocsp.OCSPCertStatus.GOOD: Revocation.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Revocation.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Revocation.UNKNOWN,
}


class UnusableResponse(Exception):
    """The response says nothing that counts; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a responder says, since when and until when (seconds since the epoch)."""

    found: Revocation
    until: float
    since: float


def request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """The question. SHA-1 only names the certificate, as RFC 5019 has it for all responders."""
    asked = _asked(certificate, issuer, hashes.SHA1())  # noqa: S303  # a name, no signature
    return asked.public_bytes(Encoding.DER)


def verdict(
    data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: float
) -> Verdict:
    """What a response says of the certificate. Raises UnusableResponse."""
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise UnusableResponse(f"it answered {response.response_status.name}")
        if any(extension.critical for extension in response.extensions):
            raise UnusableResponse("it needs extensions that are not supported")
        single = _single(response, certificate, issuer)
        _check_signature(response, issuer, now)
        return _judged(single, now)
    except UNREADABLE:
        raise UnusableResponse("it is no OCSP response") from None


def places(certificate: x509.Certificate) -> list[str]:
    """The URLs that a certificate names for it (RFC 5280, section 4.2.2.1)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except x509.ExtensionNotFound:
        return []
    return [
        each.access_location.value
        for each in extension.value
        if each.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]


def _single(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    for number, each in enumerate(response.responses):
        if number >= MAX_RESPONSES:
            break
        asked = _asked(certificate, issuer, each.hash_algorithm)
        if (each.serial_number, each.issuer_name_hash, each.issuer_key_hash) == (
            asked.serial_number,
            asked.issuer_name_hash,
            asked.issuer_key_hash,
        ):
            return each
    raise UnusableResponse("it speaks of another certificate")


def _asked(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm
) -> ocsp.OCSPRequest:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm)
    return builder.build()


def _judged(single: ocsp.OCSPSingleResponse, now: float) -> Verdict:
    begins = single.this_update_utc.timestamp()
    ends = single.next_update_utc
    until = begins + OPEN_SECONDS if ends is None else ends.timestamp()
    if not begins - SKEW_SECONDS <= now < until:
        raise UnusableResponse("it is not of this time")
    return Verdict(FOUND[single.certificate_status], until, begins)


def _check_signature(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: float) -> None:
    """Raises UnusableResponse unless one who may say so signed it (RFC 6960, section 4.2.2.2)."""
    if not strong(response.signature_hash_algorithm, response.signature_algorithm_oid):
        raise UnusableResponse("its signature is too weak")
    delegates = [
        each for each in response.certificates[:MAX_RESPONDERS] if _may_respond(each, issuer, now)
    ]
    if not any(_signed(response, each) for each in (issuer, *delegates)):
        raise UnusableResponse("nobody signed it whom the issuer lets speak")


def _may_respond(delegate: x509.Certificate, issuer: x509.Certificate, now: float) -> bool:
    begins, ends = delegate.not_valid_before_utc, delegate.not_valid_after_utc
    if not begins.timestamp() <= now < ends.timestamp():
        return False
    if not strong(delegate.signature_hash_algorithm, delegate.signature_algorithm_oid):
        return False
    try:
        delegate.verify_directly_issued_by(issuer)
        usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, TypeError, x509.ExtensionNotFound, *UNREADABLE):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _signed(response: ocsp.OCSPResponse, by: x509.Certificate) -> bool:
    key = by.public_key()
    algorithm = response.signature_hash_algorithm
    data, signature = response.tbs_response_bytes, response.signature
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm and key.key_size >= MIN_RSA_BITS:
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm:
            key.verify(signature, data, ec.ECDSA(algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey) and algorithm is None:
            key.verify(signature, data)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
