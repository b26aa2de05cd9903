"""Encrypted and signed requests, made with jwcrypto: a library that the broker does not use."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from jwcrypto import jwe, jwk, jws

from tests.support.door import ISSUER, Door

JOSE = "application/jose"
TYPE = "remint-request+jws"


def enc_key(jwks: Mapping[str, Any], algorithm: str = "ECDH-ES") -> jwk.JWK:
    """The key that requests are encrypted to, as a sender picks it from a JWKS."""
    [found] = [k for k in jwks["keys"] if k["use"] == "enc" and k["alg"] == algorithm]
    return jwk.JWK(**found)


async def enc_key_of(door: Door, algorithm: str = "ECDH-ES", realm: str = "") -> jwk.JWK:
    path = f"/oauth2/realms{realm}/jwks" if realm else "/oauth2/jwks"
    return enc_key((await door.request("GET", path)).body, algorithm)


def encrypted(
    body: Any, key: jwk.JWK, header: Mapping[str, Any] | None = None, enc: str = "A256GCM"
) -> bytes:
    """A compact JWE of ``body`` (bytes, or written as JSON) to ``key``; ``header`` adds and
    replaces members, None takes one out."""
    plain = body if isinstance(body, bytes) else json.dumps(body).encode()
    wanted = {"alg": key["alg"], "enc": enc, "kid": key["kid"], **(header or {})}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    made = jwe.JWE(plain, recipient=key, protected=json.dumps(wanted), algs=[wanted["alg"], enc])
    compact: str = made.serialize(compact=True)
    return compact.encode()


def decrypted(token: bytes, key: jwk.JWK) -> bytes:
    """What is in an encrypted answer."""
    read = jwe.JWE(algs=["ECDH-ES", "RSA-OAEP-256", "A256GCM"])
    read.deserialize(token.decode(), key)
    plaintext: bytes = read.payload
    return plaintext


def signing_key(kind: str = "EC", kid: str = "alice-1") -> jwk.JWK:
    made: dict[str, Any] = {
        "EC": {"kty": "EC", "crv": "P-256", "alg": "ES256"},
        "RSA": {"kty": "RSA", "size": 2048, "alg": "RS256"},
        "OKP": {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"},
    }[kind]
    return jwk.JWK.generate(kid=kid, **made)


def registered(*keys: jwk.JWK) -> str:
    """The JWK set of requesters who sign."""
    return json.dumps({"keys": [key.export_public(as_dict=True) for key in keys]})


def signed(
    body: Mapping[str, Any],
    key: jwk.JWK,
    id: str,
    /,
    *,
    header: Mapping[str, Any] | None = None,
    **members: Any,
) -> bytes:
    """A compact JWS of a request; ``members`` add and replace, None takes one out."""
    payload = {
        **body,
        "message_id": id,
        "iat": int(time.time()),
        "aud": ISSUER,
        **members,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    wanted = {"alg": key["alg"], "kid": key["kid"], "typ": TYPE, **(header or {})}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    made = jws.JWS(json.dumps(payload).encode())
    made.allowed_algs = [wanted["alg"]]
    made.add_signature(key, None, json.dumps(wanted))
    compact: str = made.serialize(compact=True)
    return compact.encode()


def reply_key(kind: str = "EC") -> jwk.JWK:
    """A key pair for one answer."""
    if kind == "EC":
        return jwk.JWK.generate(kty="EC", crv="P-256", kid="reply-1")
    return jwk.JWK.generate(kty="RSA", size=2048, kid="reply-1")


def public(key: jwk.JWK) -> dict[str, Any]:
    shown: dict[str, Any] = key.export_public(as_dict=True)
    return shown


def b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def unb64(segment: bytes) -> bytes:
    return urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


def reheaded(token: bytes, **members: Any) -> bytes:
    """The same JWE or JWS under an altered header."""
    head, dot, rest = token.partition(b".")
    header = {**json.loads(unb64(head)), **members}
    kept = {name: value for name, value in header.items() if value is not None}
    return b64(json.dumps(kept).encode()) + dot + rest
