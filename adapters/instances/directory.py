"""The published instances of a broker: documents in the store, compiled ones in memory.

A compiled instance is used as long as the store's generation stands still, so an update made by
any worker is seen by the next request of every other. The keys that brokers share are under the
same generation, and are caught up with before a request sees the new one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import orjson

from adapters.instances import forgerock
from adapters.keys.ring_changes import NO_NEEDS, KeyNeeds
from broker.errors import (
    InvalidInstance,
    KeyUnavailable,
    NotFound,
    PreconditionFailed,
    UnknownInstance,
)
from broker.events import InstanceDeleted, InstancePublished, InstanceUpdated
from broker.instance import ACTIVE_KEY, UNSIGNED, Instance, SigningKey, compiled
from broker.model import InstanceDocument, instance_id
from broker.policy import shown
from broker.ports import Clock, EventSink, InstanceStore, KeySource
from broker.registry import Registry

FORMAT = "forgerock"
MAX_CACHED = 10_000
COMPILED_AT_ONCE = 50
"""How many instances are compiled before requests get their turn."""


class SharedKeys(KeySource, Protocol):
    """Keys that brokers share."""

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked."""

    async def cover_lifetime(self, realm: str, seconds: int, named: Iterable[str] = ()) -> None:
        """Allow for tokens of that lifetime, and keep the keys that are ``named``."""


