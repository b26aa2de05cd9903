"""A directory with main and sub-identities, and a broker that looks people up in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker.instance import Instance, Transform
from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME, X509
from tests.authentication.ldap.logins import PATIENT
from tests.http import judges
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import ASSERTION, ID_TOKEN, Door, an_instance
from tests.support.planted import Planted
from tests.support.slapd import (
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    TREE,
    Slapd,
)

GRACE_PASSWORD = "graces directory password"
GRACE_SID = "S-1-5-21-1-2-3-1002"
BY_MAIL = {"directory": "module|people", "search": [{"claim": "mail", "attribute": "mail"}]}

BY_NUMBER = {
    "directory": "module|people",
    "search": [{"claim": "number", "attribute": "employeeNumber"}],
}

ROLES = {
    "attribute": "employeeType",
    "permissions": {
        "approver": ["order.approve", "order.read"],
        "reader": ["order.read", "article.read"],
        "operator": ["system.restart"],
    },
}

ROLES_BY_CLAIM = {"claim": "groups", "permissions": {"staff": ["order.read"]}}

TO_MAIN = {**BY_MAIL, "main_identity_attribute": "manager", "use": "main"}


_PERSON = """
dn: uid={uid},{people}
objectClass: inetOrgPerson
objectClass: testUser
uid: {uid}
cn: {uid}
sn: {uid}
"""


def person(uid: str, *lines: str) -> str:
    """An entry of that uid, with these lines of LDIF."""
    return _PERSON.format(uid=uid, people=PEOPLE) + "\n".join(lines) + "\n"


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


PEOPLE_LDIF = TREE + "".join(
    (
        person(
            "grace",
            "mail: grace@example.com",
            "employeeNumber: 1906",
            "employeeType: approver",
            "employeeType: reader",
            "employeeType: unheard of",
            "departmentNumber: it",
            "sAMAccountName: ghopper",
            "userPrincipalName: grace@corp.example.com",
            "objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6gMAAA==",
            "accountStatus: active",
            f"userPassword: {GRACE_PASSWORD}",
        ),
        person(
            "grace.admin",
            "mail: grace.admin@example.com",
            "employeeNumber: 9001",
            "employeeType: operator",
            "accountStatus: active",
            f"manager: {dn('grace')}",
            "title: 1906",
            f"userPassword: {GRACE_PASSWORD}",
        ),
        person(
            "deputy",
            "mail: deputy@example.com",
            "accountStatus: active",
            f"manager: {dn('grace.admin')}",
        ),
        person("twin.one", "mail: twin@example.com", "accountStatus: active"),
        person("twin.two", "mail: twin@example.com", "accountStatus: active"),
        person("left", "mail: left@example.com", "accountStatus: left"),
        person("silent", "mail: silent@example.com"),
        person("of.left", "mail: of.left@example.com", f"manager: {dn('left')}"),
        person("of.nobody", "mail: of.nobody@example.com", f"manager: {dn('nobody')}"),
        person("of.service", "mail: of.service@example.com", f"manager: {SERVICE_DN}"),
        person(
            "of.two",
            "mail: of.two@example.com",
            f"manager: {dn('grace')}",
            f"manager: {dn('deputy')}",
        ),
        person("round", "mail: round@example.com", f"manager: {dn('about')}"),
        person("about", "mail: about@example.com", f"manager: {dn('round')}"),
        person("self", "mail: self@example.com", f"manager: {dn('self')}"),
        *(
            person(f"deep{depth}", f"mail: deep{depth}@example.com", f"manager: {dn(above)}")
            for depth, above in enumerate(
                ("grace", "deep0", "deep1", "deep2", "deep3", "deep4", "deep5")
            )
        ),
        f"""
