"""Where announcements stand in Redis, what they cost, and that none stays for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from adapters.stores import Stores, open_stores
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import OUTBOX, SHARDS, due
from adapters.stores.redis_outbox import UNWRITTEN_SECONDS, RedisOutbox
from adapters.stores.redis_schema import function
from adapters.stores.redis_urls import link_to
from broker.errors import ClaimLost, Unavailable
from broker.model import Announcement, Claim, TokenRecord
from broker.testing import (
    NOW,
    a_claim,
    a_record,
    an_announcement,
    an_answer,
    an_instance_document,
)
from tests.contract.redis_helpers import issue, issue_claimed, keys_in, unstored
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

LATE = NOW + 10_000.0
DAY_SECONDS = 24 * 3600


def letters_in(redis: RedisServer) -> list[str]:
    return [key for key in keys_in(redis) if ":event-" in key]


def entries_in(redis: RedisServer) -> list[str]:
    found: list[str] = []
    for shard in range(SHARDS):
        found += redis.cli("ZRANGE", due(OUTBOX, shard), "0", "-1").splitlines()
    return [entry for entry in found if entry]


async def claimed(stores: Stores, name: str = "request-1") -> Claim:
    claim = await stores.ledger.claim(a_claim(request_id=name), NOW, 5.0)
    assert isinstance(claim, Claim)
    return claim


def of(claim: Claim) -> Announcement:
    return an_announcement(request=(claim.scope or "", claim.request_id or ""), alias="alias-1")


def commands_of(stores: Stores) -> Commands:
    return cast("RedisOutbox", stores.outbox)._commands


# -- where, and for how long ---------------------------------------------------------------------


async def test_an_announcement_stands_beside_its_fact(redis: RedisServer, stores: Stores) -> None:
    """In the slot of the request, of the alias or of the instances: what a cluster writes in one
    step."""
    claim = await claimed(stores)
    await stores.ledger.commit(claim, a_record(), an_answer(), NOW + 60, of(claim))
    (request,) = [key for key in keys_in(redis) if key.endswith(":request")]
    (letter,) = letters_in(redis)
    assert letter.partition(":event")[0] == request.partition(":request")[0]
    cancelled = an_announcement(id="cancelled", alias="alias-1")
    assert await stores.tokens.cancel("alias-1", cancelled)
    slots = {key.partition(":event")[0] for key in letters_in(redis)}
    assert len(letters_in(redis)) == 2
    assert slots == {request.partition(":request")[0]}
    await stores.instances.create(an_instance_document(), an_announcement(id="published"))
    assert [key for key in letters_in(redis) if key.startswith("remint:{instances}:event-")]


async def test_what_is_out_leaves_nothing_behind(redis: RedisServer, stores: Stores) -> None:
    """Neither the announcement nor what led to it, whichever step it came with."""
    claim = await claimed(stores)
    beside = a_record(alias="alias-2", token_id="token-2")
    made = [of(claim), *(an_announcement(id=name) for name in ("add", "create"))]
    made += [an_announcement(id=f"of {alias}", alias=alias) for alias in ("alias-1", "alias-2")]
    await stores.ledger.commit(claim, a_record(), an_answer(), NOW + 60, made[0])
    await stores.outbox.add(made[1])
    await stores.instances.create(an_instance_document(), made[2])
    await stores.ledger.commit(unstored("token-2"), beside, an_answer(), NOW + 60)
    assert await stores.tokens.cancel("alias-1", made[3])
    assert await stores.tokens.cancel("alias-2", made[4])
    assert len(letters_in(redis)) == len(entries_in(redis)) == len(made)
    await stores.outbox.done(made)
    assert letters_in(redis) == entries_in(redis) == []


async def test_another_broker_leaves_nothing_behind_either(
    redis: RedisServer, stores: Stores
) -> None:
    """It finds the place of what it took up, whoever wrote it and wherever."""
    await issue_claimed(stores, "a")
    await issue(stores, "b")
    for alias in ("a", "b"):
        assert await stores.tokens.cancel(alias, an_announcement(id=alias, alias=alias))
    another = await open_stores(redis.url, ROOT)
    await another.outbox.done(await another.outbox.due(LATE, 5.0, 10))
    await another.close()
    assert letters_in(redis) == entries_in(redis) == []


async def test_what_nobody_lets_out_ends_after_a_week(redis: RedisServer, stores: Stores) -> None:
    """Announcements, what leads to them, and the journal all have a time to live."""
    await stores.outbox.add(an_announcement())
    await stores.journal.append([b"body"])
    passing = [key for key in keys_in(redis) if "outbox" in key or "event" in key]
    assert len(passing) == 3
    for key in passing:
        assert 6 * DAY_SECONDS < int(redis.cli("TTL", key)) <= 8 * DAY_SECONDS


async def test_an_announcement_counts_in_its_place(redis: RedisServer, stores: Stores) -> None:
    """It is sealed for it: put into another's, it is nobody's, and stops nobody else's."""
    await stores.outbox.add(an_announcement())
    (first,) = letters_in(redis)
    second = an_announcement(id="event-2")
    await stores.outbox.add(second)
    (other,) = set(letters_in(redis)) - {first}
    redis.cli("COPY", other, first, "REPLACE")
    assert await stores.outbox.due(LATE, 5.0, 10) == [second]


