"""ID tokens of every algorithm, through the front door, judged by three other libraries."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from joserfc.jws import JWSRegistry
from jwcrypto import jwk as jwcrypto_jwk
from jwcrypto import jwt as jwcrypto_jwt

from adapters.keys import certificates, private_keys
from adapters.stores.memory import open_memory
from broker.algorithms import HMAC_ALGORITHMS, OIDC_ALGORITHMS
from broker.errors import InvalidInstance
from broker.instance import Instance, KeyStore, SigningKey
from broker.model import Secret
from tests.http import judges
from tests.support import door as doors
from tests.support.door import (
    ID_TOKEN,
    ISSUER,
    REALM,
    Door,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.jose import b64
from tests.support.planted import CLIENT_SECRET, Planted

ALL = sorted(OIDC_ALGORITHMS)
ASYMMETRIC = sorted(OIDC_ALGORITHMS - HMAC_ALGORITHMS)
SECRET = CLIENT_SECRET * 2  # as long as the hash of HS512
OPAQUE = {"token_type": "OPAQUE"}
MAX_HEADER = 4096
"""What a header with a key in it may have; the libraries' own limit is lower."""

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc, of RFC 8037's name

INPUTS = ("USERNAME", "OPENAM", "OPAQUE")


def instance(algorithm: str = "ES256", element: str = "other", **options: Any) -> Instance:
    """An instance that turns every input of these tests into an ID token."""
    pairs = tuple(pair(given, "OPENIDCONNECT") for given in (*INPUTS, "OPENIDCONNECT"))
    draft = an_instance(element, oidc=algorithm, transforms=(*pairs, pair("USERNAME", "OPAQUE")))
    assert draft.oidc is not None
    key = replace(
        draft.oidc.signing_key,
        secret=Secret(SECRET) if algorithm in HMAC_ALGORITHMS else None,
    )
    return replace(draft, oidc=replace(draft.oidc, signing_key=key, **options))


async def shown(door: Door, given: str, element: str = "other") -> dict[str, Any]:
    """A subject token of that type, for ``demo``."""
    if given == "OPENAM":
        return session_input(await door.login())
    if given == "OPAQUE":
        answer = await door.translate(user_input(), OPAQUE, instance=element)
        return {**OPAQUE, "opaque_token": answer.body["issued_token"]}
    return user_input()


async def issued(door: Door, given: Mapping[str, Any], element: str = "other") -> str:
    answer = await door.translate(given, ID_TOKEN, instance=element)
    assert answer.status == 200, answer.text
    return str(answer.body["issued_token"])


def judged(
    token: str, algorithm: str, jwks: dict[str, Any], secret: str = SECRET
) -> dict[str, Any]:
    """The claims, once each library has verified the token and all agree on what it says."""
    header = jwt.get_unverified_header(token)
    assert header["alg"] == algorithm
    if algorithm in HMAC_ALGORITHMS:
        assert "kid" not in header
        first: Any = joserfc_jwk.OctKey.import_key(secret)
        second: Any = jwcrypto_jwk.JWK.from_password(secret)
        third: Any = secret
    else:
        [row] = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
        assert (row["alg"], row["use"]) == (algorithm, "sig")
        first = joserfc_jwk.KeySet.import_key_set(jwks)  # type: ignore[arg-type]  # plain JSON
        second = jwcrypto_jwk.JWKSet.from_json(json.dumps(jwks))
        # A name that PyJWT does not know yet, of an algorithm that it does.
        third = None if algorithm == "Ed25519" else jwt.PyJWK(row)
    registry = JWSRegistry(algorithms=[algorithm])
    registry.max_header_length = MAX_HEADER
    claims = dict(joserfc_jwt.decode(token, first, registry=registry).claims)
    other = jwcrypto_jwt.JWT(algs=[algorithm])
    other.deserialize(token, key=second)
    assert json.loads(other.claims) == claims
    if third is not None:
        checks: Any = {"audience": claims["aud"], "issuer": ISSUER}
        assert jwt.decode(token, third, algorithms=[algorithm], **checks) == claims
    return claims


