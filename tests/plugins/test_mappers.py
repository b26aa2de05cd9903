"""Mappers through the front door: the examples, and mappers that misbehave."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest

from broker.instance import Instance, OidcPlugIns, Saml2PlugIns
from tests.http import judges
from tests.support.door import ASSERTION, ID_TOKEN, Answer, Door, an_instance, user_input

ELEMENT = "mapped"
UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
DEFAULT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


def instance(
    saml2: Saml2PlugIns | None = None, oidc: OidcPlugIns | None = None, **changes: Any
) -> Instance:
    made = an_instance(ELEMENT, saml2="ES256", oidc="ES256")
    assert made.saml2 is not None
    assert made.oidc is not None
    return replace(
        made,
        saml2=replace(made.saml2, plug_ins=saml2 or Saml2PlugIns(), **changes),
        oidc=replace(made.oidc, plug_ins=oidc or OidcPlugIns()),
    )


async def demo(door: Door) -> None:
    await door.add_user("dora", attributes={"department": ("support",), "mail": ("d@example.com",)})


async def ask(door: Door, wanted: Any) -> Answer:
    return await door.translate(user_input(name="dora"), wanted, instance=ELEMENT)


async def claims(door: Door) -> dict[str, Any]:
    answer = await ask(door, ID_TOKEN)
    assert answer.status == 200, answer.text
    payload = answer.body["issued_token"].split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=="))
    return found


async def assertion(door: Door) -> Any:
    answer = await ask(door, ASSERTION)
    assert answer.status == 200, answer.text
    return await judges.assertion(door, answer.body["issued_token"])


def attributes(element: Any) -> dict[str, list[str]]:
    return {
        found.get("Name"): judges.texts(found, "saml:AttributeValue")
        for found in element.iterfind(".//saml:Attribute", judges.NAMES)
    }


async def test_claim_mapper(door: Door) -> None:
    """A claim mapper stands in the place of the claim map."""
    await demo(door)
    await door.publish(instance(oidc=OidcPlugIns(claim_mapper="team-claims")))
    found = await claims(door)
    assert (found["email"], found["team"]) == ("d@example.com", "helpers")


async def test_authn_mappers(door: Door) -> None:
    """``acr`` and ``amr`` are those of their mappers."""
    await demo(door)
    named = OidcPlugIns(
        authn_context_mapper="login-strength", authn_methods_mapper="login-strength"
    )
    await door.publish(instance(oidc=named))
    found = await claims(door)
    assert (found["acr"], found["amr"], found["email"]) == ("low", ["pwd"], "d@example.com")


async def test_attribute_mapper_and_context(door: Door) -> None:
    """Attributes and the authentication context of an assertion are those of their mappers."""
    await demo(door)
    named = Saml2PlugIns(attribute_mapper="team-attributes", authn_context_mapper="login-strength")
    await door.publish(instance(named))
    found = await assertion(door)
    assert attributes(found) == {"team": ["helpers"], "mail": ["d@example.com"]}
    contexts = judges.texts(found, ".//saml:AuthnContextClassRef")
    assert contexts == ["urn:oasis:names:tc:SAML:2.0:ac:classes:Password"]


async def test_attribute_mapper_leaves_the_name(door: Door) -> None:
    """The NameID still comes from the attribute that the instance names for it."""
    await demo(door)
    named = Saml2PlugIns(attribute_mapper="team-attributes")
    await door.publish(instance(named, name_id_attribute="mail"))
    found = await assertion(door)
    assert judges.texts(found, ".//saml:NameID") == ["d@example.com"]
    assert attributes(found) == {"team": ["helpers"], "mail": ["d@example.com"]}


async def test_silent_mappers(door: Door) -> None:
    """A mapper that says nothing is not filled in for: empty means no."""
    await demo(door)
    oidc = OidcPlugIns("silent", "silent", "silent")
    saml2 = Saml2PlugIns(attribute_mapper="silent", authn_context_mapper="silent")
    await door.publish(instance(saml2, oidc))
    assert {"acr", "amr", "email"} & (await claims(door)).keys() == set()
    found = await assertion(door)
    assert attributes(found) == {}
    assert judges.texts(found, ".//saml:AuthnContextClassRef") == [UNSPECIFIED]


async def test_no_mapper(door: Door) -> None:
    """Without plug-ins the broker's own words stand."""
    await demo(door)
    await door.publish(instance())
    found = await assertion(door)
    assert judges.texts(found, ".//saml:AuthnContextClassRef") == [DEFAULT]
    assert attributes(found) == {"mail": ["d@example.com"]}


async def test_registered_claims_stay_ours(door: Door) -> None:
    """A claim mapper cannot set what relying parties decide on."""
    await demo(door)
    await door.publish(instance(oidc=OidcPlugIns(claim_mapper="greedy")))
    found = await claims(door)
    assert (found["sub"], found["iss"], found["team"]) == ("dora", "https://sts.example.com", "x")
    assert "acr" not in found


@pytest.mark.parametrize("member", ["claim_mapper", "authn_context_mapper", "authn_methods_mapper"])
async def test_wrong_answers_for_id_tokens(door: Door, member: str) -> None:
    """An answer of the wrong kind is the request's failure, never our own words instead."""
    await demo(door)
    await door.publish(instance(oidc=OidcPlugIns(**{member: "wrong"})))
    assert (await ask(door, ID_TOKEN)).status == 500
    assert "the plug-in wrong answered something else" in door.audit()[-1]["reason"]
    assert (await ask(door, ASSERTION)).status == 200


@pytest.mark.parametrize("member", ["attribute_mapper", "authn_context_mapper"])
async def test_wrong_answers_for_assertions(door: Door, member: str) -> None:
    """The same for assertions."""
    await demo(door)
    await door.publish(instance(Saml2PlugIns(**{member: "wrong"})))
    assert (await ask(door, ASSERTION)).status == 500
    assert (await ask(door, ID_TOKEN)).status == 200