class InstanceDirectory:
    """Resolves instances for requests; publishes, updates and deletes them for administrators.

    ``realm_exists`` says whether an instance may live in a realm. ``refresh`` catches up with what
    else is under the store's generation; False if that could not be done.
    """

    def __init__(
        self,
        *,
        store: InstanceStore,
        registry: Registry,
        keys: SharedKeys,
        events: EventSink,
        clock: Clock,
        realm_exists: Callable[[str], bool],
        allow_short_hmac: bool = False,
        refresh: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._registry = registry
        self._keys = keys
        self._events = events
        self._clock = clock
        self._realm_exists = realm_exists
        self._allow_short_hmac = allow_short_hmac
        self._compiled: dict[str, Instance] = {}
        self._generation = -1
        self._needs: Mapping[str, KeyNeeds] = {}
        self._needs_generation = -1

    async def resolve(self, instance: str) -> Instance:
        """The compiled instance of that id. Raises UnknownInstance."""
        generation = await self._store.generation()
        if generation != self._generation:
            await self._catch_up(generation)
        found = self._compiled.get(instance)
        if found is None:
            found = await self._compile_stored(instance, generation)
        return found

    async def _catch_up(self, generation: int) -> None:
        """Noted only when the keys are those of ``generation`` too: a request that runs meanwhile
        does the same, and none signs with keys that are older than its instance."""
        caught_up = await self._keys.refresh()
        if self._refresh is not None:
            caught_up = await self._refresh() and caught_up
        self._compiled.clear()
        if caught_up:
            self._generation = generation

    async def _compile_stored(self, instance: str, generation: int) -> Instance:
        document = await self._store.get(instance)
        if document is None:
            raise UnknownInstance(f"no instance is published at {shown(instance)}")
        found = self._compile(document.body, document.revision)
        # While the store was asked, a newer generation may have begun: then this one is not kept.
        if generation == self._generation:
            if len(self._compiled) >= MAX_CACHED:
                self._compiled.clear()
            self._compiled[instance] = found
        return found

    def _compile(self, state: Mapping[str, Any], revision: str) -> Instance:
        draft, problems = forgerock.decode(state)
        try:
            instance = compiled(
                draft,
                known_inputs=self._registry.inputs,
                known_outputs=self._registry.outputs,
                allow_short_hmac=self._allow_short_hmac,
            )
        except InvalidInstance as error:
            problems.extend(forgerock.named(problem) for problem in error.problems)
        if problems:
            raise InvalidInstance(problems)
        return replace(instance, revision=revision)

    async def publish(self, state: Mapping[str, Any]) -> InstanceDocument:
        """Publish a new instance. Raises InvalidInstance, NotFound (realm), AlreadyPublished."""
        document, compiled_instance = self._document(forgerock.with_kept_secrets(state, None))
        await self._prepare_keys(compiled_instance)
        await self._create(document)
        return document

    async def update(
        self, instance: str, state: Mapping[str, Any], expected: str | None = None
    ) -> InstanceDocument:
        """Replace an instance; ``expected`` is the revision the caller saw.

        Raises UnknownInstance, InvalidInstance, PreconditionFailed.
        """
        old = await self._required(instance)
        if expected is not None and expected != old.revision:
            raise PreconditionFailed("the instance was changed since that revision was read")
        document, compiled_instance = self._document(forgerock.with_kept_secrets(state, old.body))
        if document.id != instance:
            raise InvalidInstance(
                [("deployment-url-element", f"the path says {shown(instance)}; say the same here")]
            )
        await self._prepare_keys(compiled_instance)
        await self._replace(document, old.revision)
        return document

    async def delete(self, instance: str, expected: str | None = None) -> InstanceDocument:
        """Raises UnknownInstance, PreconditionFailed."""
        document = await self._required(instance)
        announcement = self._events.prepare(
            InstanceDeleted(self._clock.now(), document.realm, document.id)
        )
        if not await self._store.delete(instance, expected, announcement):
            raise UnknownInstance(f"no instance is published at {shown(instance)}")
        self._events.announce(announcement)
        return document

    async def get(self, instance: str) -> InstanceDocument:
        """Raises UnknownInstance."""
        return await self._required(instance)

    async def list(self) -> list[InstanceDocument]:
        return await self._store.list()

    async def load(self, draft: Instance) -> bool:
        """Publish an instance from a file, or bring it up to date; False if it already was."""
        document, compiled_instance = self._document(forgerock.encode(draft))
        old = await self._store.get(document.id)
        if old is not None and old.revision == document.revision:
            return False
        await self._prepare_keys(compiled_instance)
        if old is None:
            await self._create(document)
        else:
            await self._replace(document, None)
        return True

    async def key_needs(self) -> Mapping[str, KeyNeeds]:
        """What the published instances of each realm ask of its keys, for ``KeyRing.tend``."""
        generation = await self._store.generation()
        if generation != self._needs_generation:
            needs: dict[str, KeyNeeds] = {}
            for number, document in enumerate(await self._store.list()):
                if number % COMPILED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                asked = self._needs_of(document)
                needs[document.realm] = needs.get(document.realm, NO_NEEDS).joined(asked)
            self._needs, self._needs_generation = needs, generation
        return self._needs

    def _needs_of(self, document: InstanceDocument) -> KeyNeeds:
        known = self._compiled.get(document.id)
        if known is not None and known.revision == document.revision:
            return self._asked(known)
        draft, _ = forgerock.decode(document.body)
        try:
            return self._asked(self._compile(document.body, document.revision))
        except InvalidInstance:  # it issues nothing, and keeps its keys until it is repaired
            return KeyNeeds(0, _named(draft))

    def _asked(self, instance: Instance) -> KeyNeeds:
        lifetimes = (
            self._registry.provider(output).lifetime_seconds(instance)
            for output in instance.outputs
        )
        return KeyNeeds(max(lifetimes, default=0), _named(instance))

    async def _create(self, document: InstanceDocument) -> None:
        announcement = self._events.prepare(
            InstancePublished(self._clock.now(), document.realm, document.id, document.revision)
        )
        await self._store.create(document, announcement)
        self._events.announce(announcement)

    async def _replace(self, document: InstanceDocument, expected: str | None) -> None:
        announcement = self._events.prepare(
            InstanceUpdated(self._clock.now(), document.realm, document.id, document.revision)
        )
        await self._store.replace(document, expected, announcement)
        self._events.announce(announcement)

    async def _required(self, instance: str) -> InstanceDocument:
        document = await self._store.get(instance)
        if document is None:
            raise UnknownInstance(f"no instance is published at {shown(instance)}")
        return document

    async def _prepare_keys(self, instance: Instance) -> None:
        """Before it is stored: the realm's keys are to outlive what the instance will issue."""
        asked = self._asked(instance)
        await self._keys.cover_lifetime(instance.realm, asked.lifetime_seconds, asked.key_ids)

    def _document(self, state: Mapping[str, Any]) -> tuple[InstanceDocument, Instance]:
        """What is to be stored, and the same compiled."""
        revision = _revision(state)
        instance = self._compile(state, revision)
        if not self._realm_exists(instance.realm):
            raise NotFound(f"there is no realm {shown(instance.realm)}")
        self._check_keys(instance)
        document = InstanceDocument(
            id=instance_id(instance.realm, instance.url_element),
            realm=instance.realm,
            revision=revision,
            format=FORMAT,
            body=state,
        )
        return document, instance

    def _check_keys(self, instance: Instance) -> None:
        """A key that cannot be found is said to the publisher, before a token is asked for."""
        problems = []
        for name, key in _signing_keys(instance).items():
            try:
                self._keys.key_id(instance.realm, key)
            except KeyUnavailable as error:
                problems.append((f"{name}-signature-key-alias", error.sentence))
        if problems:
            raise InvalidInstance(problems)


def _signing_keys(instance: Instance) -> dict[str, SigningKey]:
    """The keys that an instance names, by the kind of token."""
    saml2 = instance.saml2.signing_key if instance.saml2 else None
    oidc = instance.oidc.signing_key if instance.oidc else None
    named = {"saml2": saml2, "oidc": oidc}
    return {kind: key for kind, key in named.items() if key and key.algorithm != UNSIGNED}


def _named(instance: Instance) -> frozenset[str]:
    """The keys that an instance names by their ``kid``."""
    keys = _signing_keys(instance).values()
    return frozenset(key.alias for key in keys if key.alias != ACTIVE_KEY)


def _revision(state: Mapping[str, Any]) -> str:
    """A signed 32-bit number as text, as ``_rev`` looks on that wire; it stands for the content."""
    digest = hashlib.sha256(orjson.dumps(state, option=orjson.OPT_SORT_KEYS)).digest()
    return str(int.from_bytes(digest[:4], "big", signed=True))
