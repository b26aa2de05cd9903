"""How a translation ends when something fails on the way: what is stored, what is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from broker.errors import (
    AuthenticationFailed,
    ClaimLost,
    Refusal,
    TooManyAttempts,
    Unavailable,
)
from broker.failures import Panicked
from broker.model import Answer
from tests.broker.world import LIFETIME_SECONDS, SESSION, World


@pytest.mark.parametrize("failure", [Unavailable("down"), ClaimLost("taken"), OSError()])
async def test_a_failure_that_may_pass_leaves_the_session_for_the_retry(
    world: World, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the commit could not be made, the session stands, and the retry gets the token."""
    monkeypatch.setattr("broker.claiming.RECOVERY_SECONDS", 0.1)
    world.committing += [failure] * 100
    with pytest.raises(type(failure)):
        await world.ask()
    assert world.ended == []
    world.committing.clear()
    world.clock.advance(10)
    answer = await world.ask()
    assert answer.status == 200
    assert world.ended == [SESSION]
    assert (await world.ask()).body == answer.body


async def test_a_panic_leaves_no_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails without an Exception gives the request up: it may be asked again at once."""

    class Panic(BaseException):
        """As a library written in Rust raises one."""

    async def panic(*_: object) -> None:
        raise Panic

    with monkeypatch.context() as failing:
        failing.setattr(World, "map", panic)
        with pytest.raises(Panicked):
            await world.ask()
    assert world.audit.records[-1].outcome == "failed"
    assert (await world.ask()).status == 200


async def test_a_session_that_cannot_be_ended_holds_no_answer_back(world: World) -> None:
    """The token was committed, so it is handed out; the audit says that the session stands."""
    world.ending.append(Unavailable("down"))
    assert (await world.ask()).status == 200
    assert world.audit.records[-1].attempt.extra["session"] == "not ended"


async def test_a_refused_requester_is_told_the_same_again(world: World) -> None:
    """The refusal of a known requester is stored; that of a stranger is not."""
    world.validating += [AuthenticationFailed("no"), AuthenticationFailed("no")]
    with pytest.raises(Refusal):
        await world.ask("alice")
    assert (await world.ask("alice")).status == 401
    with pytest.raises(Refusal):
        await world.ask(None)
    assert (await world.ask(None)).status == 200


async def test_a_stranger_whose_session_was_spent_meanwhile_gets_the_answer(world: World) -> None:
    """Two attempts of one stranger at once: the slower one finds the session ended, and the
    answer of the faster one in its place."""
    first = await world.ask(None)
    original = world.store.ledger.fetch
    calls = 0

    async def late(*given: Any) -> Answer | None:
        nonlocal calls
        calls += 1
        found: Answer | None = await original(*given)
        return None if calls == 1 else found

    world.store = _Replaced(world.store, late)
    again = await world.ask(None)
    assert (again.status, again.body) == (200, first.body)
    assert calls == 2


@dataclass
class _Replaced:
    """The same stores, with another ``fetch``."""

    stores: Any
    fetch: Any

    @property
    def ledger(self) -> Any:
        ledger = self.stores.ledger
        ledger.fetch = self.fetch
        return ledger

    @property
    def replays(self) -> Any:
        return self.stores.replays


async def test_a_claim_left_for_long_gives_a_token_of_today(world: World) -> None:
    """A claim whose token would have expired is taken over with its id and the times of now."""
    world.committing.append(OSError())
    with pytest.raises(OSError):  # noqa: PT011  # nothing to match
        await world.ask()
    world.clock.advance(3600)
    answer = await world.ask()
    assert answer.expires_at == int(world.clock.now()) + LIFETIME_SECONDS


@pytest.mark.parametrize("requester", ["alice", None])
async def test_a_request_over_the_quota_is_no_answer(world: World, requester: str | None) -> None:
    """A new request over the quota is told when to come back; known ones are answered, and the
    one that was refused is done in the next hour. Its session stands until then."""
    world = World(world.store, requests_per_hour=1, requests_per_hour_of_strangers=1)
    first = await world.ask(requester, "r-1")
    world.ended.clear()
    for _ in range(2):
        with pytest.raises(TooManyAttempts) as raised:
            await world.ask(requester, "r-2")
        assert 0 < raised.value.retry_after <= 3600
        assert world.ended == []
    assert (await world.ask(requester, "r-1")).body == first.body
    world.ended.clear()
    world.clock.advance(raised.value.retry_after)
    assert (await world.ask(requester, "r-2")).status == 200


async def test_requesters_and_strangers_have_quotas_of_their_own(world: World) -> None:
    """Strangers share the quota of the subject whose tokens they show, however those are spelt; a
    requester's is shared by all it shows."""
    world = World(world.store, requests_per_hour=2, requests_per_hour_of_strangers=1)
    for subject in ("demo", "ann"):
        world.subject = subject
        await world.ask(None, "r-1", token=subject.encode())
        world.ended.clear()
        await world.ask("alice", f"r-{subject}", token=subject.encode())
        world.ended.clear()
        for spelling in (subject.encode(), subject.encode() + b" "):
            with pytest.raises(TooManyAttempts):
                await world.ask(None, "r-2", token=spelling)
    with pytest.raises(TooManyAttempts):
        await world.ask("alice", "r-3", token=b"three")
    assert (await world.ask("bob", "r-3", token=b"three")).status == 200
