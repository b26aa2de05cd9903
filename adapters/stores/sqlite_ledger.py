"""The request ledger in SQLite: each step one transaction under the write lock.

Claims and answers are sealed here, on the way in and out, bound to the request they belong to.
"""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import replace

from adapters.keys.root_secret import Sealer
from adapters.stores import ABANDONED_CLAIM_SECONDS, REAP_CHUNK, TOMBSTONE_SECONDS, answers
from adapters.stores.sealing import opened, plain
from adapters.stores.sqlite_connection import Database, Row
from adapters.stores.sqlite_outbox import SqliteOutbox, put
from adapters.stores.sqlite_tokens import add_record, reaped_in_chunks
from broker.errors import ClaimLost, Gone, RequestConflict, RequestInProgress
from broker.idempotency import over_quota, window_end
from broker.model import Announcement, Answer, Claim, TokenRecord

_FIND = (
    "SELECT fingerprint, epoch, lease_until, token_id, issued_at, expires_at, key_id, entropy, "
    "answer, answer_until, owner FROM requests WHERE scope = ? AND request_id = ?"
)
_INSERT = (
    "INSERT INTO requests (scope, request_id, fingerprint, owner, epoch, lease_until, token_id, "
    "issued_at, expires_at, key_id, entropy, forget_at) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"
)
_TAKE_OVER = (
    "UPDATE requests SET owner = ?, epoch = epoch + 1, lease_until = ?, forget_at = ? "
    "WHERE scope = ? AND request_id = ?"
)
_RENEW = "UPDATE requests SET lease_until = ?, forget_at = ? WHERE scope = ? AND request_id = ?"
_HELD = "scope = ? AND request_id = ? AND epoch = ? AND owner = ? AND answer_until IS NULL"
_COMMIT = (
    "UPDATE requests SET answer = ?, answer_until = ?, forget_at = ? "  # noqa: S608 - a constant
    f"WHERE {_HELD}"
)
# An expired token that had the same id: the request was forgotten, and has come again.
_REPLACE = "DELETE FROM tokens WHERE alias = ? AND token_id = ?"
_RELEASE = f"UPDATE requests SET lease_until = 0 WHERE {_HELD}"  # noqa: S608 - a constant
_COUNT = (
    "INSERT INTO quotas (scope, ends_at, used) VALUES (?, ?, 1) "
    "ON CONFLICT DO UPDATE SET used = used + 1 WHERE used < ?"
)
_FETCH = "SELECT answer, answer_until, fingerprint FROM requests WHERE scope = ? AND request_id = ?"
_END = (
    "UPDATE requests SET answer = NULL WHERE rowid IN (SELECT rowid FROM requests "
    "WHERE answer IS NOT NULL AND answer_until <= ? LIMIT ?)"
)
_FORGET = (
    "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE forget_at <= ? LIMIT ?)"
)
_END_WINDOWS = (
    "DELETE FROM quotas WHERE (scope, ends_at) IN "
    "(SELECT scope, ends_at FROM quotas WHERE ends_at <= ? LIMIT ?)"
)


