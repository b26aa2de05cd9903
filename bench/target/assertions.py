"""Judges SAML 2.0 assertions: what signxml saw signed, and nothing else of the document."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from dataclasses import replace
from datetime import datetime
from html import unescape
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from bench.target import WrongAnswer
from bench.target.judging import SHOWN, Expected, Judge

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
ASSERTION = f"{{{SAML}}}Assertion"
MAX_ASSERTION_LENGTH = 256 * 1024
_CERTIFICATE = "X509Certificate>"
_METHOD = 'SignatureMethod Algorithm="'
_SAFE = SignatureConfiguration()
_WITH_SHA1 = SignatureConfiguration(
    signature_methods=_SAFE.signature_methods
    | {SignatureMethod.RSA_SHA1, SignatureMethod.ECDSA_SHA1},
    digest_algorithms=_SAFE.digest_algorithms | {DigestAlgorithm.SHA1},
)


def assertion_id(judge: Judge, document: str, expected: Expected) -> str:
    """The ``ID`` of an assertion: SAML 2.0 core, sections 2.3 and 5.4. Raises WrongAnswer.

    Its certificate counts for nothing unless the key in it is one of the trusted ones.
    """
    signed = _signed(judge, document)
    if signed.tag != ASSERTION:
        raise WrongAnswer("what is signed is no assertion")
    complaint = _times(judge, signed) or _names(signed, expected)
    if complaint:
        parts = ", ".join(etree.QName(child).localname for child in signed)
        raise WrongAnswer(f"{complaint} (the assertion holds {parts})")
    found = signed.get("ID")
    if not found:
        raise WrongAnswer("the assertion has no ID")
    return str(found)


def conditions_end(document: str) -> float | None:
    """When an assertion that was verified before ends, in seconds since the epoch."""
    return _instant(document.partition('NotOnOrAfter="')[2].partition('"')[0])


def _signed(judge: Judge, document: str) -> Any:
    """The root element, as its signature covers it."""
    if len(document) > MAX_ASSERTION_LENGTH:
        raise WrongAnswer(f"the assertion is longer than {MAX_ASSERTION_LENGTH} characters")
    if "<!DOCTYPE" in document:
        raise WrongAnswer("the assertion holds a DOCTYPE")
    certificate = _certificate(judge, document)
    try:
        result = XMLVerifier().verify(
            document.encode(),
            x509_cert=certificate.public_bytes(Encoding.PEM).decode(),
            id_attribute="ID",
            expect_config=_expected(judge, certificate),
        )
    except (SignXMLException, etree.LxmlError, ValueError) as error:
        algorithm = document.partition(_METHOD)[2].partition('"')[0].rpartition("#")[2]
        raise WrongAnswer(
            f"the signature of an assertion does not hold ({type(error).__name__},"
            f" {algorithm[:SHOWN]!r}; SHA-1 needs --sha1)"
        ) from None
    if isinstance(result, list) or result.signed_xml is None:
        raise WrongAnswer("the assertion's signature covers nothing that can be read")
    if not judge.trust.holds(load_pem_public_key(result.signature_key)):
        raise WrongAnswer("the assertion is signed with a key that is not trusted")
    return result.signed_xml


def _expected(judge: Judge, certificate: x509.Certificate) -> SignatureConfiguration:
    """The signature stands right below the root. Trust is in the key: how long somebody meant the
    certificate around it to be used says nothing of who signed."""
    return replace(
        _WITH_SHA1 if judge.sha1 else _SAFE,
        location="./",
        expect_references=1,
        verification_time=certificate.not_valid_before_utc,
    )


def _certificate(judge: Judge, document: str) -> x509.Certificate:
    """The one in the document, if the key in it is trusted. Java writes line ends as ``&#13;``."""
    text = unescape(document.partition(_CERTIFICATE)[2].partition("<")[0])
    try:
        found = x509.load_der_x509_certificate(b64decode(text))
    except (binascii.Error, ValueError):
        raise WrongAnswer("the assertion carries no certificate that can be read") from None
    if not judge.trust:
        raise WrongAnswer("there is no key to verify an assertion with: give --certificate")
    if not judge.trust.holds(found.public_key()):
        digest = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
        raise WrongAnswer(f"the assertion's certificate (SHA-256 {digest[:16]}…) is not trusted")
    return found


def _times(judge: Judge, signed: Any) -> str | None:
    issued = _instant(signed.get("IssueInstant"))
    conditions = signed.find(f"{{{SAML}}}Conditions")
    if issued is None or conditions is None:
        return "the assertion has no IssueInstant or no Conditions"
    begins = _instant(conditions.get("NotBefore"))
    if begins is not None and begins > issued + judge.leeway:
        return "the assertion is not valid yet"
    return judge.times(issued, _instant(conditions.get("NotOnOrAfter")))


def _names(signed: Any, expected: Expected) -> str | None:
    if expected.issuer is not None and _texts(signed, "Issuer") != [expected.issuer]:
        return "the assertion names another issuer than expected"
    audiences = _texts(signed, "Conditions", "AudienceRestriction", "Audience")
    if expected.audience is not None and expected.audience not in audiences:
        return "the assertion is for another audience than asked for"
    if expected.subject is not None and _texts(signed, "Subject", "NameID") != [expected.subject]:
        return "the assertion names another subject than was shown, which --any-subject allows"
    return None


def _texts(signed: Any, *path: str) -> list[str]:
    found = signed.findall("/".join(f"{{{SAML}}}{name}" for name in path))
    return [(one.text or "").strip() for one in found]


def _instant(text: str | None) -> float | None:
    """An xs:dateTime in UTC, which SAML has them all in: core, section 1.3.3."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.timestamp() if found and found.tzinfo else None
