"""Encrypted ID tokens, opened by jwcrypto."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import pytest
from jwcrypto import jwe as jwcrypto_jwe  # type: ignore[import-untyped]  # it has no types
from jwcrypto import jwk as jwcrypto_jwk

from broker.algorithms import ENCRYPTION_BY_KIND, OIDC_CONTENT_ALGORITHMS
from broker.errors import CannotIssue
from broker.instance import OidcEncryption
from handlers.jwt.provider import MAX_TOKEN_LENGTH, IdTokenRequest
from tests.handlers.builders import instance, oidc_options, order, signer
from tests.handlers.test_jwt import PROVIDER, issued, judged

RECIPIENTS: dict[str, dict[str, Any]] = {
    "RSA": {"kty": "RSA", "size": 2048},
    "P-256": {"kty": "EC", "crv": "P-256"},
    "P-384": {"kty": "EC", "crv": "P-384"},
    "P-521": {"kty": "EC", "crv": "P-521"},
    "X25519": {"kty": "OKP", "crv": "X25519"},
}
WAYS = [
    (kind, algorithm)
    for kind, made in RECIPIENTS.items()
    for algorithm in sorted(ENCRYPTION_BY_KIND[made["kty"]])
]


@functools.cache
def recipient(kind: str, kid: str | None = "rp-1") -> Any:
    named = {} if kid is None else {"kid": kid}
    return jwcrypto_jwk.JWK.generate(**RECIPIENTS[kind], **named)


def encryption(
    algorithm: str = "ECDH-ES", content: str = "A256GCM", *, to: Any = None
) -> OidcEncryption:
    key = to or recipient("P-256")
    return OidcEncryption(key.export_public(as_dict=True), algorithm, content)


def opened(token: str, key: Any, *algorithms: str) -> tuple[dict[str, Any], str]:
    """Header and content, as the relying party's own library decrypts them."""
    found = jwcrypto_jwe.JWE(algs=list(algorithms))
    found.deserialize(token, key)
    return dict(found.jose_header), found.payload.decode()


@pytest.mark.parametrize("content", sorted(OIDC_CONTENT_ALGORITHMS))
@pytest.mark.parametrize(("kind", "algorithm"), WAYS)
async def test_encrypted_token_opens_with_another_library(
    kind: str, algorithm: str, content: str
) -> None:
    """A token is signed and then encrypted to the relying party's key, which alone opens it."""
    key = recipient(kind)
    token = await issued(encryption=encryption(algorithm, content, to=key), nonce="n")
    header, inner = opened(token, key, algorithm, content)
    header.pop("epk", None)
    assert header == {
        "typ": "JWT",
        "cty": "JWT",
        "alg": algorithm,
        "enc": content,
        "kid": "rp-1",
    }
    _, claims = judged(inner, "ES256")
    assert claims["nonce"] == "n"
    other = jwcrypto_jwk.JWK.generate(**RECIPIENTS[kind])
    with pytest.raises(jwcrypto_jwe.InvalidJWEData):
        opened(token, other, algorithm, content)


async def test_recipient_without_a_kid() -> None:
    """A key without a name is encrypted to all the same, and named by none."""
    key = recipient("P-256", None)
    header, _ = opened(await issued(encryption=encryption(to=key)), key, "ECDH-ES", "A256GCM")
    assert "kid" not in header


async def test_each_token_has_a_content_key_of_its_own() -> None:
    """The same token encrypted twice shares no part but the algorithms."""
    tokens = [
        await issued(encryption=encryption("RSA-OAEP-256", to=recipient("RSA"))) for _ in "ab"
    ]
    for first, second in list(zip(*(token.split(".") for token in tokens), strict=True))[1:]:
        assert first != second


async def test_encrypted_token_is_known_by_its_own_text() -> None:
    """Alias and digest are those of the complete JWE, here as at validate."""
    made = await PROVIDER.issue(
        order(
            PROVIDER,
            IdTokenRequest(),
            to=instance(oidc=oidc_options(encryption=encryption())),
            key=signer("RS256"),
        )
    )
    token = made.body["issued_token"]
    assert token.count(".") == 4
    assert made.alias == hashlib.sha1(token.encode(), usedforsecurity=False).hexdigest().upper()
    assert PROVIDER.name({"oidc_id_token": token}).digest == made.digest


@pytest.mark.parametrize("length", [MAX_TOKEN_LENGTH // 2, MAX_TOKEN_LENGTH * 2 // 3])
async def test_length_of_an_encrypted_token(length: int) -> None:
    """What counts is the encrypted token: issued up to the limit, refused above it."""
    claims = {"big": ("x" * length,)}
    if length == MAX_TOKEN_LENGTH // 2:
        assert len(await issued(claims=claims)) < MAX_TOKEN_LENGTH
        token = await issued(claims=claims, encryption=encryption())
        assert len(token) <= MAX_TOKEN_LENGTH
    else:
        assert len(await issued(claims=claims)) <= MAX_TOKEN_LENGTH
        with pytest.raises(CannotIssue, match="longer than"):
            await issued(claims=claims, encryption=encryption())


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ],
)
@pytest.mark.filterwarnings("ignore:Key size")
async def test_key_that_cannot_be_encrypted_to(key: dict[str, str]) -> None:
    """No token leaves for a key of another kind, too small a size or without its numbers."""
    algorithm = "RSA-OAEP-256" if key.get("kty") == "RSA" else "ECDH-ES"
    with pytest.raises(CannotIssue, match="cannot be used"):
        await issued(encryption=OidcEncryption(key, algorithm, "A256GCM"))
