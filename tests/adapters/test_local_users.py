"""The broker's own users: their passwords, and the files they come from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from adapters.directories.local import (
    MAX_PASSWORD_BYTES,
    HashCost,
    LocalAuthenticator,
    Passwords,
)
from adapters.stores import Stores
from adapters.stores.memory import open_memory
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import Secret, User
from tests.support.planted import MARK, USER_PASSWORD

CHEAP = HashCost(memory_kib=64, passes=1, lanes=1)
ADDRESS = "203.0.113.9"
WRONG = Secret(f"wrong-{MARK}")


class CountingPasswords(Passwords):
    """Notes each hash that was computed, and can be made to wait."""

    def __init__(self, *, threads: int = 1, max_waiting: int = 200) -> None:
        super().__init__(threads=threads, max_waiting=max_waiting, cost=CHEAP)
        self.verified: list[tuple[str, str]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def _verify(self, stored: str, password: str) -> bool:
        assert self.may_go_on.wait(10)
        self.verified.append((stored, password))
        return super()._verify(stored, password)


@pytest.fixture
def passwords() -> Iterator[CountingPasswords]:
    made = CountingPasswords()
    yield made
    made.close()


@pytest.fixture
async def users(passwords: CountingPasswords) -> Stores:
    """An ordinary user, an inactive one, one without a password, and an administrator."""
    stores = open_memory()
    hashed = passwords.hash(Secret(USER_PASSWORD))
    await stores.users.put(User("demo", "/", hashed))
    await stores.users.put(User("idle", "/", hashed, active=False))
    await stores.users.put(User("blank", "/", Secret("")))
    await stores.users.put(User("admin", "/", hashed, {"roles": ("admin",)}))
    return stores


@pytest.fixture
def authenticator(users: Stores, passwords: CountingPasswords) -> LocalAuthenticator:
    return LocalAuthenticator(users.users, passwords)


async def _refused(authenticator: LocalAuthenticator, name: str, password: Secret = WRONG) -> str:
    with pytest.raises(AuthenticationFailed) as refused:
        await authenticator.authenticate("/", name, password, ADDRESS)
    assert MARK not in f"{refused.value!r} {refused.value.detail}"
    return refused.value.sentence


async def test_right_password(authenticator: LocalAuthenticator) -> None:
    """The right password of an active user gives that user."""
    user = await authenticator.authenticate("/", "demo", Secret(USER_PASSWORD), ADDRESS)
    assert user.name == "demo"


@pytest.mark.parametrize("name", ["nobody", "idle", "blank", "demo"])
async def test_equal_refusals(
    authenticator: LocalAuthenticator, passwords: CountingPasswords, name: str
) -> None:
    """Unknown, inactive, no password, wrong password: one sentence, and one hash of one cost."""
    password = WRONG if name == "demo" else Secret(USER_PASSWORD)
    assert await _refused(authenticator, name, password) == "Authentication Failed"
    ((stored, _),) = passwords.verified
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")


async def test_other_realm(authenticator: LocalAuthenticator) -> None:
    """A user of one realm is nobody in another."""
    with pytest.raises(AuthenticationFailed):
        await authenticator.authenticate("/fred", "demo", Secret(USER_PASSWORD), ADDRESS)


@pytest.mark.parametrize("password", ["", "x" * (MAX_PASSWORD_BYTES + 1), "é" * 513])
async def test_unfit_passwords(
    authenticator: LocalAuthenticator, passwords: CountingPasswords, users: Stores, password: str
) -> None:
    """An empty or overlong password is never tried on the real hash, and costs one all the same."""
    hashed = passwords.hash(Secret(password))
    await users.users.put(User("unfit", "/", hashed))
    assert await _refused(authenticator, "unfit", Secret(password)) == "Authentication Failed"
    ((stored, tried),) = passwords.verified
    assert stored != hashed.reveal()
    assert tried != password


async def test_longest_password(
    authenticator: LocalAuthenticator, passwords: CountingPasswords, users: Stores
) -> None:
    """A password of the greatest length is as good as any."""
    longest = Secret("é" * (MAX_PASSWORD_BYTES // 2))
    await users.users.put(User("long", "/", passwords.hash(longest)))
    assert (await authenticator.authenticate("/", "long", longest, ADDRESS)).name == "long"


async def test_a_hash_that_is_none(passwords: CountingPasswords) -> None:
    """A stored text that is no hash fits no password."""
    assert not await passwords.matches(Secret("$argon2id$none"), Secret("$argon2id$none"))


async def test_the_stand_in_is_no_back_door(passwords: CountingPasswords) -> None:
    """What the stand-in was hashed from opens nothing."""
    assert not await passwords.matches(None, Secret("the password of nobody"))
    assert not await passwords.matches(Secret(""), Secret("the password of nobody"))


async def test_default_cost() -> None:
    """Passwords cost 19 MiB and two passes each, as the documentation says."""
    real = Passwords()
    hashed = await real.hashed(Secret(USER_PASSWORD))
    real.close()
    assert hashed.reveal().startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_bounded_pool(users: Stores) -> None:
    """With the pool and its queue full the next check is Unavailable; afterwards all is well."""
    passwords = CountingPasswords(threads=1, max_waiting=2)
    authenticator = LocalAuthenticator(users.users, passwords)
    passwords.may_go_on.clear()
    login = ("/", "demo", Secret(USER_PASSWORD), ADDRESS)
    waiting = [asyncio.create_task(authenticator.authenticate(*login)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await authenticator.authenticate(*login)
    passwords.may_go_on.set()
    assert [user.name for user in await asyncio.gather(*waiting)] == ["demo"] * 3
    assert (await authenticator.authenticate(*login)).name == "demo"
    passwords.close()
