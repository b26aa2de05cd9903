"""A batch in the core: its parts stand alone, and no interruption makes a second token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.stores.memory import open_memory
from broker import batching, claiming, idempotency
from broker.batch import BatchRequest, Part
from broker.batching import CHUNK, TRIES
from broker.errors import (
    ClaimLost,
    Gone,
    InvalidRequest,
    InvalidToken,
    NotFound,
    RequestConflict,
    RequestExpired,
    RequestInProgress,
    TooManyAttempts,
    Unavailable,
)
from broker.model import (
    OPENAM,
    Answer,
    Claim,
    ReceivedToken,
    RequestedToken,
    Requester,
    Secret,
    TranslationRequest,
)
from broker.pipeline import DEFAULT_ANSWERS_TTL_SECONDS
from broker.ports import Attempt, TokenQuery
from broker.results import Inquiry
from tests.broker.world import IN, OUT, FakeKeys, World

ALICE = Requester("test", id="alice")


def _batch(
    *tokens: bytes,
    requester: str | None = "alice",
    request_id: str | None = "b-1",
    wanted: bytes = b"out",
    deadline: float | None = None,
) -> BatchRequest:
    who = Requester("test", id=requester)

    def part(token: bytes) -> Part:
        if token == b"?":
            return Part(InvalidRequest("what is that"), token)
        request = TranslationRequest(
            instance="i",
            subject_token=ReceivedToken(IN, {}, token),
            requested_token=RequestedToken(OUT, {}, wanted),
            requester=who,
            request_id=request_id,
            deadline=deadline,
        )
        return Part(request, token + b"\n" + wanted)

    return BatchRequest("i", [part(token) for token in tokens], who, request_id, deadline)


async def _ask(world: World, asked: BatchRequest) -> Answer:
    attempt = Attempt("translate.batch", "test", world.clock.now())
    try:
        return await world.pipeline.translate_batch(attempt, lambda: asked)
    finally:
        world.ended.clear()  # sessions are no matter here


async def _find(world: World, request_id: str, requester: str | None = "alice") -> Answer:
    inquiry = Inquiry(request_id, Requester("test", id=requester))
    attempt = Attempt("result", "test", world.clock.now())
    return await world.pipeline.stored_answer(attempt, lambda: inquiry)


def _results(answer: Answer) -> list[Any]:
    assert answer.status == 200
    results: list[Any] = answer.body["results"]
    return results


def _codes(answer: Answer) -> list[int]:
    return [result.get("code", 200) for result in _results(answer)]


async def _records(world: World) -> set[str]:
    return {record.alias for record in await world.store.tokens.query(TokenQuery())}


def _tokens(many: int) -> Sequence[bytes]:
    return [b"%d" % number for number in range(many)]


@pytest.mark.parametrize("requester", ["alice", None])
async def test_the_same_batch_again(world: World, requester: str | None) -> None:
    """A batch that is sent again gets the same answer, refusals and all, and no new token."""
    asked = _batch(b"1", b"?", b"2", requester=requester)
    first = await _ask(world, asked)
    assert _codes(first) == [200, 400, 200]
    records = await _records(world)
    assert len(records) == 2
    world.clock.advance(3)
    assert await _ask(world, asked) == first
    assert await _records(world) == records
    assert world.audit.records[-1].attempt.replayed


async def test_parts_are_audited_and_announced_one_by_one(world: World) -> None:
    """Each part has its audit line with its index, and its event; the batch has one line more."""
    await _ask(world, _batch(b"1", b"?"))
    lines = [record.attempt for record in world.audit.records]
    assert sorted((line.operation, line.extra.get("index")) for line in lines[:2]) == [
        ("translate", "0"),
        ("translate", "1"),
    ]
    whole = lines[2]
    assert (whole.operation, whole.extra) == ("translate.batch", {"parts": "2", "issued": "1"})
    assert {line.request_id for line in lines} == {"b-1"}
    assert sorted(type(event).__name__ for event in world.events.events) == [
        "TokenIssued",
        "TranslationRejected",
    ]


async def test_parts_with_the_same_content_get_tokens_of_their_own(world: World) -> None:
    """The index is part of a token's id: equal parts are not one request."""
    answer = await _ask(world, _batch(b"1", b"1"))
    assert len({result["issued_token"] for result in _results(answer)}) == 2


