"""The SQLite stores keep the contract of every store port, and their own promises."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.stores import ForeignStore, SchemaTooNew, Stores, open_stores
from adapters.stores.sqlite import stores_on
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_schema import SCHEMA_VERSION, prepare
from adapters.stores.sqlite_writer import MAX_WAITING
from broker.errors import Conflict, InvalidRequest, RequestInProgress, Unavailable
from broker.model import Claim, Secret
from broker.testing import (
    NOW,
    AttemptStoreContract,
    ConfigurationStoreContract,
    FactorStoreContract,
    InstanceStoreContract,
    JournalContract,
    OutboxContract,
    ReplayCacheContract,
    RequestLedgerContract,
    SessionStoreContract,
    TokenStoreContract,
    UserStoreContract,
    a_claim,
    a_record,
    a_session,
    a_user,
    an_answer,
    an_instance_document,
)
from tests.contract.roots import DEPLOYMENT, OTHER_ROOT, ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "remint.db"


@pytest.fixture
async def stores(path: Path) -> AsyncIterator[Stores]:
    opened = await open_stores(f"sqlite:///{path}", ROOT)
    yield opened
    await opened.close()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """The store's database itself, for tests of how it writes."""
    prepare(path)
    opened = Database(path)
    yield opened
    await opened.close()


class TestSqliteTokens(TokenStoreContract):
    pass


class TestSqliteLedger(RequestLedgerContract):
    pass


class TestSqliteAttempts(AttemptStoreContract):
    pass


class TestSqliteReplays(ReplayCacheContract):
    pass


class TestSqliteSessions(SessionStoreContract):
    pass


class TestSqliteInstances(InstanceStoreContract):
    pass


class TestSqliteConfiguration(ConfigurationStoreContract):
    pass


class TestSqliteUsers(UserStoreContract):
    pass


class TestSqliteFactors(FactorStoreContract):
    pass


class TestSqliteOutbox(OutboxContract):
    pass


class TestSqliteJournal(JournalContract):
    pass


def unstored(name: str) -> Claim:
    return a_claim(token_id=name, scope=None, request_id=None)


async def issue(stores: Stores, name: str) -> None:
    record = a_record(alias=name, token_id=name)
    await stores.ledger.commit(unstored(name), record, an_answer(), NOW)


