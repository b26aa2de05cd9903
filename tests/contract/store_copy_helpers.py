"""A store with one of everything, and what a copy of it must know."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.copying import Report, Step, copy
from broker.errors import Gone, RequestConflict
from broker.model import Answer, Claim, Origin, Secret
from broker.ports import TokenQuery
from broker.testing import (
    NOW,
    a_claim,
    a_factor,
    a_record,
    a_session,
    a_user,
    an_announcement,
    an_answer,
    an_instance_document,
)
from tests.contract.redis_helpers import issue, issue_claimed
from tests.contract.roots import ROOT

ORIGIN = Origin("service|staff", ("pwd",), "auth://corp#bo", {"groups": ("a", "b")})
ANNOUNCEMENTS = [
    an_announcement(id="first", due_at=NOW + 1, body=bytes(range(256))),
    an_announcement(id="second", due_at=NOW + 2, alias="cancelled", type="token.cancelled"),
    an_announcement(id="third", due_at=NOW + 4, type="key.rotated"),
]


FACTORS = [
    a_factor(body=bytes(range(256))),
    a_factor(account="auth://corp#bob", realm="/customers", kind="passcode", expires_at=NOW + 60),
]


async def copied(source: str, target: str, **options: object) -> Report:
    return await copy(source, target, [ROOT], realms=["/", "/customers"], **options)  # type: ignore[arg-type]


async def fill(url: str) -> None:
    """One of everything, and of some things more."""
    stores = await open_stores(url, ROOT)
    await issue(stores, "plain")
    await issue(
        stores,
        "child",
        parent="plain",
        key_id="key-2",
        principal="bob",
        realm="/customers",
        kept=b"sealed",
    )
    await issue_claimed(stores, "answered")
    await issue_claimed(stores, "gone")
    assert await stores.ledger.reap(NOW + 60) == 2  # their answers have ended
    await issue_claimed(stores, "answered-later")
    refused = await stores.ledger.claim(a_claim(request_id="refused"), NOW, 5.0)
    assert isinstance(refused, Claim)
    await stores.ledger.commit(refused, None, Answer(401, {"message": "no"}), NOW + 600)
    for name in ("open", "held"):
        await stores.ledger.claim(a_claim(request_id=name, token_id=name), NOW, 5.0)
    await stores.replays.spend("one-time", "request-1", NOW + 60.5)
    await stores.sessions.put(a_session())
    second = a_session(id=Secret("session-2"), interim=True, user_stamp="s", origin=ORIGIN)
    await stores.sessions.put(second)
    await stores.sessions.touch(Secret("session-2"), NOW + 100)
    await stores.users.put(a_user())
    await stores.users.put(a_user(name="carol", realm="/customers", active=False))
    for factor in FACTORS:
        assert await stores.factors.swap(None, factor)
    await stores.instances.create(an_instance_document(body={"oidc-client-secret": "a secret"}))
    await stores.instances.create(an_instance_document(id="Customers/Demo", realm="/customers"))
    await stores.outbox.add(ANNOUNCEMENTS[0])
    await issue_claimed(stores, "cancelled")
    assert await stores.tokens.cancel("cancelled", ANNOUNCEMENTS[1])
    assert await stores.configuration.swap("announced", None, b"", ANNOUNCEMENTS[2])
    assert await stores.configuration.swap("announced", b"", None)
    await stores.configuration.swap("keys/", None, b"a ring of keys")
    await stores.configuration.swap("realms", None, b'{"realms":[{"path":"/made"}]}')
    await stores.users.put(a_user(name="dora", realm="/made"))
    await stores.close()


async def must_know_all(stores: Stores) -> None:
    """The behaviour of a store that ``fill`` has filled, through its ports."""
    await must_know_tokens(stores)
    await must_know_requests(stores)
    assert await stores.sessions.get(Secret("session-1")) == a_session()
    touched = a_session(
        id=Secret("session-2"),
        interim=True,
        user_stamp="s",
        origin=ORIGIN,
        last_access_at=NOW + 100,
    )
    assert await stores.sessions.get(Secret("session-2")) == touched
    assert await stores.sessions.reap(touched.idle_expires_at - 1) == 1
    assert await stores.sessions.get(Secret("session-2")) == touched
    assert await stores.sessions.reap(touched.idle_expires_at) == 1
    assert not await stores.replays.spend("one-time", "request-2", NOW + 60)
    assert await stores.replays.spend("one-time", "request-1", NOW + 60)
    assert await stores.replays.reap(NOW + 61) == 1
    assert await stores.users.get("/", "alice") == a_user()
    carol = a_user(name="carol", realm="/customers", active=False)
    assert await stores.users.list("/customers") == [carol]
    assert await stores.users.get("/made", "dora") == a_user(name="dora", realm="/made")
    assert await stores.factors.list("/") + await stores.factors.list("/customers") == FACTORS
    assert await stores.factors.reap(NOW + 60) == 1
    assert await stores.instances.list() == [
        an_instance_document(id="Customers/Demo", realm="/customers"),
        an_instance_document(body={"oidc-client-secret": "a secret"}),
    ]
    assert await stores.configuration.get("keys/") == b"a ring of keys"
    await must_know_announcements(stores)


async def must_know_announcements(stores: Stores) -> None:
    assert await stores.outbox.due(NOW + 3, 5.0, 10) == ANNOUNCEMENTS[:2]
    assert await stores.outbox.due(NOW + 4, 5.0, 10) == ANNOUNCEMENTS[2:]
    await stores.outbox.done(ANNOUNCEMENTS)
    assert await stores.outbox.size() == 0
    assert await stores.outbox.due(NOW + 20_000, 5.0, 10) == []


async def must_know_tokens(stores: Stores) -> None:
    async def listed(**what: object) -> list[str]:
        records = await stores.tokens.query(TokenQuery(**what))  # type: ignore[arg-type]
        return [record.alias for record in records]

    child = await stores.tokens.get("child")
    assert child == a_record(
        alias="child",
        token_id="child",
        parent="plain",
        key_id="key-2",
        principal="bob",
        realm="/customers",
        kept=b"sealed",
    )
    first = await listed(limit=2)
    rest = await listed(after=first[-1])
    assert first + rest == ["answered", "answered-later", "child", "gone", "plain"]
    assert await listed(principal="bob") == ["child"]
    assert await listed(realm="/customers") == ["child"]
    assert await listed(instance="demo", limit=1) == ["answered"]
    assert await listed(key_id="key-2") == ["child"]
    assert await listed(parent="plain") == ["child"]
    assert await stores.tokens.cancel("plain")
    assert await stores.tokens.get("plain") is None
    assert [record.alias for record in await stores.tokens.reap(NOW + 600)] != []
    assert await listed() == []


async def must_know_requests(stores: Stores) -> None:
    later = a_claim(request_id="answered-later", owner="worker-2")
    answer = an_answer(token_id="answered-later")
    assert await stores.ledger.claim(later, NOW + 1, 5.0) == answer
    assert await stores.ledger.fetch("requester:alice", "answered-later", NOW + 1) == answer
    refused = await stores.ledger.fetch("requester:alice", "refused", NOW + 1)
    assert refused == Answer(401, {"message": "no"})
    with pytest.raises(RequestConflict):
        await stores.ledger.claim(replace(later, fingerprint=b"g" * 32), NOW + 1, 5.0)
    with pytest.raises(Gone):
        await stores.ledger.fetch("requester:alice", "gone", NOW + 1)
    held = a_claim(request_id="held", token_id="held")
    again = replace(held, token_id="another", entropy=b"x" * 32)
    assert await stores.ledger.claim(again, NOW + 1, 5.0) == replace(held, epoch=1)
    taken = a_claim(request_id="open", token_id="another", entropy=b"x" * 32, owner="worker-2")
    claim = await stores.ledger.claim(taken, NOW + 6, 5.0)
    assert claim == a_claim(request_id="open", token_id="open", owner="worker-2", epoch=2)
    await stores.ledger.commit(claim, None, an_answer(token_id="open"), NOW + 600)
    assert await stores.ledger.fetch("requester:alice", "open", NOW + 7) is not None


async def fill_by_an_earlier_version(url: str, now: int) -> None:
    stores = await open_stores(url, ROOT)
    for name in ("old", "ended", "used"):
        created = now - 7200 if name == "ended" else now - 100
        await stores.sessions.put(
            a_session(id=Secret(name), created_at=created, last_access_at=created)
        )
    await stores.replays.spend("old", "request-1", now + 3600)
    await stores.replays.spend("ended", "request-1", now - 1)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE sessions SET tag = NULL")
        connection.execute("DELETE FROM spent_tags")
    connection.close()
    await stores.sessions.touch(Secret("used"), now)
    await stores.replays.spend("new", "request-1", now + 3600)
    await stores.close()


class Meddler:
    """Does something to a store once a step of a copy has ended."""

    def __init__(self, kind: str, name: str, work: Callable[[], None]) -> None:
        self._when = (kind, name)
        self._work = work

    def __call__(self, step: Step) -> None:
        if step.ended and (step.kind, step.name) == self._when:
            self._work()


def interrupted(step: Step) -> None:
    if step.kind == "users":
        raise KeyboardInterrupt