# -- entries that lead to nothing ----------------------------------------------------------------


async def test_a_commit_that_failed_leaves_nothing(redis: RedisServer, stores: Stores) -> None:
    """Where one server has all the slots, a lost claim leaves no announcement, no entry that leads
    to one, no pointer and no name of the token."""
    first = await claimed(stores)
    second = replace(first, owner="worker-2", epoch=0)
    assert isinstance(await stores.ledger.claim(second, NOW + 5, 5.0), Claim)
    before = keys_in(redis)
    with pytest.raises(ClaimLost):
        await stores.ledger.commit(first, a_record(), an_answer(), NOW + 60, of(first))
    assert sorted(keys_in(redis)) == sorted(before)


async def test_an_entry_without_its_fact_is_dropped(redis: RedisServer, stores: Stores) -> None:
    """An entry that was written before a fact which then failed, as a cluster does it, is looked at
    twice, minutes apart, and then is gone."""
    lost = cast("RedisOutbox", stores.outbox).letter(an_announcement())
    await commands_of(stores).call(*lost.expected())
    assert len(entries_in(redis)) == 1
    for now in (LATE, LATE + UNWRITTEN_SECONDS - 1):
        assert await stores.outbox.due(now, 5.0, 10) == []
        assert len(entries_in(redis)) == 1
    assert await stores.outbox.due(LATE + UNWRITTEN_SECONDS, 5.0, 10) == []
    assert entries_in(redis) == []


async def test_a_fact_that_comes_late_is_found(redis: RedisServer, stores: Stores) -> None:
    """One whose entry was found to lead to nothing, and that was written after that, is handed out
    all the same, and forgotten once it is out."""
    outbox = cast("RedisOutbox", stores.outbox)
    announcement = an_announcement()
    letter = outbox.letter(announcement)
    await commands_of(stores).call(*letter.expected())
    assert await outbox.due(LATE, 5.0, 10) == []
    await commands_of(stores).call(*letter.put())
    found = await outbox.due(LATE + UNWRITTEN_SECONDS, 5.0, 10)
    assert found == [announcement]
    await outbox.done(found)
    assert letters_in(redis) == entries_in(redis) == []


async def test_entries_without_facts_hold_up_nobody(stores: Stores) -> None:
    """However many of them are older, the announcement behind them is handed out at once."""
    outbox = cast("RedisOutbox", stores.outbox)
    for number in range(30):
        lost = outbox.letter(an_announcement(id=f"lost {number}", due_at=NOW + number))
        await commands_of(stores).call(*lost.expected())
    last = an_announcement(due_at=NOW + 100)
    await outbox.add(last)
    assert await outbox.due(LATE, 5.0, 3) == [last]


