"""Logins by name, DN, user principal name, domain and SID, and what of a directory comes along."""

from __future__ import annotations

import pytest

from adapters.authentication.modules.ldap.logins import MAX_LOGIN_LENGTH, MAX_PASSWORD_BYTES
from broker.authentication import Identity, MoreNeeded
from broker.model import Secret, User
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import evidence, login, refused
from tests.support import authentication
from tests.support.slapd import (
    ADA_PASSWORD,
    PEOPLE,
    ROOT_DN,
    ROOT_PASSWORD,
    SERVICE_PASSWORD,
    SUFFIX,
    Slapd,
    running_slapd,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

SID = "S-1-5-21-1-2-3-1001"
NOBODY = "nobody in the directory has that name"
DOMAINS = {"CORP": PEOPLE, "corp.example.com": PEOPLE, "elsewhere": f"ou=groups,{SUFFIX}"}


async def test_a_login_by_name(slapd: Slapd, ldap: Making) -> None:
    """Name, account and attributes are the directory's, and the account is no local one."""
    found = await login(
        ldap(slapd, attributes={"mail": "mail", "display": "cn", "sid": "objectSid"})
    )
    assert found.name == "ada"
    assert found.foreign == "auth://corp#ada"
    assert found.methods == ("pwd",)
    assert sorted(found.attributes["mail"]) == ["ada@example.com", "countess@example.com"]
    assert found.attributes["display"] == ("Ada Lovelace",)
    assert found.attributes["sid"] == ("AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6QMAAA==",)


@pytest.mark.parametrize(
    "name", ["ADA", " ada", "\uff41\uff44\uff41", "countess@example.com"], ids=ascii
)
async def test_the_directory_says_the_name(slapd: Slapd, ldap: Making, name: str) -> None:
    """However a login is spelt, the name is written as the directory writes it."""
    module = ldap(slapd, login_attributes=["uid", "mail"])
    assert (await login(module, name)).name == "ada"


@pytest.mark.parametrize("name", ["\u0430d\u0430", "ad\u200ba", "ada\u0301"], ids=ascii)
async def test_a_look_alike_is_nobody(slapd: Slapd, ldap: Making, name: str) -> None:
    """Letters that look like those of a name are another name, with the right password too."""
    await refused(ldap(slapd), name)


async def test_a_name_that_several_have_is_nobodys(slapd: Slapd, ldap: Making) -> None:
    """Two entries for one login let nobody in, whoever's the password is."""
    module = ldap(slapd, login_attributes=["objectClass"])
    assert await refused(module, "inetOrgPerson") == "several in the directory have that name"


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("dn", f"uid=ada,{PEOPLE}"),
        ("dn", f"UID = Ada , {PEOPLE.upper()}"),
        ("upn", "ada@corp.example.com"),
        ("domain", "corp\\alovelace"),
        ("domain", "CORP\\ALovelace"),
        ("sid", SID),
    ],
)
async def test_each_form_of_login(slapd: Slapd, ldap: Making, form: str, name: str) -> None:
    """Each form finds the same person, and is refused by a module that does not take it."""
    taken = ldap(slapd, login_forms=[form], domains=DOMAINS, name_attribute="uid")
    assert (await login(taken, name)).name == "ada"
    await refused(taken, name, "wrong")
    await refused(ldap(slapd), name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other\\alovelace", "its domain is not one that this module allows"),
        ("ada@other.example.com", "its domain is not one that this module allows"),
        ("elsewhere\\alovelace", NOBODY),
        ("corp\\", "there is no name behind the domain"),
        (
            f"uid=ada,ou=people,{SUFFIX},dc=more",
            "the distinguished name is not below a search base",
        ),
        (ROOT_DN, "the distinguished name is not below a search base"),
        (f"uid=ada\\,{PEOPLE}", "the distinguished name is not below a search base"),
        ("uid=ada,,", "the name is no distinguished name"),
        ("S-1-5-21-1-2-3-1002", NOBODY),
        ("ada", "no form of login that this module takes"),
    ],
)
async def test_what_no_form_allows(slapd: Slapd, ldap: Making, name: str, why: str) -> None:
    """A domain, a place or a form that the module does not name lets nobody in."""
    module = ldap(slapd, login_forms=["dn", "upn", "domain", "sid"], domains=DOMAINS)
    assert await refused(module, name) == why


async def test_a_login_without_domain_is_looked_for_in_the_default_ones(
    slapd: Slapd, ldap: Making
) -> None:
    """Default domains say where a bare name is looked for, and nowhere else."""
    more = {"login_forms": ["name", "domain"], "domains": DOMAINS}
    assert (await login(ldap(slapd, default_domains=["CORP"], **more))).name == "ada"
    assert await refused(ldap(slapd, default_domains=["elsewhere"], **more)) == NOBODY


async def test_a_filter_narrows_the_search(slapd: Slapd, ldap: Making) -> None:
    """Whom the filter leaves out is nobody; with {login} it says itself where the login goes."""
    assert (await login(ldap(slapd, filter="(accountStatus=active)"))).name == "ada"
    assert await refused(ldap(slapd, filter="(!(accountStatus=active))")) == NOBODY
    by_filter = ldap(slapd, filter="(&(objectClass=inetOrgPerson)(|(uid={login})(cn={login} *)))")
    assert (await login(by_filter, "Ada")).name == "ada"
    assert await refused(by_filter, "*") == NOBODY


