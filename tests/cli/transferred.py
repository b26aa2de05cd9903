"""A configuration of every kind, and what brings it into stores and files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from adapters.settings import load
from adapters.state_folder import opened_stores
from adapters.stores import Stores
from adapters.transfer import Configuration, collected
from broker.model import Secret
from broker.testing import a_factor, a_user, an_instance_document
from tests.cli.conftest import Remint
from tests.support.planted import CLIENT_SECRET, MARK

T = TypeVar("T")

FACTORS = [
    a_factor(body=f"secret-{MARK}".encode() + bytes(range(256))),
    a_factor(realm="/made", account="auth://corp#bob"),
]
PASSCODE = a_factor(kind="passcode", expires_at=2**40)

PASSWORD = f"a-long-{MARK}-one"
REALMS = b'{"realms":[{"path":"/made"}]}'
DOCUMENTS = {"keys/": f"private-{MARK}".encode() + bytes(range(256)), "realms": REALMS, "z": b""}
INSTANCES = [
    an_instance_document(body={"client-secret": CLIENT_SECRET, "nested": {"list": ["ä", 1, None]}}),
    an_instance_document(id="made/demo", realm="/made"),
]
USERS = [
    a_user(password_hash=Secret(f"$argon2id$v=19$m=8,t=1,p=1$c2FsdA${MARK}")),
    a_user(realm="/declared", name="ödön", active=False, attributes={}),
    a_user(realm="/made", attributes={"roles": ("admin",)}),
]


def in_store(work: Callable[[Stores], Awaitable[T]]) -> T:
    """What ``work`` returns, done with the store that the settings lead to."""

    async def main() -> T:
        stores = await opened_stores(load())
        try:
            return await work(stores)
        finally:
            await stores.close()

    return asyncio.run(main())


async def fill(stores: Stores) -> None:
    for name, document in DOCUMENTS.items():
        await stores.configuration.swap(name, None, document)
    for instance in INSTANCES:
        await stores.instances.create(instance)
    for user in USERS:
        await stores.users.create(user)
    for factor in (*FACTORS, PASSCODE):
        await stores.factors.swap(None, factor)


async def found(stores: Stores) -> Configuration:
    return await collected(stores, ("/", "/declared"))


def is_all(configuration: Configuration) -> bool:
    return (
        configuration.documents == DOCUMENTS
        and list(configuration.instances) == INSTANCES
        and len(configuration.users) == len(USERS)
        and all(user in configuration.users for user in USERS)
        and list(configuration.factors) == FACTORS
    )


def exported(remint: Remint, *options: str) -> Path:
    """A file of a store that was filled."""
    in_store(fill)
    done = remint("export", "backup", "--password-file", "password", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out == "exported 3 documents, 2 instances, 3 users, 2 authenticators\n"
    return Path("backup")
