"""Servers that are down, hang and come back, with logins coming in all the while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from adapters.authentication.modules.ldap import ber, protocol
from broker.authentication import AuthModule
from broker.errors import AuthenticationFailed, Unavailable
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.authentication.ldap.servers import serving
from tests.support.slapd import Slapd, running_slapd

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

TIMEOUT = 4
PATIENCE = 30.0


@pytest.fixture
def pair() -> Iterator[tuple[Slapd, Slapd]]:
    with running_slapd() as first, running_slapd(authority=first.authority) as second:
        yield first, second


async def _eventually(found: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await found():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def _accepted(module: AuthModule) -> bool:
    try:
        return (await login(module)).name == "ada"
    except Unavailable:
        return False


async def _load(module: AuthModule, until: asyncio.Event) -> list[str]:
    """Logins one after the other, right and wrong in turn; what came of each."""
    outcomes = []
    while not until.is_set():
        outcomes.append("accepted" if await _accepted(module) else "unavailable")
        try:
            await login(module, password="wrong")
            outcomes.append("a wrong password was accepted")
        except AuthenticationFailed as error:
            outcomes.append(str(error.detail))
        except Unavailable:
            outcomes.append("unavailable")
    return outcomes


@pytest.mark.parametrize("fate", ["killed", "frozen"])
async def test_one_of_two_servers_goes_under_load(
    pair: tuple[Slapd, Slapd], ldap: Making, fate: str
) -> None:
    """Whether it dies or hangs, no login fails: those in flight go to the other server within
    their deadline."""
    first, second = pair
    module = ldap(first, first.url, second.url, timeout=TIMEOUT)
    done = asyncio.Event()
    tasks = [asyncio.create_task(_load(module, done)) for _ in range(20)]
    await _eventually(lambda: _accepted(module))
    first.kill() if fate == "killed" else first.freeze()
    for _ in range(50):
        assert await _accepted(module)
    done.set()
    outcomes = [outcome for task in tasks for outcome in await task]
    assert set(outcomes) == {"accepted", "wrong password"}


@pytest.mark.parametrize("scheme", ["ldap", "starttls", "ldaps"])
async def test_a_frozen_server_freezes_nobody_else(
    own_slapd: Slapd, ldap: Making, scheme: str
) -> None:
    """While a server accepts connections and never answers, the event loop goes on, and a login
    ends as unavailable after its deadline."""
    url = own_slapd.tls_url if scheme == "ldaps" else own_slapd.url
    own_slapd.freeze()
    module = ldap(own_slapd, url, starttls=scheme == "starttls", timeout=1)
    asked = asyncio.create_task(_accepted(module))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert not asked.result()
    assert turns > 10
    own_slapd.thaw()
    await _eventually(lambda: _accepted(module))


async def test_both_down_is_unavailable_until_one_is_back(
    pair: tuple[Slapd, Slapd], ldap: Making
) -> None:
    """With nobody to ask every login, right or wrong, is unavailable; the first server that comes
    back is asked again."""
    first, second = pair
    module = ldap(first, first.url, second.url)
    assert await _accepted(module)
    first.kill()
    second.kill()
    for password in ("adas directory password", "wrong"):
        for _ in range(10):
            with pytest.raises(Unavailable) as down:
                await login(module, password=password)
            assert down.value.retry_after >= 1
    second.start()
    await _eventually(lambda: _accepted(module))
    assert await refused(module, password="wrong") == "wrong password"


async def test_the_preferred_server_is_asked_again_once_it_is_back(
    pair: tuple[Slapd, Slapd], ldap: Making
) -> None:
    """Fail-over ends: when the first server answers again it is asked again."""
    first, second = pair
    module = ldap(first, first.url, second.url)
    first.kill()
    assert await _accepted(module)
    first.start()
    second.modify(
        "dn: uid=ada,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: cn\ncn: Second\n"
    )

    async def first_answers() -> bool:
        return (await login(module)).attributes["cn"] == ("Ada Lovelace",)

    await _eventually(first_answers)


async def test_a_connection_that_was_closed_is_opened_anew(own_slapd: Slapd, ldap: Making) -> None:
    """A restart between two logins costs neither of them."""
    module = ldap(own_slapd)
    assert await _accepted(module)
    own_slapd.kill()
    own_slapd.start()
    assert (await login(module)).name == "ada"


async def test_a_login_that_nobody_waits_for_any_more_leaves_nothing_behind(
    own_slapd: Slapd, ldap: Making
) -> None:
    """Cancelled logins give their turn and their connection back."""
    module = ldap(own_slapd)
    own_slapd.freeze()
    tasks = [asyncio.create_task(login(module)) for _ in range(200)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError)
        for each in await asyncio.gather(*tasks, return_exceptions=True)
    )
    own_slapd.thaw()
    assert await _accepted(module)


async def test_an_error_of_one_entry_is_nobody_elses(slapd: Slapd, ldap: Making) -> None:
    """Whose entry the directory cannot check is not let in, nor told that his password is wrong,
    and everybody else is served on."""
    async with _scripted({b"uid=odd": 80, b"uid=ada": 0}) as url:
        module = ldap(slapd, url, attributes=None)
        for _ in range(5):
            with pytest.raises(Unavailable) as unable:
                await login(module, "odd", "odd")
            assert "result code 80" in str(unable.value.detail)
            assert await _accepted(module)


def _scripted(codes: Mapping[bytes, int]) -> AbstractAsyncContextManager[str]:
    """A directory that finds everybody by his uid, and binds with these codes, else with 0."""

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            start = await reader.readexactly(2)
            size = start[1]
            if size & 0x80:
                size = int.from_bytes(await reader.readexactly(size & 0x7F), "big")
            writer.write(_answered(await reader.readexactly(size), codes))

    return serving(told)


def _answered(question: bytes, codes: Mapping[bytes, int]) -> bytes:
    number, tag, content, _ = protocol.opened(question)
    if tag == protocol.BIND:
        bind = ber.Reader(content)
        bind.whole()
        return protocol.message(number, _ended(protocol.BOUND, codes.get(bind.next(ber.OCTETS), 0)))
    if tag != protocol.SEARCH:
        return b""
    search = ber.Reader(content)
    for _ in range(6):  # base, scope, aliases, two limits and whether types alone
        search.any()
    condition = ber.Reader(search.any()[1])
    condition.next(ber.OCTETS)
    uid = condition.next(ber.OCTETS)
    values = ber.element(ber.SET, ber.octets(uid))
    attributes = ber.element(ber.SEQUENCE, ber.element(ber.SEQUENCE, ber.octets("uid"), values))
    entry = ber.element(protocol.ENTRY, ber.octets(b"uid=" + uid), attributes)
    done = protocol.message(number, _ended(protocol.DONE, 0))
    return protocol.message(number, entry) + done


def _ended(tag: int, code: int) -> bytes:
    return ber.element(tag, ber.integer(code, ber.ENUMERATED), ber.octets(""), ber.octets(""))
