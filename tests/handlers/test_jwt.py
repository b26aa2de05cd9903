"""OPENIDCONNECT output, judged by joserfc and jwcrypto."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

import pytest
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from joserfc.jws import JWSRegistry
from jwcrypto import jwk as jwcrypto_jwk  # type: ignore[import-untyped]  # it has no types
from jwcrypto import jwt as jwcrypto_jwt

from adapters.keys.signers import HmacSigner
from broker.algorithms import OIDC_ALGORITHMS
from broker.errors import CannotIssue, InvalidRequest
from broker.instance import SigningKey
from broker.model import OPENAM, OPENIDCONNECT, USERNAME, X509, Login, Principal, Secret
from broker.ports import Signer
from handlers.jwt.claims import REGISTERED_CLAIMS
from handlers.jwt.provider import (
    MAX_NONCE_LENGTH,
    MAX_TOKEN_LENGTH,
    IdTokenRequest,
    OidcProvider,
)
from tests.handlers.builders import (
    ENTROPY,
    NOW,
    instance,
    oidc_options,
    order,
    principal,
    requested,
    signer,
)

PROVIDER = OidcProvider()
SECRET = "a client secret of sixty-four bytes, as long as the longest hash"
HMACS = ("HS256", "HS384", "HS512")
ALL = sorted(OIDC_ALGORITHMS)
LOGIN = NOW - 60
"""When the principal of the builders logged in."""

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc, of RFC 8037's name


def signer_for(algorithm: str) -> Signer:
    return HmacSigner(Secret(SECRET), algorithm) if algorithm in HMACS else signer(algorithm)


async def issued(
    algorithm: str = "ES256",
    *,
    nonce: str | None = None,
    claims: dict[str, tuple[str, ...]] | None = None,
    expires_at: int | None = None,
    subject: Principal | None = None,
    **options: Any,
) -> str:
    oidc = oidc_options(signing_key=SigningKey(algorithm, secret=Secret(SECRET)), **options)
    made = await PROVIDER.issue(
        order(
            PROVIDER,
            IdTokenRequest(nonce),
            to=instance(oidc=oidc),
            key=signer_for(algorithm),
            claims=claims,
            expires_at=expires_at,
            subject=subject,
        )
    )
    token = made.body["issued_token"]
    assert isinstance(token, str)
    return token


def judged(token: str, algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, once both libraries have verified the signature and agree."""
    if algorithm in HMACS:
        first: Any = joserfc_jwk.OctKey.import_key(SECRET.encode())
        second: Any = jwcrypto_jwk.JWK.from_password(SECRET)
    else:
        keys: Any = {"keys": [dict(signer(name).public_jwk or {}) for name in {algorithm, "ES256"}]}
        first = joserfc_jwk.KeySet.import_key_set(keys)
        second = jwcrypto_jwk.JWKSet.from_json(json.dumps(keys))
    registry = JWSRegistry(algorithms=[algorithm])
    registry.max_header_length = 4096  # its default is too short for a header with a key in it
    decoded = joserfc_jwt.decode(token, first, registry=registry)
    other = jwcrypto_jwt.JWT(algs=[algorithm])
    other.leeway = 10**10  # its clock is not the tokens'
    other.deserialize(token, key=second)
    assert json.loads(other.claims) == decoded.claims
    return dict(decoded.header), dict(decoded.claims)


@pytest.mark.parametrize("algorithm", ALL)
async def test_id_token_verifies_with_two_other_libraries(algorithm: str) -> None:
    """Each algorithm's token verifies against the key set and says what the contract says."""
    header, claims = judged(await issued(algorithm, nonce="n1"), algorithm)
    expected = {"typ": "JWT", "alg": algorithm}
    if algorithm not in HMACS:
        expected["kid"] = signer(algorithm).kid
    assert header == expected
    assert claims == {
        "iss": "https://idp.example/",
        "sub": "demo",
        "aud": "rp",
        "nonce": "n1",
        "iat": NOW,
        "exp": NOW + 600,
        "auth_time": LOGIN,
        "jti": PROVIDER.token_id(ENTROPY),
    }


