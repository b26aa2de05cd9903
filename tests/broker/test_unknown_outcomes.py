"""A store that does its work and whose reply is lost, or that is away when it is needed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker.errors import (
    AuthenticationFailed,
    ClaimLost,
    OutcomeUnknown,
    RequestInProgress,
    Unavailable,
)
from broker.events import TokenIssued
from broker.model import Answer
from broker.ports import TokenQuery
from tests.broker.world import FakeKeys, World

AWAY = Unavailable("the store cannot be reached")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.claiming.RECOVERY_SECONDS", 0.3)
    monkeypatch.setattr("broker.claiming.CLAIM_WAIT_SECONDS", 0.1)


async def _tokens(world: World) -> int:
    return len(await world.store.tokens.query(TokenQuery()))


@pytest.mark.parametrize("too_late", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("step", ["claiming", "committing"])
async def test_one_lost_reply_is_nothing_to_the_caller(
    world: World, step: str, too_late: bool
) -> None:
    """Claim or commit, applied or not: the attempt finds out, and gives one token."""
    world.too_late = too_late
    getattr(world, step).append(AWAY)
    answer = await world.ask()
    assert answer.status == 200
    assert await _tokens(world) == 1
    assert world.commits == (2 if (step, too_late) == ("committing", False) else 1)
    assert (await world.ask()).body == answer.body
    assert [type(event) for event in world.events.events] == [TokenIssued]
    assert [record.attempt.replayed for record in world.audit.records] == [False, True]


async def test_a_claim_that_cannot_be_made_is_unavailable(world: World) -> None:
    """The store is asked twice; then the caller hears 503, and nothing was written (F22)."""
    world.claiming += [AWAY, AWAY]
    with pytest.raises(Unavailable):
        await world.ask()
    assert await world.store.ledger.reap(world.clock.now() + 10**9) == 0
    assert (await world.ask()).status == 200


async def test_the_outcome_of_a_commit_is_asked_for_within_bounds(world: World) -> None:
    """A store that stays away is a 503; asking with the same id then gives the stored answer."""
    world.too_late = True
    world.committing += [AWAY] * 100
    store, fetch = world.store.ledger, world.store.ledger.fetch

    async def away(*_: object) -> Answer | None:
        raise AWAY

    store.fetch = away
    with pytest.raises(OutcomeUnknown):
        await world.ask()
    store.fetch = fetch
    world.committing.clear()
    again = await world.ask()
    assert again.status == 200
    assert world.audit.records[-1].attempt.replayed
    assert await _tokens(world) == 1


async def test_no_deadline_is_overstepped_for_it(world: World) -> None:
    """Once the caller's deadline is over nobody asks what became of the commit."""
    world.committing += [AWAY] * 100
    with pytest.raises(OutcomeUnknown):
        await world.ask(deadline=world.clock.now() + 0.001)
    assert len(world.committing) > 95


async def test_an_unknown_outcome_without_an_id_cannot_be_asked_for(world: World) -> None:
    """The caller hears 503; the record may be there, of a token that nobody holds."""
    world.too_late = True
    world.committing.append(AWAY)
    with pytest.raises(Unavailable):
        await world.ask(request_id=None)
    assert world.committing == []
    assert await _tokens(world) == 1


async def test_who_was_taken_over_meanwhile_gives_the_answer_of_the_other(world: World) -> None:
    """If another attempt was faster while the outcome was unknown, its answer is the answer."""
    world = World(world.store, keys=FakeKeys(["key-1"]))
    other = World(world.store, clock=world.clock, owner="worker-2", keys=FakeKeys(["key-2"]))

    async def be_slow() -> None:
        world.on_validate = None
        world.clock.advance(6)
        world.committing.append(AWAY)
        await other.ask()

    world.on_validate = be_slow
    answer = await world.ask()
    assert str(answer.body["issued_token"]).endswith(".key-2")
    assert await _tokens(world) == 1
    attempt = world.audit.records[-1].attempt
    assert (attempt.replayed, attempt.token_alias, attempt.digest) == (True, None, None)
    assert world.events.events == []


async def test_who_was_taken_over_by_one_still_at_work_gives_way(world: World) -> None:
    """If another attempt holds the request by now, this one hears so, and commits nothing."""

    async def lose() -> None:
        world.clock.advance(6)
        world.committing.append(AWAY)
        other = replace(world.claims[-1], owner="worker-2", epoch=0)
        await world.store.ledger.claim(other, world.clock.now(), 5.0)

    world.on_validate = lose
    with pytest.raises(ClaimLost):
        await world.ask()
    assert await _tokens(world) == 0


async def test_a_refusal_whose_commit_has_no_reply_is_still_that_refusal(world: World) -> None:
    """The refusal is stored under its id, once, whichever of the tries it was."""
    world.too_late = True
    world.validating.append(AuthenticationFailed("no"))
    world.committing.append(AWAY)
    with pytest.raises(AuthenticationFailed):
        await world.ask()
    assert (await world.ask()).status == 401


async def test_attempts_of_one_worker_do_not_share_a_claim(world: World) -> None:
    """Two requests at once under one id, at one worker, are two owners: one works, one waits."""
    started, finish = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        await finish.wait()

    world.on_validate = wait
    first = asyncio.create_task(world.ask())
    await started.wait()
    with pytest.raises(RequestInProgress):
        await asyncio.wait_for(world.ask(), 5.0)
    finish.set()
    assert (await first).status == 200
    assert await _tokens(world) == 1


async def test_a_release_that_fails_hides_no_failure(world: World) -> None:
    """What went wrong first is what the caller and the audit hear."""

    async def away(*_: object) -> None:
        raise AWAY

    world.store.ledger.release = away
    world.committing.append(OSError())
    with pytest.raises(OSError):  # noqa: PT011  # nothing to match
        await world.ask()