@pytest.mark.parametrize(
    "more",
    [
        {"enabled_by": {"attribute": "accountStatus", "values": ["Active"]}},
        {"disabled_by": {"attribute": "accountStatus", "values": ["left", "ill"]}},
        {"disabled_by": {"attribute": "userAccountControl", "bit": 2}},
    ],
)
async def test_a_disabled_account(
    slapd: Slapd, ldap: Making, more: dict[str, dict[str, object]]
) -> None:
    """Attributes say whose right password counts; the caller hears no more than of a wrong one."""
    module = ldap(slapd, **more)
    assert (await login(module)).name == "ada"
    assert "account is" in await refused(module, "bob", "bobs directory password")
    assert await refused(module, "bob", "wrong") == "wrong password"


async def test_an_account_without_the_enabling_attribute_is_not_enabled(
    slapd: Slapd, ldap: Making
) -> None:
    """Empty means no."""
    module = ldap(slapd, enabled_by={"attribute": "title", "values": ["active"]})
    assert "not enabled" in await refused(module)


@pytest.mark.parametrize(
    "password", ["", "\0", f"\0{ADA_PASSWORD}", f"{ADA_PASSWORD}\0", "x" * (MAX_PASSWORD_BYTES + 1)]
)
async def test_what_is_no_password(password: str, ldap: Making) -> None:
    """Empty, overlong and NUL-carrying passwords are refused even where the directory would let
    them in, and no connection is made for them."""
    with running_slapd(settings="allow bind_anon_dn bind_anon_cred\n") as permissive:
        assert "password" in await refused(ldap(permissive), password=password)
        permissive.kill()
        assert "password" in await refused(ldap(permissive), password=password)


@pytest.mark.parametrize(
    "name", ["", " ", "a" * (MAX_LOGIN_LENGTH + 1), "ada\0", "ada\n", "\u202eada"]
)
async def test_what_is_no_name(slapd: Slapd, ldap: Making, name: str) -> None:
    """Empty and overlong names, and those with invisible characters, are refused."""
    assert "name" in await refused(ldap(slapd), name)


async def test_only_users_log_in(slapd: Slapd, ldap: Making) -> None:
    """The broker's own account and the directory's administrator are nobody below the base."""
    module = ldap(slapd, login_attributes=["cn"], name_attribute="cn")
    assert await refused(module, "remint", SERVICE_PASSWORD) == NOBODY
    assert await refused(module, "admin", ROOT_PASSWORD) == NOBODY


async def test_a_name_must_be_one(slapd: Slapd, ldap: Making) -> None:
    """An entry with several names, or none, has no name; the DN always is one."""
    assert "not exactly one name" in await refused(ldap(slapd, name_attribute="mail"))
    assert "not exactly one name" in await refused(ldap(slapd, name_attribute="title"))
    assert (await login(ldap(slapd, name_attribute="dn"))).name == f"uid=ada,{PEOPLE}"


async def test_local_users_are_linked_where_told(slapd: Slapd, ldap: Making) -> None:
    """Linked, it is the local user of the directory's name, who must be there and active."""
    parts = authentication.parts(slapd.folder)
    module = ldap(slapd, parts=parts, link_local_users=True)
    await refused(module)
    stored = User("ada", "/", Secret("x"), {"roles": ("staff",)})
    await parts.users.put(stored)
    found = await login(module)
    assert (found.name, found.foreign) == ("ada", None)
    assert found.attributes["roles"] == ("staff",)
    await parts.users.put(User("ada", "/", Secret("x"), {}, active=False))
    await refused(module)


async def test_what_is_missing_is_asked_for(slapd: Slapd, ldap: Making) -> None:
    """Without a name or a password the module asks back, and for what is missing alone."""
    with pytest.raises(MoreNeeded) as needed:
        await ldap(slapd).authenticate(evidence(None, None), None)
    assert [prompt.id for prompt in needed.value.prompts] == ["username", "password"]
    with pytest.raises(MoreNeeded) as needed:
        await ldap(slapd).authenticate(evidence("ada", None), None)
    assert [prompt.id for prompt in needed.value.prompts] == ["password"]


async def test_a_lookup_adds_what_the_directory_knows(slapd: Slapd, ldap: Making) -> None:
    """A lookup needs no password, keeps who it is, and adds attributes to those that are known."""
    known = Identity("ada", {"cn": ("From the certificate",)}, "x509://partner#ada", ("hwk",))
    found = await ldap(slapd, mode="lookup").authenticate(evidence(None, None), known)
    assert (found.name, found.foreign, found.methods) == ("ada", "x509://partner#ada", ("hwk",))
    assert found.attributes["cn"] == ("From the certificate",)
    assert "ada@example.com" in found.attributes["mail"]


async def test_a_lookup_by_attribute(slapd: Slapd, ldap: Making) -> None:
    """A lookup may go by an attribute that a module before it read."""
    module = ldap(
        slapd,
        mode="lookup",
        lookup_attribute="email",
        login_attributes=["mail"],
        name_attribute="uid",
    )
    known = Identity("CN=Ada", {"email": ("ada@example.com",)}, "x509://partner#CN=Ada")
    found = await module.authenticate(evidence(None, None), known)
    assert found.attributes["cn"] == ("Ada Lovelace",)
    several = Identity("CN=Ada", {"email": ("ada@example.com", "b")}, None)
    with pytest.raises(Exception, match="Authentication Failed"):
        await module.authenticate(evidence(None, None), several)


async def test_a_lookup_refuses_who_is_not_there(slapd: Slapd, ldap: Making) -> None:
    """A lookup is refused for nobody, for the unknown and for disabled accounts."""
    off = {"attribute": "userAccountControl", "bit": 2}
    module = ldap(slapd, mode="lookup", disabled_by=off)
    assert "no module before" in await refused(module)
    assert await refused(module, known=Identity("eve", {}, None)) == NOBODY
    assert "disabled" in await refused(module, known=Identity("bob", {}, None))
