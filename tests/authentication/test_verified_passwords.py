"""The opt-in memory of passwords that were right a moment ago: what it saves, and what ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.directories.local import LocalAuthenticator, Passwords
from adapters.directories.verified import MAX_ENTRIES, VerifiedPasswords
from adapters.stores.memory import open_memory
from broker.errors import AuthenticationFailed
from broker.model import Secret, User
from broker.ports import UserStore
from tests.support import door as doors
from tests.support.door import CHEAP, ID_TOKEN, Door, user_input
from tests.support.planted import MARK, USER_PASSWORD, Planted

RIGHT, WRONG = Secret(USER_PASSWORD), Secret(f"wrong-{MARK}")
SECONDS = 60


class Counting(Passwords):
    """Counts the hashes that were computed."""

    hashed_so_far = 0

    def _verify(self, stored: str, password: str) -> bool:
        self.hashed_so_far += 1
        return super()._verify(stored, password)


class Time:
    """Seconds that pass when told."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def passwords() -> Iterator[Counting]:
    made = Counting(threads=1, cost=CHEAP)
    yield made
    made.close()


@pytest.fixture
async def users(passwords: Counting) -> UserStore:
    """The user ``demo`` in two realms."""
    store = open_memory().users
    for realm in ("/", "/other"):
        await store.put(User("demo", realm, passwords.hash(RIGHT)))
    return store


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def authenticator(users: UserStore, passwords: Counting, time: Time) -> LocalAuthenticator:
    return LocalAuthenticator(users, passwords, VerifiedPasswords(SECONDS, clock=time))


async def login(
    authenticator: LocalAuthenticator, password: Secret = RIGHT, realm: str = "/"
) -> bool:
    try:
        return (await authenticator.authenticate(realm, "demo", password, None)).name == "demo"
    except AuthenticationFailed:
        return False


async def test_it_is_off_by_default(users: UserStore, passwords: Counting) -> None:
    """Unless settings ask for it each login computes a hash."""
    authenticator = LocalAuthenticator(users, passwords)
    assert [await login(authenticator) for _ in range(3)] == [True] * 3
    assert passwords.hashed_so_far == 3


async def test_the_same_password_again(
    authenticator: LocalAuthenticator, passwords: Counting
) -> None:
    """A right password costs one hash however often it comes, in its realm alone."""
    assert [await login(authenticator) for _ in range(5)] == [True] * 5
    assert passwords.hashed_so_far == 1
    assert await login(authenticator, realm="/other")
    assert passwords.hashed_so_far == 2


async def test_it_ends(authenticator: LocalAuthenticator, passwords: Counting, time: Time) -> None:
    """After its time a hash is due, however often it was used meanwhile."""
    for _ in range(SECONDS):
        assert await login(authenticator)
        time.seconds += 1
    assert passwords.hashed_so_far == 1
    assert await login(authenticator)
    assert passwords.hashed_so_far == 2


async def test_failures_are_never_remembered(
    authenticator: LocalAuthenticator, passwords: Counting
) -> None:
    """A wrong password costs a hash each time, beside a right one that is remembered."""
    assert await login(authenticator)
    for wrong in (WRONG, WRONG, Secret(""), Secret(USER_PASSWORD + " "), Secret("x" * 2000)):
        assert not await login(authenticator, wrong)
    assert passwords.hashed_so_far == 6
    assert await login(authenticator)
    assert passwords.hashed_so_far == 6


async def test_it_is_bounded(passwords: Counting, time: Time) -> None:
    """Only so many are kept, and the longest unused go first."""
    verified = VerifiedPasswords(SECONDS, clock=time, most=2)
    first, second, third = (User(name, "/", Secret(name)) for name in ("a", "b", "c"))
    verified.remember(first, RIGHT)
    verified.remember(second, RIGHT)
    assert verified.right(first, RIGHT)
    verified.remember(third, RIGHT)
    assert [verified.right(user, RIGHT) for user in (first, second, third)] == [True, False, True]
    assert MAX_ENTRIES == 10_000


def test_nothing_of_a_password_is_kept(time: Time) -> None:
    """What is kept cannot be told from chance: neither the password nor its digest is in it."""
    one, other = (VerifiedPasswords(SECONDS, clock=time) for _ in range(2))
    for verified in (one, other):
        verified.remember(User("demo", "/", Secret("stored")), RIGHT)
    assert USER_PASSWORD not in repr(vars(one))
    assert one._until.keys().isdisjoint(other._until.keys())


# -- at the front door ---------------------------------------------------------------------------


@pytest.fixture
async def both(
    tmp_path: Path, planted: Planted, said: list[str]
) -> AsyncIterator[tuple[Door, Door]]:
    """Two brokers on one file, which remember passwords for five minutes."""
    store = {"url": f"sqlite:///{tmp_path / 'shared.db'}"}
    keys = {"root_secret": bytes(range(32)).hex()}
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                doors.opened(
                    tmp_path / str(number),
                    planted,
                    store=store,
                    keys=keys,
                    passwords={"cache_seconds": 300},
                )
            )
            for number in range(2)
        ]
        yield opened[0], opened[1]
        said.extend(text for door in opened for text in door.refusals)


async def translated(door: Door, password: str = USER_PASSWORD) -> int:
    return (await door.translate(user_input(password), ID_TOKEN)).status


async def test_a_new_password_by_another_broker(both: tuple[Door, Door]) -> None:
    """The old password is wrong from the moment in which another broker changed it."""
    here, there = both
    assert [await translated(here) for _ in range(2)] == [200, 200]
    new = f"new-{MARK}"
    changed = await there.request(
        "PUT", "/json/users/demo", body={"password": new}, headers=await there.admin()
    )
    assert changed.status == 200, changed.text
    assert await translated(here) == 401
    assert [await translated(here, new) for _ in range(2)] == [200, 200]
    assert await translated(here) == 401


async def test_a_user_made_inactive_by_another_broker(both: tuple[Door, Door]) -> None:
    """Who was made inactive, or removed, gets nothing more for a password that is remembered."""
    here, there = both
    assert await translated(here) == 200
    users = there.broker.components.users
    user = await users.get("/", "demo")
    assert user is not None
    await users.put(User(user.name, user.realm, user.password_hash, user.attributes, active=False))
    assert await translated(here) == 401
    await users.put(user)
    assert await translated(here) == 200
    await users.delete("/", "demo")
    assert await translated(here) == 401