# -- what it costs -------------------------------------------------------------------------------


@pytest.fixture
async def commands(redis: RedisServer) -> AsyncIterator[Commands]:
    opened = Commands(link_to(redis.url))
    yield opened
    await opened.close()


async def test_announcing_takes_no_round_trip(stores: Stores) -> None:
    """A commit, with or without an id, and a cancel take as many as without an announcement."""
    commands = commands_of(stores)
    spent: list[list[int]] = []
    for number, announced in enumerate((False, True)):
        claim = await claimed(stores, f"request-{number}")
        record = a_record(alias=f"a{number}", token_id=claim.token_id)
        beside = a_record(alias=f"b{number}", token_id=f"b{number}")
        told = of(claim) if announced else None
        ends = an_announcement(id="end", alias=record.alias) if announced else None
        steps = [
            lambda c=claim, r=record, t=told: stores.ledger.commit(c, r, an_answer(), NOW, t),
            lambda r=beside, t=told: stores.ledger.commit(
                unstored(r.token_id), r, an_answer(), NOW, t
            ),
            lambda r=record, e=ends: stores.tokens.cancel(r.alias, e),
        ]
        spent.append([])
        for step in steps:
            before = commands.round_trips
            await step()
            spent[-1].append(commands.round_trips - before)
    assert spent[0] == spent[1] == [1, 1, 3]


async def test_a_full_store_still_announces_what_ends(redis: RedisServer, stores: Stores) -> None:
    """Out of memory, a cancel, the reaper and the end of an instance go on, each announced."""
    await issue_claimed(stores, "a")
    await issue(stores, "b")
    await stores.instances.create(an_instance_document())

    def expired(record: TokenRecord) -> Announcement:
        return an_announcement(id=f"expired {record.alias}", alias=record.alias)

    redis.cli("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(Unavailable):
            await stores.outbox.add(an_announcement(id="more"))
        assert await stores.tokens.cancel("a", an_announcement(id="cancelled a", alias="a"))
        assert len(await stores.tokens.reap(NOW + 600, expired)) == 1
        deleted = an_announcement(id="deleted")
        assert await stores.instances.delete("demo", None, deleted)
        found = await stores.outbox.due(LATE, 5.0, 10)
        assert {each.id for each in found} == {"cancelled a", "expired b", "deleted"}
        await stores.outbox.done(found)
    finally:
        redis.cli("CONFIG", "SET", "maxmemory", "0")
    assert letters_in(redis) == entries_in(redis) == []


# -- a broker of the revision before -------------------------------------------------------------


async def test_older_brokers_go_on_with_these_functions(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a running broker of the revision before says to the new functions, without a word of
    announcements, does what it did."""
    calls: list[tuple[object, ...]] = []
    commands = commands_of(stores)
    send = commands.calls

    async def heard(given: list[tuple[object, ...]]) -> list[object]:
        without = [_as_revision_1(command) for command in given]
        calls.extend(without)
        return await send(without)

    monkeypatch.setattr(commands, "calls", heard)
    for name in ("request-1", "refused"):
        claim = await claimed(stores, name)
        record = a_record() if name == "request-1" else None
        await stores.ledger.commit(claim, record, an_answer(), NOW + 60)
    await issue(stores, "b")
    assert await stores.ledger.fetch("requester:alice", "refused", NOW) == an_answer()
    assert await stores.tokens.cancel("alias-1")
    assert [record.alias for record in await stores.tokens.reap(NOW + 600)] == ["b"]
    assert (function("commit"), 2) in [call[1:3] for call in calls]
    assert [call for call in calls if call[1] == function("commit")][-1][-1] != ""
    assert letters_in(redis) == []


def _as_revision_1(command: tuple[object, ...]) -> tuple[object, ...]:
    """It left out what was empty at the end of a commit."""
    words = list(command)
    while words[1] == function("commit") and words[-1] == "":
        words.pop()
    return tuple(words)
