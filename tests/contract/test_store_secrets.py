"""Whoever gets hold of a store's files reads no secret in them, in whatever way it is written.

Each secret is looked for as it is, in base64 and base64url, in hexadecimal and in UTF-16, while the
store is in use and after it was saved, compacted and closed. Private keys are looked for as PEM, as
DER and as the bare numbers that they come down to.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.keys.root_secret import RootSecret
from adapters.stores import Stores, open_stores
from tests.contract.planting import (
    READABLE,
    plant_announcements,
    plant_instances,
    plant_keys,
    plant_names,
    plant_people,
    plant_requests,
    plant_stranger,
)
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer, wait_until
from tests.support.search import found

NEEDS_REDIS = (pytest.mark.server, pytest.mark.xdist_group("redis"))
Files = dict[str, bytes]


class WatchedRootSecret(RootSecret):
    """A wrapping key that remembers what it was given to wrap: the deployment key."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.wrapped: list[bytes] = []

    async def wrap(self, key: bytes) -> bytes:
        self.wrapped.append(key)
        return await super().wrap(key)


@dataclass
class Kept:
    """An open store, and its files: as they are in use, and once all was written together."""

    stores: Stores
    in_use: Callable[[], Files]
    settled: Callable[[], Awaitable[Files]]
    root: bytes = field(repr=False)
    deployment_key: bytes = field(repr=False)


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=NEEDS_REDIS)])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """A store that a watched root secret has made."""
    root = secrets.token_bytes(32)
    watched = WatchedRootSecret(root)
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis")
        stores = await open_stores(redis.url, watched)

        async def settled() -> Files:
            return compacted(redis)

        files: Callable[[], Files] = redis.dumps
    else:
        path = tmp_path / "state" / "remint.db"
        stores = await open_stores(f"sqlite:///{path}", watched)

        def files() -> Files:
            return {file.name: file.read_bytes() for file in path.parent.iterdir()}

        async def settled() -> Files:
            await stores.close()
            return files()

    (key,) = watched.wrapped
    yield Kept(stores, files, settled, root, key)
    await stores.close()


def compacted(redis: RedisServer) -> Files:
    """A snapshot and a rewritten append-only file, neither of them compressed."""
    redis.cli("SAVE")
    redis.cli("BGREWRITEAOF")
    wait_until(
        lambda: all(
            line in redis.cli("INFO", "persistence").split()
            for line in ("aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0")
        ),
        redis.log,
    )
    return redis.dumps()


# -- the search ----------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", [b"", b"x", b"xy"], ids=["0", "1", "2"])
@pytest.mark.parametrize(
    "written",
    [
        bytes,
        base64.b64encode,
        base64.urlsafe_b64encode,
        lambda value: value.hex().encode(),
        lambda value: value.hex().upper().encode(),
        lambda value: value.decode().encode("utf-16-le"),
        lambda value: value.decode().encode("utf-16-be"),
    ],
    ids=["plain", "base64", "base64url", "hex", "HEX", "utf-16-le", "utf-16-be"],
)
def test_the_search_finds_what_can_be_read(
    written: Callable[[bytes], bytes], beside: bytes
) -> None:
    """A secret in any of the forms is found, whatever stands beside it; another one is not."""
    planted = {"it": b"Passw0rd~?>of-somebody", "another": b"Passw0rd~?>of-nobody!!"}
    content = b"\0" + written(beside + planted["it"] + beside[::-1]) + b"\0"
    assert found(planted, {"a file": content}) == {"it"}


# -- what nobody can read ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plant",
    [
        *(plant_requests, plant_stranger, plant_people, plant_instances, plant_keys),
        plant_announcements,
    ],
    ids=lambda plant: plant.__name__.removeprefix("plant_"),
)
async def test_no_secret_can_be_read(
    kept: Kept, plant: Callable[[Stores], Awaitable[dict[str, bytes]]]
) -> None:
    """What a store was given to keep is in none of its files, in use, compacted or closed."""
    planted = await plant(kept.stores)
    for files in (kept.in_use(), await kept.settled()):
        assert found(planted, files) == set()


@pytest.mark.server
@pytest.mark.xdist_group("redis")
async def test_nobody_is_named_in_redis(redis: RedisServer) -> None:
    """Redis tells less than a file on one's own disk: no user, profile, requester or request id."""
    stores = await open_stores(redis.url, ROOT)
    planted = await plant_names(stores)
    await stores.close()
    for files in (redis.dumps(), compacted(redis)):
        assert found(planted, files) == set()


async def test_the_keys_that_seal_cannot_be_read(kept: Kept) -> None:
    """Root secret, deployment key and what is derived from it are in none of the files."""
    await plant_keys(kept.stores)
    await plant_requests(kept.stores)
    derive = kept.stores.deployment.key.derive
    await plant_announcements(kept.stores)
    purposes = ("records", "answers", "instances", "sessions", "configuration", "users", "requests")
    purposes += ("outbox", "journal")
    planted = {
        "root secret": kept.root,
        "deployment key": kept.deployment_key,
        **{f"key of {purpose}": derive(purpose) for purpose in purposes},
    }
    for files in (kept.in_use(), await kept.settled()):
        assert found(planted, files) == set()


async def test_a_token_is_kept_as_its_digest(kept: Kept) -> None:
    """The files name the token's record, which gives back the digest; the token is nowhere."""
    planted = await plant_requests(kept.stores)
    record = await kept.stores.tokens.get(READABLE)
    assert record is not None
    assert record.digest == hashlib.sha256(planted["issued token"]).digest()
    for files in (kept.in_use(), await kept.settled()):
        assert found(planted | {"the alias": READABLE.encode()}, files) == {"the alias"}


@pytest.mark.server
@pytest.mark.xdist_group("redis")
async def test_all_files_of_redis_are_searched(redis: RedisServer) -> None:
    """A secret that is in Redis in plain text is found in each kind of file that it writes."""
    planted = {"it": b"Passw0rd-in-plain-text"}
    redis.cli("SET", "remint:plain", planted["it"].decode())
    assert found(planted, redis.dumps()) == {"it"}
    names = {name for name, content in compacted(redis).items() if found(planted, {"": content})}
    assert "dump.rdb" in names
    assert any(name.endswith(".base.rdb") for name in names)


def test_all_files_of_sqlite_are_searched(tmp_path: Path) -> None:
    """A secret that SQLite keeps in plain text is found in its log, and in the file once closed."""
    planted = {"it": b"Passw0rd-in-plain-text"}
    path = tmp_path / "plain.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE plain (it TEXT)")
    with connection:
        connection.execute("INSERT INTO plain VALUES (?)", (planted["it"].decode(),))
    assert found(planted, {"-wal": path.with_name("plain.db-wal").read_bytes()}) == {"it"}
    connection.close()
    assert found(planted, {"": path.read_bytes()}) == {"it"}
