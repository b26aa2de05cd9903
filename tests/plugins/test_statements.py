"""Parts of assertions out of plug-ins: signed, by the schema, and held to what is fixed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from broker.errors import PlugInFailed
from broker.instance import Recipient, Saml2Encryption, Saml2PlugIns, SigningKey
from broker.model import Confirmation
from broker.statements import Conditions, Mapped
from handlers.saml2.statements import Fixed, plugged
from tests.handlers.assertions import oasis_schema
from tests.http import judges
from tests.plugins.test_mappers import ask, assertion, attributes, demo, instance
from tests.support.door import ASSERTION, AUDIENCE, Door

MEMBERS = (
    "conditions",
    "subject",
    "authentication_statements",
    "attribute_statements",
    "authz_decision_statements",
)
ALL = Saml2PlugIns(**dict.fromkeys(MEMBERS, "careful"))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_all_parts(door: Door) -> None:
    """Every part stands where the plug-in put it, under a signature that others verify."""
    await demo(door)
    await door.publish(instance(ALL))
    found = await assertion(door)
    conditions = judges.one(found, "saml:Conditions")
    begins, ends = (conditions.get(name) for name in ("NotBefore", "NotOnOrAfter"))
    assert seconds(ends or "") - seconds(begins or "") == 60
    judges.one(conditions, "saml:OneTimeUse")
    name = judges.one(found, "saml:Subject/saml:NameID")
    assert name.text == "d@example.com"
    assert (name.get("Format") or "").endswith(":emailAddress")
    statement = judges.one(found, "saml:AuthnStatement")
    assert statement.get("SessionIndex") == found.get("ID")
    (attribute,) = found.iterfind(".//saml:Attribute", judges.NAMES)
    assert attribute.get("FriendlyName") == "Mail"
    decision = judges.one(found, "saml:AuthzDecisionStatement")
    assert decision.get("Resource") == "https://files.example.com/dora"
    assert judges.texts(decision, "saml:Action") == ["GET"]


async def test_fixed_parts_stay(door: Door) -> None:
    """Audience, recipient, method and end of the confirmation stay the instance's."""
    await demo(door)
    await door.publish(instance(ALL))
    found = await assertion(door)
    assert judges.texts(found, ".//saml:Audience") == [AUDIENCE]
    data = judges.one(found, ".//saml:SubjectConfirmationData")
    assert data.get("Recipient") == f"{AUDIENCE}/acs"
    assert data.get("NotOnOrAfter") is not None
    confirmation = judges.one(found, ".//saml:SubjectConfirmation")
    assert confirmation.get("Method") == "urn:oasis:names:tc:SAML:2.0:cm:bearer"


@pytest.mark.server
@pytest.mark.parametrize("method", ["BEARER", "SENDER_VOUCHES"])
async def test_schema(door: Door, method: str) -> None:
    """An assertion with every part plugged in is one by the schema of SAML 2.0."""
    await demo(door)
    await door.publish(instance(ALL))
    answer = await ask(door, {**ASSERTION, "subject_confirmation": method})
    assert answer.status == 200, answer.text
    oasis_schema().assertValid(judges.parsed(answer.body["issued_token"]))


@pytest.mark.parametrize("member", MEMBERS)
async def test_one_part(door: Door, member: str) -> None:
    """Each part can be plugged in alone; the others stay as the broker writes them."""
    await demo(door)
    await door.publish(instance(Saml2PlugIns(**{member: "careful"})))
    found = await assertion(door)
    tags = [str(child.tag).rpartition("}")[2] for child in found]
    added = ["AuthzDecisionStatement"] if member == "authz_decision_statements" else []
    ours = ["Issuer", "Subject", "Conditions", "AuthnStatement"]  # the judge drops the signature
    assert tags == [*ours, *added, "AttributeStatement"]
    assert attributes(found) == {"mail": ["d@example.com"]}


@pytest.mark.parametrize("member", MEMBERS)
async def test_wrong_part(door: Door, member: str) -> None:
    """A part that cannot be written, or goes beyond what is fixed, is the plug-in's failure."""
    await demo(door)
    await door.publish(instance(Saml2PlugIns(**{member: "wrong"})))
    answer = await ask(door, ASSERTION)
    assert (answer.status, answer.body["code"]) == (500, 500)
    assert "the plug-in wrong" in door.audit()[-1]["reason"]


@pytest.mark.parametrize(
    "said",
    [
        Conditions(not_before=99),
        Conditions(not_on_or_after=701),
        Conditions(not_before=300, not_on_or_after=300),
        Conditions(proxy_count=-1),
        Conditions(not_before="x"),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_conditions_within_the_assertion(said: Any) -> None:
    """Conditions lie within the life of the assertion, or are refused."""
    options = instance(Saml2PlugIns(conditions="c")).saml2
    assert options is not None
    fixed = Fixed(replace(options), Confirmation("BEARER"), issued_at=100, expires_at=700)
    with pytest.raises(PlugInFailed):
        plugged(Mapped(conditions=said), fixed)


async def test_encrypted_parts(door: Door) -> None:
    """What an instance encrypts is encrypted when a plug-in gave it, too."""
    await demo(door)
    made = instance(ALL)
    assert made.saml2 is not None
    keys, rsa = door.broker.components.keys, SigningKey("RS256")
    encryption = Saml2Encryption(
        Recipient(certificate=keys.signer("/", rsa, keys.key_id("/", rsa)).certificate),
        "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        attributes=True,
        name_id=True,
    )
    await door.publish(replace(made, saml2=replace(made.saml2, encryption=encryption)))
    found = await assertion(door)
    judges.one(found, "saml:Subject/saml:EncryptedID")
    judges.one(found, "saml:AttributeStatement/saml:EncryptedAttribute")
    assert "d@example.com" not in judges.etree.tostring(found).decode()
