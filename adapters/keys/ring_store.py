"""Where the rings of keys are kept: read when something changed, replaced by compare-and-set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from adapters.keys.realm_keys import RealmKeys
from adapters.keys.ring_document import RingDocument
from adapters.keys.signers import Run
from broker.errors import Unavailable
from broker.events import Event
from broker.model import ROOT_REALM, Announcement
from broker.ports import ConfigurationStore, EventSink

PREFIX = "keys/"
MAX_ATTEMPTS = 100
"""How often a change is tried anew because another broker was faster."""

Step = Callable[[RingDocument], Awaitable[RingDocument]]
Fact = Callable[[RingDocument], Event | None]
"""What it means for the world that a document stands."""

_log = structlog.get_logger(__name__)


def document_name(realm: str) -> str:
    """``keys/`` for the root realm, ``keys/fred/bobo`` for ``/fred/bobo``."""
    return PREFIX + realm.removeprefix(ROOT_REALM)


class RingStore:
    """The rings of all realms. ``margin`` is that of ``ring_changes``, in seconds."""

    def __init__(
        self,
        configuration: ConfigurationStore,
        run: Run,
        margin: float,
        events: EventSink | None = None,
    ) -> None:
        self._configuration = configuration
        self._run = run
        self._margin = margin
        self._events = events
        self._realms: Mapping[str, RealmKeys] = {}
        self._kids: frozenset[str] = frozenset()
        self._kids_of: Mapping[str, RealmKeys] = self._realms
        self._generation: int | None = None
        self._changes = 0
        self._reloading: asyncio.Task[None] | None = None
        self._reachable = True

    @property
    def realms(self) -> Mapping[str, RealmKeys]:
        return self._realms

    def knows(self, kid: str) -> bool:
        """Whether a key of that name is in any ring; asked for each token that comes in."""
        if self._kids_of is not self._realms:  # a change makes another mapping
            realms = self._realms
            self._kids = frozenset(kid for ring in realms.values() for kid in ring.kids())
            self._kids_of = realms
        return kid in self._kids

    @property
    def generation(self) -> int | None:
        """The store's, as it was when the rings were read; None before that."""
        return self._generation

    async def refresh(self) -> bool:
        """See what other brokers changed; False if the store could not be asked."""
        try:
            while (generation := await self._configuration.generation()) != self._generation:
                await self._reloaded(generation)
        except Unavailable as error:
            if self._reachable:  # said once, and not at each of a thousand requests
                _log.warning("working with the keys that are known", reason=error.sentence)
            self._reachable = False
            return False
        self._reachable = True
        return True

    async def changed(
        self, realm: str, step: Step, fact: Fact | None = None
    ) -> tuple[RealmKeys, bool]:
        """The realm's keys after ``step``, and whether it changed them. ``step`` may be called
        again with a newer document. ``fact`` is announced in one step with the change.

        Raises Unavailable, and what ``step`` raises.
        """
        name = document_name(realm)
        for _ in range(MAX_ATTEMPTS):
            raw = await self._configuration.get(name)
            document = RingDocument.read(raw)
            wanted = await step(document)
            if wanted == document:
                return self._adopted(realm, raw), False
            value = wanted.written()
            announcement = self._announcement(fact(wanted) if fact is not None else None)
            if await self._configuration.swap(name, raw, value, announcement):
                if self._events is not None:
                    self._events.announce(announcement)
                return self._adopted(realm, value), True
        raise Unavailable("other brokers are changing the keys; ask again shortly")

    async def forget(self, realm: str) -> None:
        """Remove the realm's keys for good. Raises Unavailable."""
        name = document_name(realm)
        while (raw := await self._configuration.get(name)) is not None:
            if await self._configuration.swap(name, raw, None):
                break
        self._changes += 1
        self._realms = {path: keys for path, keys in self._realms.items() if path != realm}

    def _announcement(self, event: Event | None) -> Announcement | None:
        if event is None or self._events is None:
            return None
        return self._events.prepare(event)

    def _adopted(self, realm: str, raw: bytes | None) -> RealmKeys:
        keys = self._parsed(realm, raw)
        self._changes += 1
        self._realms = {**self._realms, realm: keys}
        return keys

    def _parsed(self, realm: str, raw: bytes | None) -> RealmKeys:
        known = self._realms.get(realm)
        if known is not None and known.raw == raw:
            return known
        return RealmKeys(raw, self._run, self._margin, known)

    async def _reloaded(self, generation: int) -> None:
        """Many requests wait for one look, and one that is cancelled takes it from nobody."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload(generation))
            self._reloading.add_done_callback(_heard)
        await asyncio.shield(self._reloading)

    async def _reload(self, generation: int) -> None:
        while True:
            changes = self._changes
            documents = await self._configuration.list(PREFIX)
            if changes == self._changes:  # else what was listed may be older than what is known
                break
        self._realms = {
            realm: keys
            for name, raw in documents.items()
            if (keys := self._readable(realm := ROOT_REALM + name.removeprefix(PREFIX), raw))
        }
        self._generation = generation

    def _readable(self, realm: str, raw: bytes) -> RealmKeys | None:
        """A document that cannot be read never takes the place of a good one."""
        try:
            return self._parsed(realm, raw)
        except Unavailable as error:
            _log.error("cannot read the keys of a realm", realm=realm, reason=error.detail)
            return self._realms.get(realm)


def _heard(task: asyncio.Task[None]) -> None:
    """What went wrong is for those who wait; there may be none left."""
    if not task.cancelled():
        task.exception()