@pytest.mark.parametrize("algorithm", ALL)
async def test_each_algorithm_for_each_input(door: Door, algorithm: str) -> None:
    """Whatever the input, the ID token verifies with the algorithm of its instance and the key of
    the JWKS that its kid names; it is valid until it is cancelled."""
    await door.publish(instance(algorithm))
    jwks = await judges.jwks(door)
    for given in INPUTS:
        token = await issued(door, await shown(door, given))
        claims = judged(token, algorithm, jwks)
        assert (claims["sub"], claims["aud"], claims["nonce"]) == ("demo", "client", "n-1")
        assert claims["email"] == "demo@example.com"
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
        assert (await door.validate(state, instance="other")).body == {"token_valid": True}
        assert (await door.cancel(state, instance="other")).status == 200
        assert (await door.validate(state, instance="other")).body == {"token_valid": False}


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES384", "ES512", "EdDSA", "Ed25519"])
async def test_key_in_the_header(door: Door, algorithm: str) -> None:
    """Reference type JWK shows the key itself, the one that the JWKS has under the kid."""
    await door.publish(instance(algorithm, public_key_reference="JWK"))
    token = await issued(door, user_input())
    jwks = await judges.jwks(door)
    judged(token, algorithm, jwks)
    header = jwt.get_unverified_header(token)
    [row] = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
    assert {**header["jwk"], "kid": header["kid"]} == row
    assert joserfc_jwk.import_key(header["jwk"]).thumbprint() == header["kid"]


@pytest.mark.parametrize("algorithm", ["ES384", "EdDSA"])
@pytest.mark.parametrize("reference", ["JKU", "X5U", "X5C", "X5T", "X5TS256"])
async def test_other_references(door: Door, algorithm: str, reference: str) -> None:
    """Other reference types publish, as in the reference, and are refused when a token is asked
    for."""
    await door.publish(instance(algorithm, public_key_reference=reference))
    answer = await door.translate(user_input(), ID_TOKEN, instance="other")
    assert answer.status == 400
    assert reference in answer.body["message"]


async def test_keys_of_an_algorithm_come_with_its_first_instance(door: Door) -> None:
    """Publishing over HTTP with a new algorithm makes the realm's key for it; kids of keys that
    were there stay, and another realm gets no such key."""
    before = await judges.jwks(door)
    other = await judges.jwks(door, REALM)
    await door.publish(instance("ES512"), instance("EdDSA", "third"))
    after = await judges.jwks(door)
    kids = {key["kid"] for key in before["keys"]}
    new = [key for key in after["keys"] if key["kid"] not in kids]
    assert kids <= {key["kid"] for key in after["keys"]}
    assert sorted((key["alg"], key["crv"]) for key in new) == [
        ("ES512", "P-521"),
        ("EdDSA", "Ed25519"),
    ]
    assert await judges.jwks(door, REALM) == other
    await door.publish(instance("ES512", "fourth"))
    assert await judges.jwks(door) == after


async def test_every_broker_of_a_store_has_the_same_keys(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """An instance that one broker publishes is served by another with the same new key."""
    stores = open_memory()
    async with (
        doors.opened(tmp_path / "one", planted, stores=stores) as one,
        doors.opened(tmp_path / "two", planted, stores=stores) as two,
    ):
        await one.publish(instance("ES384"))
        tokens = [await issued(door, user_input()) for door in (two, one)]
        kids = {jwt.get_unverified_header(token)["kid"] for token in tokens}
        assert len(kids) == 1
        for door in (one, two):
            judged(tokens[0], "ES384", await judges.jwks(door))
            said.extend(door.refusals)


async def test_secret_is_in_no_jwks(door: Door) -> None:
    """A token by a client secret verifies with that secret alone, and the JWKS shows none."""
    await door.publish(instance("HS512"))
    token = await issued(door, user_input())
    jwks = await judges.jwks(door)
    assert not any(key["kty"] == "oct" or "k" in key for key in jwks["keys"])
    judged(token, "HS512", jwks)
    for wrong in (SECRET[:-1], *(key["kid"] * 2 for key in jwks["keys"])):
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token, wrong, algorithms=["HS512"], audience="client")


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
async def test_secret_that_is_shorter_than_the_hash(
    tmp_path: Path, planted: Planted, said: list[str], algorithm: str, least: int
) -> None:
    """A secret is as long as the hash at least, unless settings allow shorter ones by name."""
    draft = instance(algorithm)
    assert draft.oidc is not None
    short = replace(draft.oidc.signing_key, secret=Secret(SECRET[: least - 1]))
    weak = replace(draft, oidc=replace(draft.oidc, signing_key=short))
    for number, allowed in enumerate(([], ["cbc", "short-hmac"])):
        security = {"allow_legacy_output": allowed}
        async with doors.opened(tmp_path / str(number), planted, security=security) as door:
            if not allowed:
                with pytest.raises(InvalidInstance, match=f"at least {least} bytes"):
                    await door.publish(weak)
            else:
                await door.publish(weak)
                token = (await issued(door, user_input())).encode()
                data, _, mac = token.rpartition(b".")
                key = SECRET[: least - 1].encode()
                assert mac == b64(hmac.digest(key, data, f"sha{algorithm[2:]}"))
            said.extend(door.refusals)


