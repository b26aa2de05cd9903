"""How much the journal of each store keeps, and what the outbox costs in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from adapters.stores import Stores, Terms, open_stores
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_outbox import SqliteOutbox
from adapters.stores.sqlite_schema import MIGRATIONS
from broker.model import Announcement, Claim, TokenRecord
from broker.testing import (
    NOW,
    a_claim,
    a_record,
    an_announcement,
    an_answer,
    an_instance_document,
)
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

NEEDS_REDIS = (pytest.mark.server, pytest.mark.xdist_group("redis"))
LATE = NOW + 10_000.0
STARTED = Callable[[int], Awaitable[Stores]]


@pytest.fixture(params=["memory", "sqlite", pytest.param("redis", marks=NEEDS_REDIS)])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[STARTED]:
    """Opens the same store, with a journal of some size."""
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/remint.db"}.get(request.param)
    if url is None:
        redis: RedisServer = request.getfixturevalue("redis")
        url = redis.url
    found: list[Stores] = []

    async def open_one(events_kept: int) -> Stores:
        found.append(await open_stores(url, ROOT, terms=Terms(events_kept=events_kept)))
        return found[-1]

    yield open_one
    for stores in found:
        await stores.close()


async def test_a_journal_keeps_what_it_is_told_to(opened: STARTED) -> None:
    """However much comes at once, the newest three are there."""
    stores = await opened(3)
    await stores.journal.append([b"1", b"2"])
    await stores.journal.append([b"3", b"4", b"5", b"6", b"7"])
    assert [body for _, body in await stores.journal.read("0", 10)] == [b"5", b"6", b"7"]


async def test_a_journal_of_none_keeps_nothing(opened: STARTED) -> None:
    """Nothing is read from it, neither from now on nor from the oldest."""
    stores = await opened(0)
    await stores.journal.append([b"1"])
    assert await stores.journal.read(None, 10) == await stores.journal.read("0", 10) == []


# -- SQLite --------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "remint.db"


@pytest.fixture
async def stores(path: Path) -> AsyncIterator[Stores]:
    found = await open_stores(f"sqlite:///{path}", ROOT)
    yield found
    await found.close()


def database_of(stores: Stores) -> Database:
    return cast("SqliteOutbox", stores.outbox)._database


async def test_a_fact_and_its_announcement_are_one_transaction(stores: Stores) -> None:
    """Each step that announces commits once, as it does without."""
    writer = database_of(stores).writer
    claim = await stores.ledger.claim(a_claim(), NOW, 5.0)
    assert isinstance(claim, Claim)

    def expired(record: TokenRecord) -> Announcement:
        return an_announcement(id=f"expired {record.alias}")

    document = an_instance_document()
    beside = a_record(alias="alias-2", token_id="token-2")
    unstored = a_claim(scope=None, request_id=None)
    made = [an_announcement(id=str(number)) for number in range(6)]
    for step in (
        stores.ledger.commit(claim, a_record(), an_answer(), NOW + 60, made[0]),
        stores.ledger.commit(unstored, beside, an_answer(), NOW + 60, made[1]),
        stores.tokens.cancel("alias-1", made[2]),
        stores.tokens.reap(NOW + 600, expired),
        stores.instances.create(document, made[3]),
        stores.instances.delete(document.id, None, made[4]),
        stores.configuration.swap("a", None, b"1", made[5]),
    ):
        before = writer.transactions
        await step
        assert writer.transactions == before + 1
    assert await stores.outbox.size() == len(made) + 1


async def test_looking_for_what_is_due_writes_nothing_where_nothing_is(stores: Stores) -> None:
    """Brokers that look every second do not wake the disk."""
    await stores.outbox.add(an_announcement())
    before = database_of(stores).writer.transactions
    for _ in range(10):
        assert await stores.outbox.due(NOW, 5.0, 100) == []
    assert database_of(stores).writer.transactions == before


async def test_a_file_of_schema_2_gets_an_outbox(path: Path) -> None:
    """It is brought up to date when it is opened; what stood there is there, and is announced."""
    connection = sqlite3.connect(path)
    for statements in MIGRATIONS[:2]:
        for statement in statements:
            connection.execute(statement)
    columns = "'a', 't', x'00', 'OPENIDCONNECT', 'demo', '/', 'alice', 1, 2, NULL, NULL"
    connection.execute(f"INSERT INTO tokens VALUES ({columns})")  # noqa: S608 - a constant
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    stores = await open_stores(f"sqlite:///{path}", ROOT)
    announcement = an_announcement(alias="a")
    assert await stores.tokens.cancel("a", announcement)
    assert await stores.outbox.due(LATE, 5.0, 10) == [announcement]
    await stores.journal.append([b"1"])
    assert [body for _, body in await stores.journal.read("0", 10)] == [b"1"]
    await stores.close()


async def test_a_broken_announcement_stops_no_other(path: Path, stores: Stores) -> None:
    """One that was tampered with is passed over, in the outbox and in the journal."""
    await stores.outbox.add(an_announcement())
    await stores.journal.append([b"1"])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE outbox SET sealed = x'00'")
        connection.execute("UPDATE journal SET sealed = x'00'")
    connection.close()
    whole = an_announcement(id="event-2")
    await stores.outbox.add(whole)
    await stores.journal.append([b"2"])
    assert await stores.outbox.due(LATE, 5.0, 10) == [whole]
    assert [body for _, body in await stores.journal.read("0", 10)] == [b"2"]
