"""OPENIDCONNECT as input: whose ID tokens count, and for whom they speak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as another_jwt
from joserfc.jwk import KeySet as AnotherKeySet

from adapters.issuers import jwk_set
from adapters.issuers.sources import SharedSecret, WrittenKeys
from broker.errors import InvalidRequest, InvalidToken
from broker.model import OPENIDCONNECT, Login, Principal, Secret, User
from broker.trust import TrustedIssuer, VerificationKey
from handlers.jwt import compact
from handlers.jwt.claims import id_token_claims
from handlers.jwt.provider import MAX_TOKEN_LENGTH, OidcProvider
from handlers.jwt.validator import NOT_TRUSTED, OidcValidator
from tests.handlers.builders import (
    NOW,
    Issuers,
    Tokens,
    Users,
    instance,
    oidc_options,
    order,
    received,
    user,
)
from tests.support import issuers
from tests.support.forged import FORGED
from tests.support.issuers import AUDIENCE, FOREIGN, IDP, KIND_OF, by_secret, claims, key, signed
from tests.support.jose import b64
from tests.support.planted import CLIENT_SECRET

RULES = TrustedIssuer(
    realm="/",
    name="partner",
    issuer=IDP,
    audiences=frozenset({AUDIENCE, "another"}),
    algorithms=frozenset(KIND_OF),
)
KEYS = WrittenKeys(issuers.public(key(), key("P-256", "k2")))


class Trusted:
    """A Trust with these rules and keys."""

    def __init__(self, rules: TrustedIssuer, source: Any = KEYS, *, ours: bool = False) -> None:
        self.rules = rules
        self._source = source
        self._ours = ours

    async def keys(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        return tuple(await self._source.keys(algorithm, kid))

    def ours(self, key: VerificationKey) -> bool:
        return self._ours


async def principal(
    token: str,
    *,
    source: Any = KEYS,
    local: User | None = None,
    at: float = NOW,
    **changes: Any,
) -> Principal:
    trust = Trusted(replace(RULES, **changes), source)
    users = Users(local) if local is not None else Users()
    validator = OidcValidator(Issuers(trust), users, Tokens())
    credential = validator.parse(received(OPENIDCONNECT, oidc_id_token=token))
    return await validator.validate(credential, instance(), at)


async def refused(token: str, **given: Any) -> InvalidToken:
    with pytest.raises(InvalidToken) as refusal:
        await principal(token, **given)
    return refusal.value


# -- what counts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", KIND_OF)
async def test_each_algorithm_with_its_own_kind_of_key(algorithm: str) -> None:
    """Every algorithm on the list verifies with a key of its kind, and with no other kind."""
    own = key(KIND_OF[algorithm])
    source = WrittenKeys(issuers.public(own))
    token = signed(claims(NOW), own, algorithm)
    assert (await principal(token, source=source)).foreign == FOREIGN
    for kind in set(KIND_OF.values()) - {KIND_OF[algorithm]}:
        other = WrittenKeys(issuers.public(key(kind)))
        assert (await refused(token, source=other)).sentence == NOT_TRUSTED


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_client_secret(algorithm: str) -> None:
    """A client secret verifies HMACs, where it is as long as the hash and the list has them."""
    secret = Secret(CLIENT_SECRET * 2)
    token = by_secret(claims(NOW), secret.reveal().encode(), algorithm)
    allowed = frozenset({algorithm})
    found = await principal(token, source=SharedSecret(secret), algorithms=allowed)
    assert found.foreign == FOREIGN
    short = Secret("x" * 31)
    weak = by_secret(claims(NOW), b"x" * 31, algorithm)
    await refused(weak, source=SharedSecret(short), algorithms=allowed)


async def test_subject_is_somebody_else() -> None:
    """The principal is issuer and subject; what is issued for it ends with the token, at most."""
    found = await principal(
        signed(claims(NOW, sub="admin", auth_time=NOW - 5, acr="1", amr=["pwd"]))
    )
    assert found.name == found.foreign == found.account == f"{IDP}#admin"
    assert (found.realm, found.method, found.not_after) == ("/", OPENIDCONNECT, NOW + 600)
    assert found.login == Login(NOW - 5, "1", ("pwd",))
    assert (found.session_id, found.parent, found.one_time_token) == (None, None, None)


async def test_name_by_rule() -> None:
    """An issuer's rule may name subjects as they are, or by another claim; records still say whose
    they are."""
    token = signed(claims(NOW, upn="al@example.com"))
    found = await principal(token, subject_prefix="")
    assert (found.name, found.account) == ("alice", FOREIGN)
    found = await principal(token, subject_prefix="partner-", subject_claim="upn")
    assert (found.name, found.account) == ("partner-al@example.com", f"{IDP}#al@example.com")


async def test_address_must_be_verified() -> None:
    """An e-mail address names somebody only if the issuer says that it was verified."""
    by_mail = {"subject_claim": "email", "subject_prefix": ""}
    good = signed(claims(NOW, email="a@b.example", email_verified=True))
    assert (await principal(good, **by_mail)).name == "a@b.example"
    for word in (None, False, "true", 1):
        token = signed(claims(NOW, email="a@b.example", email_verified=word))
        assert "email_verified" in (await refused(token, **by_mail)).sentence


async def test_linked_to_a_local_user() -> None:
    """With link_local_users a subject is the local user of that name, and nobody without one."""
    linked = await principal(
        signed(claims(NOW, sub="demo", mail="x@evil.example")), local=user(), link_local_users=True
    )
    assert (linked.name, linked.foreign, linked.attributes) == ("demo", None, user().attributes)
    await refused(signed(claims(NOW, sub="demo")), link_local_users=True)
    inactive = replace(user(), active=False)
    await refused(signed(claims(NOW, sub="demo")), local=inactive, link_local_users=True)


async def test_local_profile_is_not_touched() -> None:
    """Without a link the claims are the token's own, though there is a user of that name."""
    token = signed(claims(NOW, sub="demo", mail="a@b", n=[1, True, "x"], o={"a": 1}, z=[{}]))
    attributes = (await principal(token, local=user(), subject_prefix="")).attributes
    assert attributes is not None
    assert (attributes["mail"], attributes["n"]) == (("a@b",), ("1", "true", "x"))
    assert attributes.get("o") is attributes.get("z") is attributes.get("cn") is None