class SqliteLedger:
    """RequestLedger."""

    def __init__(self, database: Database, sealer: Sealer, outbox: SqliteOutbox) -> None:
        self._database = database
        self._sealer = sealer
        self._outbox = outbox

    async def claim(
        self,
        proposal: Claim,
        now: float,
        lease_seconds: float,
        quota: int | None = None,
        quota_scope: str | None = None,
    ) -> Claim | Answer:
        if not proposal.stored:
            return proposal
        sealed_entropy = self._sealer.seal(proposal.entropy, _place("entropy", proposal))
        lease_until = now + lease_seconds

        def work(connection: sqlite3.Connection) -> tuple[int, Row | None]:
            row = _found(connection, proposal, now)
            if row is None:
                _count(connection, quota_scope or proposal.scope, now, quota)
                _insert(connection, proposal, sealed_entropy, lease_until)
                return 1, None
            return _lease(connection, proposal, row, now, lease_until), row

        epoch, row = await self._database.write(work)
        if row is None:
            return replace(proposal, epoch=epoch)
        _, _, _, token_id, issued_at, expires_at, key_id, entropy, answer, *_ = row
        if answer is not None:
            return self._answer(answer, _place("answer", proposal))
        return replace(
            proposal,
            token_id=token_id,
            issued_at=issued_at,
            expires_at=expires_at,
            key_id=key_id,
            entropy=opened(self._sealer, entropy, _place("entropy", proposal)),
            epoch=epoch,
        )

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        announcement: Announcement | None = None,
    ) -> None:
        if not claim.stored and record is None and announcement is None:
            return
        announced = self._outbox.row(announcement)
        sealed = b""
        if claim.stored:
            sealed = self._sealer.seal(answers.written(answer), _place("answer", claim))

        def work(connection: sqlite3.Connection) -> None:
            if claim.stored:
                forget_at = max(answer_until + TOMBSTONE_SECONDS, answer.expires_at or 0)
                done = connection.execute(_COMMIT, (sealed, answer_until, forget_at, *_held(claim)))
                if not done.rowcount:
                    raise ClaimLost("another worker took this request over")
            if record is not None:
                if claim.stored:
                    connection.execute(_REPLACE, (record.alias, record.token_id))
                add_record(connection, record)
            put(connection, announced)

        await self._database.write(work)

    async def release(self, claim: Claim) -> None:
        if not claim.stored:
            return

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_RELEASE, _held(claim))

        await self._database.write(work)

    async def fetch(
        self, scope: str, request_id: str, now: float, fingerprint: bytes | None = None
    ) -> Answer | None:
        row = self._database.row(_FETCH, (scope, request_id))
        if row is None:
            return None
        if fingerprint is not None:
            _same_request(row[2], fingerprint)
        if row[1] is None:
            return None
        if row[0] is None or row[1] <= now:
            raise Gone("the answer to this request is not kept any more")
        return self._answer(row[0], plain(["answer", scope, request_id]))

    async def reap(self, now: float) -> int:
        def end(connection: sqlite3.Connection) -> int:
            return connection.execute(_END, (now, REAP_CHUNK)).rowcount

        def forget(connection: sqlite3.Connection) -> int:
            return connection.execute(_FORGET, (now, REAP_CHUNK)).rowcount

        def end_windows(connection: sqlite3.Connection) -> int:
            return connection.execute(_END_WINDOWS, (now, REAP_CHUNK)).rowcount

        await reaped_in_chunks(self._database, end_windows)
        forgotten = await reaped_in_chunks(self._database, forget)
        return forgotten + await reaped_in_chunks(self._database, end)

    def _answer(self, sealed: bytes, place: bytes) -> Answer:
        return answers.read(opened(self._sealer, sealed, place))


def _found(connection: sqlite3.Connection, proposal: Claim, now: float) -> Row | None:
    """What is known of the request, open or answered; raises RequestConflict, Gone."""
    rows: list[Row] = connection.execute(_FIND, (proposal.scope, proposal.request_id)).fetchall()
    if not rows:
        return None
    row = rows[0]
    _same_request(row[0], proposal.fingerprint)
    answer, answer_until = row[8], row[9]
    if answer_until is not None and (answer is None or answer_until <= now):
        raise Gone("the answer to this request is not kept any more")
    return row


def _count(
    connection: sqlite3.Connection, scope: str | None, now: float, quota: int | None
) -> None:
    """One more new request of the scope; raises TooManyAttempts if it has had its share."""
    if quota is None:
        return
    if not connection.execute(_COUNT, (scope, window_end(now), quota)).rowcount:
        raise over_quota(now)


def _insert(
    connection: sqlite3.Connection, proposal: Claim, sealed_entropy: bytes, lease_until: float
) -> None:
    connection.execute(
        _INSERT,
        (
            proposal.scope,
            proposal.request_id,
            proposal.fingerprint,
            proposal.owner,
            lease_until,
            proposal.token_id,
            proposal.issued_at,
            proposal.expires_at,
            proposal.key_id,
            sealed_entropy,
            lease_until + ABANDONED_CLAIM_SECONDS,
        ),
    )


def _lease(
    connection: sqlite3.Connection, proposal: Claim, row: Row, now: float, lease_until: float
) -> int:
    """The epoch under which the request is ours to do, if it is open. Raises RequestInProgress."""
    epoch, leased_until, answer_until, owner = row[1], row[2], row[9], row[10]
    if answer_until is not None:
        return int(epoch)
    until = (lease_until, lease_until + ABANDONED_CLAIM_SECONDS)
    key = (proposal.scope, proposal.request_id)
    # A lease from beyond one lease's length means that the clock went back: it proves nothing.
    if now < leased_until <= lease_until:
        if owner != proposal.owner:
            raise RequestInProgress("this request is being worked on")
        connection.execute(_RENEW, (*until, *key))
        return int(epoch)
    connection.execute(_TAKE_OVER, (proposal.owner, *until, *key))
    return int(epoch) + 1


def _same_request(stored: bytes, fingerprint: bytes) -> None:
    if not hmac.compare_digest(stored, fingerprint):
        raise RequestConflict("this request id was used for a different request")


def _place(what: str, claim: Claim) -> bytes:
    """The context that a value is sealed for, written so that no two places look the same."""
    return plain([what, claim.scope, claim.request_id])


def _held(claim: Claim) -> tuple[object, ...]:
    return claim.scope, claim.request_id, claim.epoch, claim.owner
