"""Asking a module of the kind ``remote_am`` whose AM is the tests' own."""

from __future__ import annotations

from typing import Any

from broker.authentication import AuthModule, Evidence, Identity
from broker.chains import Alone
from broker.model import Secret
from tests.authentication.am_server import PASSWORDS, Am


def document(am: Am, **keys: Any) -> dict[str, Any]:
    return {"name": "am", "kind": "remote_am", "url": am.url, "timeout": 20, **keys}


def evidence(name: str | None = "alice", password: str | None = None, **more: Any) -> Evidence:
    given = PASSWORDS.get(name or "") if password is None else password
    secret = None if given is None else Secret(given)
    return Evidence(realm="/", now=0.0, username=name, password=secret, **more)


async def asking(made: AuthModule, given: Evidence) -> Identity:
    """The identity, once the module is closed and has ended what it had to."""
    try:
        found, _ = await Alone(made).authenticate(given)
        return found
    finally:
        await made.close()
