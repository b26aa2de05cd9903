"""Logins that a real FreeRADIUS checks, alone and as a second factor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.authentication.modules.files import FilesModule
from adapters.directories.local import Passwords
from broker.authentication import AuthModule, Evidence, Flag, Identity, MoreNeeded
from broker.chains import Alone, Chain, Link
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import Secret, User
from tests.support.authentication import CHEAP, module, parts
from tests.support.freeradius import (
    CODE,
    PASSWORDS,
    PROMPT,
    SECOND_CODE,
    SECRET,
    FreeRadius,
    running_freeradius,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("freeradius")]


@pytest.fixture(scope="module")
def server() -> Iterator[FreeRadius]:
    with running_freeradius() as running:
        yield running


def radius(folder: Path, *servers: FreeRadius, **keys: Any) -> AuthModule:
    return module(document(*servers, **keys), parts(folder))


def document(*servers: FreeRadius, **keys: Any) -> dict[str, Any]:
    addresses = [each.address for each in servers]
    return {"name": "corp", "kind": "radius", "servers": addresses, "secret": SECRET, **keys}


def evidence(name: str, password: str | None = None, **more: Any) -> Evidence:
    given = PASSWORDS[name] if password is None else password
    return Evidence(realm="/", now=0.0, username=name, password=Secret(given), **more)


async def login(made: AuthModule, name: str, password: str | None = None, **more: Any) -> Identity:
    found, _ = await Alone(made).authenticate(evidence(name, password, **more))
    return found


@pytest.mark.parametrize("name", ["alice", "José"])
async def test_the_right_password(name: str, server: FreeRadius, tmp_path: Path) -> None:
    """Name and password, in UTF-8, make an identity that is no local user's."""
    found = await login(radius(tmp_path, server), name)
    assert (found.name, found.foreign) == (name, f"auth://corp#{name}")
    assert found.methods == ("pwd",)


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("alice", "alice-passwor"), ("nobody", "x")]
)
async def test_the_wrong_password(
    name: str, password: str, server: FreeRadius, tmp_path: Path
) -> None:
    """The caller hears the same of a wrong password and an unknown name; the audit who refused."""
    with pytest.raises(AuthenticationFailed, match=r"^Authentication Failed$") as refused:
        await login(radius(tmp_path, server), name, password)
    assert refused.value.detail == f"{server.address} refused"


async def test_attributes_of_the_answer(server: FreeRadius, tmp_path: Path) -> None:
    """What the server says of somebody is the profile, under the names that the module gives."""
    named = {"groups": "Class", "role": "11", "lasts": "Session-Timeout", "none": "26.9.1"}
    found = await login(radius(tmp_path, server, attributes=named), "alice")
    assert found.attributes == {"groups": ("staff", "vpn"), "role": ("orders",), "lasts": ("600",)}


async def test_an_unsigned_answer_is_none(server: FreeRadius, tmp_path: Path) -> None:
    """A server's answer without Message-Authenticator counts only where the module says so."""
    with pytest.raises(Unavailable) as down:
        await login(radius(tmp_path, server, timeout=1), "old")
    assert "without a Message-Authenticator" in str(down.value.detail)
    relaxed = radius(tmp_path, server, require_message_authenticator=False)
    assert (await login(relaxed, "old")).name == "old"


async def test_a_challenge_answered_at_once(server: FreeRadius, tmp_path: Path) -> None:
    """A code that came in the request answers the server's challenge."""
    found = await login(radius(tmp_path, server), "carol", otp=Secret(CODE))
    assert (found.name, found.methods) == ("carol", ("pwd", "otp"))


async def test_a_wrong_code_at_once(server: FreeRadius, tmp_path: Path) -> None:
    """The password alone is not enough where the server wants a code."""
    with pytest.raises(AuthenticationFailed) as refused:
        await login(radius(tmp_path, server), "carol", otp=Secret("000000"))
    assert not isinstance(refused.value, MoreNeeded)