async def test_claims_stand_in_order() -> None:
    """Registered claims come first, in one order, and mapped ones after them in the map's."""
    token = await issued(
        nonce="n", authorized_party="azp", audience=("a", "b"), claims={"z": ("1",), "b": ("2",)}
    )
    _, claims = judged(token, "ES256")
    assert list(claims) == [
        *("iss", "sub", "aud", "azp", "nonce", "iat", "exp", "auth_time", "jti"),
        *("z", "b"),
    ]
    assert claims["aud"] == ["a", "b"]
    assert claims["azp"] == "azp"


async def test_expiry_is_the_order_s() -> None:
    """What is left of the subject token bounds the ID token."""
    _, claims = judged(await issued(expires_at=NOW + 5), "ES256")
    assert claims["exp"] == NOW + 5


@pytest.mark.parametrize("name", sorted(REGISTERED_CLAIMS))
async def test_mapped_claim_never_replaces_a_registered_one(name: str) -> None:
    """A claim map cannot set what relying parties take decisions on."""
    _, plain = judged(await issued(), "ES256")
    _, mapped = judged(await issued(claims={name: ("forged",), "mail": ("m",)}), "ES256")
    assert mapped == {**plain, "mail": "m"}


async def test_several_values_are_joined_unless_arrays_are_asked_for() -> None:
    """Values are strings; several are one string with blanks, or an array by option."""
    several = {"mail": ("a", "b"), "cn": ("c",)}
    _, joined = judged(await issued(claims=several), "ES256")
    assert (joined["mail"], joined["cn"]) == ("a b", "c")
    _, arrays = judged(await issued(claims=several, multi_valued_as_array=True), "ES256")
    assert (arrays["mail"], arrays["cn"]) == (["a", "b"], "c")


NUMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


@pytest.mark.parametrize("algorithm", ALL)
async def test_key_is_shown_in_the_header_when_the_instance_asks(algorithm: str) -> None:
    """Reference JWK puts a clean RFC 7517 key into the header, whatever its kind; a secret is not
    shown."""
    header, _ = judged(await issued(algorithm, public_key_reference="JWK"), algorithm)
    public = signer_for(algorithm).public_jwk
    if public is None:
        assert set(header) == {"typ", "alg"}
    else:
        names = ("kty", *NUMBERS[public["kty"]], "use", "alg")
        assert header["jwk"] == {name: public[name] for name in names}
        shown = joserfc_jwk.import_key(header["jwk"])
        assert shown.thumbprint() == header["kid"]
    header, _ = judged(await issued(algorithm), algorithm)
    assert "jwk" not in header


# -- the login -----------------------------------------------------------------------------------

FOREIGN_LOGIN = Login(at=NOW - 3600, context="theirs", methods=("pwd", "otp"))


async def said_of_login(subject: Principal, **options: Any) -> dict[str, Any]:
    _, claims = judged(await issued(subject=subject, **options), "ES256")
    return {name: claims[name] for name in ("auth_time", "acr", "amr") if name in claims}


@pytest.mark.parametrize(("at", "said"), [(NOW - 900, NOW - 900), (NOW, NOW), (NOW + 2, NOW)])
async def test_auth_time_is_the_login_s(at: int, said: int) -> None:
    """A session's token says when its user logged in; that of a password which was checked while
    the token was made, or again by a retry, says when it was issued."""
    assert await said_of_login(principal(authenticated_at=at)) == {"auth_time": said}


