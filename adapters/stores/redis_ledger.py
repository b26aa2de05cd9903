"""The request ledger in Redis: claim, record and answer of a request stand in one slot.

Claims and answers are sealed here, on the way in and out, bound to the request they belong to.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores import ABANDONED_CLAIM_SECONDS, TOMBSTONE_SECONDS, answers, redis_whole
from adapters.stores.redis_claiming import KIND, Asked
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import REQUEST, TOKEN, bytes_of, key, tag, text_of
from adapters.stores.redis_links import Command
from adapters.stores.redis_outbox import Letter, RedisOutbox, called, sent
from adapters.stores.redis_reaper import reap_due
from adapters.stores.redis_records import (
    Place,
    alias_keys,
    alias_tag,
    identity,
    index_keys,
    index_member,
    index_stems,
    keys_in,
    written,
)
from adapters.stores.redis_schema import function
from adapters.stores.sealing import opened, plain
from broker.errors import (
    ClaimLost,
    Conflict,
    Gone,
    RequestConflict,
    RequestInProgress,
    Unavailable,
)
from broker.idempotency import over_quota, window_end
from broker.model import Announcement, Answer, Claim, TokenRecord


class RedisLedger:
    """RequestLedger."""

    def __init__(
        self, commands: Commands, answers: Sealer, records: Sealer, outbox: RedisOutbox
    ) -> None:
        self._commands = commands
        self._answers = answers
        self._records = records
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
        state, *rest = await self._asked(
            proposal, now, now + lease_seconds, quota, quota_scope or proposal.scope or ""
        )
        match state, rest:
            case b"new", []:
                return replace(proposal, epoch=1)
            case b"taken", [int(epoch), bytes(sealed)]:
                return self._taken_over(proposal, epoch, sealed)
            case b"answer", [bytes(sealed)]:
                return self._answer(sealed, _place("answer", proposal.scope, proposal.request_id))
            case b"conflict", []:
                raise RequestConflict("this request id was used for a different request")
            case b"gone", []:
                raise Gone("the answer to this request is not kept any more")
            case b"busy", []:
                raise RequestInProgress("this request is being worked on")
            case b"over", []:
                raise over_quota(now)
        raise Unavailable("the store cannot be read", detail=f"redis: claim said {state!r}")

    async def _asked(
        self,
        proposal: Claim,
        now: float,
        lease_until: float,
        quota: int | None,
        quota_scope: str,
    ) -> list[Any]:
        """What the function says."""
        words = (
            proposal.fingerprint,
            now,
            lease_until,
            lease_until + ABANDONED_CLAIM_SECONDS,
            self._sealed_claim(proposal),
            proposal.owner,
        )
        asked = Asked(_slot(proposal), proposal.owner, lease_until, words)
        if quota is None:
            return await asked.uncounted(self._commands)
        return await asked.counted(self._commands, quota, quota_scope, window_end(now))

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        announcement: Announcement | None = None,
    ) -> None:
        if claim.stored:
            await self._commit_claimed(claim, record, answer, answer_until, announcement)
        elif record is not None:
            await self._add(record, announcement)
        elif announcement is not None:
            await self._outbox.add(announcement)

    async def release(self, claim: Claim) -> None:
        if claim.stored:
            request = key(_slot(claim), REQUEST)
            await self._commands.call(
                "FCALL", function("release"), 1, request, claim.epoch, claim.owner
            )

    async def fetch(
        self, scope: str, request_id: str, now: float, fingerprint: bytes | None = None
    ) -> Answer | None:
        request = key(tag(KIND, scope, request_id), REQUEST)
        found = await self._commands.call("FCALL", function("fetch"), 1, request)
        known, sealed, until = found
        if known is None:
            return None
        if fingerprint is not None and not hmac.compare_digest(known, fingerprint):
            raise RequestConflict("this request id was used for a different request")
        if until is None:
            return None
        if sealed is None or float(until) <= now:
            raise Gone("the answer to this request is not kept any more")
        return self._answer(sealed, _place("answer", scope, request_id))

    async def reap(self, now: float) -> int:
        return await reap_due(self._commands, KIND, REQUEST, now)

    async def _commit_claimed(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        announcement: Announcement | None,
    ) -> None:
        slot = _slot(claim)
        letter = self._letter(announcement, slot, (claim.scope or "", claim.request_id or ""))
        sealed = self._answers.seal(
            answers.written(answer),
            _place("answer", claim.scope, claim.request_id),
        )
        forget_at = max(answer_until + TOMBSTONE_SECONDS, answer.expires_at or 0)
        words = (claim.epoch, claim.owner, sealed, answer_until, forget_at)
        if record is None:
            keys = (key(slot, REQUEST), key(slot, TOKEN))
            commit = called("commit", keys, (*words, "", "", ""), letter)
            done = await sent(self._commands, _expected(letter), commit)
        else:
            done = await self._commit_record(slot, words, record, letter)
        if not done:
            raise ClaimLost("another worker took this request over")

    async def _commit_record(
        self,
        slot: str,
        words: tuple[Any, ...],
        record: TokenRecord,
        letter: Letter | None,
    ) -> bool:
        """One call. In a cluster the pointer and the entries are on other servers, and are written
        first, since they count for nothing until the record is there."""
        place = Place(slot, identity(record))
        value = written(self._records, record, place.identity)
        if self._commands.ordered:
            commit = redis_whole.commit(place, words, value, record, letter)
            done = await self._commands.call(*commit)
        else:
            done = await self._commit_apart(place, words, value, record, letter)
        if done < 0:
            raise _taken(record)
        return bool(done)

    async def _commit_apart(
        self,
        place: Place,
        words: tuple[Any, ...],
        value: bytes,
        record: TokenRecord,
        letter: Letter | None,
    ) -> int:
        slot = place.tag
        beside, pointer = alias_keys(record.alias)
        announced = [
            (
                *("FCALL", function("point"), 2, beside, pointer),
                *(place.identity, slot, record.expires_at),
            ),
            _index(record),
            *_expected(letter),
        ]
        pointed, *_ = await self._commands.calls(announced)
        if not pointed:
            raise _taken(record)
        keys = (key(slot, REQUEST), key(slot, TOKEN))
        commit = called("commit", keys, (*words, value, record.expires_at, ""), letter)
        done: int = await self._commands.call(*commit)
        return done

    async def _add(self, record: TokenRecord, announcement: Announcement | None) -> None:
        """The record of a request without an id has its alias's slot."""
        place = Place(alias_tag(record.alias), identity(record))
        value = written(self._records, record, place.identity)
        letter = self._letter(announcement, place.tag, record.alias)
        if self._commands.ordered:
            done = await self._commands.call(*redis_whole.issue(place, value, record, letter))
        else:
            words = (place.identity, value, record.expires_at)
            add = called("add", keys_in(place.tag), words, letter)
            done = await sent(self._commands, [_index(record), *_expected(letter)], add)
        if not done:
            raise _taken(record)

    def _letter(
        self, announcement: Announcement | None, slot: str, made_of: tuple[str, str] | str
    ) -> Letter | None:
        """In the slot of the fact, which was made of a request or of an alias. Nearly always the
        announcement says the same, and no digest is needed to see it."""
        if announcement is None:
            return None
        if made_of == (announcement.request or announcement.alias):
            return self._outbox.letter_at(announcement, slot)
        return self._outbox.letter(announcement, slot)

    def _sealed_claim(self, claim: Claim) -> bytes:
        fixed = [
            claim.token_id,
            claim.issued_at,
            claim.expires_at,
            claim.key_id,
            text_of(claim.entropy),
        ]
        return self._answers.seal(plain(fixed), _place("claim", claim.scope, claim.request_id))

    def _taken_over(self, proposal: Claim, epoch: int, sealed: bytes) -> Claim:
        place = _place("claim", proposal.scope, proposal.request_id)
        fixed = orjson.loads(opened(self._answers, sealed, place))
        token_id, issued_at, expires_at, key_id, entropy = fixed
        return replace(
            proposal,
            token_id=token_id,
            issued_at=issued_at,
            expires_at=expires_at,
            key_id=key_id,
            entropy=bytes_of(entropy),
            epoch=epoch,
        )

    def _answer(self, sealed: bytes, place: bytes) -> Answer:
        return answers.read(opened(self._answers, sealed, place))


def _slot(claim: Claim) -> str:
    return tag(KIND, claim.scope or "", claim.request_id or "")


def _place(what: str, scope: str | None, request_id: str | None) -> bytes:
    """The context that a value is sealed for, written so that no two places look the same."""
    return plain([what, scope, request_id])


def _index(record: TokenRecord) -> tuple[Any, ...]:
    names = (index_member(record), *index_stems(record))
    return "FCALL", function("index"), 2, *index_keys(record.alias), record.expires_at, *names


def _expected(letter: Letter | None) -> list[Command]:
    return [] if letter is None else [letter.expected()]


def _taken(record: TokenRecord) -> Conflict:
    return Conflict("another token has this id", detail=f"alias {record.alias}")