async def test_token_ids_come_from_the_batch(world: World) -> None:
    """A store that lost everything gives each part a token with the same id again."""
    first = await _ask(world, _batch(b"1", b"2"))
    other = World(open_memory(), clock=world.clock, sessions_end=False)
    again = await _ask(other, _batch(b"1", b"2"))
    assert _results(again) == _results(first)


@pytest.mark.parametrize("requester", ["alice", None])
async def test_another_batch_under_the_id(world: World, requester: str | None) -> None:
    """Another batch, or a single request, under the id of a batch is refused as a whole."""
    await _ask(world, _batch(b"1", b"1", requester=requester))
    records = await _records(world)
    with pytest.raises(RequestConflict):
        await _ask(world, _batch(b"1", b"1", requester=requester, wanted=b"else"))
    with pytest.raises(RequestConflict):
        await world.ask(requester, "b-1", token=b"1")
    assert await _records(world) == records


async def test_a_single_request_under_the_id_of_a_part(world: World) -> None:
    """No id that a caller can choose meets that of a part."""
    await _ask(world, _batch(b"1"))
    assert (await world.ask("alice", "0:b-1", token=b"1")).status == 200


@pytest.mark.parametrize("requester", ["alice", None])
async def test_the_store_goes_away_in_the_middle(world: World, requester: str | None) -> None:
    """What was done before a dependency failed is kept: the next attempt does the rest, and each
    part has one token."""
    asked = _batch(*_tokens(CHUNK + 20), requester=requester)
    seen = 0

    async def fail_late() -> None:
        nonlocal seen
        seen += 1
        if seen == CHUNK + 10:
            raise Unavailable("the store is away")

    world.on_validate = fail_late
    with pytest.raises(Unavailable):
        await _ask(world, asked)
    before = await _records(world)
    assert CHUNK <= len(before) < CHUNK + 20
    world.on_validate = None
    answer = await _ask(world, asked)
    assert _codes(answer) == [200] * (CHUNK + 20)
    after = await _records(world)
    assert before < after
    assert len(after) == CHUNK + 20
    assert await _ask(world, asked) == answer


async def test_a_part_that_may_succeed_later_leaves_the_batch_open(world: World) -> None:
    """A 429 or 409 for a missing key is answered and not stored: the same id does that part."""
    asked = _batch(b"1", b"2")
    world.validating.append(TooManyAttempts("slow down", retry_after=1))
    first = await _ask(world, asked)
    assert sorted(_codes(first)) == [200, 429]
    with pytest.raises(NotFound):
        await _find(world, "b-1")
    second = await _ask(world, asked)
    assert _codes(second) == [200, 200]
    assert next(r for r in _results(first) if "code" not in r) in _results(second)


async def test_a_key_that_comes_back(world: World) -> None:
    """Where the signing key is missing the part is refused until there is one."""
    keys = FakeKeys(["k"], withdrawn={"k"})
    world = World(world.store, keys=keys)
    assert _codes(await _ask(world, _batch(b"1"))) == [409]
    keys.withdrawn.clear()
    assert _codes(await _ask(world, _batch(b"1"))) == [200]


async def test_a_failure_that_nobody_foresaw(world: World) -> None:
    """A part that fails for no known reason is tried again, then a 500 among the answers of the
    others; the batch stays open for it."""
    asked = _batch(b"1", b"2")
    world.on_validate = None
    world.validating += [OSError()] * TRIES
    first = await _ask(world, asked)
    assert sorted(_codes(first)) == [200, 500]
    failed = [record for record in world.audit.records if record.outcome == "failed"]
    assert [record.error for record in failed] == ["OSError"] * TRIES
    assert all((record.reason or "").startswith("world.py:") for record in failed)
    assert _codes(await _ask(world, asked)) == [200, 200]


async def test_without_an_id_a_part_fails_alone(world: World) -> None:
    """Nobody could ask for the other tokens again, so a dependency that fails one part costs that
    part alone."""
    world.validating.append(Unavailable("away"))
    asked = _batch(b"1", b"2", request_id=None)
    assert sorted(_codes(await _ask(world, asked))) == [200, 503]
    other = await _ask(world, asked)
    assert len(await _records(world)) == 3, _codes(other)


