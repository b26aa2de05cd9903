"""Directories that lie: nobody gets in by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.authentication.modules.ldap import ber, protocol
from adapters.authentication.modules.ldap.connection import (
    Connection,
    Lost,
    Unreadable,
)
from tests.authentication.ldap.hostile import (
    BASE,
    PASSWORD,
    Asked,
    Hostile,
    asking,
    down,
    ended,
    entry,
    honest,
)
from tests.authentication.ldap.logins import login as logged_in
from tests.authentication.ldap.logins import refused

BINDS = protocol.BIND


async def test_the_server_of_these_tests_is_a_directory(tmp_path: Path) -> None:
    """Where it does nothing odd, right passwords are right and wrong ones wrong."""
    async with Hostile().open() as server, asking(tmp_path, server) as module:
        found = await logged_in(module, "ada", PASSWORD)
        assert (found.name, found.attributes) == ("ada", {"cn": ("Ada",)})
        assert await refused(module, "ada", "wrong") == "wrong password"
        assert server.binds() == [(f"uid=ada,{BASE}", PASSWORD), (f"uid=ada,{BASE}", "wrong")]


# -- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize("tag", [protocol.DONE, protocol.EXTENDED_ANSWER, protocol.ENTRY])
async def test_an_answer_of_another_kind_binds_nobody(tag: int, tmp_path: Path) -> None:
    """Success is success of what was asked: that of a search says nothing of a password."""

    def says(asked: Asked) -> bytes:
        if asked.tag == BINDS and asked.bound[1] == PASSWORD:
            return asked.answer(ended(tag))
        return honest(asked)

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "answer of tag" in await down(module)


async def test_a_second_answer_counts_for_nothing(tmp_path: Path) -> None:
    """Of two answers to one question the first counts, and the other not for the next one."""

    def says(asked: Asked) -> bytes:
        if asked.tag != BINDS:
            return honest(asked)
        more = protocol.message(asked.number + 1, ended(protocol.BOUND))
        return honest(asked) + asked.answer(ended(protocol.BOUND)) + more

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        for _ in range(5):
            assert await refused(module, "ada", "wrong") == "wrong password"


async def test_a_late_answer_lets_nobody_in(tmp_path: Path) -> None:
    """A success that comes after its login was given up is not heard by the logins after it."""
    writers: list[asyncio.StreamWriter] = []
    late: list[bytes] = []

    class Slow(Hostile):
        async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await super().speak(reader, writer)

    def says(asked: Asked) -> bytes:
        if asked.tag == BINDS and asked.bound[1] == PASSWORD:
            late.append(asked.answer(ended(protocol.BOUND)))
            return b""
        return honest(asked)

    async with Slow(says).open() as server, asking(tmp_path, server, timeout=1) as module:
        assert "no answer in time" in await down(module)
        for writer in writers:
            writer.write(late[0])
        assert await refused(module, "ada", "wrong") == "wrong password"


async def test_a_login_that_is_given_up_takes_its_connection_along(tmp_path: Path) -> None:
    """Who is bound on a connection whose bind nobody waited for is unknown: it is closed."""
    came = asyncio.Event()

    def says(asked: Asked) -> bytes:
        if asked.tag == BINDS and asked.bound[1] == "never answered":
            came.set()
            return b""
        return honest(asked)

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        task = asyncio.create_task(logged_in(module, "ada", "never answered"))
        await came.wait()
        used = server.asked[-1].connection
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await refused(module, "ada", "wrong") == "wrong password"
        assert server.asked[-1].connection != used


async def test_a_connection_has_one_bind_at_a_time(tmp_path: Path) -> None:
    """Two who log in at once are never bound on one connection, whoever is answered first."""
    under_way: dict[int, int] = {}
    most: list[int] = []

    def says(asked: Asked) -> bytes:
        if asked.tag == BINDS:
            under_way[asked.connection] = under_way.get(asked.connection, 0) + 1
            most.append(under_way[asked.connection])
            answer = honest(asked)
            under_way[asked.connection] -= 1
            return answer
        return honest(asked)

    async def tried(number: int) -> bool:
        name = f"user{number}"
        if number % 2:
            return (await logged_in(module, name, PASSWORD)).name == name
        return await refused(module, name, "wrong") == "wrong password"

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert all(await asyncio.gather(*map(tried, range(200))))
    assert set(most) == {1}


@pytest.mark.parametrize("dn", ["", " ", "   "])
async def test_an_entry_without_a_name_is_bound_as_nobody(dn: str, tmp_path: Path) -> None:
    """A bind without a name is anonymous, and many directories let anybody be that."""

    def says(asked: Asked) -> bytes:
        if asked.tag == protocol.SEARCH:
            return asked.answer(entry(dn, uid=["ada"]), ended(protocol.DONE))
        return asked.answer(ended(protocol.BOUND))

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "without a name" in await down(module)
        assert server.binds() == []


@pytest.mark.parametrize("password", ["", "\0", "a right password\0", "\ud800", "x" * 1025])
async def test_what_is_no_password_is_not_sent(password: str, tmp_path: Path) -> None:
    """An empty password is an anonymous bind, and a NUL ends one: a directory that says yes to
    everything is not even asked."""

    def says(asked: Asked) -> bytes:
        return (
            honest(asked) if asked.tag == protocol.SEARCH else asked.answer(ended(protocol.BOUND))
        )

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "the password" in await refused(module, "ada", password)
        assert server.asked == []


@pytest.mark.parametrize("password", [" ", "\t", "\u00a0\u2003", "\u200b", "\r\n"])
async def test_blanks_are_a_password_like_any_other(password: str, tmp_path: Path) -> None:
    """They are sent as they came, and never as nothing."""
    async with Hostile().open() as server, asking(tmp_path, server) as module:
        assert await refused(module, "ada", password) == "wrong password"
        assert server.binds() == [(f"uid=ada,{BASE}", password)]


# -- StartTLS ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        protocol.message(2, ended(protocol.BOUND)),
        protocol.message(1, ended(protocol.EXTENDED_ANSWER)),
        protocol.message(2, ended(protocol.BOUND))[:5],
        b"\x16\x03\x03",
    ],
    ids=["answer to come", "answer again", "half an answer", "something of TLS"],
)
async def test_nothing_is_heard_between_starttls_and_tls(extra: bytes, tmp_path: Path) -> None:
    """What somebody in between puts behind the answer to StartTLS was never encrypted: the
    connection ends, and no password was sent (CVE-2011-0411 and its kind)."""

    def says(asked: Asked) -> bytes:
        return asked.answer(ended(protocol.EXTENDED_ANSWER)) + extra

    async with Hostile(says).open() as server, asking(tmp_path, server, starttls=True) as module:
        assert "between its answer to StartTLS and TLS" in await down(module)
        assert BINDS not in {each.tag for each in server.asked}


@pytest.mark.parametrize("code", [1, 2, 52, 80])
async def test_a_server_that_refuses_starttls_is_sent_no_password(
    code: int, tmp_path: Path
) -> None:
    """Somebody in between who takes StartTLS away gets nothing in the clear for it."""

    def says(asked: Asked) -> bytes:
        if asked.tag == protocol.EXTENDED:
            return asked.answer(ended(protocol.EXTENDED_ANSWER, code))
        return honest(asked)

    async with Hostile(says).open() as server, asking(tmp_path, server, starttls=True) as module:
        assert "refuses StartTLS" in await down(module)
        assert BINDS not in {each.tag for each in server.asked}


class _Wire(asyncio.Transport):
    """A connection whose other end nobody reads."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        return None

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        return None


