"""The parts of a module's document: each is read, or its problem told, and reading goes on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from adapters.authentication.modules.ldap import names
from adapters.authentication.modules.ldap.connection import Address
from adapters.authentication.modules.ldap.filters import BadFilter, Filter, is_attribute
from adapters.authentication.modules.ldap.options import (
    DN,
    MAX_ATTRIBUTES,
    MAX_BASES,
    MAX_DOMAINS,
    MAX_SERVERS,
    Condition,
    Form,
)
from adapters.instances.members import Members

PORTS = {"ldap": 389, "ldaps": 636}
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_OPTION = re.compile(r";(binary|lang-[A-Za-z0-9-]+)")
_Word = TypeVar("_Word", bound=StrEnum)


def servers(members: Members, start_tls: bool) -> tuple[Address, ...]:
    """In order of preference."""
    urls = members.texts("servers")
    if not 0 < len(urls) <= MAX_SERVERS:
        members.wrong("servers", f"name from 1 to {MAX_SERVERS} servers, the preferred one first")
        return ()
    plain = members.flag("allow_plaintext")
    found = []
    for url in urls:
        address = _address(url)
        if address is None:
            members.wrong("servers", f"{url!r} is no ldap://, ldaps:// or ldapi:// address")
            continue
        safe = address.tls or address.path or start_tls or address.host in LOOPBACK
        if not safe and not plain:
            members.wrong(
                "servers",
                f"passwords would go to {url} in the clear: write ldaps://, or starttls = true "
                "(or allow_plaintext = true, where the network is protected by other means)",
            )
        found.append(address)
    return tuple(found)


def _address(url: str) -> Address | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme == "ldapi":
        path = unquote(parts.netloc) or unquote(parts.path)
        return Address(url, path=path) if path.startswith("/") and path.isprintable() else None
    host = parts.hostname or ""
    if parts.scheme not in PORTS or not _is_host(host) or parts.path not in ("", "/"):
        return None
    if parts.query or parts.fragment or parts.username is not None:
        return None
    return Address(url, host, port or PORTS[parts.scheme], tls=parts.scheme == "ldaps")


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None and ".." not in text
    return True


def file(members: Members, key: str, folder: Path) -> str:
    """A file's path, which is below ``folder`` whatever the document says; "" for none."""
    given = members.text(key)
    if not given:
        return ""
    path = (folder / given).resolve()
    if not path.is_relative_to(folder.resolve()):
        members.wrong(key, f"write a path inside {folder.name}, relative to it")
        return ""
    if not path.is_file():
        members.wrong(key, "there is no such file in the folder of the authentication modules")
        return ""
    return str(path)


def word(members: Members, key: str, words: tuple[str, ...], default: str) -> str:
    found = members.text(key, default)
    if found in words:
        return found
    members.wrong(key, f"write one of {', '.join(words)}")
    return default


def choice(members: Members, key: str, words: type[_Word], default: _Word) -> _Word:
    return words(word(members, key, tuple(words), default))


def attribute(members: Members, key: str, default: str, *, or_dn: bool = False) -> str:
    found = members.text(key, default)
    if is_attribute(found) or (or_dn and found == DN):
        return found
    members.wrong(key, f"{found!r} is no name of an attribute")
    return default


def attributes(members: Members, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = members.texts(key) or default
    wrong = [each for each in found if not is_attribute(each)]
    if wrong or len(found) > MAX_ATTRIBUTES:
        members.wrong(key, f"write up to {MAX_ATTRIBUTES} names of attributes")
        return default
    return found


def profile(members: Members) -> Mapping[str, str]:
    """Attributes by profile name; a list gives each its own name."""
    if isinstance(members.value("attributes"), list):
        found = {each: each for each in members.texts("attributes")}
    else:
        found = members.text_map("attributes")
    wrong = [each for each in found.values() if each != DN and not _is_described(each)]
    if wrong or len(found) > MAX_ATTRIBUTES or not all(found):
        members.wrong(
            "attributes",
            f"write up to {MAX_ATTRIBUTES} attributes: a list, or an object with the directory's "
            "attribute for each name of the profile",
        )
        return {}
    return found


def _is_described(text: str) -> bool:
    """A name of an attribute, perhaps with an option such as ``;binary`` (RFC 4512, 2.5)."""
    name, sign, rest = text.partition(";")
    return is_attribute(name) and (not sign or _OPTION.fullmatch(sign + rest) is not None)


def bases(members: Members, key: str) -> tuple[str, ...]:
    found = members.texts(key)
    if len(found) > MAX_BASES or any(names.parsed(each) is None for each in found):
        members.wrong(key, f"write up to {MAX_BASES} distinguished names")
        return ()
    return found


def dn(members: Members, key: str) -> str:
    found = members.text(key)
    if found and names.parsed(found) is None:
        members.wrong(key, "write a distinguished name")
    return found


def domains(members: Members) -> Mapping[str, str]:
    """The search base of each domain, by its name in lower case."""
    found = members.text_map("domains")
    if len(found) > MAX_DOMAINS or any(names.parsed(base) is None for base in found.values()):
        members.wrong("domains", f"write up to {MAX_DOMAINS} domains, each with its search base")
        return {}
    return {name.casefold(): base for name, base in found.items()}


def default_domains(members: Members, known: Mapping[str, str]) -> tuple[str, ...]:
    found = tuple(each.casefold() for each in members.texts("default_domains"))
    if any(each not in known for each in found):
        members.wrong("default_domains", "each must be one of domains")
        return ()
    return found


def forms(members: Members, any_domain: bool) -> frozenset[Form]:
    found = members.texts("login_forms") or (Form.NAME,)
    known = tuple(Form)
    if any(each not in known for each in found):
        members.wrong("login_forms", f"write some of {', '.join(known)}")
        return frozenset({Form.NAME})
    result = frozenset(map(Form, found))
    if result & {Form.UPN, Form.DOMAIN} and not any_domain:
        members.wrong("domains", "logins by upn or domain need the domains that are allowed")
    return result


def search_filter(members: Members, allowed: frozenset[Form]) -> Filter | None:
    """A filter that goes with every search for somebody, or one that says where the login goes."""
    text = members.text("filter")
    if not text:
        return None
    try:
        found = Filter(text)
    except BadFilter as error:
        members.wrong("filter", f"it is no filter: {error}")
        return None
    if found.has_login and (allowed != {Form.NAME} or members.given("login_attributes")):
        members.wrong(
            "filter",
            "with {login} it takes the place of login_attributes and of other login_forms than "
            "name: leave them out",
        )
    return found


def condition(members: Members, key: str) -> Condition | None:
    """The attribute and the values, or the bit, by which an account is enabled or disabled."""
    if not members.given(key):
        return None
    section = members.section(key)
    section.only("attribute", "values", "bit")
    name = section.text("attribute")
    if not is_attribute(name):
        section.wrong("attribute", "name the attribute")
    values = frozenset(each.casefold() for each in section.texts("values"))
    bit = section.whole("bit", 0)
    if bool(values) == bool(bit) or bit < 0:
        section.wrong("values", "write either values, or a bit such as 2")
    return Condition(name, values, max(bit, 0))