async def test_after_its_deadline(world: World) -> None:
    """A batch whose deadline has passed is refused as a whole; nothing is signed or stored."""
    asked = _batch(b"1", deadline=world.clock.now())
    with pytest.raises(RequestExpired):
        await _ask(world, asked)
    assert await _records(world) == set()
    assert _codes(await _ask(world, replace(_batch(b"1"), deadline=None))) == [200]


async def test_a_deadline_in_the_middle(world: World) -> None:
    """Parts whose turn comes after the deadline are 408s, and are not signed."""
    asked = _batch(*_tokens(CHUNK + 1), deadline=world.clock.now() + 1)

    async def late() -> None:
        world.clock.advance(0.02)

    world.on_validate = late
    answer = await _ask(world, asked)
    codes = _codes(answer)
    assert codes[-1] == 408
    assert codes.count(200) == len(await _records(world))
    assert set(codes) == {200, 408}


async def test_the_lease_is_renewed_while_its_owner_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a batch takes, nobody else takes it over."""
    monkeypatch.setattr(claiming, "RENEW_SECONDS", 0.001)
    monkeypatch.setattr(claiming, "CLAIM_WAIT_SECONDS", 0.0)
    asked = _batch(b"1")
    other = World(world.store, clock=world.clock, owner="worker-2")

    async def long() -> None:
        for _ in range(5):
            world.clock.advance(claiming.LEASE_SECONDS - 1)
            known = len(world.claims)
            while len(world.claims) < known + 2:  # noqa: ASYNC110  # renewals have no event
                await asyncio.sleep(0.001)
            with pytest.raises(RequestInProgress):
                await _ask(other, asked)

    world.on_validate = long
    assert _codes(await _ask(world, asked)) == [200]


async def test_a_lease_that_was_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was taken for dead begins no further part, and its successor's answer stands:
    each part has one token."""
    monkeypatch.setattr(claiming, "RENEW_SECONDS", 0.001)
    asked = _batch(*_tokens(2 * CHUNK))
    other = World(world.store, clock=world.clock, owner="worker-2")
    theirs: list[asyncio.Task[Answer]] = []

    async def overtaken() -> None:
        world.on_validate = None
        claim = next(claim for claim in world.claims if claim.request_id == "b-1")
        await world.store.ledger.release(claim)
        theirs.append(asyncio.create_task(_ask(other, asked)))
        while not other.claims:  # noqa: ASYNC110  # a claim has no event
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # so that a renewal finds out; else the commit does

    world.on_validate = overtaken
    with pytest.raises(ClaimLost):
        await _ask(world, asked)
    answer = await theirs[0]
    assert _codes(answer) == [200] * 2 * CHUNK
    assert len(await _records(world)) == 2 * CHUNK


async def test_a_good_credential_is_validated_once_for_each_chunk(world: World) -> None:
    """Parts that show the same good credential share its validation, for a chunk; a bad one is
    looked at for each part."""
    seen = 0

    async def count() -> None:
        nonlocal seen
        seen += 1

    world.on_validate = count
    await _ask(world, _batch(*[b"same"] * (CHUNK + 1)))
    assert seen == 2
    seen = 0
    world.validating += [InvalidToken("no")] * 3
    await _ask(world, _batch(*[b"bad"] * 3, request_id="b-2"))
    assert seen == 3


async def test_a_stranger_who_proved_nothing_leaves_nothing(world: World) -> None:
    """A stranger's batch without a good token is not stored, so the id stays free."""
    asked = _batch(b"1", b"2", requester=None)
    world.validating += [InvalidToken("no")] * 2
    assert _codes(await _ask(world, asked)) == [401, 401]
    assert not [claim for claim in world.claims if claim.request_id]
    assert _codes(await _ask(world, asked)) == [200, 200]


async def test_quota_of_parts(world: World) -> None:
    """Each part counts as a request; what is over the quota is a 429, and known parts are not
    counted again."""
    world = World(world.store, requests_per_hour_of_strangers=3)
    asked = _batch(*_tokens(5), requester=None)
    first = await _ask(world, asked)
    assert sorted(_codes(first)) == [200, 200, 200, 429, 429]
    assert sorted(_codes(await _ask(world, asked))) == [200, 200, 200, 429, 429]
    world.clock.advance(3600)
    last = await _ask(world, asked)
    assert sorted(_codes(last)) == [200] * 5
    known = [result for result in _results(first) if "code" not in result]
    assert [result for result in _results(last) if result in known] == known