async def test_a_challenge_asked_back(server: FreeRadius, tmp_path: Path) -> None:
    """Without a code the caller is asked in the server's words, twice if the server wants."""
    target = Alone(radius(tmp_path, server))
    with pytest.raises(MoreNeeded) as first:
        await target.authenticate(evidence("erin"))
    assert [(each.id, each.text) for each in first.value.prompts] == [("otp", PROMPT)]
    answers = Evidence(realm="/", now=0.0, answers={"otp": Secret(CODE)})
    with pytest.raises(MoreNeeded) as second:
        await target.authenticate(answers, first.value.progress)
    answers = Evidence(realm="/", now=0.0, answers={"otp": Secret(SECOND_CODE)})
    found, _ = await target.authenticate(answers, second.value.progress)
    assert (found.name, found.foreign) == ("erin", "auth://corp#erin")


@pytest.mark.parametrize("code", ["000000", "", "x" * 129])
async def test_a_challenge_answered_wrongly(code: str, server: FreeRadius, tmp_path: Path) -> None:
    """A wrong, empty or overlong answer to a challenge fails the login."""
    target = Alone(radius(tmp_path, server))
    with pytest.raises(MoreNeeded) as more:
        await target.authenticate(evidence("carol"))
    answers = Evidence(realm="/", now=0.0, answers={"otp": Secret(code)})
    with pytest.raises(AuthenticationFailed) as refused:
        await target.authenticate(answers, more.value.progress)
    assert not isinstance(refused.value, MoreNeeded)


async def test_the_state_of_a_challenge_counts_once(server: FreeRadius, tmp_path: Path) -> None:
    """A finished step, shown again, is not accepted again by the server."""
    target = Alone(radius(tmp_path, server))
    with pytest.raises(MoreNeeded) as more:
        await target.authenticate(evidence("carol"))
    answers = Evidence(realm="/", now=0.0, answers={"otp": Secret(CODE)})
    await target.authenticate(answers, more.value.progress)
    with pytest.raises(AuthenticationFailed):
        await target.authenticate(answers, more.value.progress)


# -- linked and second factor ----------------------------------------------------------------------


async def test_linked_names_are_local_users(server: FreeRadius, tmp_path: Path) -> None:
    """With link_local_users the name is the local user's, who must be there and active."""
    given = parts(tmp_path)
    await given.users.put(User("alice", "/", None, {"mail": ("alice@example.com",)}))
    await given.users.put(User("José", "/", None, {}, active=False))
    made = module(document(server, link_local_users=True, attributes={"mail": "Filter-Id"}), given)
    found = await login(made, "alice")
    assert (found.name, found.foreign) == ("alice", None)
    assert found.attributes == {"mail": ("alice@example.com",)}
    for name in ("José", "admin"):
        with pytest.raises(AuthenticationFailed):
            await login(made, name)


async def two_factors(server: FreeRadius, folder: Path) -> Chain:
    """Local users, then codes that the RADIUS server checks."""
    given = parts(folder)
    for name in ("demo", "alice"):
        stored = Passwords(cost=CHEAP).hash(Secret("local"))
        await given.users.put(User(name, "/", stored, {"mail": (f"{name}@example.com",)}))
    made = module(document(server, use="otp", attributes={"groups": "Class"}), given)
    first = FilesModule("staff", given.authenticator)
    return Chain("both", (Link(first, Flag.REQUISITE), Link(made, Flag.REQUIRED)))


