"""Stores in plain dictionaries: for one process, and to show what each port means.

No method awaits anything on its way, which makes each of them one atomic step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adapters.keys.deployment import Deployment, DeploymentKey
from adapters.stores import (
    EVENTS_KEPT,
    TOUCH_SECONDS,
    Stores,
)
from adapters.stores.memory_attempts import MemoryAttempts
from adapters.stores.memory_factors import MemoryFactors
from adapters.stores.memory_ledger import MemoryLedger
from adapters.stores.memory_outbox import MemoryJournal, MemoryOutbox
from broker.errors import (
    AlreadyPublished,
    PreconditionFailed,
    UnknownInstance,
)
from broker.model import (
    Announcement,
    InstanceDocument,
    Secret,
    Session,
    TokenRecord,
    User,
)
from broker.ports import TokenQuery


def open_memory(events_kept: int = EVENTS_KEPT) -> Stores:
    """Empty stores; the ledger and the tokens share their records, and all share one outbox."""
    records: dict[str, TokenRecord] = {}
    outbox = MemoryOutbox()
    instances = MemoryInstances(outbox)
    return Stores(
        tokens=MemoryTokens(records, outbox),
        ledger=MemoryLedger(records, outbox),
        replays=MemoryReplays(),
        sessions=MemorySessions(),
        instances=instances,
        users=MemoryUsers(),
        factors=MemoryFactors(),
        attempts=MemoryAttempts(),
        configuration=MemoryConfiguration(instances, outbox),
        outbox=outbox,
        journal=MemoryJournal(events_kept),
        deployment=Deployment(DeploymentKey.random(), "memory"),
    )


class MemoryTokens:
    """TokenStore."""

    def __init__(self, records: dict[str, TokenRecord], outbox: MemoryOutbox) -> None:
        self._records = records
        self._outbox = outbox

    async def get(self, alias: str) -> TokenRecord | None:
        return self._records.get(alias)

    async def query(self, query: TokenQuery) -> list[TokenRecord]:
        wanted = (
            record
            for record in self._records.values()
            if query.instance in (None, record.instance)
            and query.principal in (None, record.principal)
            and query.realm in (None, record.realm)
            and query.key_id in (None, record.key_id)
            and query.parent in (None, record.parent)
            and (query.after is None or record.alias > query.after)
        )
        return sorted(wanted, key=lambda record: record.alias)[: query.limit]

    async def cancel(self, alias: str, announcement: Announcement | None = None) -> bool:
        if self._records.pop(alias, None) is None:
            return False
        self._outbox.put(announcement)
        return True

    async def reap(
        self, now: float, announce: Callable[[TokenRecord], Announcement | None] | None = None
    ) -> list[TokenRecord]:
        expired = [record for record in self._records.values() if record.expires_at <= now]
        for record in expired:
            if announce is not None:
                self._outbox.put(announce(record))
            del self._records[record.alias]
        return expired


class MemoryReplays:
    """ReplayCache."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[str, float]] = {}

    async def spend(self, token: str, owner: str, until: float) -> bool:
        first_owner, known_until = self._spent.get(token, (owner, until))
        if first_owner != owner:
            return False
        self._spent[token] = (owner, max(known_until, until))
        return True

    async def reap(self, now: float) -> int:
        ended = [token for token, (_, until) in self._spent.items() if until <= now]
        for token in ended:
            del self._spent[token]
        return len(ended)


class MemorySessions:
    """SessionStore."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    async def put(self, session: Session) -> None:
        self._sessions[session.id.reveal()] = session

    async def get(self, session_id: Secret) -> Session | None:
        return self._sessions.get(session_id.reveal())

    async def touch(self, session_id: Secret, now: int) -> None:
        session = self._sessions.get(session_id.reveal())
        if session is None or session.expired(now):
            return
        if now - session.last_access_at >= TOUCH_SECONDS:
            self._sessions[session_id.reveal()] = replace(session, last_access_at=now)

    async def end(self, session_id: Secret) -> bool:
        return self._sessions.pop(session_id.reveal(), None) is not None

    async def reap(self, now: float) -> int:
        expired = [key for key, session in self._sessions.items() if session.expired(now)]
        for key in expired:
            del self._sessions[key]
        return len(expired)


class MemoryInstances:
    """InstanceStore."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        self._outbox = outbox
        self._documents: dict[str, InstanceDocument] = {}
        self._generation = 0

    async def generation(self) -> int:
        return self._generation

    async def create(
        self, document: InstanceDocument, announcement: Announcement | None = None
    ) -> None:
        if document.id.casefold() in self._documents:
            raise AlreadyPublished("an instance is published under that name")
        self._keep(document, announcement)

    async def replace(
        self,
        document: InstanceDocument,
        expected: str | None,
        announcement: Announcement | None = None,
    ) -> None:
        present = await self.get(document.id)
        if present is None:
            raise UnknownInstance("no instance is published under that name")
        _same_revision(present, expected)
        self._keep(document, announcement)

    async def get(self, instance: str) -> InstanceDocument | None:
        document = self._documents.get(instance.casefold())
        return document if document is not None and document.id == instance else None

    async def list(self) -> list[InstanceDocument]:
        return sorted(self._documents.values(), key=lambda document: document.id)

    async def delete(
        self, instance: str, expected: str | None, announcement: Announcement | None = None
    ) -> bool:
        present = await self.get(instance)
        if present is None:
            return False
        _same_revision(present, expected)
        del self._documents[instance.casefold()]
        self._outbox.put(announcement)
        self.changed()
        return True

    def changed(self) -> None:
        self._generation += 1

    def _keep(self, document: InstanceDocument, announcement: Announcement | None) -> None:
        self._documents[document.id.casefold()] = document
        self._outbox.put(announcement)
        self.changed()


class MemoryConfiguration:
    """ConfigurationStore."""

    def __init__(self, instances: MemoryInstances, outbox: MemoryOutbox) -> None:
        self._instances = instances
        self._outbox = outbox
        self._documents: dict[str, bytes] = {}

    async def generation(self) -> int:
        return await self._instances.generation()

    async def get(self, name: str) -> bytes | None:
        return self._documents.get(name)

    async def swap(
        self,
        name: str,
        expected: bytes | None,
        value: bytes | None,
        announcement: Announcement | None = None,
    ) -> bool:
        if self._documents.get(name) != expected:
            return False
        if value is None:
            self._documents.pop(name, None)
        else:
            self._documents[name] = value
        self._outbox.put(announcement)
        self._instances.changed()
        return True

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        return {
            name: value
            for name, value in sorted(self._documents.items())
            if name.startswith(prefix)
        }


def _same_revision(present: InstanceDocument, expected: str | None) -> None:
    if expected is not None and expected != present.revision:
        raise PreconditionFailed("the instance has changed since; read it again")


class MemoryUsers:
    """UserStore."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, str], User] = {}

    async def get(self, realm: str, name: str) -> User | None:
        return self._users.get((realm, name))

    async def put(self, user: User) -> None:
        self._users[user.realm, user.name] = user

    async def create(self, user: User) -> bool:
        if (user.realm, user.name) in self._users:
            return False
        await self.put(user)
        return True

    async def delete(self, realm: str, name: str) -> bool:
        return self._users.pop((realm, name), None) is not None

    async def list(self, realm: str) -> list[User]:
        found = [user for (place, _), user in self._users.items() if place == realm]
        return sorted(found, key=lambda user: user.name)
