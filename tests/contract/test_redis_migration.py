"""From schema 1 to schema 2 on Redis: nothing is lost, wherever it is cut short, whoever works on.

A store of schema 1 is made by taking from one of schema 2 what only schema 2 writes.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.keys.wrapping import wrappers_of
from adapters.settings import load
from adapters.stores import Stores, migration, open_stores
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import META, SHARDS, expiry, index, shard_of
from adapters.stores.redis_schema import SCHEMA_VERSION
from adapters.stores.redis_tokens import RedisTokens
from adapters.stores.redis_urls import link_to
from broker.errors import Unavailable
from broker.ports import TokenQuery
from broker.testing import NOW
from tests.contract.redis_helpers import entries_in, issue, issue_claimed, keys_in
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

REPOSITORY = Path(__file__).parents[2]
BY_KEY = TokenQuery(key_id="key-1")
BY_PARENT = TokenQuery(parent="p")
NAMES_WITHOUT_PARENT = 5


@pytest.fixture
async def stores(redis: RedisServer) -> AsyncIterator[Stores]:
    opened = await open_stores(redis.url, ROOT)
    yield opened
    await opened.close()


INDEXES = [key(shard) for shard in range(SHARDS) for key in (index, expiry)]

STRIP = """
for _, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYLEX', key, '[c', '(d')
  redis.call('ZREMRANGEBYLEX', key, '[k', '(l')
end
"""

DIGESTS = """
local digests = {}
for at, key in ipairs(KEYS) do
  digests[at] = redis.sha1hex(table.concat(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), '\\n'))
end
return digests
"""


def back_to_schema_1(redis: RedisServer) -> None:
    redis.cli("HSET", META, "schema", "1")
    redis.cli("EVAL", STRIP, str(SHARDS), *INDEXES[::2])


def indexes(redis: RedisServer) -> list[str]:
    """Digests of all that the sorted sets of tokens hold, with their scores."""
    return redis.cli("EVAL", DIGESTS, str(len(INDEXES)), *INDEXES).split()


def version(redis: RedisServer) -> str:
    return redis.cli("HGET", META, "schema").strip()


@contextmanager
def as_schema_1(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, tokens are written and cancelled as brokers of schema 1 do it."""
    with monkeypatch.context() as patch:
        for module in ("redis_ledger", "redis_tokens"):
            patch.setattr(f"adapters.stores.{module}.index_stems", lambda _: [])
        yield


async def aliases(stores: Stores, query: TokenQuery) -> list[str]:
    return [record.alias for record in await stores.tokens.query(query)]


class Heard(list[tuple[float, int]]):
    """The progress that was told; ``then`` is done each time."""

    def __init__(self, then: Callable[[], object] | None = None) -> None:
        super().__init__([(0.0, 0)])
        self._then = then

    def __call__(self, done: float, tokens: int) -> None:
        self.append((done, tokens))
        if self._then is not None:
            self._then()

    @property
    def tokens(self) -> int:
        return self[-1][1]


async def some_tokens(stores: Stores, number: int = 30) -> list[str]:
    """Every third has a parent, every other one has a request with an id."""
    names = [f"{n:03}" for n in range(number)]
    for n, name in enumerate(names):
        if n % 2:
            await issue_claimed(stores, name)
        else:
            await issue(stores, name, parent="p" if n % 3 == 0 else None)
    return names


async def test_it_writes_what_a_broker_of_this_version_would_have(
    redis: RedisServer, stores: Stores
) -> None:
    """The indexes end up byte by byte as if schema 2 had written them, and nothing else changes."""
    await some_tokens(stores)
    expected, records = indexes(redis), sorted(keys_in(redis))
    back_to_schema_1(redis)
    assert indexes(redis) != expected
    heard = Heard()
    await stores.migrate(heard)
    assert indexes(redis) == expected
    assert sorted(keys_in(redis)) == records
    assert version(redis) == str(SCHEMA_VERSION)
    assert redis.cli("HEXISTS", META, migration.CURSOR_FIELD).strip() == "0"
    assert heard[-1] == (1.0, 30)
    assert heard == sorted(heard)


async def test_lists_are_complete_before_during_and_after(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By key and by parent every token is found, migrated or not; `current` says which it is."""
    monkeypatch.setattr(migration, "PAGE", 2)
    names = await some_tokens(stores)
    back_to_schema_1(redis)
    reopened = await open_stores(redis.url, ROOT)
    seen: list[asyncio.Task[tuple[list[str], list[str], bool]]] = []

    async def look() -> tuple[list[str], list[str], bool]:
        found = await aliases(reopened, BY_KEY), await aliases(reopened, BY_PARENT)
        return *found, await reopened.current()

    assert await look() == (names, names[::6], False)
    await stores.migrate(Heard(lambda: seen.append(asyncio.create_task(look()))))
    assert await look() == (names, names[::6], True)
    for by_key, by_parent, _ in await asyncio.gather(*seen):
        assert (by_key, by_parent) == (names, names[::6])
    await reopened.close()


class CutCommands(Commands):
    """Stops for good before or after one call, as a kill between two packets would have it."""

    def __init__(self, *arguments: Any, at: int, after: bool) -> None:
        super().__init__(*arguments)
        self.left = at
        self._after = after

    async def calls(self, commands: Any) -> list[Any]:
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self._after):
            raise Unavailable("killed")
        replies = await super().calls(commands)
        if self.left == 0:
            raise Unavailable("killed")
        return replies


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
async def test_it_resumes_wherever_it_was_killed(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Killed at any of its calls, the next run ends with the same store, from near that place."""
    monkeypatch.setattr(migration, "PAGE", 3)
    await some_tokens(stores, 9)
    expected = indexes(redis)
    at, killed = 1, True
    while killed:
        back_to_schema_1(redis)
        commands = CutCommands(link_to(redis.url), at=at, after=after)
        sealer, outbox = stores.tokens._sealer, stores.tokens._outbox  # type: ignore[attr-defined]
        tokens = RedisTokens(commands, sealer, stores.current, outbox)
        first, second = Heard(), Heard()
        try:
            await migration.migrate(commands, tokens, first)
            killed = False
        except Unavailable:
            assert commands.left <= 0
        await commands.close()
        await stores.migrate(second)
        assert (indexes(redis), version(redis)) == (expected, "2")
        assert first.tokens + second.tokens <= 9 + migration.PAGE
        at += 1
    assert at > 40


async def test_brokers_of_both_versions_work_meanwhile(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that schema 2 issues meanwhile are under their key; those cancelled are under none."""
    monkeypatch.setattr(migration, "PAGE", 2)
    with as_schema_1(monkeypatch):
        names = await some_tokens(stores, 60)
    redis.cli("HSET", META, "schema", "1")
    other = await open_stores(redis.url, ROOT)
    work: list[asyncio.Task[Any]] = []

    def meanwhile() -> None:
        n = len(work)
        if n < 60 and n % 2:
            work.append(asyncio.create_task(other.tokens.cancel(f"{n:03}")))
        else:
            work.append(asyncio.create_task(issue(other, f"new-{n:03}", parent="p")))

    await stores.migrate(Heard(meanwhile))
    await asyncio.gather(*work)
    new = [f"new-{n:03}" for n in range(len(work)) if n >= 60 or n % 2 == 0]
    cancelled = names[1 : len(work) : 2]
    left = [name for name in names if name not in cancelled] + new
    assert min(len(new), len(cancelled)) > 20
    assert await aliases(other, BY_KEY) == left
    assert entries_in(redis, "index") == NAMES_WITHOUT_PARENT * len(left) + len(names[::6] + new)
    await other.close()


async def test_two_runs_at_once(
    redis: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two administrators who migrate at once both succeed, and the store is as after one run."""
    monkeypatch.setattr(migration, "PAGE", 2)
    await some_tokens(stores)
    expected = indexes(redis)
    back_to_schema_1(redis)
    other = await open_stores(redis.url, ROOT)
    await asyncio.gather(stores.migrate(Heard()), other.migrate(Heard()))
    assert (indexes(redis), version(redis)) == (expected, "2")
    assert await other.current()
    await other.close()


async def test_brokers_of_schema_1_read_what_is_written(redis: RedisServer, stores: Stores) -> None:
    """The dates of expiry keep the members of schema 1: three digests of 16 bytes and the alias."""
    await issue(stores, "a", parent="p")
    script = "return string.len(redis.call('ZRANGE', KEYS[1], 0, -1)[1])"
    length = redis.cli("EVAL", script, "1", expiry(shard_of("a"))).strip()
    assert length == str(3 * 16 + len("a"))


async def test_a_token_that_schema_1_cancels_is_listed_nowhere(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names that an older broker leaves behind count for nothing, and go with a listing."""
    await issue(stores, "a", parent="p")
    await issue(stores, "b", parent="p")
    with as_schema_1(monkeypatch):
        assert await stores.tokens.cancel("a")
        assert len(await stores.tokens.reap(NOW)) == 0
    for query in (BY_KEY, BY_PARENT):
        assert await aliases(stores, query) == ["b"]


async def test_a_broker_of_schema_1_refuses_a_migrated_store(
    redis: RedisServer, stores: Stores
) -> None:
    """Its check of the store's marker lets it in before, and keeps it out afterwards."""

    def schema_1_refuses() -> bool:
        return int(version(redis)) > 1

    await some_tokens(stores, 3)
    back_to_schema_1(redis)
    assert not schema_1_refuses()
    await stores.migrate(Heard())
    assert schema_1_refuses()


async def test_a_record_that_cannot_be_read_stops_nothing(
    redis: RedisServer, stores: Stores
) -> None:
    """What somebody moved under another alias is nobody's token, and is passed over."""
    await some_tokens(stores, 4)
    back_to_schema_1(redis)
    values = [key for key in keys_in(redis) if key.endswith(":token")]
    redis.cli("COPY", values[0], values[1], "REPLACE")
    await stores.migrate(Heard())
    assert version(redis) == "2"


def remint(state: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "adapters.cli", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"REMINT_STATE_DIR": str(state), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command(redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`remint store migrate` finishes the change, with a bar on a terminal, and then says that
    there is nothing to do; in a new store there is not, either."""
    monkeypatch.setenv("REMINT_STORE__URL", redis.url)
    monkeypatch.setenv("REMINT_STATE_DIR", str(tmp_path))
    up_to_date = "nothing to do: the store is up to date\n"
    assert remint(tmp_path, "store", "migrate") == (0, up_to_date, "")

    async def seed() -> None:
        stores = await open_stores(redis.url, *wrappers_of(load(None)))
        await some_tokens(stores, 12)
        await stores.close()

    asyncio.run(seed())
    back_to_schema_1(redis)
    code, out, bar = remint(tmp_path, "store", "migrate", TTY_COMPATIBLE="1")
    assert (code, out) == (0, "migrated; 12 tokens were looked at\n")
    assert "12 tokens" in bar
    assert "100%" in bar
    assert remint(tmp_path, "store", "migrate") == (0, up_to_date, "")


def test_the_command_on_sqlite(tmp_path: Path) -> None:
    """On SQLite the command has nothing to do and says why; it makes no file."""
    code, out, err = remint(tmp_path / "state", "store", "migrate")
    assert (code, err) == (0, "")
    assert "whenever a broker opens it" in out
    assert not (tmp_path / "state").exists()
