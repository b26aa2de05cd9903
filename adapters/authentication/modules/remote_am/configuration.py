"""What may be written of a module of the kind ``remote_am``; every problem in one answer."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.authentication.modules.common import file_inside, flag_or, whole_within
from adapters.authentication.modules.subjects import LINK
from adapters.instances.members import Members
from adapters.issuers.fetching import may_fetch
from broker.model import ROOT_REALM, normal_realm

KEYS = (
    *("url", "remote_realm", "auth_index_type", "auth_index_value", "cookie_name"),
    *("timeout", "attributes", "end_session", "ca_file", LINK),
)
DEFAULT_TIMEOUT_SECONDS = 2
MAX_TIMEOUT_SECONDS = 60
COOKIE_NAME = "iPlanetDirectoryPro"
INDEX_TYPES = ("service", "module", "user", "role", "level")
MAX_ATTRIBUTES = 50

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")  # RFC 9110, section 5.6.2


@dataclass(frozen=True, slots=True)
class Configuration:
    """A module of the kind ``remote_am``; ``timeout`` in seconds for a whole login.

    ``tls`` is None where the address is one of this machine, over http. ``attributes`` are names
    there by names of the profile here.
    """

    url: str
    remote_realm: str
    auth_index: tuple[str, str] | None
    cookie_name: str
    timeout: int
    end_session: bool
    attributes: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def read(members: Members, folder: Path) -> Configuration:
    """What is wrong goes to ``members.problems``."""
    members.only(*KEYS)
    url = _url(members)
    return Configuration(
        url=url,
        remote_realm=_realm(members),
        auth_index=_auth_index(members),
        cookie_name=_cookie_name(members),
        timeout=whole_within(members, "timeout", DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
        end_session=flag_or(members, "end_session", default=True),
        attributes=_attributes(members),
        tls=_tls(members, folder) if url.startswith("https:") else None,
    )


def is_header(name: str) -> bool:
    """Whether this can be the name of an HTTP header, or of a cookie."""
    return _TOKEN.fullmatch(name) is not None


def _url(members: Members) -> str:
    url = members.text("url").rstrip("/")
    if not may_fetch(url) or "?" in url:
        members.wrong("url", "write where it is: https://HOST/am, or http on this machine")
    return url


def _realm(members: Members) -> str:
    realm = normal_realm(members.text("remote_realm", ROOT_REALM))
    if {".", ".."} & set(realm.split("/")):
        members.wrong("remote_realm", "write the path of a realm, such as /customers")
    return realm


def _auth_index(members: Members) -> tuple[str, str] | None:
    kind, value = members.text("auth_index_type"), members.text("auth_index_value")
    if not kind and not value:
        return None
    if kind not in INDEX_TYPES or not value:
        members.wrong(
            "auth_index_type",
            f"write one of {', '.join(INDEX_TYPES)}, and auth_index_value beside it",
        )
    return kind, value


def _cookie_name(members: Members) -> str:
    name = members.text("cookie_name", COOKIE_NAME)
    if not is_header(name):
        members.wrong("cookie_name", "write the name of its session cookie")
    return name


def _attributes(members: Members) -> dict[str, str]:
    if isinstance(members.value("attributes"), list):
        found = {each: each for each in members.texts("attributes")}
    else:
        found = members.text_map("attributes")
    if len(found) > MAX_ATTRIBUTES or not all((*found, *found.values())):
        members.wrong(
            "attributes",
            f"write up to {MAX_ATTRIBUTES}: a list, or an object with its attribute for each name"
            " of the profile",
        )
    return found


def _tls(members: Members, folder: Path) -> ssl.SSLContext:
    """One that checks certificates and names, by the system's authorities or a file's."""
    authorities = file_inside(members, "ca_file", folder)
    if authorities is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(authorities))
    except (OSError, ssl.SSLError):
        members.wrong("ca_file", "it is no readable file of certificates in PEM")
        return ssl.create_default_context()
