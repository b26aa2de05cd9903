"""An enveloped XML signature around an assertion that is canonical already.

The reference covers the assertion without its signature, which is what the enveloped-signature
transform leaves (XML Signature 1.1, section 6.6.4). Nothing is parsed and nothing canonicalised:
the bytes written are the canonical ones. ``SignedInfo`` alone differs, since as the top of what is
signed it must declare its namespace (Exclusive XML Canonicalization 1.0, section 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from broker.algorithms import XML_DIGESTS, XML_SIGNATURES
from broker.errors import CannotIssue
from broker.ports import Signer
from handlers.saml2.escape import base64
from handlers.saml2.names import DSIG, ENVELOPED_SIGNATURE, EXCLUSIVE_C14N

MAX_PREPARED_SIGNATURES = 1024

Hash = Callable[[bytes], "hashlib._Hash"]

_HASHES: dict[str, Hash] = {
    # Only where settings allow it by name; what is signed comes from us alone.
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}
_OWN_HASHES = {"RS1": "sha1"}


@dataclass(frozen=True, slots=True)
class _Frame:
    """The parts of a signature that depend on the key and the digest alone.

    ``before_id`` and ``before_digest`` and ``end`` make up SignedInfo, its start tag left out.
    """

    before_id: str
    before_digest: str
    end: str
    key_info: str
    hash: Hash


async def signature(
    canonical: bytes, assertion_id: str, signer: Signer, digest_name: str | None = None
) -> str:
    """The ``ds:Signature`` of a canonical, unsigned assertion.

    ``digest_name`` is the hash of the reference, by default that of the signature. An ECDSA value
    is r and s side by side (XML Signature 1.1, section 6.4.3), as JWS has it, too.
    Raises CannotIssue.
    """
    frame = _frame(signer.algorithm, signer.certificate, digest_name)
    digest = base64(frame.hash(canonical).digest())
    inside = f"{frame.before_id}{assertion_id}{frame.before_digest}{digest}{frame.end}"
    signed_info = f'<ds:SignedInfo xmlns:ds="{DSIG}">{inside}'
    value = base64(await signer.sign(signed_info.encode()))
    return (
        f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo>{inside}'
        f"<ds:SignatureValue>{value}</ds:SignatureValue>{frame.key_info}</ds:Signature>"
    )


def x509_data(certificate: bytes) -> str:
    """``ds:X509Data`` of a DER certificate, inside an element that declares ``ds``."""
    encoded = base64(certificate)
    return f"<ds:X509Data><ds:X509Certificate>{encoded}</ds:X509Certificate></ds:X509Data>"


@lru_cache(maxsize=MAX_PREPARED_SIGNATURES)
def _frame(algorithm: str, certificate: bytes | None, digest_name: str | None) -> _Frame:
    digest = digest_name or own_hash(algorithm)
    if algorithm not in XML_SIGNATURES or digest not in _HASHES:
        raise CannotIssue("this instance names no algorithm that assertions are signed with here")
    return _Frame(
        before_id=_empty("CanonicalizationMethod", EXCLUSIVE_C14N)
        + _empty("SignatureMethod", XML_SIGNATURES[algorithm])
        + '<ds:Reference URI="#',
        before_digest='"><ds:Transforms>'
        + _empty("Transform", ENVELOPED_SIGNATURE)
        + _empty("Transform", EXCLUSIVE_C14N)
        + "</ds:Transforms>"
        + _empty("DigestMethod", XML_DIGESTS[digest])
        + "<ds:DigestValue>",
        end="</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        key_info=f"<ds:KeyInfo>{x509_data(certificate)}</ds:KeyInfo>" if certificate else "",
        hash=_HASHES[digest],
    )


def own_hash(algorithm: str) -> str:
    """The hash that an algorithm signs with."""
    return _OWN_HASHES.get(algorithm) or f"sha{algorithm[2:]}"


def _empty(name: str, algorithm: str) -> str:
    return f'<ds:{name} Algorithm="{algorithm}"></ds:{name}>'