async def test_result(world: World) -> None:
    """The answer to an earlier request, batch or not, is for its requester alone."""
    whole = await _ask(world, _batch(b"1", b"?"))
    single = await world.ask("alice", "r-1")
    assert await _find(world, "b-1") == whole
    assert await _find(world, "r-1") == single
    for request_id, requester in (("b-1", "bob"), ("r-2", "alice"), ("0:b-1", "alice")):
        with pytest.raises(NotFound):
            await _find(world, request_id, requester)


async def test_result_that_is_gone(world: World) -> None:
    """After its time an answer is gone; so is a batch of which one part is."""
    await _ask(world, _batch(b"1"))
    world.clock.advance(DEFAULT_ANSWERS_TTL_SECONDS)
    with pytest.raises(Gone):
        await _find(world, "b-1")


async def test_a_batch_is_remembered_as_long_as_its_tokens(world: World) -> None:
    """The stored answer of a batch names the last expiry among its tokens, so that its id is not
    forgotten before them."""
    await _ask(world, _batch(b"1"))
    stored = await world.store.ledger.fetch("requester:test:alice", "b-1", world.clock.now())
    part = await world.store.ledger.fetch(
        f"{idempotency.BATCH_PREFIX}requester:test:alice", "0:b-1", world.clock.now()
    )
    assert stored is not None
    assert part is not None
    assert stored.expires_at == part.expires_at
    assert stored.body == {batching.KEPT: [None]}, "the token is stored once, with its part"


async def test_sessions_end_with_the_batch(world: World) -> None:
    """A session that its transform ends serves all parts that show it, and then ends, once; a batch
    that stays open leaves it for the next attempt."""
    world.validating.append(TooManyAttempts("slow down", retry_after=1))
    asked = _batch(*_tokens(2 * CHUNK))
    attempt = Attempt("translate.batch", "test", world.clock.now())
    await world.pipeline.translate_batch(attempt, lambda: asked)
    assert world.ended == []
    answer = await world.pipeline.translate_batch(attempt, lambda: asked)
    assert _codes(answer) == [200] * 2 * CHUNK
    assert len(world.ended) == 1


async def test_sessions_of_parts_that_were_done_before(world: World) -> None:
    """A batch that needed a second attempt ends the sessions of all its parts, also of those that
    were done in the first."""
    first, second = Secret("first"), Secret("second")

    def shows(session: Secret) -> Part:
        members = {"session_id": session.reveal()}
        token = ReceivedToken(OPENAM, members, session.reveal().encode())
        request = TranslationRequest("i", token, RequestedToken(OUT, {}, b"out"), ALICE, "b-1")
        return Part(request, token.canonical)

    asked = BatchRequest("i", [shows(first), shows(second)], ALICE, "b-1")
    attempt = Attempt("translate.batch", "test", world.clock.now())
    seen = 0

    async def fail_the_second() -> None:
        nonlocal seen
        seen += 1
        if 1 < seen <= 1 + TRIES:
            raise OSError

    world.on_validate = fail_the_second
    answer = await world.pipeline.translate_batch(attempt, lambda: asked)
    assert sorted(_codes(answer)) == [200, 500]
    assert world.ended == []
    again = await world.pipeline.translate_batch(attempt, lambda: asked)
    assert _codes(again) == [200, 200]
    assert set(world.ended) == {first, second}


async def test_claims_of_parts(world: World) -> None:
    """A known requester's batch and parts are claimed before any token is looked at."""
    held: list[Claim] = []

    async def look() -> None:
        held.extend(world.claims)

    world.on_validate = look
    await _ask(world, _batch(b"1"))
    assert [claim.request_id for claim in held] == ["b-1", "0:b-1"]


async def test_an_audit_that_cannot_be_written(world: World) -> None:
    """Nothing of a batch is answered before all of its parts are in the audit; asked again when it
    can be written, each part has the token that it had."""
    asked = _batch(b"1", b"2")
    world.audit.failure = Unavailable("full")
    with pytest.raises(Unavailable):
        await _ask(world, asked)
    records = await _records(world)
    world.audit.failure = None
    assert _codes(await _ask(world, asked)) == [200, 200]
    assert await _records(world) == records
    assert len(world.audit.records) == 3
