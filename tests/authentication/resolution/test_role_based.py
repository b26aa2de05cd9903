"""One Identity Manager's role-based authentication modules, each as docs/auth-principals.md has it:
through the front door, to an ID token and to an assertion."""

from __future__ import annotations

import base64
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.authentication.resolution.world import (
    GRACE_PASSWORD,
    both,
    broker,
    directory,
    dn,
    instance,
    module,
    refused,
)
from tests.project.source import ROOT
from tests.support.door import Door, session_input, user_input
from tests.support.issuers import id_token, token_input, trust
from tests.support.kdc import REALM, Client, Kdc, running_kdc
from tests.support.planted import Planted
from tests.support.slapd import SUFFIX, Slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

PERMISSIONS = {
    "approver": ["order.approve", "order.read"],
    "reader": ["article.read", "order.read"],
    "operator": ["system.restart"],
}
ROLES = {"attribute": "employeeType", "permissions": PERMISSIONS}
GRACES = ["article.read", "order.approve", "order.read"]
GRACE = {"sub": "grace", "mail": ["grace@example.com"], "permissions": GRACES}
KEYTAB = "broker.keytab"


@pytest.fixture(scope="module")
def kdc() -> Iterator[Kdc]:
    """A Kerberos realm that this process takes part in."""
    with running_kdc() as running, patch.dict(os.environ, running.environment):
        running.keytab("HTTP/localhost@" + REALM, KEYTAB)
        yield running


def negotiating(folder: Path, kdc: Kdc, principal: dict[str, Any]) -> str:
    shutil.copy(kdc.folder / KEYTAB, folder / KEYTAB)
    return module("login", "negotiate", principal, keytab_file=KEYTAB, realms=[REALM], timeout=30)


async def sessions(door: Door, **headers: str) -> dict[str, Any]:
    """The session that single sign-on gives, as input."""
    path = "/json/authenticate?authIndexType=module&authIndexValue=login"
    answer = await door.request("POST", path, headers=headers)
    assert answer.status == 200, (answer.text, door.audit()[-1])
    return session_input(answer.body["tokenId"])


async def turned_away(door: Door, **headers: str) -> str:
    """Why single sign-on was refused, for the audit."""
    path = "/json/authenticate?authIndexType=module&authIndexValue=login"
    answer = await door.request("POST", path, headers=headers)
    assert answer.status == 401, answer.text
    return str(door.audit()[-1]["reason"])


def ticket(cache: Path) -> dict[str, str]:
    token = base64.b64encode(Client(cache).token()).decode()
    return {"Authorization": f"Negotiate {token}"}