dn: cn=approvers,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: approvers
member: {dn("grace")}
""",
    )
)


def directory(slapd: Slapd, name: str = "people", **more: Any) -> str:
    """A module that people are looked up in."""
    said = {
        "name": name,
        "kind": "ldap",
        "servers": [slapd.url],
        "bind_dn": SERVICE_DN,
        "bind_password": SERVICE_PASSWORD,
        "search_bases": [PEOPLE],
        "attributes": ["mail", "departmentNumber"],
        "timeout": PATIENT,
        **more,
    }
    return _table("module", said)


def module(name: str, kind: str, principal: dict[str, Any] | None = None, **more: Any) -> str:
    """A module with its ``principal``."""
    text = _table("module", {"name": name, "kind": kind, **more})
    return text + (_principal("module", principal) if principal is not None else "")


def chain(name: str, *modules: str, principal: dict[str, Any] | None = None) -> str:
    """A chain of required modules."""
    links = [{"module": each, "flag": "required"} for each in modules]
    text = _table("chain", {"name": name, "modules": links})
    return text + (_principal("chain", principal) if principal is not None else "")


def resolving(slapd: Slapd, principal: dict[str, Any], **more: Any) -> str:
    """Local users log in, and stand for somebody of the directory; ``more`` is for its module."""
    return directory(slapd, **more) + module("login", "files", principal)


def _principal(part: str, principal: dict[str, Any]) -> str:
    return f"principal = {_inline(principal)}\n"


def _table(part: str, said: dict[str, Any]) -> str:
    return f"[[{part}]]\n" + "".join(f"{key} = {_inline(said[key])}\n" for key in said)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {_inline(value[key])}' for key in value) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def instance(element: str, **targets: str) -> Instance:
    """One whose tokens say what a directory and a rule may say of somebody."""
    mapped = {"mail": "mail", "permissions": "permissions", "actedBy": "acted_by"}
    given = (USERNAME, OPENAM, OPENIDCONNECT, X509)
    pairs = tuple(Transform(each, wanted) for each in given for wanted in (SAML2, OPENIDCONNECT))
    made = an_instance(element, attribute_map=mapped, transforms=pairs)
    if made.oidc is None:
        raise AssertionError("it issues ID tokens")
    return targeted(replace(made, oidc=replace(made.oidc, claim_map=mapped)), **targets)


@contextlib.asynccontextmanager
async def broker(
    folder: Path, planted: Planted, toml: str, *instances: Instance
) -> AsyncIterator[Door]:
    """One with these modules; its instance ``app`` sends names and passwords to ``login``."""
    settings = authentication_file(folder, toml)
    async with doors.opened(folder / "state", planted, **settings) as door:
        await door.publish(*(instances or (instance("app", USERNAME="module|login"),)))
        yield door


async def both(
    door: Door, given: dict[str, Any], element: str = "app", **more: Any
) -> dict[str, Any]:
    """What an ID token and an assertion for this input say, judged as a relying party would; they
    say the same."""
    issued = await door.translate(given, ID_TOKEN, instance=element, **more)
    assert issued.status == 200, (issued.text, door.audit()[-1])
    token = await judges.id_token(door, issued.body["issued_token"], "RS256")
    issued = await door.translate(given, ASSERTION, instance=element, **more)
    assert issued.status == 200, (issued.text, door.audit()[-1])
    document = await judges.assertion(door, issued.body["issued_token"])
    [subject] = judges.texts(document, ".//saml:Subject/saml:NameID")
    said: dict[str, Any] = {"sub": token.claims["sub"]}
    for name in ("mail", "permissions", "actedBy"):
        values = judges.texts(document, f".//saml:Attribute[@Name='{name}']/saml:AttributeValue")
        assert " ".join(values) == str(token.claims.get(name, "")), (name, token.claims)
        if values:
            said[name] = values
    assert subject == said["sub"]
    assert all(line["principal"] == door.audit()[-1]["principal"] for line in door.audit()[-2:])
    return {**said, "account": door.audit()[-1]["principal"]}


async def refused(door: Door, given: dict[str, Any], element: str = "app") -> str:
    """Why a login failed, for the audit; the caller hears nothing of it."""
    answer = await door.translate(given, ID_TOKEN, instance=element)
    assert (answer.status, answer.body["message"]) == (401, "Authentication Failed"), answer.text
    return str(door.audit()[-1]["reason"])
