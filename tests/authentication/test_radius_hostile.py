"""Answers that are none: forged, replayed, late, broken. A login is never accepted by one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.authentication.modules.radius.packets import Login, NotAnAnswer, Request
from broker.errors import AuthenticationFailed, Unavailable
from tests.authentication.radius_asking import PASSWORD, login, radius
from tests.authentication.radius_server import (
    ACCEPT,
    PROXY_STATE,
    REJECT,
    REPLY_MESSAGE,
    Asked,
    answer,
    serving,
)
from tests.support.freeradius import SECRET

Says = Callable[[Asked], list[bytes]]

BAD: dict[str, tuple[Says, str]] = {
    "another secret": (
        lambda asked: [answer(asked, secret=b"another secret altogether")],
        "with a wrong authenticator",
    ),
    # As after Blast-RADIUS (CVE-2024-3596): the Response Authenticator is right.
    "no Message-Authenticator": (
        lambda asked: [answer(asked, signed=False)],
        "without a Message-Authenticator",
    ),
    "the room that the attack needs": (
        lambda asked: [answer(asked, attributes=[(PROXY_STATE, bytes(200))])],
        "with a wrong authenticator",
    ),
    "a wrong Message-Authenticator": (
        lambda asked: [answer(asked, signature=bytes(range(16)))],
        "with a wrong authenticator",
    ),
    "two Message-Authenticators": (lambda asked: [answer(asked, doubled=True)], "malformed"),
    "another identifier": (
        lambda asked: [answer(asked, id=(asked.id + 1) % 256)],
        "to another request",
    ),
    "a refusal with its code changed": (
        lambda asked: [bytes((ACCEPT,)) + answer(asked, REJECT)[1:]],
        "with a wrong authenticator",
    ),
    "a code that is no answer": (lambda asked: [answer(asked, 5)], "of an unknown kind"),
    "the request itself": (lambda asked: [asked.data], "of an unknown kind"),
    "cut short": (lambda asked: [answer(asked)[:-1]], "truncated"),
    "a header alone": (lambda asked: [answer(asked)[:20]], "truncated"),
    "one byte": (lambda _: [b"\2"], "truncated"),
    "too long": (
        lambda asked: [answer(asked, attributes=[(REPLY_MESSAGE, bytes(250))] * 20)],
        "too long",
    ),
    "an attribute that reaches past the end": (
        lambda asked: [_overrunning(asked)],
        "malformed",
    ),
    "an attribute of no length": (lambda asked: [_empty_attribute(asked)], "malformed"),
}


def _overrunning(asked: Asked) -> bytes:
    good = bytearray(answer(asked))
    good[21] += 1
    return bytes(good)


def _empty_attribute(asked: Asked) -> bytes:
    good = bytearray(answer(asked))
    good[21] = 0
    return bytes(good)


async def test_what_is_no_answer_is_dropped_and_counted(tmp_path: Path) -> None:
    """Forged and broken answers end as 503: they neither accept nor refuse, and are counted."""

    async def ended(says: Says) -> tuple[dict[str, int], str]:
        async with serving(says) as server:
            made = radius(tmp_path, server, tries=1)
            with pytest.raises(Unavailable) as down:
                await login(made)
            return dict(made.dropped), str(down.value.detail)

    outcomes = await asyncio.gather(*(ended(says) for says, _ in BAD.values()))  # side by side
    for (what, (_, why)), (dropped, detail) in zip(BAD.items(), outcomes, strict=True):
        assert dropped == {why: 1}, what
        assert detail.endswith(f"did not answer (1 dropped: {why})"), what


@pytest.mark.parametrize("what", BAD)
async def test_the_true_answer_counts_after_forged_ones(what: str, tmp_path: Path) -> None:
    """Somebody who sends rubbish in between keeps nobody out."""
    says, _ = BAD[what]
    async with serving(lambda asked: [*says(asked), answer(asked)]) as server:
        assert (await login(radius(tmp_path, server))).name == "alice"


async def test_a_replayed_acceptance_is_none(tmp_path: Path) -> None:
    """What accepted one login, sent again, accepts no other: each has its own authenticator."""
    kept: list[bytes] = []

    def says(asked: Asked) -> list[bytes]:
        kept.append(answer(asked))
        return [bytes((kept[0][0], asked.id)) + kept[0][2:]]

    async with serving(says) as server:
        made = radius(tmp_path, server, tries=1)
        assert (await login(made)).name == "alice"
        with pytest.raises(Unavailable):
            await login(made)
    assert made.dropped == {"with a wrong authenticator": 1}


async def test_an_answer_from_elsewhere_is_not_heard(tmp_path: Path) -> None:
    """Only the server's own address and port can answer, even with the right secret."""
    loop = asyncio.get_running_loop()
    async with serving(lambda asked: [answer(asked)]) as server:
        beside, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        server.beside = beside
        try:
            with pytest.raises(Unavailable):
                await login(radius(tmp_path, server))
        finally:
            beside.close()
    assert server.asked


