"""Tokens as strangers see them: judged by libraries that the product does not use."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from tests.support.door import ISSUER, Door
from tests.support.planted import CLIENT_SECRET

NAMES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}


async def jwks(door: Door, realm: str = "") -> dict[str, Any]:
    path = f"/oauth2/realms{realm}/jwks" if realm else "/oauth2/jwks"
    answer = await door.request("GET", path)
    assert answer.status == 200
    found: dict[str, Any] = answer.body
    return found


async def id_token(door: Door, token: str, algorithm: str, realm: str = "") -> jwt.Token:
    """The token, verified by joserfc with what the broker publishes (or the client secret)."""
    if algorithm.startswith("HS"):
        return jwt.decode(token, OctKey.import_key(CLIENT_SECRET), algorithms=[algorithm])
    keys = KeySet.import_key_set(await jwks(door, realm))  # type: ignore[arg-type]  # plain JSON
    return jwt.decode(token, keys, algorithms=[algorithm])


def check_claims(token: jwt.Token, audience: str = "client") -> None:
    """What a relying party requires of an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": audience},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    registry.validate(token.claims)


async def assertion(door: Door, document: str, realm: str = "") -> etree._Element:
    """The assertion as signxml verified it, its certificate's key being one of the realm's JWKS."""
    encoded = document.partition("<ds:X509Certificate>")[2].partition("<")[0]
    certificate = x509.load_der_x509_certificate(b64decode(encoded))
    kid = _thumbprint(certificate)
    assert kid in {key["kid"] for key in (await jwks(door, realm))["keys"]}
    verified = XMLVerifier().verify(
        document.encode(),
        x509_cert=certificate.public_bytes(Encoding.PEM).decode(),
        expect_config=SignatureConfiguration(location="./"),
    )
    assert not isinstance(verified, list)
    assert verified.signed_xml is not None
    return verified.signed_xml


def parsed(document: str) -> etree._Element:
    return etree.fromstring(document.encode())


def texts(element: etree._Element, path: str) -> list[str]:
    """The text of every element that the path finds."""
    return [found.text or "" for found in element.iterfind(path, NAMES)]


def one(element: etree._Element, path: str) -> etree._Element:
    found = element.findall(path, NAMES)
    assert len(found) == 1, path
    return found[0]


def _thumbprint(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kind = RSAKey if isinstance(key, rsa.RSAPublicKey) else ECKey
    return kind.import_key(pem).thumbprint()
