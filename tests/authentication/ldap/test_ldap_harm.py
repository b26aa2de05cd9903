"""Entries and answers that do harm: who has one does not get in, and others still do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.authentication.modules.ldap import ber, protocol
from adapters.authentication.modules.ldap.connection import (
    MAX_MESSAGE,
    MAX_SKIPPED,
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
    login,
)
from tests.authentication.ldap.logins import login as logged_in
from tests.authentication.ldap.logins import refused

BINDS = protocol.BIND


# -- entries that do harm ------------------------------------------------------------------------


def _values(count: int) -> list[str]:
    return [str(number) for number in range(count)]


HARM: dict[str, Callable[[], bytes]] = {
    "too large": lambda: entry(f"uid=eve,{BASE}", uid=["eve"], cn=["x" * MAX_MESSAGE]),
    "too many values": lambda: entry(f"uid=eve,{BASE}", uid=["eve"], cn=_values(5001)),
    "too many attributes": lambda: entry(
        f"uid=eve,{BASE}", **{f"a{n}": ["x"] for n in range(5002)}
    ),
    "name of no text": lambda: entry(b"uid=\xff\xfe", uid=["eve"]),
    "no entry": lambda: ber.element(protocol.ENTRY, b"\x04"),
}


@pytest.mark.parametrize("what", HARM)
async def test_an_odd_entry_keeps_nobody_else_out(what: str, tmp_path: Path) -> None:
    """Whoever may write his own entry cannot make the directory unusable by it: his login fails,
    and others go on, on the same connection."""

    def says(asked: Asked) -> bytes:
        if login(asked) == "eve":
            return asked.answer(HARM[what](), ended(protocol.DONE))
        return honest(asked)

    async def tried(name: str) -> str:
        if name == "eve":
            return await refused(module, name, PASSWORD)
        return (await logged_in(module, name, PASSWORD)).name

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        told = await asyncio.gather(*map(tried, ["ada", "eve"] * 20))
        assert set(told[::2]) == {"ada"}
        assert "entry" in told[1]
        searched = {each.connection for each in server.asked if each.tag == protocol.SEARCH}
        assert len(searched) == 1


async def test_a_profile_has_an_end(tmp_path: Path) -> None:
    """Sessions keep what a directory says of somebody, so nobody can have it say without end."""

    def says(asked: Asked) -> bytes:
        if login(asked) == "eve":
            found = entry(f"uid=eve,{BASE}", uid=["eve"], cn=[f"{n:010000}" for n in range(40)])
            return asked.answer(found, ended(protocol.DONE))
        return honest(asked)

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "characters" in await refused(module, "eve", PASSWORD)
        assert (await logged_in(module, "ada", PASSWORD)).name == "ada"


async def test_a_flood_of_entries_is_no_login(tmp_path: Path) -> None:
    """A server that finds thousands where two were asked for is not listened to for long."""

    def says(asked: Asked) -> bytes:
        if login(asked) == "eve":
            found = [entry(f"uid=eve{number},{BASE}", uid=["eve"]) for number in range(3000)]
            return asked.answer(*found, ended(protocol.DONE))
        return honest(asked)

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "more than is looked at" in await refused(module, "eve", PASSWORD)
        assert (await logged_in(module, "ada", PASSWORD)).name == "ada"


async def test_spellings_of_a_name_are_two_entries(tmp_path: Path) -> None:
    """Two entries whose names differ in anything are two, and a login that means both is none."""
    names = [f"cn=Strasse,{BASE}", f"cn=Straße,{BASE}"]

    def says(asked: Asked) -> bytes:
        if asked.tag == protocol.SEARCH:
            found = [entry(each, uid=["ada"]) for each in names]
            return asked.answer(*found, ended(protocol.DONE))
        return asked.answer(ended(protocol.BOUND))

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "several" in await refused(module, "ada", PASSWORD)


async def test_half_of_the_groups_is_none(tmp_path: Path) -> None:
    """Active Directory shows the first 1,500 values under another name; they are not all."""
    ranged = {"memberOf;range=0-1499": [f"cn=a,{BASE}"], "memberOf": []}

    def says(asked: Asked) -> bytes:
        if asked.tag == protocol.SEARCH:
            return asked.answer(
                entry(f"uid=ada,{BASE}", uid=["ada"], **ranged), ended(protocol.DONE)
            )
        return honest(asked)

    groups = {"from": "member_of"}
    async with Hostile(says).open() as server, asking(tmp_path, server, groups=groups) as module:
        assert "more groups than the directory shows" in await refused(module, "ada", PASSWORD)


@pytest.mark.parametrize("length", [MAX_SKIPPED + 1, 2**32 - 1])
async def test_a_message_without_end_is_no_answer(length: int, tmp_path: Path) -> None:
    """Whoever announces more than anybody says is not waited for."""

    def says(asked: Asked) -> bytes:
        return b"\x30\x84" + length.to_bytes(4, "big") + ber.integer(asked.number) + b"x" * 100

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "not LDAP" in await down(module)


async def test_a_bind_is_not_answered_at_length(tmp_path: Path) -> None:
    """Only what is found can be large: a bind whose answer is gets nobody in."""

    def says(asked: Asked) -> bytes:
        if asked.tag == BINDS and asked.bound[1] == PASSWORD:
            words = ber.octets("x" * MAX_MESSAGE)
            code = ber.integer(0, ber.ENUMERATED)
            return asked.answer(ber.element(protocol.BOUND, code, ber.octets(""), words))
        return honest(asked)

    async with Hostile(says).open() as server, asking(tmp_path, server) as module:
        assert "not LDAP" in await down(module)


async def test_a_host_that_is_no_name(tmp_path: Path) -> None:
    """A name that no resolver takes is a server that is down, and no fault of the broker's."""
    nowhere = Hostile(url=f"ldaps://{'a' * 64}.example.com")
    async with asking(tmp_path, nowhere) as module:
        assert "no connection" in await down(module)
