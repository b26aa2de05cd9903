"""Encrypted ID tokens through the front door: the relying party alone reads them."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwe as joserfc_jwe
from joserfc import jwk as joserfc_jwk
from jwcrypto import jwe as jwcrypto_jwe
from jwcrypto import jwk as jwcrypto_jwk

from adapters.keys.public_jwk import UnusableKey
from adapters.keys.recipient_jwk import check
from broker.algorithms import ENCRYPTION_BY_KIND
from broker.instance import Instance, OidcEncryption
from tests.http import judges
from tests.http.test_id_tokens import instance, issued, judged
from tests.support.door import ID_TOKEN, ISSUER, Door, session_input, user_input

KINDS: dict[str, dict[str, Any]] = {
    "RSA": {"kty": "RSA", "size": 2048},
    "P-256": {"kty": "EC", "crv": "P-256"},
    "P-384": {"kty": "EC", "crv": "P-384"},
    "P-521": {"kty": "EC", "crv": "P-521"},
    "X25519": {"kty": "OKP", "crv": "X25519"},
}
WAYS = [
    ("RSA", "RSA-OAEP-256", "A256GCM"),
    ("RSA", "RSA-OAEP", "A128CBC-HS256"),
    ("P-256", "ECDH-ES", "A128GCM"),
    ("P-384", "ECDH-ES+A256KW", "A256GCM"),
    ("P-521", "ECDH-ES+A128KW", "A256CBC-HS512"),
    ("X25519", "ECDH-ES+A256KW", "A256GCM"),
]


@functools.cache
def relying_party(kind: str = "P-256") -> Any:
    """The relying party's own key pair."""
    return jwcrypto_jwk.JWK.generate(**KINDS[kind], kid="rp-1", use="enc")


def encrypting(
    kind: str = "P-256",
    algorithm: str = "ECDH-ES+A256KW",
    content: str = "A256GCM",
    *,
    signed: str = "ES256",
) -> Instance:
    key = relying_party(kind).export_public(as_dict=True)
    return instance(signed, encryption=OidcEncryption(key, algorithm, content))


def opened(token: str, kind: str, algorithm: str, content: str) -> tuple[dict[str, Any], str]:
    """Header and signed token, as jwcrypto and joserfc both decrypt them."""
    found = jwcrypto_jwe.JWE(algs=[algorithm, content])
    found.deserialize(token, relying_party(kind))
    private = joserfc_jwk.import_key(relying_party(kind).export_private(as_dict=True))
    registry = joserfc_jwe.JWERegistry(algorithms=[algorithm, content])
    other = joserfc_jwe.decrypt_compact(token, private, registry=registry)
    assert other.plaintext == found.payload
    return dict(found.jose_header), found.payload.decode()


@pytest.mark.parametrize(("kind", "algorithm", "content"), WAYS)
async def test_each_way_of_encrypting(door: Door, kind: str, algorithm: str, content: str) -> None:
    """The relying party's key opens the token, and the signed one inside verifies; the encrypted
    one is what is listed, validated and cancelled."""
    await door.publish(encrypting(kind, algorithm, content))
    for given in (user_input(), session_input(await door.login())):
        token = await issued(door, given)
        header, inner = opened(token, kind, algorithm, content)
        assert (header["cty"], header["kid"], header["alg"]) == ("JWT", "rp-1", algorithm)
        assert judged(inner, "ES256", await judges.jwks(door))["sub"] == "demo"
        await _lives_and_ends(door, token, inner)


