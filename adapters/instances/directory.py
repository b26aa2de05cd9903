"""The published instances of a broker: documents in the store, compiled ones in memory.

A compiled instance is used as long as the store's generation stands still; then its document is
looked at, and compiled anew if it is another one. So an update made by any worker is seen by the
next request of every other. The keys that brokers share are under the same generation, and are
caught up with before a request sees the new one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from adapters.instances import forgerock, own_keys, wire_rules
from adapters.instances.checking import Checked, Checking
from adapters.instances.own_keys import SharedKeys
from adapters.keys.ring_changes import NO_NEEDS, KeyNeeds
from broker.algorithms import DEFAULT_LEGACY
from broker.errors import InvalidInstance, PreconditionFailed, UnknownInstance
from broker.events import InstanceDeleted, InstancePublished, InstanceUpdated
from broker.instance import Instance, PlugInCheck, no_plug_ins
from broker.model import InstanceDocument
from broker.policy import shown
from broker.ports import Clock, EventSink, InstanceStore
from broker.registry import Registry

MAX_CACHED = 16_384
COMPILED_AT_ONCE = 50
"""How many instances are compiled before requests get their turn."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A compiled instance, the generation of the store in which it was still that one, and the
    digest of its document: a revision is short enough for two documents to be made that share it.
    """

    instance: Instance
    generation: int
    digest: bytes


class InstanceDirectory:
    """Resolves instances for requests; publishes, updates and deletes them for administrators.

    ``realm_exists`` says whether an instance may live in a realm. ``revision_key`` is shared by the
    brokers of a store. ``refresh`` catches up with what else is under the store's generation; False
    if that could not be done.
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
        revision_key: bytes,
        allow_legacy: frozenset[str] = DEFAULT_LEGACY,
        plug_in_problem: PlugInCheck = no_plug_ins,
        refresh: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._registry = registry
        self._keys = keys
        self._events = events
        self._clock = clock
        self._checking = Checking(
            registry, keys, realm_exists, allow_legacy, plug_in_problem, revision_key
        )
        self._kept: dict[str, _Kept] = {}
        self._generation = -1
        self._known_needs: dict[str, tuple[str, KeyNeeds]] = {}
        self._needs: Mapping[str, KeyNeeds] = {}
        self._needs_generation = -1

    async def resolve(self, instance: str) -> Instance:
        """The compiled instance of that id. Raises UnknownInstance."""
        generation = await self._store.generation()
        if generation != self._generation:
            await self._catch_up(generation)
        kept = self._kept.get(instance)
        if kept is not None and kept.generation == generation == self._generation:
            return kept.instance
        return await self._looked_up(instance, generation)

    async def _catch_up(self, generation: int) -> None:
        """Noted only when the keys are those of ``generation`` too: a request that runs meanwhile
        does the same, and none signs with keys that are older than its instance."""
        caught_up = await self._keys.refresh()
        if self._refresh is not None:
            caught_up = await self._refresh() and caught_up
        if caught_up:
            self._generation = generation

    async def _looked_up(self, instance: str, generation: int) -> Instance:
        """What stands in the store now. It is compiled anew only if it was changed itself."""
        document = await self._store.get(instance)
        if document is None:
            self._kept.pop(instance, None)
            raise UnknownInstance(f"no instance is published at {shown(instance)}")
        kept, digest = self._kept.pop(instance, None), _digest(document)
        if kept is not None and kept.digest == digest:
            found, complete = kept.instance, True
        else:
            compiled_now = self._checking.compiled(document)
            found, complete = await own_keys.ready(self._keys, compiled_now)
        if complete:  # else the next request tries again to read the key store
            if len(self._kept) >= MAX_CACHED:
                del self._kept[next(iter(self._kept))]
            # A newer generation that has begun meanwhile has the next request look again.
            self._kept[instance] = _Kept(found, generation, digest)
        return found

    async def publish(self, state: Mapping[str, Any]) -> InstanceDocument:
        """Publish a new instance. Raises InvalidInstance, NotFound (realm), AlreadyPublished."""
        checked = await self._checking.checked(
            forgerock.with_kept_secrets(state, None), wire_rules.missing(state)
        )
        await self._prepare_keys(checked)
        await self._create(checked.document)
        return checked.document

    async def update(
        self, instance: str, state: Mapping[str, Any], expected: str | None = None
    ) -> InstanceDocument:
        """Replace an instance; ``expected`` is the revision the caller saw.

        Raises UnknownInstance, InvalidInstance, PreconditionFailed.
        """
        old = await self._required(instance)
        if expected is not None and expected != old.revision:
            raise PreconditionFailed("the instance was changed since that revision was read")
        draft, _ = forgerock.decode(state)
        if draft.realm != old.realm:
            # Before anything is looked up: keys of another realm are none of the caller's business.
            said = f"this instance is in the realm {shown(old.realm)}; say the same here"
            raise InvalidInstance([("deployment-realm", said)])
        checked = await self._checking.checked(
            forgerock.with_kept_secrets(state, old.body), wire_rules.missing(state)
        )
        if checked.document.id != instance:
            raise InvalidInstance(
                [("deployment-url-element", f"the path says {shown(instance)}; say the same here")]
            )
        await self._prepare_keys(checked)
        await self._replace(checked.document, old.revision)
        return checked.document

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
        state = forgerock.with_kept_secrets(forgerock.encode(draft), None)
        checked = await self._checking.checked(state)
        document = checked.document
        old = await self._store.get(document.id)
        await self._prepare_keys(checked)
        if old is not None and old.body == document.body:
            return False
        if old is None:
            await self._create(document)
        else:
            await self._replace(document, None)
        return True

    async def key_needs(self) -> Mapping[str, KeyNeeds]:
        """What the published instances of each realm ask of its keys, for ``KeyRing.tend``.

        Only those that were changed since the last time are looked into."""
        generation = await self._store.generation()
        if generation != self._needs_generation:
            needs: dict[str, KeyNeeds] = {}
            known: dict[str, tuple[str, KeyNeeds]] = {}
            for number, document in enumerate(await self._store.list()):
                if number % COMPILED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                asked = self._needs_of(document)
                known[document.id] = document.revision, asked
                needs[document.realm] = needs.get(document.realm, NO_NEEDS).joined(asked)
            self._known_needs = known
            self._needs, self._needs_generation = needs, generation
        return self._needs

    def _needs_of(self, document: InstanceDocument) -> KeyNeeds:
        known = self._known_needs.get(document.id)
        if known is not None and known[0] == document.revision:
            return known[1]
        try:
            return self._asked(self._checking.compiled(document))
        except InvalidInstance:  # it issues nothing, and keeps its keys until it is repaired
            draft, _ = forgerock.decode(document.body)
            return replace(own_keys.needs(draft, 0), algorithms=frozenset())

    def _asked(self, instance: Instance) -> KeyNeeds:
        # Tokens of an instance's own types are neither signed here nor kept.
        lifetimes = (
            self._registry.provider_for(instance, output).lifetime_seconds(instance)
            for output in instance.outputs - instance.custom_providers.keys()
        )
        return own_keys.needs(instance, max(lifetimes, default=0))

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

    async def _prepare_keys(self, checked: Checked) -> None:
        """Before it is stored: the realm's keys are there, and outlive what it will issue."""
        asked = self._asked(checked.instance)
        await own_keys.prepare(self._keys, checked.instance, asked, checked.keys)


def _digest(document: InstanceDocument) -> bytes:
    """Of all that an instance is compiled from; its revision is shown with it."""
    said = orjson.dumps([document.revision, document.body], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).digest()
