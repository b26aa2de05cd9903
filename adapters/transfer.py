"""The configuration of a deployment: collected from a store, and put into another.

What is carried over: the documents that brokers share (rings of signing keys, realms, trusted
issuers, certificate authorities, authentication modules), published instances, users and their
authenticators. What is not: tokens, sessions, answers and passcodes, which end by themselves.
``transfer_file`` keeps it in a file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import orjson

from adapters.stores import Stores
from broker.errors import AlreadyPublished, PreconditionFailed, UnknownInstance
from broker.factors import Factor
from broker.model import InstanceDocument, User

REALMS_DOCUMENT = "realms"


class TransferRefused(Exception):
    """The configuration cannot be exported or imported; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is carried over. ``documents`` are those of the ConfigurationStore, by name."""

    documents: dict[str, bytes]
    instances: tuple[InstanceDocument, ...]
    users: tuple[User, ...]
    factors: tuple[Factor, ...] = ()

    @property
    def size(self) -> int:
        return len(self.documents) + len(self.instances) + len(self.users) + len(self.factors)

    def realms(self, declared: Iterable[str]) -> tuple[str, ...]:
        """Those that settings declare, and those that the documents hold."""
        return tuple(dict.fromkeys((*declared, *realms_in(self.documents.get(REALMS_DOCUMENT)))))


async def collected(stores: Stores, declared: Iterable[str]) -> Configuration:
    """The configuration in a store; ``declared`` are the realms of the settings.

    Raises Unavailable, and TransferRefused if its list of realms cannot be read.
    """
    documents = await stores.configuration.list()
    realms = dict.fromkeys((*declared, *realms_in(documents.get(REALMS_DOCUMENT))))
    users = [user for realm in realms for user in await stores.users.list(realm)]
    factors = [each for realm in realms for each in await stores.factors.list(realm)]
    lasting = tuple(factor for factor in factors if factor.expires_at is None)
    return Configuration(documents, tuple(await stores.instances.list()), tuple(users), lasting)


def realms_in(document: bytes | None) -> list[str]:
    """The realms in the document of that name. Raises TransferRefused."""
    if document is None:
        return []
    try:
        return [str(realm["path"]) for realm in orjson.loads(document)["realms"]]
    except (ValueError, KeyError, TypeError):
        raise TransferRefused("the list of realms cannot be read") from None


# -- into a store --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to put into the store; ``do`` is False if another was faster."""

    what: str
    replaces: bool
    do: Callable[[], Awaitable[bool]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do. ``unchanged`` counts what is there already."""

    steps: tuple[Step, ...]
    unchanged: int

    @property
    def conflicts(self) -> list[str]:
        """What would be replaced by something else."""
        return [step.what for step in self.steps if step.replaces]

    async def carry_out(self) -> None:
        """Step by step; a plan that was cut short is completed by making and doing another.

        Raises TransferRefused if somebody else changes the same things, and Unavailable.
        """
        for step in self.steps:
            if not await step.do():
                raise TransferRefused(
                    f"{step.what} was changed while the import was running; import again"
                )


async def planned(stores: Stores, wanted: Configuration) -> Plan:
    """How ``wanted`` gets into the store. Changes nothing; raises Unavailable.

    Instances come last, when their realms, keys and users are there.
    """
    steps = [
        *await _documents(stores, wanted),
        *[await _user(stores, user) for user in wanted.users],
        *[await _factor(stores, factor) for factor in wanted.factors],
        *await _instances(stores, wanted),
    ]
    found = tuple(step for step in steps if step is not None)
    return Plan(found, wanted.size - len(found))


async def _documents(stores: Stores, wanted: Configuration) -> list[Step]:
    """The realms after the rest, so that a realm that appears has its keys already."""
    present = await stores.configuration.list()
    names = sorted(wanted.documents, key=lambda name: (name == REALMS_DOCUMENT, name))
    return [
        _document(stores, name, present.get(name), wanted.documents[name])
        for name in names
        if present.get(name) != wanted.documents[name]
    ]


def _document(stores: Stores, name: str, present: bytes | None, value: bytes) -> Step:
    async def do() -> bool:
        return await stores.configuration.swap(name, present, value)

    return Step(f"document {name}", present is not None, do)


async def _user(stores: Stores, user: User) -> Step | None:
    present = await stores.users.get(user.realm, user.name)
    if present == user:
        return None

    async def do() -> bool:
        if present is None:
            return await stores.users.create(user)
        await stores.users.put(user)
        return True

    return Step(f"user {user.name} in {user.realm}", present is not None, do)


async def _factor(stores: Stores, factor: Factor) -> Step | None:
    present = await stores.factors.get(factor.realm, factor.account, factor.kind, factor.id)
    if present == factor:
        return None

    async def do() -> bool:
        return await stores.factors.swap(present, factor)

    what = f"{factor.kind} of {factor.account} in {factor.realm}"
    return Step(what, present is not None, do)


async def _instances(stores: Stores, wanted: Configuration) -> list[Step]:
    present = {document.id.casefold(): document for document in await stores.instances.list()}
    return [
        _instance(stores, present.get(document.id.casefold()), document)
        for document in wanted.instances
        if present.get(document.id.casefold()) != document
    ]


def _instance(stores: Stores, present: InstanceDocument | None, wanted: InstanceDocument) -> Step:
    async def do() -> bool:
        try:
            if present is not None and present.id == wanted.id:
                await stores.instances.replace(wanted, present.revision)
                return True
            if present is not None:  # the same name in other letter case
                await stores.instances.delete(present.id, present.revision)
            await stores.instances.create(wanted)
        except (AlreadyPublished, PreconditionFailed, UnknownInstance):
            return False
        return True

    return Step(f"instance {wanted.id}", present is not None, do)
