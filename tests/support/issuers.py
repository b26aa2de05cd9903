"""An issuer of ID tokens that is not this broker, made with libraries that the broker does not use.

``signed`` signs whatever it is given, so that attacks are as easy to write as tokens.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from jwcrypto import jwk

from broker.model import OPENIDCONNECT
from tests.support.door import ISSUER, Door
from tests.support.jose import b64

IDP = "https://idp.example.com"
NAME = "partner"
AUDIENCE = ISSUER
SUBJECT = "alice"
FOREIGN = f"{IDP}#{SUBJECT}"
PATH = "/json/trusted-issuers"

KINDS: dict[str, dict[str, Any]] = {
    "RSA": {"kty": "RSA", "size": 2048},
    "P-256": {"kty": "EC", "crv": "P-256"},
    "P-384": {"kty": "EC", "crv": "P-384"},
    "P-521": {"kty": "EC", "crv": "P-521"},
    "Ed25519": {"kty": "OKP", "crv": "Ed25519"},
}
KIND_OF = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
}


@functools.cache
def key(kind: str = "RSA", kid: str | None = "k1", number: int = 0) -> jwk.JWK:
    """A key of a kind, the same for the whole run; ``number`` tells several apart."""
    named = {} if kid is None else {"kid": kid}
    return jwk.JWK.generate(**KINDS[kind], **named)


def public(*keys: jwk.JWK) -> dict[str, Any]:
    """The JWK set that publishes them."""
    return {"keys": [each.export_public(as_dict=True) for each in keys]}


def certificate(by: jwk.JWK) -> str:
    """A certificate of the key that ended long ago, as ``x5c`` has it."""
    private = serialization.load_pem_private_key(by.export_to_pem(True, None), None)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())  # type: ignore[arg-type]  # never one that cannot sign
        .serial_number(1)
        .not_valid_before(datetime(2010, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2011, 1, 1, tzinfo=UTC))
        .sign(private, None if by["kty"] == "OKP" else hashes.SHA256())  # type: ignore[arg-type]
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def claims(now: float | None = None, /, **changes: Any) -> dict[str, Any]:
    """What a good ID token says; None takes a claim out."""
    at = int(time.time() if now is None else now)
    said = {"iss": IDP, "sub": SUBJECT, "aud": AUDIENCE, "iat": at, "exp": at + 600, **changes}
    return {name: value for name, value in said.items() if value is not None}


def signed(
    payload: Mapping[str, Any] | bytes,
    by: jwk.JWK | None = None,
    alg: str = "RS256",
    **header: Any,
) -> str:
    """A compact JWS; ``header`` adds and replaces members, None takes one out."""
    by = key() if by is None else by
    head = {"alg": alg, "kid": by.get("kid"), "typ": "JWT", **header}
    head = {name: value for name, value in head.items() if value is not None}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    data = b64(json.dumps(head).encode()) + b"." + b64(body)
    signer: Any = jwt.get_algorithm_by_name(alg)
    return (data + b"." + b64(signer.sign(data, _private(by, alg)))).decode()


@functools.cache
def _private(by: jwk.JWK, alg: str) -> Any:
    return jwt.get_algorithm_by_name(alg).from_jwk(by.export_private())


def by_secret(payload: Mapping[str, Any], secret: bytes, alg: str = "HS256", **header: Any) -> str:
    """A compact JWS under an HMAC, however unfit the secret is."""
    head = json.dumps({"alg": alg, "typ": "JWT", **header}).encode()
    data = b64(head) + b"." + b64(json.dumps(payload).encode())
    mac = hmac.digest(secret, data, getattr(hashlib, f"sha{alg[2:]}"))
    return (data + b"." + b64(mac)).decode()


def id_token(now: float | None = None, /, **changes: Any) -> str:
    """A good ID token, with changed claims."""
    return signed(claims(now, **changes))


def token_input(token: str) -> dict[str, Any]:
    return {"token_type": OPENIDCONNECT, "oidc_id_token": token}


def trusting(**changes: Any) -> dict[str, Any]:
    """The document of the issuer as an administrator writes it; None takes a member out."""
    said = {"issuer": IDP, "audiences": [AUDIENCE], "jwks": public(key()), **changes}
    return {name: value for name, value in said.items() if value is not None}


async def trust(door: Door, name: str = NAME, realm: str = "/", **changes: Any) -> None:
    """Have a realm trust the issuer."""
    await door.broker.components.issuers.put(realm, name, trusting(**changes))
