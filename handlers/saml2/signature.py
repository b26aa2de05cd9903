"""An enveloped XML signature around an assertion that is canonical already.

The reference covers the assertion without its signature, which is what the enveloped-signature
transform leaves (XML Signature 1.1, section 6.6.4). Nothing is parsed and nothing canonicalised:
the bytes written are the canonical ones. ``SignedInfo`` alone differs, since as the top of what is
signed it must declare its namespace (Exclusive XML Canonicalization 1.0, section 3).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache

from broker.errors import CannotIssue
from broker.ports import Signer
from handlers.saml2.names import (
    DSIG,
    ENVELOPED_SIGNATURE,
    EXCLUSIVE_C14N,
    SHA256,
    SIGNATURE_METHODS,
)

MAX_PREPARED_SIGNATURES = 1024


@dataclass(frozen=True, slots=True)
class _Frame:
    """The parts of a signature that depend on the key alone.

    ``before_id`` and ``before_digest`` and ``end`` make up SignedInfo, its start tag left out.
    """

    before_id: str
    before_digest: str
    end: str
    key_info: str


async def signature(canonical: bytes, assertion_id: str, signer: Signer) -> str:
    """The ``ds:Signature`` of a canonical, unsigned assertion. Raises CannotIssue."""
    frame = _frame(signer.algorithm, signer.certificate)
    digest = _base64(hashlib.sha256(canonical).digest())
    inside = f"{frame.before_id}{assertion_id}{frame.before_digest}{digest}{frame.end}"
    signed_info = f'<ds:SignedInfo xmlns:ds="{DSIG}">{inside}'
    value = _base64(await signer.sign(signed_info.encode()))
    return (
        f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo>{inside}'
        f"<ds:SignatureValue>{value}</ds:SignatureValue>{frame.key_info}</ds:Signature>"
    )


def x509_data(certificate: bytes) -> str:
    """``ds:X509Data`` of a DER certificate, inside an element that declares ``ds``."""
    encoded = _base64(certificate)
    return f"<ds:X509Data><ds:X509Certificate>{encoded}</ds:X509Certificate></ds:X509Data>"


@lru_cache(maxsize=MAX_PREPARED_SIGNATURES)
def _frame(algorithm: str, certificate: bytes | None) -> _Frame:
    if algorithm not in SIGNATURE_METHODS:
        raise CannotIssue("this instance names no algorithm that assertions are signed with here")
    return _Frame(
        before_id=_empty("CanonicalizationMethod", EXCLUSIVE_C14N)
        + _empty("SignatureMethod", SIGNATURE_METHODS[algorithm])
        + '<ds:Reference URI="#',
        before_digest='"><ds:Transforms>'
        + _empty("Transform", ENVELOPED_SIGNATURE)
        + _empty("Transform", EXCLUSIVE_C14N)
        + "</ds:Transforms>"
        + _empty("DigestMethod", SHA256)
        + "<ds:DigestValue>",
        end="</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        key_info=f"<ds:KeyInfo>{x509_data(certificate)}</ds:KeyInfo>" if certificate else "",
    )


def _empty(name: str, algorithm: str) -> str:
    return f'<ds:{name} Algorithm="{algorithm}"></ds:{name}>'


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
