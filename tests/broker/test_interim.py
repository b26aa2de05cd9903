"""The interim session: opened only for a plug-in that asks, and ended on every path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.interim_sessions import InterimSessions
from adapters.stores.memory import open_memory
from broker.errors import ClaimLost, Forbidden, KeyUnavailable, Refusal, Unavailable
from broker.instance import Instance, Saml2Options, Saml2PlugIns, Transform
from broker.lifecycle import Lifecycle
from broker.model import Answer, Principal, Secret
from broker.ports import Attempt, IssueOrder, TokenQuery
from broker.registry import Registry
from broker.testing import RecordingEventSink, builders
from broker.trail import AuditTrail
from tests.broker.world import IN, OUT, FakeKeys, World

WITH_PLUG_IN = Saml2Options("issuer", "audience", plug_ins=Saml2PlugIns(subject="asks"))
KEY = b"i" * 32

Plug = Callable[[IssueOrder], Awaitable[Any]]


async def asks(order: IssueOrder) -> Secret | None:
    """What a plug-in does that wants the session."""
    behind = order.principal.behind
    return None if behind is None else await behind.session_id()


@dataclass
class Interim(World):
    """A world whose provider asks a plug-in; ``stays`` is the transform's flag, turned round."""

    plug: Plug = asks
    stays: bool = False
    options: Saml2Options | None = WITH_PLUG_IN
    came_with: Secret | None = None
    asked: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.interim = InterimSessions(
            store=self.store.sessions,
            users=self.store.users,
            clock=self.clock,
            key=KEY,
            max_idle_seconds=600,
            max_life_seconds=3600,
        )
        self.pipeline._interim = self.interim
        world = self
        provider = self.registry.provider(OUT)
        validator = self.registry.validator(IN)
        issue, validate = provider.issue, validator.validate

        async def issuing(order: IssueOrder) -> Any:
            world.asked.append(await world.plug(order))
            return await issue(order)

        async def validating(credential: Any, instance: Instance, now: float) -> Principal:
            principal = await validate(credential, instance, now)
            return replace(principal, session_id=world.came_with)

        provider.issue = issuing  # type: ignore[method-assign]
        validator.validate = validating  # type: ignore[method-assign]

    async def resolve(self, instance: str) -> Instance:
        offered = Transform(IN, OUT, invalidate_session=not self.stays)
        return Instance("/", instance, (offered,), saml2=self.options)

    async def sessions(self) -> list[Any]:
        """The sessions that plug-ins got and that are still there."""
        found = [await self.store.sessions.get(each) for each in self.asked if each is not None]
        return [session for session in found if session is not None]

    def lifecycle(self) -> Lifecycle:
        return Lifecycle(
            instances=self,
            registry=Registry([], []),
            tokens=self.store.tokens,
            keys=FakeKeys(),
            trail=AuditTrail(self.audit, self.clock),
            events=RecordingEventSink(),
            clock=self.clock,
            interim=self.interim,
        )


async def _world(**changes: Any) -> Interim:
    store = open_memory()
    await store.users.put(builders.a_user(name="demo", realm="/"))
    return Interim(store, **changes)


async def test_the_plug_in_s_session() -> None:
    """While the plug-in works its session stands: the subject's, interim, the same each time."""
    seen: list[Any] = []

    async def plug(order: IssueOrder) -> Secret | None:
        first, second = await asks(order), await asks(order)
        assert first == second
        seen.append(await world.store.sessions.get(first))
        return first

    world = await _world(plug=plug)
    assert (await world.ask()).status == 200
    (session,) = seen
    assert (session.principal, session.realm, session.interim) == ("demo", "/", True)
    assert await world.sessions() == []


@pytest.mark.parametrize("stays", [False, True])
async def test_nobody_asks(stays: bool) -> None:
    """No session is opened for a plug-in that does not ask for one."""

    async def silent(order: IssueOrder) -> None:
        assert order.principal.behind is not None

    world = await _world(plug=silent, stays=stays)
    opened: list[Any] = []
    put = world.store.sessions.put

    async def noting(session: Any) -> None:
        opened.append(session)
        await put(session)

    world.store.sessions.put = noting
    assert (await world.ask()).status == 200
    assert opened == []


async def test_no_plug_in() -> None:
    """Where the instance names no plug-in, there is nothing to ask."""
    world = await _world(options=Saml2Options("issuer", "audience"))
    assert (await world.ask()).status == 200
    assert world.asked == [None]


async def test_who_came_with_a_session() -> None:
    """The session that came in is the one that plug-ins get; none is opened beside it."""
    mine = Secret("mine")
    world = await _world(came_with=mine, stays=True)
    assert (await world.ask()).status == 200
    assert world.asked == [mine]
    assert await world.store.sessions.get(mine) is None


async def test_a_subject_that_is_no_user() -> None:
    """A subject without an active user here has no session."""
    world = await _world(subject="nobody")
    assert (await world.ask()).status == 200
    assert world.asked == [None]


async def test_a_session_that_stays() -> None:
    """Where the transform leaves sessions standing, the session outlives the translation; a retry
    gets the same answer, and cancelling the token ends the session."""
    world = await _world(stays=True)
    answer = await world.ask()
    assert len(await world.sessions()) == 1
    assert (await world.ask()).body == answer.body
    assert len(await world.sessions()) == 1
    lifecycle = world.lifecycle()
    assert await lifecycle.cancel_matching(TokenQuery()) == 1
    assert await world.sessions() == []


