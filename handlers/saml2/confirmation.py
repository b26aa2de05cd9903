"""How the caller wants the assertion's subject confirmed."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from broker.errors import InvalidRequest
from broker.model import Confirmation
from broker.policy import shown
from handlers.saml2.names import CONFIRMATION_METHODS, HOLDER_OF_KEY

MAX_CERTIFICATE_LENGTH = 32 * 1024  # characters of base64
PROOF = "proof_token_state"
CERTIFICATE = "base64EncodedCertificate"
PEM_START = b"\n-----BEGIN"  # a line; others may stand before it (RFC 7468, section 2)


def parse_confirmation(options: Mapping[str, Any]) -> Confirmation:
    """The method asked for, with the proof certificate where that method uses one.

    Raises InvalidRequest. A certificate that the method does not use may be malformed.
    """
    method = _method(options)
    encoded = _encoded_certificate(options)
    if method != HOLDER_OF_KEY:
        return Confirmation(method)
    if encoded is None:
        raise InvalidRequest(f"{HOLDER_OF_KEY} needs a {PROOF} with the holder's certificate")
    return Confirmation(method, _certificate(encoded))


def _method(options: Mapping[str, Any]) -> str:
    method = options.get("subject_confirmation")
    if method is None:
        raise InvalidRequest("an assertion needs a subject_confirmation")
    if not isinstance(method, str):
        raise InvalidRequest("subject_confirmation must be a string")
    if method not in CONFIRMATION_METHODS:
        raise InvalidRequest(
            f"subject_confirmation {shown(method)} is none of {', '.join(CONFIRMATION_METHODS)}"
        )
    return method


def _encoded_certificate(options: Mapping[str, Any]) -> str | None:
    """The member as it came; its shape is checked whatever the method is."""
    proof = options.get(PROOF)
    if proof is None:
        return None
    if not isinstance(proof, Mapping):
        raise InvalidRequest(f"{PROOF} must be an object")
    encoded = proof.get(CERTIFICATE)
    if not isinstance(encoded, str):
        raise InvalidRequest(f"{PROOF} needs a string {CERTIFICATE}")
    return encoded


def _certificate(encoded: str) -> bytes:
    """The DER of a certificate that came as base64 of DER or of PEM."""
    if len(encoded) > MAX_CERTIFICATE_LENGTH:
        raise InvalidRequest(f"{CERTIFICATE} is longer than {MAX_CERTIFICATE_LENGTH} characters")
    try:
        data = b64decode("".join(encoded.split()), validate=True)
        if PEM_START in b"\n" + data.lstrip():
            certificate = x509.load_pem_x509_certificate(data)
        else:
            certificate = x509.load_der_x509_certificate(data)
        return certificate.public_bytes(Encoding.DER)
    except (binascii.Error, ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise InvalidRequest(f"{CERTIFICATE} is not the base64 of an X.509 certificate") from None
