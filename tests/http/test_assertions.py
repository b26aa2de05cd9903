"""Assertions through the front door: encrypted, signed with every algorithm, and for whom."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker.algorithms import XML_CIPHERS
from handlers.saml2.name_id import PERSISTENT, TRANSIENT
from tests.handlers.assertions import NS
from tests.handlers.saml2_judges import assertion_in, libxmlsec_decrypted, provider_key
from tests.http import judges
from tests.http.states import body, state, transform
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    Answer,
    Door,
    FrozenClock,
    session_input,
    user_input,
)
from tests.support.planted import Planted

CREATE = "/sts-publish/rest?_action=create"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
ENCRYPTED: dict[str, dict[str, str]] = {
    "assertion": {"saml2-encrypt-assertion": "true"},
    "attributes": {"saml2-encrypt-attributes": "true"},
    "NameID": {"saml2-encrypt-nameid": "true"},
    "parts": {"saml2-encrypt-attributes": "true", "saml2-encrypt-nameid": "true"},
}


def recipient(cipher: str = "aes256-gcm") -> dict[str, Any]:
    """Whom to encrypt for, and how, as the publish service is told."""
    uri, bits = XML_CIPHERS[cipher]
    return {
        "saml2-encryption-algorithm": uri,
        "saml2-encryption-algorithm-strength": str(bits),
        "saml2-encryption-certificate": b64encode(provider_key()[1]).decode(),
    }


async def publish(door: Door, element: str = "orders", **saml2: Any) -> Answer:
    """An instance as an administrator publishes it over HTTP."""
    wanted = state(element, saml2={key.replace("_", "-"): value for key, value in saml2.items()})
    return await door.request("POST", CREATE, body=body(wanted), headers=await door.admin())


async def issued(door: Door, element: str = "orders", **options: Any) -> str:
    answer = await door.translate(user_input(), ASSERTION, instance=element, **options)
    assert answer.status == 200, answer.text
    return str(answer.body["issued_token"])


def name_id(document: str) -> etree._Element:
    return judges.one(judges.parsed(document), "saml:Subject/saml:NameID")


@pytest.mark.parametrize("what", ENCRYPTED)
async def test_encrypted_assertion_lives_and_ends_like_any_other(door: Door, what: str) -> None:
    """It is decrypted by its recipient; shown to us, re-wrapped or not, it is valid until it is
    cancelled."""
    published = await publish(door, **ENCRYPTED[what], **recipient())
    assert published.status == 201, published.text
    document = await issued(door)
    plain = libxmlsec_decrypted(document.encode())
    if what == "assertion":
        await judges.assertion(door, assertion_in(plain).decode())
    else:
        await judges.assertion(door, document)
    assert [each.text for each in plain.iterfind(".//saml:NameID", NS)] == ["demo"]
    assert [each.text for each in plain.iterfind(".//saml:AttributeValue", NS)] == [
        "demo@example.com"
    ]
    shown = {"token_type": "SAML2", "saml2_token": document}
    assert (await door.validate(shown, instance="orders")).body == {"token_valid": True}
    if what == "assertion":
        wrapped = re.sub(r"([A-Za-z0-9+/]{76})", "\\1\n", document)
        assert wrapped != document
        shown["saml2_token"] = wrapped
        assert (await door.validate(shown, instance="orders")).body == {"token_valid": True}
    assert (await door.cancel(shown, instance="orders")).status == 200
    assert (await door.validate(shown, instance="orders")).body == {"token_valid": False}


async def test_changed_cipher_text_is_not_valid(door: Door) -> None:
    """One character of an encrypted assertion makes it another one."""
    await publish(door, **ENCRYPTED["assertion"], **recipient())
    document = await issued(door)
    end = document.rindex("</xenc:CipherValue>")
    other = "A" if document[end - 8] != "A" else "B"
    changed = document[: end - 8] + other + document[end - 7 :]
    shown = {"token_type": "SAML2", "saml2_token": changed}
    assert (await door.validate(shown, instance="orders")).body == {"token_valid": False}


async def test_retry_of_an_encrypted_assertion_is_the_same_document(door: Door) -> None:
    """A request id gives one document, cipher text and all; another id gives another."""
    await publish(door, **ENCRYPTED["assertion"], **recipient())
    first, again, other = [
        await issued(door, headers={"Idempotency-Key": key}) for key in ("a", "a", "b")
    ]
    assert first == again != other


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
)
async def test_every_signature_algorithm_is_published_and_verifies(
    door: Door, algorithm: str
) -> None:
    """The realm has a key for each algorithm that an instance names, in its JWKS too."""
    published = await publish(door, saml2_signature_algorithm=algorithm)
    assert published.status == 201, published.text
    await judges.assertion(door, await issued(door))


async def test_sha1_is_refused_unless_settings_allow_it(door: Door) -> None:
    """RSA with SHA-1 and a SHA-1 digest are refused, each by its key."""
    for key, value in (
        ("saml2-signature-algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        ("saml2-digest-algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ):
        answer = await publish(door, **{key: value})
        assert answer.status == 400
        assert key in answer.body["message"]


async def test_legacy_output_that_settings_allow(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """What an old service provider needs is written once settings name each weakness."""
    legacy = {"allow_legacy_output": ["sha1", "cbc", "rsa-1_5"]}
    async with doors.opened(tmp_path / "state", planted, security=legacy) as door:
        answer = await publish(
            door,
            **ENCRYPTED["assertion"],
            **recipient("aes128-cbc"),
            saml2_key_transport_algorithm="rsa-1_5",
            saml2_signature_algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        )
        assert answer.status == 201, answer.text
        document = await issued(door)
        plain = judges.parsed(assertion_in(libxmlsec_decrypted(document.encode())).decode())
        named = [each.get("Algorithm") for each in plain.iter() if each.get("Algorithm")]
        assert named[1] == "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
        assert named[-1] == "http://www.w3.org/2000/09/xmldsig#sha1"
        assert name_id(etree.tostring(plain).decode()).text == "demo"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("saml2-encryption-algorithm", "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
        ("saml2-key-transport-algorithm", "rsa-1_5"),
        ("saml2-encrypt-nameid", "true"),
        ("saml2-encryption-certificate", "bm8gY2VydGlmaWNhdGU="),
    ],
)
async def test_encryption_that_is_refused_is_named(door: Door, key: str, value: str) -> None:
    """Weak, contradictory or unreadable: a 400 that names the key, and nothing is published."""
    answer = await publish(door, **{**ENCRYPTED["assertion"], **recipient(), key: value})
    assert answer.status == 400
    named = "saml2-encrypt-assertion" if key == "saml2-encrypt-nameid" else key
    assert named in answer.body["message"]


async def test_persistent_identifiers_are_pairwise(door: Door) -> None:
    """The same subject has one identifier at a service provider, and another at the next."""
    for element, audience in (("one", "https://a.example"), ("two", "https://b.example")):
        await publish(door, element, saml2_name_id_format=PERSISTENT, saml2_sp_entity_id=audience)
    first, again, elsewhere = [name_id(await issued(door, each)) for each in ("one", "one", "two")]
    assert first.text == again.text != elsewhere.text
    assert "demo" not in (first.text or "")
    assert first.get("SPNameQualifier") == "https://a.example"


async def test_transient_identifiers_are_new_but_for_a_retry(door: Door) -> None:
    """Each request names the subject anew, and says the same when it is asked again."""
    await publish(door, saml2_name_id_format=TRANSIENT)
    keys = ("a", "a", "b")
    found = [name_id(await issued(door, headers={"Idempotency-Key": each})) for each in keys]
    assert found[0].text == found[1].text != found[2].text
    assert "demo" not in [each.text for each in found]


@pytest.mark.parametrize("name_id_format", [PERSISTENT, TRANSIENT, UNSPECIFIED])
async def test_label_is_the_reference_s_wire(door: Door, name_id_format: str) -> None:
    """An instance whose format is a label says the plain name, whatever the format."""
    answer = await publish(door, saml2_name_id_format=name_id_format, saml2_name_id_is_label="true")
    assert answer.status == 201, answer.text
    found = name_id(await issued(door))
    assert (found.text, dict(found.attrib)) == ("demo", {"Format": name_id_format})


async def test_attribute_as_name(door: Door) -> None:
    """The subject is called by the attribute that the instance names, mapped or not."""
    answer = await publish(door, saml2_name_id_attribute="mail", saml2_attribute_map={})
    assert answer.status == 201, answer.text
    document = await issued(door)
    assert name_id(document).text == "demo@example.com"
    assert judges.texts(judges.parsed(document), ".//saml:AttributeValue") == []


async def test_subject_without_the_attribute_gets_no_assertion(door: Door) -> None:
    """What names subjects is missing: the answer says so, and nothing is issued."""
    await publish(door, saml2_name_id_attribute="employeeNumber")
    answer = await door.translate(user_input(), ASSERTION, instance="orders")
    assert answer.status == 400
    assert "employeeNumber" in answer.body["message"]
    assert await door.tokens() == []


async def test_attribute_map_s_whole_syntax(door: Door) -> None:
    """Names, name formats, fixed text and binary values come out as the contract says."""
    await door.add_user("ann", attributes={"team": ("b", "a", "b"), "photo": ("é",)})
    await publish(
        door,
        saml2_attribute_map={
            "team": "team",
            "urn:f|Photo": "photo;binary",
            "urn:g|Fixed|ignored": '"a|b"',
            "none": "missing",
        },
    )
    answer = await door.translate(user_input(name="ann"), ASSERTION, instance="orders")
    root = judges.parsed(answer.body["issued_token"])
    stated = [
        (each.get("NameFormat"), each.get("Name"), [value.text for value in each])
        for each in root.iterfind(".//saml:Attribute", NS)
    ]
    assert stated == [
        (None, "team", ["b", "a"]),
        ("urn:f", "Photo", ["w6k="]),
        ("urn:g", "Fixed", ["a|b"]),
    ]


async def test_authentication_context_by_input_type(door: Door) -> None:
    """The instance names the context of an input type; the others keep the standard one."""
    context = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
    answer = await publish(door, saml2_authn_context_map={"USERNAME": context})
    assert answer.status == 201, answer.text
    path = ".//saml:AuthnContextClassRef"
    assert judges.texts(judges.parsed(await issued(door)), path) == [context]


@pytest.mark.parametrize("said_of", ["issue", "login"])
async def test_authentication_instant_of_a_session(
    tmp_path: Path, planted: Planted, said: list[str], said_of: str
) -> None:
    """For a session from ten minutes ago it is the time of issue, or that of the login if asked."""
    clock = FrozenClock()
    async with doors.opened(tmp_path / "state", planted, clock=clock) as door:
        wanted = state(
            saml2={"saml2-authn-instant": said_of},
            top={"supported-token-transforms": [transform("OPENAM", "SAML2")]},
        )
        head = await door.admin()
        answer = await door.request("POST", CREATE, body=body(wanted), headers=head)
        assert answer.status == 201, answer.text
        session = await door.login()
        clock.advance(600)
        translated = await door.translate(session_input(session), ASSERTION, instance="orders")
        root = judges.parsed(translated.body["issued_token"])
        stated = judges.one(root, "saml:AuthnStatement").get("AuthnInstant")
        issued_at = "2027-01-15T08:10:00Z"
        assert root.get("IssueInstant") == issued_at
        assert stated == (issued_at if said_of == "issue" else "2027-01-15T08:00:00Z")