async def test_identity(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Identity (role-based): the central user account and its password; the main identity of a
    sub-identity is used, and what it does is put down to the account that logged in."""
    principal = {
        "directory": "users",
        "main_identity_attribute": "main",
        "use": "main",
        "roles": {"attribute": "application_roles", "permissions": PERMISSIONS},
        "attribution_attribute": "acted_by",
    }
    async with broker(tmp_path, planted, module("login", "files", principal)) as door:
        await door.add_user(
            "gracem",
            attributes={
                "mail": ("grace@example.com",),
                "application_roles": ("approver", "reader"),
            },
        )
        await door.add_user("grace.sub", attributes={"main": ("gracem",)})
        await door.add_user("roleless")
        assert await both(door, user_input(name="grace.sub")) == {
            **GRACE,
            "sub": "gracem",
            "actedBy": ["grace.sub"],
            "account": "gracem",
        }
        assert "no role" in await refused(door, user_input(name="roleless"))
        assert await refused(door, user_input("wrong", "gracem"))


async def test_user_account(tmp_path: Path, planted: Planted, said: list[str], kdc: Kdc) -> None:
    """User account (role-based): the login of the workstation, among the permitted logins of the
    identity."""
    principal = {
        "directory": "users",
        "search": [{"claim": "krbPrincipalName", "attribute": "permitted_logins"}],
        "roles": {"attribute": "application_roles", "permissions": PERMISSIONS},
    }
    app = instance("app")
    async with broker(tmp_path, planted, negotiating(tmp_path, kdc, principal), app) as door:
        await door.add_user(
            "gracem",
            attributes={
                "mail": ("grace@example.com",),
                "permitted_logins": (f"workstation@{REALM}", "grace@ELSEWHERE.COM"),
                "application_roles": ("approver", "reader"),
            },
        )
        given = await sessions(door, **ticket(kdc.user("workstation")))
        assert await both(door, given) == {**GRACE, "sub": "gracem", "account": "gracem"}
        assert "nobody in the directory" in await turned_away(door, **ticket(kdc.user("other")))


async def test_active_directory(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd, kdc: Kdc
) -> None:
    """Active Directory user account (role-based): the ticket of the domain, found by the account's
    name; a disabled account is nobody."""
    principal = {
        "directory": "module|people",
        "search": [{"attribute": "sAMAccountName"}],
        "disabled_by": {"attribute": "userAccountControl", "bit": 2},
        "roles": ROLES,
    }
    toml = directory(slapd) + negotiating(tmp_path, kdc, principal)
    async with broker(tmp_path, planted, toml, instance("app")) as door:
        given = await sessions(door, **ticket(kdc.user("ghopper")))
        assert await both(door, given) == {**GRACE, "account": "auth://people#grace"}
        why = await turned_away(door, **ticket(kdc.user("bbobson")))
        assert "userAccountControl says so" in why


@pytest.mark.parametrize(
    "name", ["CORP\\ghopper", "grace@corp.example.com", "S-1-5-21-1-2-3-1002", "ghopper"]
)
async def test_active_directory_by_hand(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd, name: str
) -> None:
    """Active Directory user account (manual input/role-based): name and password, in the domains
    that are listed; the identity is found by the account's personnel number."""
    domains = {"CORP": SUFFIX, "corp.example.com": SUFFIX}
    account = {
        "login_forms": ["name", "upn", "domain", "sid"],
        "login_attributes": ["sAMAccountName"],
        "domains": domains,
        "default_domains": ["CORP"],
        "attributes": ["employeeNumber"],
    }
    principal = {
        "directory": "module|people",
        "search": [{"claim": "employeeNumber", "attribute": "employeeNumber"}],
        "roles": ROLES,
    }
    toml = directory(slapd) + directory(slapd, "login", **account, principal=principal)
    async with broker(tmp_path, planted, toml) as door:
        found = await both(door, user_input(GRACE_PASSWORD, name))
        assert found == {**GRACE, "account": "auth://people#grace"}
        for wrong in (user_input("wrong", name), user_input(GRACE_PASSWORD, "OTHER\\ghopper")):
            assert await refused(door, wrong)


@pytest.mark.parametrize("name", ["grace", dn("grace")])
async def test_ldap(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd, name: str
) -> None:
    """LDAP user account (role-based): user id or distinguished name, and the password; the same
    directory knows the identity."""
    principal = {"directory": "module|login", "search": [{"attribute": "uid"}], "roles": ROLES}
    toml = directory(slapd, "login", login_forms=["name", "dn"], principal=principal)
    async with broker(tmp_path, planted, toml) as door:
        found = await both(door, user_input(GRACE_PASSWORD, name))
        assert found == {**GRACE, "account": "auth://login#grace"}
        assert await refused(door, user_input("wrong", name))


async def test_header(tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd) -> None:
    """HTTP header (role-based): a proxy says the central user account, or the personnel number."""
    principal = {
        "directory": "module|people",
        "search": [{"attribute": "uid"}, {"attribute": "employeeNumber"}],
        "roles": ROLES,
    }
    header = module("login", "header", principal, proxies=["127.0.0.1"], user_header="X-User")
    async with broker(tmp_path, planted, directory(slapd) + header, instance("app")) as door:
        for said_by_proxy in ("grace", "1906"):
            given = await sessions(door, **{"X-User": said_by_proxy})
            assert await both(door, given) == {**GRACE, "account": "auth://people#grace"}
        assert "nobody in the directory" in await turned_away(door, **{"X-User": "nobody"})
        assert "no role" in await turned_away(door, **{"X-User": "deputy"})


async def test_openid_connect(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """OAuth 2.0/OpenID Connect (role-based): a claim of the ID token by a search rule, its value
    checked, and another claim for who acted."""
    principal = {
        "directory": "module|people",
        "search": [{"claim": "email", "attribute": "mail"}],
        "require": [{"claim": "email_verified", "values": ["true"]}],
        "enabled_by": {"attribute": "accountStatus", "values": ["active"]},
        "roles": ROLES,
        "attribution_attribute": "acted_by",
        "attribution_claim": "preferred_username",
    }
    toml = directory(slapd) + module("login", "oidc", principal)
    async with broker(
        tmp_path, planted, toml, instance("app", OPENIDCONNECT="module|login")
    ) as door:
        await trust(door)
        token = {
            "email": "grace@example.com",
            "email_verified": True,
            "preferred_username": "amazing",
            "permissions": ["system.restart"],
            "address": {"country": "US"},
        }
        assert await both(door, token_input(id_token(**token))) == {
            **GRACE,
            "actedBy": ["amazing"],
            "account": "auth://people#grace",
        }
        for change, why in (
            ({"email_verified": False}, "email_verified"),
            ({"email": "left@example.com"}, "accountStatus"),
            ({"email": "twin@example.com"}, "several"),
            ({"preferred_username": None}, "who acted"),
        ):
            assert why in await refused(door, token_input(id_token(**{**token, **change})))


async def test_generic_single_sign_on(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd, kdc: Kdc
) -> None:
    """Generic single sign-on (role-based): the login is found among accounts by a configured
    attribute, which are enabled or disabled by others, and leads from the account to the identity.
    """
    principal = {
        "directory": "module|people",
        "search": [{"attribute": "uid"}],
        "enabled_by": {"attribute": "accountStatus", "values": ["active"]},
        "disabled_by": {"attribute": "userAccountControl", "bit": 2},
        "main_identity_attribute": "title",
        "main_identity_key": "employeeNumber",
        "use": "main",
        "roles": ROLES,
        "attribution_attribute": "acted_by",
    }
    toml = directory(slapd) + negotiating(tmp_path, kdc, principal)
    async with broker(tmp_path, planted, toml, instance("app")) as door:
        given = await sessions(door, **ticket(kdc.user("grace.admin")))
        assert await both(door, given) == {
            **GRACE,
            "actedBy": ["grace.admin"],
            "account": "auth://people#grace",
        }
        assert "accountStatus" in await turned_away(door, **ticket(kdc.user("left")))


def test_each_row_of_the_page_names_its_test() -> None:
    """The page's table has eight modules, and each names a test of this file."""
    page = (ROOT / "docs/auth-principals.md").read_text()
    named = re.findall(r"^\| .*\(.*role-based\).* `(test_\w+)` \|$", page, re.M)
    assert len(set(named)) == 8
    assert all(callable(globals().get(name)) for name in named)
