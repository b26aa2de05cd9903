"""Logins by Kerberos."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from adapters.authentication.modules.ldap.ber import element
from broker.model import Secret, Session
from tests.support.door import (
    Answer,
    Door,
)
from tests.support.kdc import REALM, Kdc

MODULES = f"""
[[module]]
name = "desktop"
kind = "negotiate"
keytab_file = "http.keytab"
realms = ["{REALM}"]
timeout = 60

[[module]]
name = "whole"
kind = "negotiate"
keytab_file = "http.keytab"
service = "HTTP@localhost"
realms = ["{REALM}", "OTHER.EXAMPLE.COM"]
user_name = "keep"

[[module]]
name = "linked"
kind = "negotiate"
keytab_file = "http.keytab"
realms = ["{REALM}"]
link_local_users = true

[[module]]
name = "elsewhere"
kind = "negotiate"
keytab_file = "http.keytab"
realms = ["OTHER.EXAMPLE.COM"]

[[module]]
name = "keyless"
kind = "negotiate"
keytab_file = "other.keytab"
realms = ["{REALM}"]

[[chain]]
name = "either"
modules = [
    {{ module = "linked", flag = "sufficient" }},
    {{ module = "DataStore", flag = "required" }},
]
"""


@dataclass(frozen=True)
class People:
    """Caches of tickets."""

    kdc: Kdc
    alice: Path
    demo: Path
    admin: Path
    service: Path


async def ask(
    door: Door, token: bytes | str | None, module: str = "desktop", **head: str
) -> Answer:
    kind = "service" if module == "either" else "module"
    text = base64.b64encode(token).decode() if isinstance(token, bytes) else token
    sent = {} if text is None else {"Authorization": f"Negotiate {text}"}
    path = f"/json/authenticate?authIndexType={kind}&authIndexValue={module}"
    return await door.request("POST", path, headers={**sent, **head})


async def session_of(door: Door, answer: Answer) -> Session:
    assert answer.status == 200, answer.text
    found = await door.broker.components.sessions.find(Secret(answer.body["tokenId"]))
    assert found is not None
    return found


def proof(answer: Answer) -> bytes:
    """The token with which the broker shows that it has the key."""
    scheme, _, text = answer.headers["WWW-Authenticate"].partition(" ")
    assert scheme == "Negotiate"
    return base64.b64decode(text)


MICROSOFT = "2a864882f712010202"
"""How Windows writes Kerberos's name, one bit off, in the first place of its list."""


def dressed(bare: bytes, *before: str) -> bytes:
    """The token of Kerberos in one of SPNEGO (RFC 4178, section 4.2.1)."""
    names = (*before, "2a864886f712010202")
    mech = b"".join(element(0x06, bytes.fromhex(name)) for name in names)
    init = element(0x30, element(0xA0, element(0x30, mech)), element(0xA2, element(0x04, bare)))
    return element(0x60, element(0x06, bytes.fromhex("2b0601050502")), element(0xA0, init))