async def test_a_second_factor(server: FreeRadius, tmp_path: Path) -> None:
    """As a second factor the code is that of whom the module before it knows."""
    chain = await two_factors(server, tmp_path)
    found, told = await chain.authenticate(evidence("demo", "local", otp=Secret("135790")))
    assert (found.name, found.foreign, found.methods) == ("demo", None, ("pwd", "otp"))
    assert told == "staff: passed; corp: passed"


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("demo", "local", "135791"),
        ("demo", "wrong", "135790"),
        ("alice", "local", "135790"),
        ("demo", "local", ""),
    ],
)
async def test_a_second_factor_that_fails(
    name: str, password: str, code: str, server: FreeRadius, tmp_path: Path
) -> None:
    """A wrong code, a wrong password and somebody else's code all fail the chain."""
    chain = await two_factors(server, tmp_path)
    with pytest.raises(AuthenticationFailed) as refused:
        await chain.authenticate(evidence(name, password, otp=Secret(code)))
    assert not isinstance(refused.value, MoreNeeded)


async def test_a_second_factor_asked_back(server: FreeRadius, tmp_path: Path) -> None:
    """Without a code the second factor asks for it, and the chain goes on from there."""
    chain = await two_factors(server, tmp_path)
    with pytest.raises(MoreNeeded) as more:
        await chain.authenticate(evidence("demo", "local"))
    assert [each.id for each in more.value.prompts] == ["otp"]
    answers = Evidence(realm="/", now=0.0, answers={"otp": Secret("135790")})
    found, _ = await chain.authenticate(answers, more.value.progress)
    assert (found.name, found.methods) == ("demo", ("pwd", "otp"))


async def test_a_second_factor_alone_is_nobody(server: FreeRadius, tmp_path: Path) -> None:
    """A second factor that nothing stands before lets nobody in."""
    with pytest.raises(AuthenticationFailed) as refused:
        await login(radius(tmp_path, server, use="otp"), "demo", otp=Secret("135790"))
    assert not isinstance(refused.value, MoreNeeded)


# -- several servers -------------------------------------------------------------------------------


async def test_the_next_server_answers_for_a_dead_one(server: FreeRadius, tmp_path: Path) -> None:
    """A server that is gone, or hears and never answers, costs no login while another is there."""
    with running_freeradius() as first:
        made = radius(tmp_path, first, server, timeout=4)
        assert (await login(made, "alice")).name == "alice"
        first.freeze()
        assert (await login(made, "alice")).name == "alice"
        first.kill()
        assert (await login(made, "alice")).name == "alice"


async def test_a_server_that_dies_under_load(server: FreeRadius, tmp_path: Path) -> None:
    """Of logins side by side none fails when the preferred server is killed between them."""
    with running_freeradius() as first:
        made = radius(tmp_path, first, server, timeout=30)
        logins = [asyncio.create_task(login(made, "alice")) for _ in range(100)]
        await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
        first.kill()
        logins += [asyncio.create_task(login(made, "alice")) for _ in range(100)]
        assert {found.name for found in await asyncio.gather(*logins)} == {"alice"}


async def test_nobody_left_to_ask(tmp_path: Path) -> None:
    """With all servers dead it is 503, never an acceptance; the next login after a start works."""
    with running_freeradius() as first, running_freeradius() as second:
        made = radius(tmp_path, first, second)
        first.kill()
        second.kill()
        with pytest.raises(Unavailable) as down:
            await login(made, "alice")
        assert down.value.retry_after == 1
        assert first.address in str(down.value.detail)
        assert second.address in str(down.value.detail)
        second.start()
        assert (await login(made, "alice")).name == "alice"


async def test_a_server_with_another_secret_is_none(server: FreeRadius, tmp_path: Path) -> None:
    """A server that knows another secret does not answer for the right one."""
    with running_freeradius(secret="quite another secret than that") as other:
        made = radius(tmp_path, other, server)
        assert (await login(made, "alice")).name == "alice"
        with pytest.raises(Unavailable):
            await login(radius(tmp_path, other, timeout=1), "alice")


async def test_another_secret(server: FreeRadius, tmp_path: Path) -> None:
    """A server that drops what was made with another secret is one that cannot be asked; the audit
    says what to look at."""
    made = radius(tmp_path, server, secret="a secret that nobody shares", timeout=1)
    with pytest.raises(Unavailable) as down:
        await login(made, "alice")
    assert "its clients, with this secret" in str(down.value.detail)