# -- what does not -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"aud": "somebody"}, "aud"),
        ({"aud": AUDIENCE + "/"}, "aud"),
        ({"aud": AUDIENCE.upper()}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": [AUDIENCE, 1]}, "aud"),
        ({"aud": {AUDIENCE: 1}}, "aud"),
        ({"aud": [AUDIENCE, "x"]}, "azp"),
        ({"aud": [AUDIENCE, "another"]}, "azp"),
        ({"azp": "somebody"}, "azp"),
        ({"azp": [AUDIENCE]}, "azp"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": str(NOW + 60)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": -1}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": "now"}, "iat"),
        ({"iat": NOW + 61}, "future"),
        ({"nbf": NOW + 61}, "future"),
        ({"nbf": "soon"}, "nbf"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"events": {}}, "security event"),
    ],
    ids=str,
)
async def test_claims_that_do_not_do(changes: dict[str, Any], word: str) -> None:
    """Whoever holds a token with a good signature hears which claim is wrong."""
    assert word in (await refused(signed(claims(NOW, **changes)))).sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["another"]},
        {"aud": [AUDIENCE, "x"], "azp": AUDIENCE},
        {"azp": "another"},
        {"exp": NOW - 59},
        {"exp": NOW + 0.5},
        {"iat": NOW + 60},
        {"nbf": NOW + 60},
        {"auth_time": "never", "acr": 1, "amr": "pwd"},
    ],
    ids=str,
)
async def test_claims_that_just_do(changes: dict[str, Any]) -> None:
    """Leeway counts to the second, and what is said of the login in another form says nothing."""
    found = await principal(signed(claims(NOW, **changes)))
    assert found.not_after is not None
    assert found.not_after > NOW
    assert found.login == Login()


async def test_authorized_parties() -> None:
    """Where parties are named, a token must name one of them as its own."""
    named = {"authorized_parties": frozenset({"app"})}
    assert await principal(signed(claims(NOW, azp="app")), **named)
    for azp in (None, AUDIENCE, "App", ["app"]):
        await refused(signed(claims(NOW, azp=azp)), **named)


@pytest.mark.parametrize("title", FORGED)
async def test_forged_token_is_refused_in_the_same_words(title: str) -> None:
    """What no trusted issuer has signed is refused, and the refusal tells nothing of why."""
    refusal = await refused(FORGED[title])
    assert refusal.sentence == NOT_TRUSTED
    assert refusal.detail


async def test_header_twice_in_one_member() -> None:
    """A header with a member twice is refused, though its signature holds."""
    head = b64(b'{"alg":"RS256","kid":"k1","kid":"k1"}').decode()
    good = signed(claims(NOW))
    assert (await refused(f"{head}.{good.split('.', 1)[1]}")).sentence == NOT_TRUSTED


async def test_empty_ecdsa_signature() -> None:
    """An ECDSA signature of zeros (CVE-2022-21449), or of another size, verifies nothing."""
    head, body, mac = signed(claims(NOW), key("P-256", "k2"), "ES256").split(".")
    for forged in (
        bytes(64),
        bytes(63) + b"\x01",
        b"",
        bytes(72),
        b"\x30\x06\x02\x01\x00\x02\x01\x00",
    ):
        await refused(f"{head}.{body}.{b64(forged).decode()}")
    assert await principal(f"{head}.{body}.{mac}")


async def test_algorithms_are_those_of_the_issuer() -> None:
    """A good signature by an algorithm that the issuer's list lacks counts for nothing."""
    token = signed(claims(NOW), alg="PS256")
    await refused(token, algorithms=frozenset({"RS256"}))
    assert await principal(token)


