"""The request ledger in SQLite: each step one transaction under the write lock.

Claims and answers are sealed here, on the way in and out, bound to the request they belong to.
"""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import replace

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores import ABANDONED_CLAIM_SECONDS, REAP_CHUNK, TOMBSTONE_SECONDS
from adapters.stores.sealing import opened, plain
from adapters.stores.sqlite_connection import Database, Row
from adapters.stores.sqlite_tokens import add_record, reaped_in_chunks
from broker.errors import ClaimLost, Gone, RequestConflict, RequestInProgress
from broker.model import Answer, Claim, TokenRecord

_FIND = (
    "SELECT fingerprint, epoch, lease_until, token_id, issued_at, expires_at, key_id, entropy, "
    "answer, answer_until FROM requests WHERE scope = ? AND request_id = ?"
)
_INSERT = (
    "INSERT INTO requests (scope, request_id, fingerprint, owner, epoch, lease_until, token_id, "
    "issued_at, expires_at, key_id, entropy, forget_at) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"
)
_TAKE_OVER = (
    "UPDATE requests SET owner = ?, epoch = epoch + 1, lease_until = ?, forget_at = ? "
    "WHERE scope = ? AND request_id = ?"
)
_COMMIT = (
    "UPDATE requests SET answer = ?, answer_until = ?, forget_at = ? "
    "WHERE scope = ? AND request_id = ? AND epoch = ? AND answer_until IS NULL"
)
_RELEASE = (
    "UPDATE requests SET lease_until = 0 "
    "WHERE scope = ? AND request_id = ? AND epoch = ? AND answer_until IS NULL"
)
_FETCH = "SELECT answer, answer_until, fingerprint FROM requests WHERE scope = ? AND request_id = ?"
_END = (
    "UPDATE requests SET answer = NULL WHERE rowid IN (SELECT rowid FROM requests "
    "WHERE answer IS NOT NULL AND answer_until <= ? LIMIT ?)"
)
_FORGET = (
    "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE forget_at <= ? LIMIT ?)"
)


class SqliteLedger:
    """RequestLedger."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def claim(self, proposal: Claim, now: float, lease_seconds: float) -> Claim | Answer:
        if not proposal.stored:
            return proposal
        sealed_entropy = self._sealer.seal(proposal.entropy, _place("entropy", proposal))
        lease_until = now + lease_seconds

        def work(connection: sqlite3.Connection) -> Row | None:
            return _claimed(connection, proposal, sealed_entropy, now, lease_until)

        row = await self._database.write(work)
        if row is None:
            return replace(proposal, epoch=1)
        _, epoch, _, token_id, issued_at, expires_at, key_id, entropy, answer, _ = row
        if answer is not None:
            return self._answer(answer, _place("answer", proposal))
        return replace(
            proposal,
            token_id=token_id,
            issued_at=issued_at,
            expires_at=expires_at,
            key_id=key_id,
            entropy=opened(self._sealer, entropy, _place("entropy", proposal)),
            epoch=epoch + 1,
        )

    async def commit(
        self, claim: Claim, record: TokenRecord | None, answer: Answer, answer_until: float
    ) -> None:
        if not claim.stored and record is None:
            return
        sealed = b""
        if claim.stored:
            sealed = self._sealer.seal(_written(answer), _place("answer", claim))

        def work(connection: sqlite3.Connection) -> None:
            if claim.stored:
                done = connection.execute(
                    _COMMIT,
                    (sealed, answer_until, answer_until + TOMBSTONE_SECONDS, *_held(claim)),
                )
                if not done.rowcount:
                    raise ClaimLost("another worker took this request over")
            if record is not None:
                add_record(connection, record)

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

        forgotten = await reaped_in_chunks(self._database, forget)
        return forgotten + await reaped_in_chunks(self._database, end)

    def _answer(self, sealed: bytes, place: bytes) -> Answer:
        status, body, token_id, expires_at = orjson.loads(opened(self._sealer, sealed, place))
        return Answer(status, body, token_id, expires_at)


def _claimed(
    connection: sqlite3.Connection,
    proposal: Claim,
    sealed_entropy: bytes,
    now: float,
    lease_until: float,
) -> Row | None:
    """None for a first claim; else the row that was there, to be answered from or taken over.

    Raises RequestConflict, Gone, RequestInProgress.
    """
    forget_at = lease_until + ABANDONED_CLAIM_SECONDS
    key = (proposal.scope, proposal.request_id)
    rows: list[Row] = connection.execute(_FIND, key).fetchall()
    if not rows:
        made = (lease_until, proposal.token_id, proposal.issued_at, proposal.expires_at)
        connection.execute(
            _INSERT,
            (
                *key,
                proposal.fingerprint,
                proposal.owner,
                *made,
                proposal.key_id,
                sealed_entropy,
                forget_at,
            ),
        )
        return None
    row = rows[0]
    fingerprint, leased_until, answer, answer_until = row[0], row[2], row[8], row[9]
    _same_request(fingerprint, proposal.fingerprint)
    if answer_until is not None:
        if answer is None or answer_until <= now:
            raise Gone("the answer to this request is not kept any more")
        return row
    # A lease from beyond one lease's length means that the clock went back: it proves nothing.
    if now < leased_until <= lease_until:
        raise RequestInProgress("this request is being worked on")
    connection.execute(_TAKE_OVER, (proposal.owner, lease_until, forget_at, *key))
    return row


def _same_request(stored: bytes, fingerprint: bytes) -> None:
    if not hmac.compare_digest(stored, fingerprint):
        raise RequestConflict("this request id was used for a different request")


def _place(what: str, claim: Claim) -> bytes:
    """The context that a value is sealed for, written so that no two places look the same."""
    return plain([what, claim.scope, claim.request_id])


def _held(claim: Claim) -> tuple[object, ...]:
    return claim.scope, claim.request_id, claim.epoch


def _written(answer: Answer) -> bytes:
    return plain([answer.status, answer.body, answer.token_id, answer.expires_at])