MESSAGES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda number, tag, content: protocol.message(number, ber.element(tag, content)),
        st.integers(-3, 6),
        st.sampled_from([0x61, 0x64, 0x65, 0x73, 0x78, 0x30, 0x7F]),
        st.binary(max_size=60),
    ),
    st.builds(
        lambda number, tag, code: protocol.message(number, ended(tag, code)),
        st.integers(0, 6),
        st.sampled_from([protocol.BOUND, protocol.DONE, protocol.EXTENDED_ANSWER]),
        st.integers(1, 2**40),
    ),
    st.builds(
        lambda size, length: b"\x30" + bytes((0x80 | size,)) + length.to_bytes(size, "big"),
        st.integers(4, 8),
        st.integers(0, 2**32 - 1),
    ),
)


@given(st.lists(MESSAGES, max_size=8), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_no_bytes_are_success(messages: list[bytes], size: int) -> None:
    """Whatever a server says that is no success, in whatever pieces: the bind and the search that
    wait are answered by a refusal, or by nothing."""

    async def told() -> None:
        connection = Connection()
        connection.connection_made(_Wire())
        bind = asyncio.create_task(connection.bind("cn=x", "password"))
        search = asyncio.create_task(
            connection.search(
                BASE, protocol.Scope.BASE, ber.octets("a", 0x87), (), most=1, seconds=1
            )
        )
        await asyncio.sleep(0)
        data = b"".join(messages)
        for start in range(0, len(data), size):
            connection.data_received(data[start : start + size])
        connection.close()
        bound, found = await asyncio.gather(bind, search, return_exceptions=True)
        assert isinstance(bound, Lost) or (isinstance(bound, protocol.Result) and bound.code)
        assert isinstance(found, Lost | Unreadable) or (isinstance(found, tuple) and found[0].code)

    asyncio.run(told())


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0"])
async def test_a_name_that_leads_here_is_not_asked(host: str, tmp_path: Path) -> None:
    """Whatever the resolver makes this machine of, nothing that listens on it is connected to."""
    async with Hostile().open() as server:
        server.url = server.url.replace("127.0.0.1", host)
        async with asking(tmp_path, server, allow_plaintext=True) as module:
            assert "leads to this machine" in await down(module)
        assert server.connections == 0
