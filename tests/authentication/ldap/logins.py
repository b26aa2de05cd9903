"""Logins at a module, and what comes of them."""

from __future__ import annotations

from typing import Any

import pytest

from broker.authentication import AuthModule, Evidence, Identity
from broker.errors import AuthenticationFailed
from broker.model import Secret
from tests.support.slapd import (
    ADA_PASSWORD,
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Slapd,
)

PATIENT = 30
"""Seconds for a login where time is not what is tested."""


def document(slapd: Slapd, *urls: str, name: str = "corp", **more: Any) -> dict[str, Any]:
    """A module's document; None takes a member out."""
    said = {
        "name": name,
        "kind": "ldap",
        "servers": list(urls) or [slapd.url],
        "ca_file": "authority.pem",
        "bind_dn": SERVICE_DN,
        "bind_password": SERVICE_PASSWORD,
        "search_bases": [PEOPLE],
        "attributes": ["mail", "cn"],
        "timeout": PATIENT,
        **more,
    }
    return {key: value for key, value in said.items() if value is not None}


def evidence(name: str | None = "ada", password: str | None = ADA_PASSWORD) -> Evidence:
    return Evidence("/", 0.0, name, None if password is None else Secret(password))


async def login(
    module: AuthModule,
    name: str = "ada",
    password: str = ADA_PASSWORD,
    known: Identity | None = None,
) -> Identity:
    return await module.authenticate(evidence(name, password), known)


async def refused(
    module: AuthModule,
    name: str = "ada",
    password: str = ADA_PASSWORD,
    known: Identity | None = None,
) -> str:
    """Why a login failed, for the audit; whoever asked hears nothing of it."""
    with pytest.raises(AuthenticationFailed) as failed:
        await login(module, name, password, known)
    assert failed.value.sentence == "Authentication Failed"
    return failed.value.detail or ""