async def test_key_that_is_bound_to_an_algorithm() -> None:
    """A key whose JWK names an algorithm verifies no other."""
    bound = WrittenKeys({"keys": [{**issuers.public(key())["keys"][0], "alg": "RS256"}]})
    assert await principal(signed(claims(NOW)), source=bound)
    await refused(signed(claims(NOW), alg="RS384"), source=bound)


async def test_which_key_is_meant() -> None:
    """Without a kid the only suitable key is meant; where several are, none is."""
    nameless = signed(claims(NOW), kid=None)
    assert await principal(nameless)
    two = WrittenKeys(issuers.public(key(), key("RSA", "k3", 1)))
    await refused(nameless, source=two)
    assert await principal(signed(claims(NOW)), source=two)
    unnamed = WrittenKeys(issuers.public(key("RSA", None, 2)))
    token = signed(claims(NOW), key("RSA", None, 2), kid="whatever")
    assert await principal(token, source=unnamed)


async def test_realm_that_trusts_nobody() -> None:
    """Where no issuer is trusted, that is what the caller hears: 400, not 401."""
    validator = OidcValidator(Issuers(), Users(), Tokens())
    with pytest.raises(InvalidRequest, match="trusts no issuer"):
        await validator.validate(Secret(signed(claims(NOW))), instance(), NOW)
    validator = OidcValidator(Issuers(Trusted(RULES)), Users(), Tokens())
    with pytest.raises(InvalidRequest, match="trusts no issuer"):
        await validator.validate(Secret(signed(claims(NOW))), instance(realm="/a"), NOW)


@pytest.mark.parametrize(
    "value", [None, "", 1, ["x"], {"a": 1}, "\ud800", "x" * (MAX_TOKEN_LENGTH + 1)]
)
def test_member_that_is_no_token(value: Any) -> None:
    """A member that is missing, no text or too long is the caller's mistake."""
    validator = OidcValidator(Issuers(), Users(), Tokens())
    with pytest.raises(InvalidRequest, match="oidc_id_token"):
        validator.parse(received(OPENIDCONNECT, oidc_id_token=value))


# -- what is passed on ---------------------------------------------------------------------------


async def test_login_is_passed_on_as_it_was() -> None:
    """auth_time, acr and amr of the subject token stand in the issued one, and no others."""
    found = await principal(signed(claims(NOW, auth_time=NOW - 9, acr="urn:x", amr=["mfa", "pwd"])))
    said = id_token_claims(
        oidc_options(), order(OidcProvider(), None, to=instance(), subject=found), None
    )
    assert (said["auth_time"], said["acr"], said["amr"]) == (NOW - 9, "urn:x", ["mfa", "pwd"])
    silent = await principal(signed(claims(NOW)))
    said = id_token_claims(
        oidc_options(), order(OidcProvider(), None, to=instance(), subject=silent), None
    )
    assert not {"auth_time", "acr", "amr"} & said.keys()


# -- judges --------------------------------------------------------------------------------------


TOKENS = [signed(claims(NOW)), signed(claims(NOW), key("P-256", "k2"), "ES256")]


@given(st.data())
async def test_whatever_is_read_two_other_libraries_read_alike(data: st.DataObject) -> None:
    """A token that was changed somewhere and is still accepted is accepted by PyJWT and joserfc,
    with the same claims."""
    token = data.draw(st.sampled_from(TOKENS)).encode()
    at = data.draw(st.integers(0, len(token) - 1))
    byte = data.draw(st.sampled_from(b"ABab01+/=-_.\n\x00"))
    changed = token[:at] + bytes([byte]) + token[at + data.draw(st.integers(0, 1)) :]
    try:
        found = compact.read(changed)
    except compact.Malformed:
        return
    keys = jwk_set.read(issuers.public(key(), key("P-256", "k2")))
    header = found.header
    holds = any(
        each.verifies(header.algorithm, found.signature, found.signing_input)
        for each in keys.suitable(header.algorithm, header.kid)
    )
    if holds:
        by_kid = {each["kid"]: each for each in issuers.public(key(), key("P-256", "k2"))["keys"]}
        judge = jwt.PyJWK(by_kid[header.kid or ""], algorithm=header.algorithm)
        options: Any = {"verify_exp": False, "verify_aud": False}
        assert jwt.decode(changed, judge, [header.algorithm], options=options) == found.unverified
        another = another_jwt.decode(
            changed.decode(),
            AnotherKeySet.import_key_set({"keys": list(by_kid.values())}),
            algorithms=[header.algorithm],
        )
        assert another.claims == found.unverified


@given(st.binary(max_size=60))
def test_base64url_has_one_spelling(data: bytes) -> None:
    """Whatever was encoded is read back, and no other text gives the same bytes."""
    text = b64(data)
    assert compact.unpadded(text) == data
    for other in (text + b"=", text + b"A" * (4 - len(text) % 4) if len(text) % 4 else text + b"="):
        try:
            assert compact.unpadded(other) != data
        except compact.Malformed:
            continue
