"""What may be written of a module of the kind ``negotiate``; every problem in one answer."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.authentication.kinds import Parts
from adapters.authentication.modules.common import file_inside, whole_within
from adapters.authentication.modules.negotiate.accepting import gssapi
from adapters.authentication.modules.negotiate.module import (
    Configuration,
    NegotiateModule,
    UserName,
)
from adapters.authentication.modules.subjects import LINK, Subjects
from adapters.instances.members import Members
from broker.authentication import AuthModule

KEYS = ("keytab_file", "service", "realms", "user_name", "timeout", LINK)
SERVICE = "HTTP"
MAX_REALMS = 64
DEFAULT_TIMEOUT_SECONDS = 2
MAX_TIMEOUT_SECONDS = 60

_SERVICE = re.compile(r"HTTP(@[A-Za-z0-9.-]{1,253})?")


class NegotiateKind:
    """The kind, as ``adapters.authentication.kinds`` lists it."""

    name = "negotiate"
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        """A module out of its document."""
        members.only(*KEYS)
        _needs_library(members)
        keytab = file_inside(members, "keytab_file", parts.folder)
        if not members.given("keytab_file"):
            members.wrong("keytab_file", "name the file with the key of this service (HTTP/host)")
        realms = _realms(members)
        configuration = Configuration(
            keytab=keytab or Path(),
            service=_service(members),
            realms=realms,
            user_name=_user_name(members, realms),
            timeout=whole_within(members, "timeout", DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
        )
        subjects = Subjects(name, realm, members.flag(LINK), parts.users)
        return NegotiateModule(name, configuration, subjects, parts.replays)


def _needs_library(members: Members) -> None:
    try:
        gssapi()
    except ImportError:
        members.wrong("kind", "Kerberos needs a library: pip install 'remint[kerberos]'")


def _service(members: Members) -> str:
    text = members.text("service", SERVICE)
    if _SERVICE.fullmatch(text) is None:
        members.wrong("service", "write HTTP, for every such key of the keytab, or HTTP@host")
    return text


def _realms(members: Members) -> frozenset[str]:
    texts = members.texts("realms")
    if not 0 < len(texts) <= MAX_REALMS or not all(texts):
        members.wrong("realms", f"name 1 to {MAX_REALMS} Kerberos realms, such as EXAMPLE.COM")
    return frozenset(texts)


def _user_name(members: Members, realms: frozenset[str]) -> UserName:
    text = members.text("user_name", UserName.STRIP.value)
    try:
        found = UserName(text)
    except ValueError:
        members.wrong("user_name", f"choose one of {', '.join(each.value for each in UserName)}")
        return UserName.KEEP
    if found is UserName.STRIP and len(realms) > 1:
        members.wrong(
            "user_name",
            'write user_name = "keep": without their realm, names of several realms are the same',
        )
    return found