# -- keys of key stores --------------------------------------------------------------------------


@pytest.fixture
async def own(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A front door whose broker reads key stores: one PEM file for each kind of key."""
    folder = tmp_path / "keystores"
    folder.mkdir()
    for algorithm in ("RS256", "ES384", "ES512", "EdDSA"):
        key = private_keys.generated(algorithm)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate = certificates.self_signed(key, "/", time.time())
        (folder / f"{algorithm.lower()}.pem").write_bytes(certificate + pem)
    keys = {"keystore_dir": folder}
    async with doors.opened(tmp_path / "state", planted, keys=keys) as door:
        yield door
        said.extend(door.refusals)


def from_store(algorithm: str, name: str, element: str = "other") -> Instance:
    draft = instance(algorithm, element)
    assert draft.oidc is not None
    key = SigningKey(algorithm, alias=name, store=KeyStore(f"{name}.pem"))
    return replace(draft, oidc=replace(draft.oidc, signing_key=key))


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        ("RS512", "rs256"),
        ("PS256", "rs256"),
        ("ES384", "es384"),
        ("ES512", "es512"),
        ("EdDSA", "eddsa"),
        ("Ed25519", "eddsa"),
    ],
)
async def test_own_key_of_any_kind(own: Door, algorithm: str, name: str) -> None:
    """A key of a key store signs with any algorithm of its kind, and its kid is in the JWKS."""
    await own.publish(from_store(algorithm, name))
    token = await issued(own, user_input())
    judged(token, algorithm, await judges.jwks(own))
    kid = jwt.get_unverified_header(token)["kid"]
    assert kid not in {key.kid for key in own.broker.components.keys.list("/")}


async def test_own_key_with_two_algorithms(own: Door) -> None:
    """A key of a key store that signs with two algorithms is in the JWKS once, and both verify."""
    await own.publish(from_store("RS256", "rs256", "one"), from_store("PS256", "rs256", "two"))
    jwks = await judges.jwks(own)
    for element, algorithm in (("one", "RS256"), ("two", "PS256")):
        token = await issued(own, user_input(), element)
        assert (await judges.id_token(own, token, algorithm)).header["alg"] == algorithm
        kid = jwt.get_unverified_header(token)["kid"]
        assert [key.get("alg") for key in jwks["keys"] if key["kid"] == kid] == [None]


# -- tokens of ours that come back ---------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["PS256", "ES384", "EdDSA", "Ed25519"])
async def test_own_token_as_input(door: Door, algorithm: str) -> None:
    """A realm that lists itself takes its own tokens of any algorithm, and those alone that are
    kept: a cancelled one is refused, also where its key is listed as somebody else's."""
    await door.publish(instance(algorithm))
    jwks = await judges.jwks(door)
    keys = {"keys": [key for key in jwks["keys"] if key["use"] == "sig"]}
    rules: dict[str, Any] = {
        "issuer": ISSUER,
        "audiences": ["client"],
        "algorithms": [algorithm],
        "subject_prefix": "",
    }
    for source in ({"own_keys": True}, {"jwks": keys}):
        await door.broker.components.issuers.put("/", "ourselves", {**rules, **source})
        token = await issued(door, user_input())
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
        judged(await issued(door, state), algorithm, jwks)
        await door.cancel(state, instance="other")
        answer = await door.translate(state, ID_TOKEN, instance="other")
        assert answer.status == 401, answer.text