def place(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(mode)


def modes_in(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def contents_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# -- the file ------------------------------------------------------------------------------------


async def test_everything_is_there_after_reopening(path: Path) -> None:
    """What one process wrote and closed, the next one reads."""
    first = await open_stores(f"sqlite:///{path}", ROOT)
    claim = await first.ledger.claim(a_claim(), NOW, 5.0)
    assert isinstance(claim, Claim)
    await first.ledger.commit(claim, a_record(), an_answer(), NOW + 60)
    await first.sessions.put(a_session())
    await first.instances.create(an_instance_document())
    await first.users.put(a_user())
    await first.replays.spend("jti", "request-1", NOW + 60)
    await first.close()
    second = await open_stores(f"sqlite:///{path}", ROOT)
    assert await second.tokens.get("alias-1") == a_record()
    assert await second.ledger.claim(a_claim(), NOW, 5.0) == an_answer()
    assert await second.sessions.get(Secret("session-1")) == a_session()
    assert await second.instances.list() == [an_instance_document()]
    assert await second.instances.generation() == 1
    assert await second.users.list("/") == [a_user()]
    assert not await second.replays.spend("jti", "request-2", NOW + 60)
    await second.close()


async def test_relative_paths_start_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes are a relative path."""
    monkeypatch.chdir(tmp_path)
    stores = await open_stores("sqlite:///here/remint.db", ROOT)
    await stores.close()
    assert (tmp_path / "here" / "remint.db").is_file()


async def test_files_are_private(path: Path, stores: Stores) -> None:
    """Nobody but the owner can read the database or its write-ahead log."""
    await issue(stores, "a")
    names = ("remint.db", "remint.db-wal", "remint.db-shm")
    assert modes_in(path.parent) == dict.fromkeys(names, 0o600)


async def test_a_readable_file_is_made_private(path: Path) -> None:
    """A file that others could read is closed to them when it is opened."""
    place(path, b"", 0o644)
    stores = await open_stores(f"sqlite:///{path}", ROOT)
    await stores.close()
    assert modes_in(path.parent) == {"remint.db": 0o600}


async def test_every_commit_reaches_the_disk(database: Database) -> None:
    """The file is in WAL mode and each commit is synced, as the promise of durability needs."""

    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database.write(pragmas) == ["wal", 2]


class BusyAtFirst(sqlite3.Connection):
    """A connection that finds the file busy when it first switches it to WAL."""

    refused = False

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if "journal_mode" in sql and not self.refused:
            self.refused = True
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy
        return super().execute(sql, parameters)


def test_switching_to_wal_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts in the very moment in which another switches the file waits for it."""

    def connect(path: Path, wait_seconds: float) -> sqlite3.Connection:
        return sqlite3.connect(path, wait_seconds, isolation_level=None, factory=BusyAtFirst)

    monkeypatch.setattr("adapters.stores.sqlite_schema.connect", connect)
    prepare(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


async def test_another_root_secret_is_refused(path: Path, stores: Stores) -> None:
    """A broker with another root secret may not join the store, and leaves it usable."""
    with pytest.raises(ForeignStore, match="root secret"):
        await open_stores(f"sqlite:///{path}", OTHER_ROOT)
    await issue(stores, "a")


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """A store that a newer version wrote is refused with both versions named."""
    prepare(path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(SchemaTooNew, match=f"{SCHEMA_VERSION + 1}.*{SCHEMA_VERSION}"):
        await open_stores(f"sqlite:///{path}", ROOT)


async def test_the_database_of_another_program_is_refused(path: Path) -> None:
    """A SQLite file with foreign tables is left alone."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE tokens (id)")
    connection.close()
    with pytest.raises(ForeignStore, match="another program"):
        await open_stores(f"sqlite:///{path}", ROOT)


async def test_a_file_that_is_no_database_is_unavailable(path: Path) -> None:
    """Rubbish in the place of the store is Unavailable, with the cause for the audit."""
    place(path, b"rubbish" * 1000, 0o600)
    with pytest.raises(Unavailable) as raised:
        await open_stores(f"sqlite:///{path}", ROOT)
    assert "not a database" in str(raised.value.detail)


# -- seals ---------------------------------------------------------------------------------------


async def test_a_moved_answer_does_not_open(path: Path, stores: Stores) -> None:
    """An answer copied to another request in the file is not given out."""
    for request_id in ("request-1", "request-2"):
        claim = await stores.ledger.claim(a_claim(request_id=request_id), NOW, 5.0)
        assert isinstance(claim, Claim)
        await stores.ledger.commit(claim, None, an_answer(), NOW + 60)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "UPDATE requests SET answer = "
            "(SELECT answer FROM requests WHERE request_id = 'request-1')"
        )
    connection.close()
    assert await stores.ledger.fetch("requester:alice", "request-1", NOW) == an_answer()
    with pytest.raises(Unavailable):
        await stores.ledger.fetch("requester:alice", "request-2", NOW)


async def test_a_changed_instance_document_does_not_open(path: Path, stores: Stores) -> None:
    """A document whose realm was changed in the file is not given out."""
    await stores.instances.create(an_instance_document())
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE instances SET realm = '/mallory'")
    connection.close()
    with pytest.raises(Unavailable):
        await stores.instances.get("demo")


# -- writing -------------------------------------------------------------------------------------


async def test_concurrent_commits_share_transactions(database: Database, path: Path) -> None:
    """A hundred commits that wait for the lock together need a handful of transactions."""
    stores = stores_on(database, DEPLOYMENT)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    tasks = [asyncio.create_task(issue(stores, f"{n:03}")) for n in range(100)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in tasks)
    blocker.execute("ROLLBACK")
    blocker.close()
    await asyncio.gather(*tasks)
    assert database.writer.transactions <= 3
    assert await stores.tokens.get("099") is not None


async def test_a_failing_write_takes_no_neighbour_along(database: Database, path: Path) -> None:
    """Of writes in one transaction, the one that raises is undone and the others are kept."""
    stores = stores_on(database, DEPLOYMENT)
    await issue(stores, "taken")
    before = database.writer.transactions
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM tokens")
        raise LookupError("broken")

    conflict = a_record(alias="taken", token_id="other")
    writes = [
        issue(stores, "a"),
        database.write(broken),
        stores.ledger.commit(unstored("other"), conflict, an_answer(), NOW),
        issue(stores, "b"),
    ]
    gathered = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(0.05)
    blocker.execute("ROLLBACK")
    blocker.close()
    results = await gathered
    assert [type(result) for result in results] == [type(None), LookupError, Conflict, type(None)]
    assert database.writer.transactions - before <= 2
    for alias in ("taken", "a", "b"):
        assert await stores.tokens.get(alias) is not None


async def test_nobody_hears_of_success_before_the_commit(database: Database, path: Path) -> None:
    """If the transaction fails at its end, every write in it is reported as Unavailable."""
    stores = stores_on(database, DEPLOYMENT)

    def full_disk(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    first = asyncio.create_task(issue(stores, "first"))
    await asyncio.sleep(0.05)  # the writer holds the first alone, and waits for the lock
    gathered = asyncio.gather(
        issue(stores, "a"), database.write(full_disk), issue(stores, "b"), return_exceptions=True
    )
    await asyncio.sleep(0)
    blocker.execute("ROLLBACK")
    blocker.close()
    await first
    results = await gathered
    assert [type(result) for result in results] == [Unavailable] * 3
    assert all("disk is full" in str(getattr(result, "detail", "")) for result in results)
    assert await stores.tokens.get("a") is None
    await issue(stores, "a")
    assert await stores.tokens.get("a") is not None


async def test_a_locked_store_is_unavailable(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that nobody lets go of is Unavailable, not a wait without end; reads go on."""
    stores = stores_on(database, DEPLOYMENT)
    await issue(stores, "a")
    monkeypatch.setattr("adapters.stores.sqlite_writer.WRITE_WAIT_SECONDS", 0.02)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as raised:
        await issue(stores, "b")
    assert "locked" in str(raised.value.detail)
    assert await stores.tokens.get("a") is not None
    blocker.execute("ROLLBACK")
    blocker.close()
    await issue(stores, "b")


async def test_too_many_waiting_writes_are_refused(database: Database, path: Path) -> None:
    """One write above the limit is refused at once; those that wait are all done."""
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    tasks = [asyncio.create_task(database.write(lambda _: 1)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="busy"):
        await database.write(lambda _: 1)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert sum(await asyncio.gather(*tasks)) == MAX_WAITING
    assert await database.write(lambda _: 2) == 2


async def test_a_cancelled_caller_harms_nobody(database: Database, path: Path) -> None:
    """A caller that goes away leaves the writes of others, and the writer, as they were."""
    stores = stores_on(database, DEPLOYMENT)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    gone = asyncio.create_task(issue(stores, "gone"))
    stays = asyncio.create_task(issue(stores, "stays"))
    await asyncio.sleep(0.02)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    blocker.execute("ROLLBACK")
    blocker.close()
    await stays
    assert await stores.tokens.get("stays") is not None
    await issue(stores, "later")


async def test_close_finishes_what_was_handed_in(path: Path) -> None:
    """Writes that wait when the store is closed are done; later ones are refused."""
    stores = await open_stores(f"sqlite:///{path}", ROOT)
    tasks = [asyncio.create_task(issue(stores, str(n))) for n in range(50)]
    await asyncio.sleep(0)
    await stores.close()
    await asyncio.gather(*tasks)
    for late in (issue(stores, "late"), stores.tokens.get("1"), stores.users.list("/")):
        with pytest.raises(Unavailable):
            await late
    await stores.close()
    again = await open_stores(f"sqlite:///{path}", ROOT)
    assert await again.tokens.get("49") is not None
    await again.close()


async def test_names_that_are_no_text_are_refused(stores: Stores) -> None:
    """A request id with a lone surrogate is the caller's mistake, not a failure of the store."""
    with pytest.raises(InvalidRequest):
        await stores.ledger.claim(a_claim(request_id="\ud800"), NOW, 5.0)
    await issue(stores, "a")


async def test_spent_tokens_are_forgotten_once_they_ended(stores: Stores) -> None:
    """The reaper drops what has ended and nothing else."""
    await stores.replays.spend("old", "request-1", NOW)
    await stores.replays.spend("new", "request-1", NOW + 1)
    assert await stores.replays.reap(NOW) == 1
    assert await stores.replays.spend("old", "request-2", NOW + 60)
    assert not await stores.replays.spend("new", "request-2", NOW + 60)


async def test_two_openings_in_one_process_see_each_other(path: Path, stores: Stores) -> None:
    """A lease taken through one opening of the file is seen through another at once."""
    second = await open_stores(f"sqlite:///{path}", ROOT)
    await stores.ledger.claim(a_claim(), NOW, 5.0)
    with pytest.raises(RequestInProgress):
        await second.ledger.claim(a_claim(owner="worker-2"), NOW, 5.0)
    generation = await second.instances.generation()
    await stores.instances.create(an_instance_document())
    assert await second.instances.generation() != generation
    await second.close()


async def test_session_ids_are_kept_as_digests(path: Path, stores: Stores) -> None:
    """The file holds the SHA-256 digest of a session id in its place."""
    await stores.sessions.put(a_session())
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT digest FROM sessions").fetchall()
    connection.close()
    assert rows == [(hashlib.sha256(b"session-1").digest(),)]
