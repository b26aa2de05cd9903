"""The whole way: a name and a password in, a token with what the directory says of somebody out."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.authentication.ldap.logins import PATIENT
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import ASSERTION, ID_TOKEN, Answer, Door, an_instance, user_input
from tests.support.load import claims
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.slapd import (
    ADA_PASSWORD,
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Slapd,
    running_slapd,
)

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]

LOCAL_PASSWORD = USER_PASSWORD
PATIENCE = 30.0
ADA = user_input(ADA_PASSWORD, "ada")


def _toml(*urls: str, chains: str = "", timeout: int = PATIENT) -> str:
    return f"""
[[module]]
name = "corp"
kind = "ldap"
servers = {json.dumps(urls)}
bind_dn = "{SERVICE_DN}"
bind_password = "{SERVICE_PASSWORD}"
search_bases = ["{PEOPLE}"]
attributes = ["mail", "cn"]
timeout = {timeout}

[[module]]
name = "local"
kind = "files"

[[chain]]
name = "corpOnly"
modules = [{{ module = "corp", flag = "required" }}]
{chains}
"""


@contextlib.asynccontextmanager
async def _broker(
    folder: Path, planted: Planted, toml: str, target: str = "service|corpOnly"
) -> AsyncIterator[Door]:
    """A broker whose instance sends names and passwords to ``target``. Many people ask from the
    tests' address, so that failures of one hold up no other."""
    settings = authentication_file(folder, toml)
    settings["throttling"] = {"shared_addresses": ["127.0.0.0/8"]}
    async with doors.opened(folder / "state", planted, **settings) as door:
        mapped = {"mail": "mail", "display": "cn"}
        await door.publish(targeted(an_instance(attribute_map=mapped), USERNAME=target))
        yield door


async def _status(door: Door, password: str, name: str = "ada") -> int:
    return (await door.translate(user_input(password, name), ID_TOKEN)).status


