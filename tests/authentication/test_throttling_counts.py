"""What counts as a failed login, and how long it is remembered: steps, stores, restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.counting import ADDRESS, KNOWN_SECONDS, PAIR
from adapters.authentication.throttling import Throttled
from adapters.stores import Stores, open_stores
from adapters.stores.memory_attempts import MemoryAttempts
from broker.attempts import AttemptStore, Tally
from broker.authentication import FAILED, Evidence, Identity, MoreNeeded, Progress
from broker.errors import AuthenticationFailed, TooManyAttempts, Unavailable
from broker.model import Secret
from tests.authentication.guessing import CAFE, HOME, World
from tests.contract.roots import ROOT


@pytest.fixture
async def world() -> World:
    return World((await open_stores("memory://")).attempts)


# -- what counts ---------------------------------------------------------------------------------


@dataclass
class Wrong:
    """A chain that lets nobody in."""

    headers: frozenset[str] = frozenset()
    asked: int = 0

    async def authenticate(
        self, evidence: Evidence, progress: Progress | None = None
    ) -> tuple[Identity, str]:
        self.asked += 1
        raise AuthenticationFailed(FAILED)


def _evidence(**members: Any) -> Evidence:
    return Evidence(realm="/", now=0.0, address=CAFE, **members)


BOB = Progress(login="bob")
CODE = Secret("123456")


@pytest.mark.parametrize(
    ("evidence", "progress"),
    [
        (_evidence(username="bob", password=CODE), None),
        (_evidence(username="bob", otp=CODE), None),
        (_evidence(otp=CODE), BOB),
        (_evidence(answers={"pin": CODE}), BOB),
    ],
    ids=["password", "code", "code in a later step", "answer of a module's own"],
)
async def test_what_can_be_guessed_counts(
    world: World, evidence: Evidence, progress: Progress | None
) -> None:
    """Passwords, codes and answers count against the same name, in whichever step they come."""
    wrong = Wrong()
    target = Throttled(wrong, world.throttling)
    for _ in range(PAIR.free):
        with pytest.raises(AuthenticationFailed):
            await target.authenticate(evidence, progress)
    with pytest.raises(TooManyAttempts):
        await target.authenticate(evidence, progress)
    assert wrong.asked == PAIR.free
    assert await world.login("bob", CAFE) == "wait"


async def test_what_cannot_be_guessed_does_not(world: World) -> None:
    """Sessions, tokens, certificates and empty hands are not counted."""
    wrong = Wrong()
    target = Throttled(wrong, world.throttling)
    for members in ({}, {"session_id": CODE}, {"id_token": CODE}, {"certificate": b"der"}):
        for _ in range(PAIR.free + 1):
            with pytest.raises(AuthenticationFailed):
                await target.authenticate(_evidence(username="bob", **members))
    assert wrong.asked == 4 * (PAIR.free + 1)


async def test_the_name_goes_along(world: World) -> None:
    """What a later step fails with counts against the name that was typed in an earlier one, who
    asked back for it or not."""

    @dataclass
    class Asking(Wrong):
        async def authenticate(
            self, evidence: Evidence, progress: Progress | None = None
        ) -> tuple[Identity, str]:
            raise MoreNeeded((), progress=progress)

    for given in (_evidence(username="bob"), _evidence(username="bob", password=CODE)):
        target = Throttled(Asking(), world.throttling)
        with pytest.raises(MoreNeeded) as asked:
            await target.authenticate(given)
        with pytest.raises(MoreNeeded) as again:
            await target.authenticate(_evidence(), asked.value.progress)
        assert again.value.progress == BOB


# -- stores --------------------------------------------------------------------------------------


class Fragile:
    """A store that can be cut off."""

    def __init__(self, inner: AttemptStore) -> None:
        self.inner = inner
        self.down = False

    def __getattr__(self, name: str) -> object:
        if self.down:
            raise Unavailable("the store cannot be reached")
        return getattr(self.inner, name)


async def test_a_store_that_is_down(world: World) -> None:
    """It lets nobody guess freely and keeps nobody out: what this process saw stands in."""
    fragile = Fragile(world.store)
    down = World(fragile)  # type: ignore[arg-type]  # it answers as the store does, while it does
    assert await down.login("bob", HOME) == "in"
    for _ in range(PAIR.free // 2):
        assert await down.guess("bob", CAFE) == "wrong"
    fragile.down = True
    for _ in range(PAIR.free - PAIR.free // 2):
        assert await down.guess("bob", CAFE) == "wrong"
    assert await down.login("bob", CAFE) == "wait"
    assert await down.login("bob", HOME) == "in"
    assert await down.login("ann", HOME) == "in"


async def test_one_look_up(world: World) -> None:
    """A right password costs one look-up, for a key alone where the name is known, also by a broker
    that has just been started; and nothing is written."""
    asked: list[int] = []

    class Watched(MemoryAttempts):
        async def tallies(self, keys: Sequence[bytes]) -> list[Tally]:
            asked.append(len(keys))
            return await world.store.tallies(keys)

        async def succeeded(self, key: bytes, at: float, until: float) -> None:
            asked.append(0)
            await world.store.succeeded(key, at, until)

    for broker in (World(Watched(), clock=world.clock), World(Watched(), clock=world.clock)):
        for _ in range(3):
            assert await broker.login("bob", HOME) == "in"
    assert asked == [4, 0, 1, 1, 4, 1, 1]


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Stores]]]:
    """Opens the same SQLite file, as often as asked."""
    opened: list[Stores] = []

    async def open_it() -> Stores:
        opened.append(await open_stores(f"sqlite:///{tmp_path / 'remint.db'}", ROOT))
        return opened[-1]

    yield open_it
    for stores in opened:
        await stores.close()


async def test_a_restart_forgets_nothing(file: Callable[[], Awaitable[Stores]]) -> None:
    """After a restart who had to wait still waits, and who was known still is."""
    first = await file()
    world = World(first.attempts)
    assert await world.login("bob", HOME) == "in"
    await world.blocked("bob", CAFE)
    for number in range(ADDRESS.free):
        await world.guess(f"user-{number}", HOME)
    await first.close()
    again = World((await file()).attempts, clock=world.clock)
    assert await again.login("bob", CAFE) == "wait"
    assert await again.login("bob", HOME) == "in"
    assert await again.login("ann", HOME) == "wait"


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
async def test_what_is_over_is_forgotten(
    file: Callable[[], Awaitable[Stores]], in_file: bool
) -> None:
    """A failure that has leaked away and a success of long ago take no room."""
    store = (await file() if in_file else await open_stores("memory://")).attempts
    world = World(store)
    await world.guess("bob", CAFE)  # at the pair, the account, its newcomers and the address
    await world.login("ann", HOME)
    assert await store.reap(world.clock.now() + PAIR.leak_seconds) == 4
    assert await store.reap(world.clock.now() + KNOWN_SECONDS - 1) == 0
    assert await store.reap(world.clock.now() + KNOWN_SECONDS) == 1


async def test_the_store_names_nobody(
    file: Callable[[], Awaitable[Stores]], tmp_path: Path
) -> None:
    """Neither a name nor an address can be read in what is kept."""
    stores = await file()
    await World(stores.attempts).blocked("bartholomew", CAFE)
    await stores.close()
    kept = await asyncio.to_thread(_bytes_in, tmp_path)
    assert b"attempts" in kept
    assert b"bartholomew" not in kept
    assert CAFE.encode() not in kept


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