async def test_a_late_answer_helps_nobody(tmp_path: Path) -> None:
    """What comes after the deadline is heard neither by its own login nor by the next one."""
    async with serving(lambda _: []) as server:
        made = radius(tmp_path, server, tries=1)
        with pytest.raises(Unavailable):
            await login(made)
        late, to = answer(server.asked[0]), server.clients[0]
        server.says = lambda _: [late]
        server.transport.sendto(late, to)
        with pytest.raises(Unavailable):
            await login(made)
        assert server.clients[1] != to
    assert sum(made.dropped.values()) == 1


async def test_what_gets_lost_is_sent_again_as_it_was(tmp_path: Path) -> None:
    """A lost request is repeated to the byte, so that a server does not count it twice."""
    async with serving(lambda _: []) as server:
        server.says = lambda asked: [answer(asked)] if len(server.asked) == 3 else []
        assert (await login(radius(tmp_path, server))).name == "alice"
        assert len({each.data for each in server.asked}) == 1


async def test_what_is_sent_is_signed_and_hides_the_password(tmp_path: Path) -> None:
    """Each request begins with its Message-Authenticator and shows no password in the clear."""
    async with serving(lambda asked: [answer(asked)]) as server:
        made = radius(tmp_path, server, nas_identifier="sts-1")
        await login(made, address="192.0.2.7")
        (asked,) = server.asked
    assert asked.signed()
    assert asked.password() == PASSWORD.encode()
    assert PASSWORD.encode() not in asked.data
    assert dict(asked.attributes)[32] == b"sts-1"
    assert dict(asked.attributes)[31] == b"192.0.2.7"
    assert SECRET not in repr(made) + repr(made.__dict__)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", ""),
        ("alice", "x" * 129),
        ("alice", "ä" * 65),
        ("alice", "right\0wrong"),
        ("", PASSWORD),
        (" alice", PASSWORD),
        ("al\nice", PASSWORD),
        ("a\0", PASSWORD),
        ("x" * 254, PASSWORD),
    ],
)
async def test_what_no_server_could_tell_apart_is_not_sent(
    name: str, password: str, tmp_path: Path
) -> None:
    """Empty and overlong passwords and names that are none are refused before anything is sent."""
    async with serving(lambda asked: [answer(asked)]) as server:
        with pytest.raises(AuthenticationFailed):
            await login(radius(tmp_path, server), name=name, password=password)
        assert not server.asked


async def test_longest_password_arrives_whole(tmp_path: Path) -> None:
    """128 bytes, the most that RFC 2865 has room for, are sent and read back."""
    async with serving(lambda asked: [answer(asked)]) as server:
        await login(radius(tmp_path, server), password="ä" * 64)
        assert server.asked[0].password() == ("ä" * 64).encode()


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433"])
async def test_a_name_that_leads_here_is_not_asked(host: str, tmp_path: Path) -> None:
    """Whatever the resolver makes this machine of, nothing that listens on it hears a password."""
    async with serving(lambda asked: [answer(asked)]) as server:
        with pytest.raises(Unavailable):
            await login(radius(tmp_path, servers=[f"{host}:{server.port}"]))
        assert server.asked == []


async def test_a_host_that_is_no_name(tmp_path: Path) -> None:
    """A name that no resolver takes is a server that does not answer, and no fault of ours."""
    with pytest.raises(Unavailable) as down:
        await login(radius(tmp_path, servers=[f"{'a' * 64}.example.com"]))
    assert "not resolved" in str(down.value.detail)


ATTRIBUTES = st.lists(
    st.builds(
        lambda kind, value, lie: bytes((kind, (len(value) + 2 + lie) % 256)) + value,
        st.one_of(st.sampled_from([1, 18, 24, 26, 69, 79, 80]), st.integers(0, 255)),
        st.one_of(st.binary(max_size=20), st.binary(min_size=16, max_size=16)),
        st.sampled_from([0, 0, 0, -2, -1, 1, 200]),
    ),
    max_size=6,
).map(b"".join)


@given(ATTRIBUTES, st.sampled_from([2, 3, 11, 1, 255]), st.sampled_from([0, 0, -1, 1, 4000]))
@settings(deadline=None)
def test_any_datagram_is_an_answer_or_none(attributes: bytes, code: int, lie: int) -> None:
    """Whatever comes, with a true Response Authenticator even, is dropped unless it is signed."""
    request = Request(Login("alice", b"password", "nas", None), SECRET.encode())
    asked = Asked(request.data)
    length = (20 + len(attributes) + lie) % 2**16
    head = bytes((code, asked.id)) + length.to_bytes(2, "big")
    whole = head + asked.authenticator + attributes + SECRET.encode()
    signed = hashlib.md5(whole, usedforsecurity=False).digest()
    with pytest.raises(NotAnAnswer):
        request.answer(head + signed + attributes)


async def test_old_servers_are_a_choice(tmp_path: Path) -> None:
    """Told so, a module believes unsigned answers, but never a wrong signature."""
    async with serving(lambda asked: [answer(asked, signed=False)]) as server:
        made = radius(tmp_path, server, require_message_authenticator=False, tries=1)
        assert (await login(made)).name == "alice"
        server.says = lambda asked: [answer(asked, signature=bytes(16 * [7]))]
        with pytest.raises(Unavailable):
            await login(made)
