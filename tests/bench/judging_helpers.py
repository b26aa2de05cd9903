"""Tokens as a server under load would issue them, and the wrong ones that it must not."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.signer import XMLSigner

from bench.target.keys import MintKey
from bench.target.options import TargetOptions
from bench.target.rest_sts import RestSts

ISSUER = "https://sts.example.com"
AUDIENCE = "https://sp.example.com"
SUBJECT = "bench-7"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"


@dataclass(frozen=True)
class Server:
    """A server's signing key, with the JWKS that it publishes in a file."""

    key: MintKey
    jwks: Path

    def answer(self, body: bytes, **replaced: Any) -> bytes:
        """The good answer to a request; ``replaced`` claims are others, None takes one out."""
        return signed(self.key, {**good_claims(body), **replaced})


def server(folder: Path) -> Server:
    key = MintKey.generated("ES256")
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": [key.public_jwk()]}))
    return Server(key, path)


def target(folder: Path, jwks: Path | None, **more: Any) -> RestSts:
    """An instance that takes JWTs and keeps nothing; nothing of it is ever asked."""
    minting = folder / "mint.pem"
    if not minting.is_file():
        minting.write_bytes(MintKey.generated("ES256").pem)
    options: dict[str, Any] = {
        "input": "oidc",
        "mint_key": minting,
        "mint_issuer": "https://idp.example.com",
        "mint_audience": "sts",
        "mint_subject": SUBJECT,
        "jwks": str(jwks or ""),
        "expect_issuer": ISSUER,
        "expect_audience": AUDIENCE,
        "kept": False,
        **more,
    }
    return RestSts("http://127.0.0.1:9/rest-sts/bench", TargetOptions(**options))


def good_claims(body: bytes) -> dict[str, Any]:
    now = int(time.time())
    request = json.loads(body)
    return {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": [AUDIENCE],
        "iat": now,
        "exp": now + 600,
        "jti": request["output_token_state"]["nonce"] + "-id",
        "nonce": request["output_token_state"]["nonce"],
    }


def signed(
    key: MintKey, claims: Mapping[str, Any], *, kid: str | None = None, algorithm: str = ""
) -> bytes:
    """An answer with these claims; None takes one out."""
    named = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(
        named, key.pem, algorithm=algorithm or key.algorithm, headers={"kid": kid or key.kid}
    )
    return json.dumps({"issued_token": token}).encode()


# -- assertions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signer:
    """An EC key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    pem: bytes


class _Sha1Signer(XMLSigner):
    """signxml makes none with SHA-1 unless it is asked in this way."""

    def check_deprecated_methods(self) -> None: ...


def signer(days_old: int = 0) -> Signer:
    """Its certificate is good for two hours, and may have ended long ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC) - timedelta(days=days_old)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, SHA256())
    )
    return Signer(key, certificate.public_bytes(Encoding.PEM))


def assertion(by: Signer, id: str, *, sha1: bool = False, **replaced: str) -> str:
    """A signed assertion; ``issuer``, ``subject``, ``audience``, ``issued`` and ``ends`` may be
    others."""
    now = datetime.now(UTC)
    values = {
        "issuer": ISSUER,
        "subject": SUBJECT,
        "audience": AUDIENCE,
        "issued": _instant(now),
        "ends": _instant(now + timedelta(minutes=10)),
        **replaced,
    }
    document = etree.fromstring(
        f'<saml:Assertion xmlns:saml="{SAML}" ID="{id}" Version="2.0"'
        f' IssueInstant="{values["issued"]}"><saml:Issuer>{values["issuer"]}</saml:Issuer>'
        f'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
        f"<saml:Subject><saml:NameID>{values['subject']}</saml:NameID></saml:Subject>"
        f'<saml:Conditions NotOnOrAfter="{values["ends"]}"><saml:AudienceRestriction>'
        f"<saml:Audience>{values['audience']}</saml:Audience></saml:AudienceRestriction>"
        f"</saml:Conditions></saml:Assertion>".encode()
    )
    made = (_Sha1Signer if sha1 else XMLSigner)(
        signature_algorithm="ecdsa-sha1" if sha1 else "ecdsa-sha256",
        digest_algorithm="sha1" if sha1 else "sha256",
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    ).sign(document, key=by.key, cert=by.pem.decode(), reference_uri=f"#{id}", id_attribute="ID")
    text: str = etree.tostring(made).decode()
    return text


def shown(document: str) -> bytes:
    return json.dumps({"issued_token": document}).encode()


def at(seconds: float) -> str:
    """An xs:dateTime so many seconds from now."""
    return _instant(datetime.now(UTC) + timedelta(seconds=seconds))


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
