"""Tokens that were used, changed, made up or are for others, and a broker that cannot check."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from adapters.authentication.modules.negotiate.module import MAX_WAITING
from broker.authentication import Evidence
from broker.errors import Unavailable
from broker.model import Secret
from broker.output_options import AuthTarget
from tests.authentication.negotiate.asking import (
    MICROSOFT,
    People,
    ask,
    dressed,
)
from tests.support.door import (
    Door,
)
from tests.support.kdc import KERBEROS, SPNEGO, Client

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("krb5")]


async def test_a_token_counts_once(front: Door, people: People) -> None:
    """A token that was seen opens nothing again, at this module or another, in other clothes or
    not; and no file of the library's had to remember it."""
    for mech in (SPNEGO, KERBEROS):
        token = Client(people.alice, mech=mech).token()
        assert (await ask(front, token)).status == 200
        for module in ("desktop", "whole"):
            again = await ask(front, token, module)
            assert again.status == 401
            assert "WWW-Authenticate" not in again.headers
            assert "used before" in front.audit()[-1]["reason"]
    bare = Client(people.alice, mech=KERBEROS).token()
    assert (await ask(front, bare)).status == 200
    assert (await ask(front, dressed(bare))).status == 401
    assert "used before" in front.audit()[-1]["reason"]
    assert not list(people.kdc.folder.glob("*rcache*"))


async def test_a_dressed_token_is_good(front: Door, people: People) -> None:
    """What the replay test dresses up is a token that would count if it were new."""
    for before in ((), (MICROSOFT,)):
        bare = Client(people.alice, mech=KERBEROS).token()
        assert (await ask(front, dressed(bare, *before))).status == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        "!!!",
        "a",
        base64.b64encode(b"NTLMSSP\x00\x01\x00\x00\x00" + bytes(24)).decode(),
        base64.b64encode(bytes(100)).decode(),
        base64.b64encode(b"\x60\x84\xff\xff\xff\xff").decode(),
        base64.b64encode(b"\x60\x80" + bytes(40)).decode(),
    ],
    ids=["empty", "no base64", "cut", "NTLM", "zeros", "long", "indefinite"],
)
async def test_what_is_no_kerberos(token: str, front: Door) -> None:
    """NTLM and made-up tokens are a 401."""
    assert (await ask(front, token)).status == 401


async def test_ntlm_inside_spnego(front: Door) -> None:
    """NTLM is refused in SPNEGO's clothes too, and the audit says what came."""
    ntlm = dressed(b"NTLMSSP\x00\x01\x00\x00\x00" + bytes(24))
    assert (await ask(front, ntlm)).status == 401
    assert "NTLM" in front.audit()[-1]["reason"]


async def test_changed_tokens(front: Door, people: People) -> None:
    """A token of which a byte was changed, wherever, opens nothing."""
    for at in (30, 200, 400, -40, -1):
        token = bytearray(Client(people.alice).token())
        token[at] ^= 1
        assert (await ask(front, bytes(token))).status == 401, at


async def test_whose_ticket_it_is(front: Door, people: People) -> None:
    """A realm that is not named, and a principal that is not simply a user, are a 401."""
    assert (await ask(front, Client(people.alice).token(), "elsewhere")).status == 401
    assert "realm" in front.audit()[-1]["reason"]
    assert (await ask(front, Client(people.service).token())).status == 401
    assert "not simply a user" in front.audit()[-1]["reason"]


async def test_a_ticket_for_another_service(front: Door, people: People) -> None:
    """A ticket that was issued for somebody else's key is a 401."""
    token = Client(people.alice, "ldap@localhost").token()
    assert (await ask(front, token)).status == 401


async def test_a_keytab_without_the_key(front: Door, people: People, tmp_path: Path) -> None:
    """Where the broker has no key of the service, or the file is gone, it is a 503."""
    assert (await ask(front, Client(people.alice).token(), "keyless")).status == 503
    (tmp_path / "http.keytab").unlink()
    answer = await ask(front, Client(people.alice).token())
    assert (answer.status, str(tmp_path) in answer.text) == (503, False)


async def test_too_many_at_once(front: Door, people: People) -> None:
    """Beyond a number of logins at once the answer is a 503, and then it goes on."""
    tokens = [Client(people.alice).token() for _ in range(MAX_WAITING + 40)]
    module = front.broker.components.authentication.named("/", AuthTarget("module", "desktop"))

    async def one(token: bytes) -> str:
        text = f"Negotiate {base64.b64encode(token).decode()}"
        evidence = Evidence("/", 1.0, headers={"authorization": (Secret(text),)})
        try:
            await module.authenticate(evidence)
        except Unavailable as error:
            return type(error).__name__
        return "in"

    found = await asyncio.gather(*map(one, tokens))
    assert set(found) == {"in", "Unavailable"}
    assert found.count("in") == MAX_WAITING
    assert (await ask(front, Client(people.alice).token())).status == 200
