"""What is in an issued token: its claims or its elements, and who signed them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.model import OPENIDCONNECT
from tests.http import judges
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    AUDIENCE,
    ID_TOKEN,
    ISSUER,
    Door,
    FrozenClock,
    an_instance,
    session_input,
    user_input,
)
from tests.support.planted import Planted


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
async def test_id_token_algorithms(door: Door, algorithm: str) -> None:
    """An ID token is signed with the algorithm of its instance, and names a public key by kid."""
    await door.publish(an_instance("other", oidc=algorithm))
    answer = await door.translate(user_input(), ID_TOKEN, instance="other")
    token = await judges.id_token(door, answer.body["issued_token"], algorithm)
    judges.check_claims(token)
    assert token.header["alg"] == algorithm
    assert ("kid" in token.header) is not algorithm.startswith("HS")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_assertion_algorithms(door: Door, algorithm: str) -> None:
    """An assertion is signed with SHA-256 and a key of the kind its instance asks for."""
    await door.publish(an_instance("other", saml2=algorithm))
    answer = await door.translate(user_input(), ASSERTION, instance="other")
    await judges.assertion(door, answer.body["issued_token"])
    method = judges.one(judges.parsed(answer.body["issued_token"]), ".//ds:SignatureMethod")
    kind = {"RS256": "rsa-sha256", "ES256": "ecdsa-sha256"}[algorithm]
    assert method.get("Algorithm") == f"http://www.w3.org/2001/04/xmldsig-more#{kind}"


async def test_unsigned_assertion(door: Door) -> None:
    """An instance that does not sign gives an assertion without a signature."""
    await door.publish(an_instance("unsigned", saml2=None))
    answer = await door.translate(user_input(), ASSERTION, instance="unsigned")
    assert answer.status == 200
    tags = [child.tag.rpartition("}")[2] for child in judges.parsed(answer.body["issued_token"])]
    assert tags == ["Issuer", "Subject", "Conditions", "AuthnStatement", "AttributeStatement"]


async def test_id_token_claims(door: Door) -> None:
    """An ID token holds the claims of the contract and no other."""
    answer = await door.translate(user_input(), ID_TOKEN)
    claims = (await judges.id_token(door, answer.body["issued_token"], "RS256")).claims
    now = claims["iat"]
    assert claims == {
        "iss": ISSUER,
        "sub": "demo",
        "aud": "client",
        "nonce": "n-1",
        "iat": now,
        "exp": now + 600,
        "auth_time": now,
        "jti": claims["jti"],
        "email": "demo@example.com",
    }
    assert len(claims["jti"]) == 36


@pytest.mark.parametrize("nonce", [{}, {"nonce": ""}, {"nonce": None}])
async def test_no_nonce(door: Door, nonce: dict[str, Any]) -> None:
    """Without a nonce, or with an empty one, the ID token has none."""
    wanted = {"token_type": OPENIDCONNECT, "allow_access": True, **nonce}
    answer = await door.translate(user_input(), wanted)
    assert answer.status == 200
    token = await judges.id_token(door, answer.body["issued_token"], "RS256")
    assert "nonce" not in token.claims


async def test_claim_map(door: Door) -> None:
    """A claim map renames attributes, joins their values, states fixed text, and omits the rest."""
    draft = an_instance("mapped")
    assert draft.oidc is not None
    claim_map = {"names": "cn", "tenant": '"acme"', "gone": "absent", "sub": "cn", "exp": "cn"}
    oidc = replace(draft.oidc, claim_map=claim_map, audience=("a", "b"), authorized_party="p")
    await door.publish(replace(draft, oidc=oidc))
    await door.add_user("many", attributes={"cn": ("Ann", "Annie")})
    answer = await door.translate(user_input(name="many"), ID_TOKEN, instance="mapped")
    claims = (await judges.id_token(door, answer.body["issued_token"], "RS256")).claims
    assert (claims["names"], claims["tenant"]) == ("Ann Annie", "acme")
    assert (claims["aud"], claims["azp"]) == (["a", "b"], "p")
    assert "gone" not in claims
    assert claims["sub"] == "many"
    assert claims["exp"] == claims["iat"] + 600


async def test_attribute_map(door: Door) -> None:
    """An attribute map renames attributes and escapes what they hold; what is absent is omitted."""
    form = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
    attribute_map = {"name": "cn", f"{form}|tenant": '"acme"', "gone": "absent"}
    await door.publish(an_instance("mapped", attribute_map=attribute_map))
    answer = await door.translate(user_input(), ASSERTION, instance="mapped")
    assertion = await judges.assertion(door, answer.body["issued_token"])
    found = {
        (attribute.get("Name"), attribute.get("NameFormat")): judges.texts(
            attribute, "saml:AttributeValue"
        )
        for attribute in assertion.iterfind("saml:AttributeStatement/*", judges.NAMES)
    }
    assert found == {("name", None): ["Démo <1>"], ("tenant", form): ["acme"]}


async def test_empty_attribute_map(door: Door) -> None:
    """Without attributes to state there is no attribute statement."""
    await door.publish(an_instance("bare", attribute_map={}))
    answer = await door.translate(user_input(), ASSERTION, instance="bare")
    assertion = await judges.assertion(door, answer.body["issued_token"])
    assert assertion.find("saml:AttributeStatement", judges.NAMES) is None


async def test_assertion_shape(door: Door) -> None:
    """An assertion has the children of the contract in its order, and one bearer confirmation."""
    answer = await door.translate(user_input(), ASSERTION)
    root = judges.parsed(answer.body["issued_token"])
    tags = [child.tag.rpartition("}")[2] for child in root]
    assert tags == [
        *("Issuer", "Signature", "Subject", "Conditions"),
        *("AuthnStatement", "AttributeStatement"),
    ]
    data = judges.one(root, "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData")
    conditions = judges.one(root, "saml:Conditions")
    assert data.get("Recipient") == f"{AUDIENCE}/acs"
    assert data.get("NotOnOrAfter") == conditions.get("NotOnOrAfter")
    assert conditions.get("NotBefore") == root.get("IssueInstant")
    path = "saml:Conditions/saml:AudienceRestriction/saml:Audience"
    assert judges.texts(root, path) == [AUDIENCE]


@pytest.fixture
async def short(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A broker whose sessions live for 100 seconds, on a clock that stands still."""
    sessions = {"max_life_seconds": 100}
    opened = doors.opened(tmp_path / "state", planted, clock=FrozenClock(), sessions=sessions)
    async with opened as door:
        yield door
        said.extend(door.refusals)


async def test_session_life_cuts_the_token_s(short: Door) -> None:
    """No token made from a session outlives it, in the token as in its record."""
    clock = short.broker.components.clock
    assert isinstance(clock, FrozenClock)
    session = session_input(await short.login())
    ends = int(clock.at) + 100
    clock.advance(40)
    answer = await short.translate(session, ID_TOKEN)
    claims = (await judges.id_token(short, answer.body["issued_token"], "RS256")).claims
    assert (claims["iat"], claims["exp"]) == (int(clock.at), ends)
    answer = await short.translate(session, ASSERTION)
    root = judges.parsed(answer.body["issued_token"])
    assert judges.one(root, "saml:Conditions").get("NotOnOrAfter") == "2027-01-15T08:01:40Z"
    assert {record.expires_at for record in await short.tokens()} == {ends}
    answer = await short.translate(user_input(), ID_TOKEN)
    claims = (await judges.id_token(short, answer.body["issued_token"], "RS256")).claims
    assert claims["exp"] == int(clock.at) + 600
