"""Stores in plain dictionaries: for one process, and to show what each port means.

No method awaits anything on its way, which makes each of them one atomic step.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace

from adapters.keys.deployment import Deployment, DeploymentKey
from adapters.stores import (
    ABANDONED_CLAIM_SECONDS,
    TOMBSTONE_SECONDS,
    TOUCH_SECONDS,
    Stores,
)
from broker.errors import (
    AlreadyPublished,
    ClaimLost,
    Conflict,
    Gone,
    PreconditionFailed,
    RequestConflict,
    RequestInProgress,
    UnknownInstance,
)
from broker.idempotency import over_quota, window_end
from broker.model import (
    Announcement,
    Answer,
    Claim,
    InstanceDocument,
    Secret,
    Session,
    TokenRecord,
    User,
)
from broker.ports import TokenQuery


def open_memory() -> Stores:
    """Empty stores; the ledger and the tokens share their records."""
    records: dict[str, TokenRecord] = {}
    instances = MemoryInstances()
    return Stores(
        tokens=MemoryTokens(records),
        ledger=MemoryLedger(records),
        replays=MemoryReplays(),
        sessions=MemorySessions(),
        instances=instances,
        users=MemoryUsers(),
        configuration=MemoryConfiguration(instances),
        deployment=Deployment(DeploymentKey.random(), "memory"),
    )


class MemoryTokens:
    """TokenStore."""

    def __init__(self, records: dict[str, TokenRecord]) -> None:
        self._records = records

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
        return self._records.pop(alias, None) is not None

    async def reap(
        self, now: float, announce: Callable[[TokenRecord], Announcement | None] | None = None
    ) -> list[TokenRecord]:
        expired = [record for record in self._records.values() if record.expires_at <= now]
        for record in expired:
            del self._records[record.alias]
        return expired


@dataclass(slots=True)
class _Request:
    """A request in the ledger. Open while ``answer_until`` is None; gone once ``answer`` is."""

    claim: Claim
    lease_until: float
    forget_at: float
    answer: Answer | None = None
    answer_until: float | None = None

    @property
    def done(self) -> bool:
        return self.answer_until is not None


class MemoryLedger:
    """RequestLedger."""

    def __init__(self, records: dict[str, TokenRecord]) -> None:
        self._records = records
        self._requests: dict[tuple[str | None, str | None], _Request] = {}
        self._counted: dict[tuple[str | None, int], int] = {}

    async def claim(
        self, proposal: Claim, now: float, lease_seconds: float, quota: int | None = None
    ) -> Claim | Answer:
        if not proposal.stored:
            return proposal
        key = (proposal.scope, proposal.request_id)
        lease_until = now + lease_seconds
        forget_at = lease_until + ABANDONED_CLAIM_SECONDS
        request = self._requests.get(key)
        if request is None:
            self._count(proposal, now, quota)
            first = replace(proposal, epoch=1)
            self._requests[key] = _Request(first, lease_until, forget_at)
            return first
        _same_request(request.claim, proposal.fingerprint)
        if request.answer_until is not None:
            if request.answer is None or request.answer_until <= now:
                raise Gone("the answer to this request is not kept any more")
            return request.answer
        # A lease from beyond one lease's length means that the clock went back.
        earlier = request.claim
        if now < request.lease_until <= lease_until:
            if earlier.owner != proposal.owner:
                raise RequestInProgress("this request is being worked on")
            request.lease_until, request.forget_at = lease_until, forget_at
            return earlier
        request.claim = replace(earlier, owner=proposal.owner, epoch=earlier.epoch + 1)
        request.lease_until, request.forget_at = lease_until, forget_at
        return request.claim

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        announcement: Announcement | None = None,
    ) -> None:
        request = self._held(claim) if claim.stored else None
        if claim.stored and request is None:
            raise ClaimLost("another worker took this request over")
        if record is not None:
            known = self._records.setdefault(record.alias, record)
            if known.token_id != record.token_id:
                raise Conflict("another token has this id", detail=f"alias {record.alias}")
            if claim.stored:
                self._records[record.alias] = record
        if request is not None:
            request.answer, request.answer_until = answer, answer_until
            request.forget_at = max(answer_until + TOMBSTONE_SECONDS, answer.expires_at or 0)

    async def release(self, claim: Claim) -> None:
        request = self._held(claim)
        if request is not None:
            request.lease_until = 0.0

    async def fetch(
        self, scope: str, request_id: str, now: float, fingerprint: bytes | None = None
    ) -> Answer | None:
        request = self._requests.get((scope, request_id))
        if request is None:
            return None
        if fingerprint is not None:
            _same_request(request.claim, fingerprint)
        if request.answer_until is None:
            return None
        if request.answer is None or request.answer_until <= now:
            raise Gone("the answer to this request is not kept any more")
        return request.answer

    async def reap(self, now: float) -> int:
        for window in [window for window in self._counted if window[1] <= now]:
            del self._counted[window]
        changed = 0
        for key, request in list(self._requests.items()):
            if request.forget_at <= now:
                del self._requests[key]
                changed += 1
            elif (
                request.answer is not None
                and request.answer_until is not None
                and request.answer_until <= now
            ):
                request.answer = None
                changed += 1
        return changed

    def _held(self, claim: Claim) -> _Request | None:
        """The open request that ``claim`` still holds."""
        request = self._requests.get((claim.scope, claim.request_id))
        if request is None or request.done:
            return None
        known = request.claim
        return request if (known.epoch, known.owner) == (claim.epoch, claim.owner) else None

    def _count(self, proposal: Claim, now: float, quota: int | None) -> None:
        """One more new request of its scope; raises TooManyAttempts if it has had its share."""
        if quota is None:
            return
        window = (proposal.scope, window_end(now))
        used = self._counted.get(window, 0)
        if used >= quota:
            raise over_quota(now)
        self._counted[window] = used + 1


def _same_request(claim: Claim, fingerprint: bytes) -> None:
    if not hmac.compare_digest(claim.fingerprint, fingerprint):
        raise RequestConflict("this request id was used for a different request")


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

    def __init__(self) -> None:
        self._documents: dict[str, InstanceDocument] = {}
        self._generation = 0

    async def generation(self) -> int:
        return self._generation

    async def create(
        self, document: InstanceDocument, announcement: Announcement | None = None
    ) -> None:
        if document.id.casefold() in self._documents:
            raise AlreadyPublished("an instance is published under that name")
        self._keep(document)

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
        self._keep(document)

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
        self.changed()
        return True

    def changed(self) -> None:
        self._generation += 1

    def _keep(self, document: InstanceDocument) -> None:
        self._documents[document.id.casefold()] = document
        self.changed()


class MemoryConfiguration:
    """ConfigurationStore."""

    def __init__(self, instances: MemoryInstances) -> None:
        self._instances = instances
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