async def test_acr_and_amr_are_those_of_the_input_type() -> None:
    """The instance names context and methods for each input type; others have none."""
    options: dict[str, Any] = {
        "authn_contexts": {USERNAME: "urn:mace:incommon:iap:silver"},
        "authn_methods": {USERNAME: ("pwd",), OPENAM: ("pwd", "otp")},
    }
    assert await said_of_login(principal(), **options) == {
        "auth_time": LOGIN,
        "acr": "urn:mace:incommon:iap:silver",
        "amr": ["pwd"],
    }
    session = await said_of_login(principal(method=OPENAM), **options)
    assert session == {"auth_time": LOGIN, "amr": ["pwd", "otp"]}
    assert await said_of_login(principal(method=X509), **options) == {"auth_time": LOGIN}


async def test_what_another_issuer_said_of_the_login_is_carried_on() -> None:
    """Where the instance says nothing of the input type, its issuer's words stand; where that one
    said nothing either, the token does not."""
    theirs = principal(method=OPENIDCONNECT, login=FOREIGN_LOGIN)
    assert await said_of_login(theirs) == {
        "auth_time": NOW - 3600,
        "acr": "theirs",
        "amr": ["pwd", "otp"],
    }
    ours = await said_of_login(theirs, authn_contexts={OPENIDCONNECT: "ours"})
    assert ours == {"auth_time": NOW - 3600, "acr": "ours", "amr": ["pwd", "otp"]}
    assert await said_of_login(principal(method=OPENIDCONNECT, login=Login())) == {}


@pytest.mark.parametrize("name", ["a:b", "urn", "https://idp.example#a b", ":", "a:b:c é"])
async def test_subject_with_a_colon_is_a_subject(name: str) -> None:
    """A subject need not be a URI because it has a colon."""
    _, claims = judged(await issued(subject=principal(name=name)), "ES256")
    assert claims["sub"] == name


# -- names and requests --------------------------------------------------------------------------


def test_token_id_is_a_random_uuid() -> None:
    """``jti`` is a version 4 UUID made of the claim's entropy alone."""
    made = uuid.UUID(PROVIDER.token_id(ENTROPY))
    assert (made.version, made.variant) == (4, uuid.RFC_4122)
    assert PROVIDER.token_id(ENTROPY) == PROVIDER.token_id(ENTROPY)
    assert PROVIDER.token_id(bytes(32)) != PROVIDER.token_id(ENTROPY)


async def test_issued_token_is_known_by_the_names_of_the_contract() -> None:
    """The alias is the upper-case SHA-1 of the JWS, the digest its SHA-256, here as at validate."""
    request = order(PROVIDER, IdTokenRequest(), to=instance(), key=signer("RS256"))
    made = await PROVIDER.issue(request)
    token = made.body["issued_token"]
    assert made.token_id == PROVIDER.token_id(ENTROPY)
    assert made.alias == hashlib.sha1(token.encode(), usedforsecurity=False).hexdigest().upper()
    assert made.digest == hashlib.sha256(token.encode()).digest()
    name = PROVIDER.name({"oidc_id_token": token})
    assert (name.alias, name.digest) == (made.alias, made.digest)


@pytest.mark.parametrize("token", ["", "no JWT at all", "é", "a.b.c"])
def test_any_string_has_a_name(token: str) -> None:
    """A string that is no JWT is hashed like one: it is only never found."""
    assert PROVIDER.name({"oidc_id_token": token}).digest == hashlib.sha256(token.encode()).digest()


@pytest.mark.parametrize("value", [None, 5, [], "\udfff", "x" * (MAX_TOKEN_LENGTH + 1)])
def test_what_is_no_string_has_no_name(value: object) -> None:
    """Anything but a string of bounded length is a client's mistake."""
    with pytest.raises(InvalidRequest, match="oidc_id_token"):
        PROVIDER.name({"oidc_id_token": value})


@pytest.mark.parametrize("value", [None, False, "true", 1, 0, [True], {}])
def test_allow_access_must_be_the_boolean_true(value: object) -> None:
    """Nothing that merely looks true will do."""
    with pytest.raises(InvalidRequest, match="allow_access"):
        PROVIDER.parse(requested(OPENIDCONNECT, allow_access=value), instance())


