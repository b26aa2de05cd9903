"""What the subject is called: persistent and transient identifiers, attributes and labels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.errors import CannotIssue
from broker.instance import Saml2Options
from broker.model import Principal
from handlers.saml2.name_id import NAME_ID_CLAIM, PERSISTENT, TRANSIENT, pseudonym
from handlers.saml2.provider import Saml2Provider
from tests.handlers.assertions import BEARER, NS, attributes, parsed
from tests.handlers.builders import instance, order, principal, saml2_options

KEY = bytes(range(32))
PROVIDER = Saml2Provider(KEY)
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


async def named(
    options: Saml2Options,
    subject: Principal | None = None,
    *,
    entropy: bytes | None = None,
    claims: dict[str, tuple[str, ...]] | None = None,
    provider: Saml2Provider = PROVIDER,
) -> etree._Element:
    """The NameID of an assertion with these options."""
    asked = order(provider, BEARER, to=instance(saml2=options), subject=subject, claims=claims)
    if entropy is not None:
        asked = replace(asked, claim=replace(asked.claim, entropy=entropy))
    found = parsed(await provider.issue(asked)).find("saml:Subject/saml:NameID", NS)
    assert found is not None
    return found


def with_format(name_id_format: str | None, **changes: Any) -> Saml2Options:
    return saml2_options(name_id_format=name_id_format, **changes)


async def test_persistent_identifier_is_opaque_and_says_for_whom_it_is() -> None:
    """It does not show the name, and names both providers (SAML 2.0 core, section 8.3.7)."""
    found = await named(with_format(PERSISTENT))
    assert found.text != "demo"
    assert len(found.text or "") == 32
    assert attributes(found) == {
        "Format": PERSISTENT,
        "NameQualifier": "https://idp.example/",
        "SPNameQualifier": "https://sp.example/",
    }


async def test_persistent_identifier_stays_the_same() -> None:
    """Every assertion for one principal and service provider names the same subject."""
    one = await named(with_format(PERSISTENT), entropy=b"\x01" * 32)
    other = await named(with_format(f" {PERSISTENT} "), entropy=b"\x02" * 32)
    assert one.text == other.text


async def test_persistent_identifier_differs_by_whom_it_is_for() -> None:
    """Another user, realm, service provider, issuer or key: another identifier."""
    changed = [
        await named(with_format(PERSISTENT)),
        await named(with_format(PERSISTENT), principal(name="Demo")),
        await named(with_format(PERSISTENT), principal(realm="/fred")),
        await named(with_format(PERSISTENT), principal(foreign="https://idp demo")),
        await named(with_format(PERSISTENT, audience="https://other.example/")),
        await named(with_format(PERSISTENT, issuer="https://other.example/")),
        await named(with_format(PERSISTENT), provider=Saml2Provider(b"other")),
    ]
    assert len({found.text for found in changed}) == len(changed)


@given(st.lists(st.text(max_size=3), min_size=8, max_size=8))
def test_pseudonyms_of_different_parts_differ(texts: list[str]) -> None:
    """Where one part ends and the next begins is part of what is hashed."""
    one, other = texts[:4], texts[4:]
    for parts in (one, other):
        parts[3] += "sp"
    assert (pseudonym(KEY, *one) == pseudonym(KEY, *other)) == (one == other)


def test_pseudonym_does_not_change_with_the_version() -> None:
    """Service providers keep identifiers for years: this one must be the same for ever."""
    found = pseudonym(KEY, "/", "demo", "https://idp.example/", "https://sp.example/")
    assert found == "THNS5HIUJ23P5PUVFALW7YSSSMNKRYBE"


async def test_transient_identifier_is_new_each_time() -> None:
    """Two assertions have two identifiers; a retry of one request has the same one."""
    drawn = [bytes([number]) * 32 for number in (1, 2, 1)]
    first, other, again = [await named(with_format(TRANSIENT), entropy=each) for each in drawn]
    assert first.text == again.text != other.text
    assert (first.text or "").startswith("_")
    assert len(first.text or "") == 41
    assert attributes(first) == {"Format": TRANSIENT}


async def test_transient_identifier_is_not_the_assertion_s_id() -> None:
    """Neither is a part of the other, though both come from one draw."""
    found = await named(with_format(TRANSIENT))
    root = found.getroottree().getroot()
    assert str(root.get("ID"))[2:] not in str(found.text)


@pytest.mark.parametrize("name_id_format", [None, "", EMAIL, "urn:x:label"])
async def test_other_formats_are_labels_on_the_name(name_id_format: str | None) -> None:
    """The subject's name is the value, whatever the format says, as in the reference."""
    found = await named(with_format(name_id_format))
    assert found.text == "demo"
    assert attributes(found) == ({"Format": name_id_format} if name_id_format else {})