async def _until(door: Door, wanted: Callable[[Answer], bool]) -> None:
    """Logins one after the other until one is answered as wanted."""
    deadline = time.monotonic() + PATIENCE
    while not wanted(await door.translate(ADA, ID_TOKEN)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("target", ["module|corp", "service|corpOnly"])
async def test_a_directory_login_becomes_a_token(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd, target: str
) -> None:
    """An ID token and an assertion carry the directory's name and attributes, and the audit says
    who vouched."""
    async with _broker(tmp_path, planted, _toml(slapd.url), target) as door:
        issued = await door.translate(ADA, ID_TOKEN)
        assert issued.status == 200, issued.text
        found = claims(issued.body["issued_token"])
        assert found["sub"] == "ada"
        assert "ada@example.com" in str(found["email"])
        assertion = (await door.translate(ADA, ASSERTION)).body["issued_token"]
        assert ">ada</" in assertion
        assert "ada@example.com" in assertion
        assert "Ada Lovelace" in assertion
        assert all("corp" in json.dumps(line) for line in door.audit()[-2:])
        assert door.audit()[-1]["principal"] == "auth://corp#ada"


FLAGS = {
    ("required", "optional"): ((200, 401, 401), (503, 503, 503)),
    ("requisite", "optional"): ((200, 401, 401), (503, 503, 503)),
    ("sufficient", "required"): ((200, 200, 401), (503, 200, 503)),
    ("optional", "optional"): ((200, 200, 401), (503, 200, 503)),
}
"""By the flags of the directory and of the local users after it: what the directory's password,
the local one and a wrong one get, with the directory up, and with it down."""


@pytest.mark.parametrize("flags", FLAGS)
async def test_each_control_flag(
    tmp_path: Path, planted: Planted, said: list[str], own_slapd: Slapd, flags: tuple[str, str]
) -> None:
    """In a chain with the local users the flags decide, and a directory that is down is never
    taken for one that said yes, nor for one that said no."""
    links = ", ".join(
        f'{{ module = "{module}", flag = "{flag}" }}'
        for module, flag in zip(("corp", "local"), flags, strict=True)
    )
    chain = f'[[chain]]\nname = "both"\nmodules = [{links}]\n'
    async with _broker(
        tmp_path, planted, _toml(own_slapd.url, chains=chain), "service|both"
    ) as door:
        await door.add_user("ada")

        async def outcomes() -> tuple[int, ...]:
            passwords = (ADA_PASSWORD, LOCAL_PASSWORD, "wrong")
            return tuple([await _status(door, password) for password in passwords])

        up = await outcomes()
        own_slapd.kill()
        assert (up, await outcomes()) == FLAGS[flags]


async def test_an_administrator_of_the_directory_is_none_here(
    tmp_path: Path, planted: Planted, said: list[str], own_slapd: Slapd
) -> None:
    """The directory's "admin" is another account than the local administrator of that name."""
    own_slapd.add(
        f"dn: uid=admin,{PEOPLE}\nobjectClass: inetOrgPerson\nuid: admin\ncn: a\nsn: a\n"
        "userPassword: theirs\n"
    )
    async with _broker(tmp_path, planted, _toml(own_slapd.url)) as door:
        assert await _status(door, "theirs", "admin") == 200
        assert door.audit()[-1]["principal"] == "auth://corp#admin"
        [record] = await door.tokens()
        assert record.principal == "auth://corp#admin"


INJECTIONS = [
    "*",
    "a*",
    "*)",
    "ada)(uid=*",
    "ada)(|(uid=*",
    "*)(objectClass=*",
    "*))%00",
    "ada)(&",
    "ada)(&)",
    "*)(uid=*))(|(uid=*",
    "ada)(userPassword=*",
    "ada))(|(cn=a*",
    "(&(uid=ada))",
    "!(uid=x)",
    "|(uid=ada)",
    "&",
    "\\2a",
    "\\61da",
    "ada\\",
    "ada\\00",
    "uid=ada",
    f"uid=ada,{PEOPLE}",
    f"ada,{PEOPLE}",
    f"ada,{PEOPLE}+",
    f"cn=*,{PEOPLE}",
    "#04036164",
    "uid=#04036164",
    "ada,cn=admin",
    "ada+sn=Lovelace",
    'uid="ada"',
    "<ada>",
    "ada;x",
    "ada//x",
    "{login}",
    "%s",
    "ada@",
    "@ada",
    "corp\\ada",
    "S-1-5-21-1-2-3-1001",
    "ada)(mail=c*",
    "ada)(mail=d*",
    "ada)(cn:dn:=x",
    ":caseExactMatch:=ada",
    "ada\u0430",
    "\u202eada",
    "a" * 256,
]


async def test_injections_are_names_of_nobody(
    tmp_path: Path, planted: Planted, said: list[str], slapd: Slapd
) -> None:
    """Filters and names of entries in the place of a login: one answer for all of them, of the
    same bytes as for a wrong password."""
    async with _broker(tmp_path, planted, _toml(slapd.url)) as door:
        wrong = await door.translate(user_input("wrong", "ada"), ID_TOKEN)
        assert wrong.status == 401
        for payload in INJECTIONS:
            for password in (ADA_PASSWORD, "*", "\0"):
                got = await door.translate(user_input(password, payload), ID_TOKEN)
                assert (got.status, got.text) == (401, wrong.text), payload


async def test_an_empty_password_is_no_login(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Not even at a directory that lets empty passwords in."""
    with running_slapd(settings="allow bind_anon_dn bind_anon_cred\n") as slapd:
        async with _broker(tmp_path, planted, _toml(slapd.url)) as door:
            for password in ("", "\0", " ", "x" * 1025):
                assert await _status(door, password) in (400, 401)


async def test_one_of_two_servers_dies_under_load(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Translations side by side through the front door: none of them fails, and nobody gets in with
    a wrong password."""
    with running_slapd() as first, running_slapd() as second:
        async with _broker(tmp_path, planted, _toml(first.url, second.url)) as door:
            done = asyncio.Event()

            async def load() -> set[int]:
                found = set()
                for number in itertools.count():
                    found.add(await _status(door, ADA_PASSWORD))
                    found.add(-(await _status(door, "wrong", f"somebody-{number}")))
                    if done.is_set():
                        break
                return found

            tasks = [asyncio.create_task(load()) for _ in range(8)]
            await _until(door, lambda answer: answer.status == 200)
            first.kill()
            for _ in range(30):
                assert await _status(door, ADA_PASSWORD) == 200
            done.set()
            assert set().union(*[await task for task in tasks]) == {200, -401}


async def test_a_dead_directory_is_a_clean_503(
    tmp_path: Path, planted: Planted, said: list[str], own_slapd: Slapd
) -> None:
    """With nobody to ask the answer is a 503 with Retry-After, for right and wrong passwords alike,
    until the directory is back."""
    async with _broker(tmp_path, planted, _toml(own_slapd.url)) as door:
        assert await _status(door, ADA_PASSWORD) == 200
        own_slapd.kill()
        for password in (ADA_PASSWORD, "wrong"):
            down = await door.translate(user_input(password, "ada"), ID_TOKEN)
            assert (down.status, down.headers["Retry-After"]) == (503, "1")
        own_slapd.start()
        await _until(door, lambda answer: answer.status == 200)
        assert await _status(door, "wrong") == 401
