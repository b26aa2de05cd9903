"""Challenges, names and many logins at once, against a server of the tests' own making."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.authentication.modules.radius.module import MAX_PROMPT_LENGTH, MAX_ROUNDS
from broker.authentication import MoreNeeded
from broker.chains import Alone
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import Secret
from tests.authentication.radius_asking import evidence, login, radius
from tests.authentication.radius_server import (
    CHALLENGE,
    REPLY_MESSAGE,
    STATE,
    USER_NAME,
    Asked,
    answer,
    serving,
)


async def test_a_challenge_is_shown_without_what_a_terminal_obeys(tmp_path: Path) -> None:
    """A server's words are cut and made printable before anybody reads them."""
    words = [(REPLY_MESSAGE, b"\x1b[2J" + b"x" * 200), (REPLY_MESSAGE, b"\xff\n" + b"y" * 200)]

    async with serving(lambda asked: [answer(asked, CHALLENGE, [*words, (STATE, b"s")])]) as server:
        with pytest.raises(MoreNeeded) as more:
            await login(radius(tmp_path, server))
    (prompt,) = more.value.prompts
    assert prompt.text.isprintable()
    assert len(prompt.text) <= MAX_PROMPT_LENGTH
    assert prompt.secret


async def test_challenges_come_to_an_end(tmp_path: Path) -> None:
    """A server that never stops asking back ends as a login that failed."""

    def says(asked: Asked) -> list[bytes]:
        return [answer(asked, CHALLENGE, [(STATE, bytes((len(server.asked),)))])]

    async with serving(says) as server:
        target = Alone(radius(tmp_path, server))
        given, progress = evidence(), None
        for _ in range(MAX_ROUNDS):
            with pytest.raises(MoreNeeded) as more:
                await target.authenticate(given, progress)
            progress = more.value.progress
            given = evidence(answers={"otp": Secret("1")})
        with pytest.raises(AuthenticationFailed, match="Authentication Failed") as refused:
            await target.authenticate(given, progress)
        states = [dict(each.attributes).get(STATE) for each in server.asked]
    assert not isinstance(refused.value, MoreNeeded)
    assert states == [None, *[bytes((number,)) for number in range(1, MAX_ROUNDS + 1)]]


async def test_state_of_a_server_that_is_gone_is_not_sent_to_another(tmp_path: Path) -> None:
    """The answer to a challenge goes to the server that asked, or nowhere."""
    async with serving(lambda asked: [answer(asked, CHALLENGE, [(STATE, b"s")])]) as server:
        with pytest.raises(MoreNeeded) as more:
            await login(radius(tmp_path, server))
    async with serving(lambda asked: [answer(asked)]) as other:
        with pytest.raises(AuthenticationFailed):
            await Alone(radius(tmp_path, other)).authenticate(
                evidence(answers={"otp": Secret("1")}), more.value.progress
            )
        assert not other.asked


async def test_the_name_is_the_servers(tmp_path: Path) -> None:
    """A server that says the name itself (RFC 2865, section 5.1) has the last word on it."""
    says = [(USER_NAME, b"Alice.Example")]
    async with serving(lambda asked: [answer(asked, attributes=says)]) as server:
        found = await login(radius(tmp_path, server))
    assert (found.name, found.foreign) == ("Alice.Example", "auth://corp#Alice.Example")


async def test_a_name_that_breaks_lines_is_nobodys(tmp_path: Path) -> None:
    """A server's odd name does not replace the one that was typed."""
    says = [(USER_NAME, b"alice\nadmin")]
    async with serving(lambda asked: [answer(asked, attributes=says)]) as server:
        assert (await login(radius(tmp_path, server))).name == "alice"


async def test_more_logins_than_identifiers_side_by_side(tmp_path: Path) -> None:
    """Each of 256 logins at once has a port of its own, and its own answer."""

    def says(asked: Asked) -> list[bytes]:
        name = dict(asked.attributes)[USER_NAME]
        return [answer(asked, attributes=[(REPLY_MESSAGE, name), (USER_NAME, name + b"!")])]

    async with serving(says) as server:
        made = radius(tmp_path, server, timeout=20)
        names = [f"user{number}" for number in range(256)]
        found = await asyncio.gather(*(login(made, name=name) for name in names))
        assert [each.name for each in found] == [f"{name}!" for name in names]
        assert len({*server.clients}) == 256


async def test_one_login_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    """Beyond the number of logins that a module waits for the answer is 503, at once."""
    async with serving(lambda _: []) as server:
        made = radius(tmp_path, server, timeout=60)
        waiting = [asyncio.create_task(login(made)) for _ in range(256)]
        async with asyncio.timeout(30):
            while len(server.asked) < 256:  # noqa: ASYNC110  # a datagram is no event
                await asyncio.sleep(0.01)
        with pytest.raises(Unavailable, match="too many logins"):
            await login(made)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        server.says = lambda asked: [answer(asked)]
        assert (await login(made)).name == "alice"