async def test_the_session_that_came_in_outlives_its_tokens() -> None:
    """Cancelling a token does not log out the user whose session it was made from."""
    mine = builders.a_session()
    world = await _world(came_with=mine.id, stays=True)
    await world.store.sessions.put(mine)
    assert (await world.ask()).status == 200
    assert await world.lifecycle().cancel_matching(TokenQuery()) == 1
    assert await world.store.sessions.get(mine.id) is not None


async def test_a_cancel_that_was_cut_short() -> None:
    """A session that cannot be ended keeps its token, so that cancelling again does both."""
    world = await _world(stays=True)
    await world.ask()
    (record,) = await world.store.tokens.query(TokenQuery())
    end = world.store.sessions.end

    async def down(session_id: Secret) -> bool:
        raise Unavailable("down")

    world.store.sessions.end = down
    lifecycle = world.lifecycle()
    attempt = Attempt("delete", "test", 0.0)
    with pytest.raises(Unavailable):
        await lifecycle.revoke(record, attempt)
    assert await lifecycle.get(record.alias) is not None
    world.store.sessions.end = end
    await lifecycle.revoke(record, attempt)
    assert await lifecycle.get(record.alias) is None
    assert await world.sessions() == []


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize(
    "failure",
    [
        Forbidden("no"),
        KeyUnavailable("no key"),
        Unavailable("down"),
        RuntimeError("a mistake"),
        asyncio.CancelledError(),
    ],
    ids=lambda failure: type(failure).__name__,
)
@pytest.mark.parametrize("request_id", [None, "r-1"])
async def test_every_failure_ends_it(
    stays: bool, failure: BaseException, request_id: str | None
) -> None:
    """However issuing fails once the session is open, the session ends, whatever the flag says."""
    asked: list[Secret | None] = []

    async def plug(order: IssueOrder) -> None:
        asked.append(await asks(order))
        raise failure

    world = await _world(plug=plug, stays=stays)
    with pytest.raises(type(failure)):
        await world.ask(request_id=request_id)
    world.asked = list(asked)
    assert len(asked) == 1
    assert asked[0] is not None
    assert await world.sessions() == []


@pytest.mark.parametrize("stays", [False, True])
async def test_a_commit_without_an_answer(stays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody knows whether the token was committed, a session that may stay with it stays, and
    the retry finds it; another ends."""
    monkeypatch.setattr("broker.claiming.RECOVERY_SECONDS", 0.1)
    world = await _world(stays=stays)
    world.committing += [Unavailable("down")] * 100
    with pytest.raises(Unavailable):
        await world.ask()
    assert len(await world.sessions()) == int(stays)
    world.committing.clear()
    world.clock.advance(10)
    assert (await world.ask()).status == 200
    assert len(set(world.asked)) == 1
    assert len({session.uid for session in await world.sessions()}) == int(stays)


async def test_a_claim_that_was_lost() -> None:
    """Who took the request over works with the same session, which is then left to it."""
    world = await _world()
    world.committing.append(ClaimLost("taken"))
    with pytest.raises(ClaimLost):
        await world.ask()
    assert len(await world.sessions()) == 1
    world.clock.advance(10)
    assert (await world.ask()).status == 200
    assert await world.sessions() == []


async def test_a_session_that_cannot_be_ended() -> None:
    """The token was committed, so it is handed out; the audit says that the session stands."""
    world = await _world()

    async def down(session_id: Secret) -> bool:
        raise Unavailable("down")

    world.store.sessions.end = down
    assert (await world.ask()).status == 200
    assert world.audit.records[-1].attempt.extra["session"] == "not ended"


async def test_no_session_in_what_is_shown() -> None:
    """Neither the principal that plug-ins are told of nor its session shows an id."""
    shown: list[str] = []

    async def plug(order: IssueOrder) -> Secret | None:
        session_id = await asks(order)
        shown.extend([repr(order), repr(order.principal.behind)])
        return session_id

    world = await _world(plug=plug)
    await world.ask()
    (session_id,) = world.asked
    assert shown
    assert not [text for text in shown if session_id.reveal() in text]


async def test_a_plug_in_that_is_cut_short() -> None:
    """A session that was asked for by a plug-in which did not wait for it ends all the same; one
    that is asked for when all is over is not opened."""
    later: list[Any] = []

    async def plug(order: IssueOrder) -> None:
        asking = asyncio.ensure_future(asks(order))
        await asyncio.sleep(0)
        asking.cancel()
        later.append(order)
        raise Forbidden("out of time")

    world = await _world(plug=plug)
    put, opened = world.store.sessions.put, []

    async def slow(session: Any) -> None:
        await asyncio.sleep(0.01)
        opened.append(session.id)
        await put(session)

    world.store.sessions.put = slow
    with pytest.raises(Forbidden):
        await world.ask()
    assert [await world.store.sessions.get(each) for each in opened] == [None]

    async def silent(order: IssueOrder) -> None:
        later.append(order)

    world = await _world(plug=silent)
    await world.ask()
    assert await asks(later[-1]) is None


async def test_answers_differ() -> None:
    """Two tokens have two sessions."""
    world = await _world(stays=True)
    answers: list[Answer] = [await world.ask(request_id=None) for _ in range(2)]
    assert answers[0].body != answers[1].body
    assert len({session.uid for session in await world.sessions()}) == 2


async def test_a_refusal_is_stored() -> None:
    """A refusal by the plug-in is the answer of a retry too, and opens no second session."""
    calls: list[Secret | None] = []

    async def plug(order: IssueOrder) -> None:
        calls.append(await asks(order))
        raise Forbidden("no")

    world = await _world(plug=plug)
    with pytest.raises(Refusal):
        await world.ask()
    assert (await world.ask()).status == 403
    assert len(calls) == 1