@pytest.mark.parametrize("name_id_format", [PERSISTENT, TRANSIENT])
async def test_label_keeps_the_wire_of_the_reference(name_id_format: str) -> None:
    """An instance that says so writes the plain name under the format, without qualifiers."""
    found = await named(with_format(name_id_format, name_id_is_label=True))
    assert (found.text, attributes(found)) == ("demo", {"Format": name_id_format})


async def test_attribute_names_the_subject() -> None:
    """The first value of the attribute that the instance names is the NameID, and that alone."""
    options = with_format(EMAIL, name_id_attribute="mail", attribute_map={"cn": "cn"})
    to = instance(saml2=options)
    assert PROVIDER.claim_map(to) == {"cn": "cn", NAME_ID_CLAIM: "mail"}
    found = await named(options, claims={NAME_ID_CLAIM: ("a@example.com", "b"), "cn": ("Ann",)})
    assert (found.text, attributes(found)) == ("a@example.com", {"Format": EMAIL})
    root = found.getroottree().getroot()
    assert [each.get("Name") for each in root.iterfind(".//saml:Attribute", NS)] == ["cn"]


async def test_subject_without_that_attribute_is_refused() -> None:
    """No other name is put in the place of the one that the instance wants."""
    options = with_format(EMAIL, name_id_attribute="mail")
    for claims in ({}, {NAME_ID_CLAIM: ()}):
        with pytest.raises(CannotIssue, match="no attribute mail"):
            await named(options, claims=claims)


async def test_no_key_no_pseudonym() -> None:
    """A provider without a key issues no persistent identifier that anyone could compute."""
    with pytest.raises(CannotIssue, match="no key"):
        await named(with_format(PERSISTENT), provider=Saml2Provider())
    with pytest.raises(CannotIssue, match="no audience"):
        pseudonym(KEY, "/", "demo", "idp", "")


@pytest.mark.parametrize("wants_login", [True, False])
@pytest.mark.parametrize("seconds", [-3600, 0, 60])
async def test_authentication_instant(wants_login: bool, seconds: int) -> None:
    """That of issue or, where the instance says so, that of the login; never later than issue."""
    base = principal().authenticated_at + 60
    options = saml2_options(authn_instant_is_login=wants_login)
    found = await named(options, principal(authenticated_at=base + seconds))
    root = found.getroottree().getroot()
    stated = root.find("saml:AuthnStatement", NS)
    assert stated is not None
    early = wants_login and seconds < 0
    assert (stated.get("AuthnInstant") == root.get("IssueInstant")) is not early
    if early:
        assert stated.get("AuthnInstant") == "2023-11-14T21:13:20Z"


@pytest.mark.parametrize("given_name", ["urn:x:strong", 'a<b>&"'])
async def test_instance_names_the_authentication_context(given_name: str) -> None:
    """A context that the instance names for the input type takes the standard one's place."""
    contexts = {principal().method: given_name}
    found = await named(saml2_options(authn_contexts=contexts))
    root = found.getroottree().getroot()
    assert root.findtext(".//saml:AuthnContextClassRef", namespaces=NS) == given_name


def test_identifiers_fit_in_every_column() -> None:
    """At most 256 characters (section 8.3.7), and none that differs by letter case alone."""
    made = [pseudonym(KEY, "/", str(number), "idp", "sp") for number in range(100)]
    assert {len(each) for each in made} == {32}
    pairs = itertools.combinations(made, 2)
    assert not any(one.lower() == other.lower() for one, other in pairs)
