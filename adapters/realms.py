"""The realms of a deployment: those that settings declare, and those made at run time.

The latter stand in the configuration that brokers share. A realm that exists is known from memory,
so that looking one up costs nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson

from adapters.authentication import document as authentication
from adapters.certificates import document as authorities
from adapters.issuers import document as issuers
from adapters.settings_values import RESERVED_REALMS
from broker.errors import Conflict, InvalidRequest, NotFound, Unavailable
from broker.factors import FactorStore
from broker.model import ROOT_REALM, normal_realm
from broker.policy import shown
from broker.ports import ConfigurationStore, InstanceStore, UserStore

DOCUMENT = "realms"
MAX_REALMS = 10_000
MAX_PATH_LENGTH = 200

_NAME = re.compile(r"[\w.-]+(?: [\w.-]+)*")
"""What stands in paths, topics and routing keys without being mistaken for anything else."""

Hook = Callable[[str], Awaitable[None]]


class Realms:
    """Which realms there are. Make it with :meth:`open`.

    ``prepare`` is called with the path of a realm before it comes into being, ``forget`` after it
    has ceased to be; both may be called again after a crash.
    """

    def __init__(
        self,
        *,
        configuration: ConfigurationStore,
        instances: InstanceStore,
        users: UserStore,
        factors: FactorStore,
        declared: Iterable[str],
        prepare: Hook,
        forget: Hook,
    ) -> None:
        self._configuration = configuration
        self._instances = instances
        self._users = users
        self._factors = factors
        self._declared = tuple(dict.fromkeys((ROOT_REALM, *declared)))
        self._prepare = prepare
        self._forget = forget
        self._made: tuple[str, ...] = ()
        self._generation = -1

    async def refresh(self) -> None:
        """See what other brokers changed; raises Unavailable."""
        generation = await self._configuration.generation()
        if generation != self._generation:
            self._made = paths_in(await self._configuration.get(DOCUMENT))
            self._generation = generation

    @property
    def made(self) -> tuple[str, ...]:
        """The realms that were made at run time."""
        return self._made

    @property
    def paths(self) -> tuple[str, ...]:
        """Every realm, the root realm first."""
        return tuple(dict.fromkeys((*self._declared, *self._made)))

    def exists(self, realm: str) -> bool:
        return realm in self._declared or realm in self._made

    async def create(self, path: str) -> str:
        """Make a realm; its path as it is kept. Raises InvalidRequest, NotFound (no such parent),
        and Conflict if there is one, in whatever letter case."""
        realm = _checked(path)
        while True:
            value = await self._configuration.get(DOCUMENT)
            known = dict.fromkeys((*self._declared, *paths_in(value)))
            if realm.casefold() in {name.casefold() for name in known}:
                raise Conflict(f"there is a realm {shown(realm)} already")
            if parent_of(realm) not in known:
                raise NotFound(f"there is no realm {shown(parent_of(realm))} to make it in")
            if len(known) >= MAX_REALMS:
                raise Conflict(f"there are {MAX_REALMS} realms, which is the most there can be")
            await self._prepare(realm)
            if await self._configuration.swap(DOCUMENT, value, _written([*paths_in(value), realm])):
                # once more: a delete under way may have undone it
                await self._prepare(realm)
                await self.refresh()
                return realm

    async def delete(self, realm: str) -> None:
        """Raises NotFound, and Conflict while something is left in it."""
        while True:
            value = await self._configuration.get(DOCUMENT)
            made = paths_in(value)
            if realm not in made:
                if realm in self._declared:
                    raise Conflict("this realm is declared in the settings; remove it there")
                raise NotFound(f"there is no realm {shown(realm)}")
            await self._require_empty(realm, (*self._declared, *made))
            rest = [path for path in made if path != realm]
            if await self._configuration.swap(DOCUMENT, value, _written(rest)):
                await self.refresh()
                await self._forget(realm)
                return

    async def _require_empty(self, realm: str, known: Iterable[str]) -> None:
        if any(parent_of(path) == realm for path in known if path != ROOT_REALM):
            raise Conflict("there are realms in this realm; delete them first")
        if any(document.realm == realm for document in await self._instances.list()):
            raise Conflict("instances are published in this realm; delete them first")
        if await self._users.list(realm):
            raise Conflict("there are users in this realm; delete them first")
        if await self._factors.list(realm):
            raise Conflict("there are second factors in this realm; remove them first")
        if await issuers.kept(self._configuration).stands(realm):
            raise Conflict("this realm trusts issuers of tokens; delete them first")
        if await authorities.kept(self._configuration).stands(realm):
            raise Conflict("this realm has certificate authorities; delete them first")
        if await authentication.kept(self._configuration).stands(realm):
            raise Conflict("this realm has authentication modules or chains; delete them first")


def parent_of(realm: str) -> str:
    """The realm around a realm; the root realm's is itself."""
    return realm.rpartition("/")[0] or ROOT_REALM


def _checked(path: str) -> str:
    realm = normal_realm(path)
    segments = realm.split("/")[1:]
    if realm == ROOT_REALM or len(realm) > MAX_PATH_LENGTH:
        raise InvalidRequest(f"a realm's path has 1 to {MAX_PATH_LENGTH} characters, as in /sales")
    if unicodedata.normalize("NFKC", realm) != realm:
        raise InvalidRequest("write the realm's name in normal form (Unicode NFKC)")
    if not all(_NAME.fullmatch(segment) and set(segment) != {"."} for segment in segments):
        raise InvalidRequest("a realm's name is made of letters, digits, . _ - and single blanks")
    if {segment.lower() for segment in segments} & RESERVED_REALMS:
        raise InvalidRequest(f"the names {', '.join(sorted(RESERVED_REALMS))} are taken")
    return realm


def paths_in(value: bytes | None) -> tuple[str, ...]:
    if value is None:
        return ()
    try:
        return tuple(str(row["path"]) for row in orjson.loads(value)["realms"])
    except (ValueError, KeyError, TypeError):
        raise Unavailable("the store cannot be read", detail="its realms are broken") from None


def _written(paths: Iterable[str]) -> bytes:
    body: dict[str, Any] = {"realms": [{"path": path} for path in sorted(paths)]}
    return orjson.dumps(body)