def test_allow_access_must_be_there() -> None:
    """An absent allow_access is a refusal."""
    with pytest.raises(InvalidRequest, match="allow_access"):
        PROVIDER.parse(requested(OPENIDCONNECT), instance())


@pytest.mark.parametrize(("nonce", "kept"), [(None, None), ("", None), ("n", "n"), ("é", "é")])
def test_nonce_is_optional(nonce: str | None, kept: str | None) -> None:
    """A nonce is kept if there is one; an empty one is none."""
    options = PROVIDER.parse(requested(OPENIDCONNECT, allow_access=True, nonce=nonce), instance())
    assert options.nonce == kept


@pytest.mark.parametrize("nonce", [5, ["n"], True, "\ud800", "n" * (MAX_NONCE_LENGTH + 1)])
def test_nonce_must_be_a_string_of_bounded_length(nonce: object) -> None:
    """Any other nonce is a client's mistake."""
    with pytest.raises(InvalidRequest, match="nonce"):
        PROVIDER.parse(requested(OPENIDCONNECT, allow_access=True, nonce=nonce), instance())


@pytest.mark.parametrize("reference", ["JKU", "X5U", "X5C", "X5T", "X5TS256"])
def test_reference_that_is_not_offered_is_refused(reference: str) -> None:
    """References other than NONE and JWK are refused at issue; a secret has none to refuse."""
    wanted = requested(OPENIDCONNECT, allow_access=True)
    with pytest.raises(CannotIssue, match=reference):
        PROVIDER.parse(wanted, instance(oidc=oidc_options(public_key_reference=reference)))
    hs256 = oidc_options(
        public_key_reference=reference, signing_key=SigningKey("HS256", secret=Secret(SECRET))
    )
    assert PROVIDER.parse(wanted, instance(oidc=hs256)) == IdTokenRequest()


@pytest.mark.parametrize("algorithm", ["NONE", "none", "RS1"])
def test_unsigned_token_is_never_issued(algorithm: str) -> None:
    """An instance without a signing algorithm publishes, and is refused at issue."""
    oidc = oidc_options(signing_key=SigningKey(algorithm))
    with pytest.raises(CannotIssue):
        PROVIDER.parse(requested(OPENIDCONNECT, allow_access=True), instance(oidc=oidc))


def test_instance_without_options_issues_none() -> None:
    """An instance that is not set up for ID tokens says so."""
    bare = instance(oidc=None)
    with pytest.raises(CannotIssue):
        PROVIDER.parse(requested(OPENIDCONNECT, allow_access=True), bare)
    with pytest.raises(CannotIssue):
        PROVIDER.lifetime_seconds(bare)


async def test_no_signer_no_token() -> None:
    """Without a key nothing leaves."""
    with pytest.raises(CannotIssue):
        await PROVIDER.issue(order(PROVIDER, IdTokenRequest(), to=instance()))


@pytest.mark.parametrize("value", ["x" * MAX_TOKEN_LENGTH, "\ud800"])
async def test_token_that_could_not_be_read_again_is_not_issued(value: str) -> None:
    """Claims too long for validate, or that UTF-8 cannot write, are refused and not an error."""
    with pytest.raises(CannotIssue):
        await issued(claims={"big": (value,)})


def test_instance_decides_lifetime_key_map_and_persistence() -> None:
    """The provider hands on what the instance says."""
    oidc = oidc_options(lifetime_seconds=30, claim_map={"email": "mail"})
    to = instance(oidc=oidc, persist_issued_tokens=True)
    assert PROVIDER.lifetime_seconds(to) == 30
    assert PROVIDER.signing_key(to) == SigningKey("RS256")
    assert PROVIDER.claim_map(to) == {"email": "mail"}
    assert PROVIDER.persists(to)
    assert not PROVIDER.persists(instance())