async def _lives_and_ends(door: Door, token: str, inner: str) -> None:
    [record] = await door.tokens()
    assert record.alias == hashlib.sha1(token.encode(), usedforsecurity=False).hexdigest().upper()
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
    assert (await door.validate(state, instance="other")).body == {"token_valid": True}
    for changed in (token[:-1] + ("A" if token[-1] != "A" else "B"), inner):
        other = {**state, "oidc_id_token": changed}
        assert (await door.validate(other, instance="other")).body == {"token_valid": False}
    assert (await door.cancel(state, instance="other")).status == 200
    assert (await door.validate(state, instance="other")).body == {"token_valid": False}
    assert await door.tokens() == []


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "PS512", "EdDSA"])
async def test_signed_in_any_way_inside(door: Door, algorithm: str) -> None:
    """What is inside is signed as the instance says, with the key in the header if it asks."""
    draft = encrypting(signed=algorithm)
    assert draft.oidc is not None
    await door.publish(replace(draft, oidc=replace(draft.oidc, public_key_reference="JWK")))
    token = await issued(door, user_input())
    _, inner = opened(token, "P-256", "ECDH-ES+A256KW", "A256GCM")
    judged(inner, algorithm, await judges.jwks(door))


async def test_retry_gets_the_same_ciphertext(door: Door) -> None:
    """A request that is repeated under its id gets the same encrypted token, though each has a
    content key of its own."""
    await door.publish(encrypting())
    tokens = []
    for key in ("one", "one", "two"):
        headers = {"Idempotency-Key": key}
        answer = await door.translate(user_input(), ID_TOKEN, instance="other", headers=headers)
        tokens.append(answer.body["issued_token"])
    assert tokens[0] == tokens[1] != tokens[2]


async def test_encrypted_token_is_no_input(door: Door) -> None:
    """Even a realm that trusts itself takes no encrypted token: it cannot read it."""
    await door.publish(encrypting())
    rules = {"issuer": ISSUER, "audiences": ["client"], "own_keys": True}
    await door.broker.components.issuers.put("/", "ourselves", rules)
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": await issued(door, user_input())}
    answer = await door.translate(state, ID_TOKEN, instance="other")
    assert answer.status == 401


# -- which keys are good enough ------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_good_key(kind: str) -> None:
    """A public key of each kind is taken for each algorithm of its kind, and for no other."""
    key = relying_party(kind).export_public(as_dict=True)
    for kty, algorithms in ENCRYPTION_BY_KIND.items():
        for algorithm in algorithms:
            if algorithm in ENCRYPTION_BY_KIND[key["kty"]]:
                check(key, algorithm)
            else:
                assert kty != key["kty"]
                with pytest.raises(UnusableKey, match="encrypt to it with"):
                    check(key, algorithm)


def _changed(kind: str, **members: Any) -> dict[str, Any]:
    return {**relying_party(kind).export_public(as_dict=True), **members}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "JSON object"),
        ({}, "kty must be one of"),
        ({"kty": ["RSA"]}, "kty must be one of"),
        ({"kty": "oct", "alg": "A256KW"}, "kty must be one of"),
        (_changed("P-256", d="AA"), "private"),
        (_changed("P-256", use="sig"), "use"),
        (_changed("P-256", alg="ECDH-ES+A128KW"), "alg"),
        (_changed("P-256", key_ops=["sign"]), "key_ops"),
        (_changed("P-256", key_ops="wrapKey"), "key_ops"),
        (_changed("P-256", kid=""), "kid"),
        (_changed("P-256", crv="secp256k1"), "crv"),
        (_changed("P-256", crv="P-384"), "48 bytes"),
        (_changed("P-256", x="AA"), "32 bytes"),
        (_changed("P-256", x="A" * 43), "no public key"),
        (_changed("P-256", x=None), "x must be a string"),
        (_changed("X25519", crv="Ed25519"), "crv"),
        (_changed("X25519", x="AA"), "32 bytes"),
        (_changed("X25519", x="A" * 43), "no public key"),
    ],
)
def test_key_that_is_not_good_enough(key: Any, reason: str) -> None:
    """A key that is no public one, is for something else or has bad numbers is refused with a
    sentence."""
    with pytest.raises(UnusableKey, match=reason):
        check(key, "ECDH-ES")


@pytest.mark.filterwarnings("ignore:Key size")
def test_rsa_key_that_is_too_small() -> None:
    """An RSA key has 2048 bits at least."""
    key = jwcrypto_jwk.JWK.generate(kty="RSA", size=1024).export_public(as_dict=True)
    with pytest.raises(UnusableKey, match="2048"):
        check(key, "RSA-OAEP-256")
