"""Reads the ``principal`` of a module's or a chain's document; every problem in one answer.

::

    [module.principal]
    directory = "module|people"                    # an LDAP module, or "users": the realm's own
    search = [{ claim = "email", attribute = "mail" }]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.authentication.principals.rule import (
    USERS,
    Attribution,
    Check,
    Condition,
    Main,
    Roles,
    Rule,
    Search,
    Source,
)
from adapters.instances.members import Members

KEY = "principal"
MODULE = "module|"
MAX_NAME_LENGTH = 128
MAX_SEARCHES = 8
MAX_CHECKS = 20
MAX_VALUES = 100
MAX_ROLES = 200
MAX_PERMISSIONS = 500
"""That one login may have in the end, and one role gives."""
MAX_FRONT_ENDS = 200

USES = ("main", "sub")
_SOURCE = ("claim", "attribute")
_NEEDS_DIRECTORY = (
    "search",
    "enabled_by",
    "disabled_by",
    "main_identity_attribute",
    "main_identity_key",
    "use",
    "keep_claims",
)
_KEYS = (
    "directory",
    *_NEEDS_DIRECTORY,
    "require",
    "roles",
    "attribution_attribute",
    "attribution_claim",
    "allowed_front_ends",
)


def rule(document: Mapping[str, Any], problems: list[tuple[str, str]]) -> Rule | None:
    """What a document says of whom a login stands for; None where it says nothing of it."""
    if document.get(KEY) is None:
        return None
    members = Members(document, "document", problems).section(KEY)
    members.only(*_KEYS)
    module, has_directory = _directory(members)
    return Rule(
        module=module,
        searches=_searches(members) if has_directory else (),
        enabled_by=_condition(members, "enabled_by"),
        disabled_by=_condition(members, "disabled_by"),
        checks=_checks(members, has_directory),
        main=_main(members),
        roles=_roles(members, has_directory),
        attribution=_attribution(members),
        kept=_names(members, "keep_claims"),
        front_ends=_front_ends(members),
    )


def module_named(document: Mapping[str, Any]) -> str | None:
    """The module that a document which is kept looks people up in."""
    said = document.get(KEY)
    directory = said.get("directory") if isinstance(said, Mapping) else None
    if not isinstance(directory, str) or not directory.startswith(MODULE):
        return None
    return directory.removeprefix(MODULE).strip()


def _directory(members: Members) -> tuple[str | None, bool]:
    """The module of the directory, and whether there is a directory at all."""
    text = members.text("directory")
    if not text:
        for key in _NEEDS_DIRECTORY:
            if members.given(key):
                members.wrong(key, "it needs a directory; name one as directory")
        return None, False
    if text == USERS:
        return None, True
    name = text.removeprefix(MODULE).strip()
    if not text.startswith(MODULE) or not name:
        members.wrong("directory", f'write module|NAME for an LDAP module, or "{USERS}"')
        return None, True
    return name, True


def _searches(members: Members) -> tuple[Search, ...]:
    found = tuple(map(_search, _objects(members, "search", MAX_SEARCHES)))
    return found or (Search(),)


def _search(members: Members) -> Search:
    members.only(*_SOURCE)
    return Search(_name(members, "claim"), _attribute(members, "attribute"))


def _condition(members: Members, key: str) -> Condition | None:
    if not members.given(key):
        return None
    section = members.section(key)
    section.only("attribute", "values", "bit")
    attribute = _attribute(section, "attribute")
    values = frozenset(each.casefold() for each in section.texts("values"))
    bit = section.whole("bit", 0)
    if not attribute:
        section.wrong("attribute", "name the attribute")
    if bool(values) == bool(bit) or bit < 0 or len(values) > MAX_VALUES:
        section.wrong("values", f"write either up to {MAX_VALUES} values, or a bit such as 2")
    return Condition(attribute, values, max(bit, 0))


def _checks(members: Members, has_directory: bool) -> tuple[Check, ...]:
    checks = _objects(members, "require", MAX_CHECKS)
    return tuple(_check(each, has_directory) for each in checks)


def _check(members: Members, has_directory: bool) -> Check:
    members.only(*_SOURCE, "values", "matches")
    source = _source(members, has_directory)
    values, pattern = frozenset(members.texts("values")), members.text("matches")
    if not (values or pattern) or len(values) > MAX_VALUES or not all(values):
        members.wrong("values", f"write up to {MAX_VALUES} values, or matches with * for any text")
    return Check(source, values, pattern)


def _main(members: Members) -> Main | None:
    attribute = _attribute(members, "main_identity_attribute")
    key = _attribute(members, "main_identity_key")
    use = members.text("use")
    if use and use not in USES:
        members.wrong("use", f"write one of {', '.join(USES)}")
    if use == "main" and not attribute:
        members.wrong("main_identity_attribute", "name the attribute that leads to the main one")
    if attribute and not use:
        members.wrong("use", f"say who is used, one of {', '.join(USES)}")
    if key and not attribute:
        members.wrong("main_identity_key", "it needs main_identity_attribute")
    return Main(attribute, key) if use == "main" and attribute else None


def _roles(members: Members, has_directory: bool) -> Roles | None:
    if not members.given("roles"):
        return None
    section = members.section("roles")
    section.only(*_SOURCE, "permissions", "name", "required")
    source = _source(section, has_directory)
    if source == Source():
        section.wrong("attribute", "say where the roles are: an attribute, or a claim")
    table = section.section("permissions")
    permissions = {role: _permissions(table, role) for role in table.names()}
    if not 0 < len(permissions) <= MAX_ROLES:
        section.wrong("permissions", f"give 1 to {MAX_ROLES} roles, each with its permissions")
    name = _name(section, "name") or "permissions"
    required = section.flag("required") if section.given("required") else True
    return Roles(source, permissions, name, required)


def _permissions(table: Members, role: str) -> tuple[str, ...]:
    found = table.texts(role)
    if not found or len(found) > MAX_PERMISSIONS or not all(map(_is_name, found)):
        table.wrong(role, f"write 1 to {MAX_PERMISSIONS} names of up to {MAX_NAME_LENGTH} letters")
    return found


def _attribution(members: Members) -> Attribution | None:
    name = _name(members, "attribution_attribute")
    claim = _name(members, "attribution_claim")
    if claim and not name:
        members.wrong("attribution_attribute", "say which attribute names who acted")
    return Attribution(name, claim) if name else None


def _front_ends(members: Members) -> frozenset[str] | None:
    """An empty list is one that lets no front end in; nothing at all is no list."""
    if members.value("allowed_front_ends") is None:
        return None
    found = members.texts("allowed_front_ends")
    if len(found) > MAX_FRONT_ENDS or not all(found):
        members.wrong("allowed_front_ends", f"name up to {MAX_FRONT_ENDS} instances, or * for any")
    return frozenset(found)


def _source(members: Members, has_directory: bool) -> Source:
    source = Source(_name(members, "claim"), _attribute(members, "attribute"))
    if source.claim and source.attribute:
        members.wrong("claim", "write a claim of the login, or an attribute of the directory")
    if source.attribute and not has_directory:
        members.wrong("attribute", "it needs a directory; without one write a claim")
    return source


def _objects(members: Members, key: str, most: int) -> list[Members]:
    """The objects in a list, their keys told with its name before them."""
    found = members.value(key)
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > most or not all(map(_is_object, found)):
        members.wrong(key, f"write a list of up to {most} objects")
        return []
    return [Members(each, key, members.problems, prefix=f"{KEY}.{key}.") for each in found]


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _names(members: Members, key: str) -> tuple[str, ...]:
    found = members.texts(key)
    if len(found) > MAX_VALUES or not all(map(_is_name, found)):
        members.wrong(key, f"write up to {MAX_VALUES} names")
    return found


def _name(members: Members, key: str) -> str:
    found = members.text(key)
    if found and not _is_name(found):
        members.wrong(key, f"write a name of up to {MAX_NAME_LENGTH} characters")
    return found


def _attribute(members: Members, key: str) -> str:
    """The name of an attribute, without anything that a search could take for more."""
    found = members.text(key)
    if found and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", found):
        members.wrong(key, "write the name of an attribute")
    return found


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable()
