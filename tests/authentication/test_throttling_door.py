"""Failed logins at the front door: every way in counts, and nobody hears more than another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters import codec
from adapters.authentication.counting import PAIR
from broker.errors import Refusal
from broker.model import Requester, TranslationRequest
from broker.ports import Attempt
from tests.support import door as doors
from tests.support.authentication import authentication_file, targeted
from tests.support.door import ASSERTION, ID_TOKEN, Answer, Door, an_instance, user_input
from tests.support.planted import MARK, USER_PASSWORD, Planted

WRONG = f"wrong-{MARK}"
TARGETS = """
[[module]]
name = "staff"
kind = "files"

[[chain]]
name = "strict"
modules = [{ module = "staff", flag = "required" }]
"""


@pytest.fixture
async def front(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A broker that believes this test what address it forwards for, at one moment, with an
    instance whose logins a chain checks."""
    settings = authentication_file(tmp_path, TARGETS)
    http = {"trusted_proxies": ["127.0.0.0/8"]}
    clock = doors.FrozenClock()
    async with doors.opened(
        tmp_path / "state", planted, clock=clock, http=http, **settings
    ) as opened:
        await opened.publish(targeted(an_instance("strict"), USERNAME="service|strict"))
        yield opened
        said.extend(opened.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def translated(
    door: Door,
    password: str,
    *,
    name: str = "demo",
    address: str = "192.0.2.1",
    instance: str = doors.ELEMENT,
) -> Answer:
    head = {"X-Forwarded-For": address}
    return await door.translate(
        user_input(password, name), ID_TOKEN, instance=instance, headers=head
    )


@pytest.mark.parametrize("instance", [doors.ELEMENT, "strict"])
async def test_translations(front: Door, instance: str) -> None:
    """After ten wrong passwords even the right one is a 429 at that address, with the time to wait,
    whether the broker itself or a chain checks it; elsewhere it is a token."""
    for _ in range(PAIR.free):
        assert (await translated(front, WRONG, instance=instance)).status == 401
    refused = await translated(front, USER_PASSWORD, instance=instance)
    assert (refused.status, refused.body["reason"]) == (429, "Too Many Requests")
    assert refused.headers["Retry-After"] == "1"
    elsewhere = await translated(front, USER_PASSWORD, address="192.0.2.2", instance=instance)
    assert elsewhere.status == 200


async def test_every_way_in_counts(front: Door) -> None:
    """Guesses at the login and through two instances are counted together."""
    head = {
        "X-OpenAM-Username": "demo",
        "X-OpenAM-Password": WRONG,
        "X-Forwarded-For": "192.0.2.1",
    }
    for _ in range(PAIR.free - 4):
        answer = await front.request("POST", "/json/authenticate", headers=head)
        assert answer.status == 401
    for instance in (doors.ELEMENT, "strict") * 2:
        assert (await translated(front, WRONG, instance=instance)).status == 401
    assert (await front.request("POST", "/json/authenticate", headers=head)).status == 429
    assert (await translated(front, USER_PASSWORD)).status == 429


async def test_unknown_names_hear_the_same(front: Door) -> None:
    """What is said of a name that nobody has is, byte by byte, what is said of any other."""
    heard = [
        [
            (answer.status, answer.text, answer.headers.get("Retry-After"))
            for answer in [
                await translated(front, WRONG, name=name, address=address) for _ in range(13)
            ]
        ]
        for name, address in (("demo", "192.0.2.1"), ("nobody", "192.0.2.2"))
    ]
    assert heard[0] == heard[1]


async def test_the_audit_tells_why(front: Door) -> None:
    """Each attempt has its line: what was wrong with it, and from then on what was too much."""
    for _ in range(PAIR.free + 1):
        await translated(front, WRONG)
    lines = [line for line in front.audit() if line["operation"] == "translate"]
    assert [line["reason"] for line in lines] == [
        *["wrong password"] * PAIR.free,
        "too many failures of this account at this address",
    ]
    assert {line["error"] for line in lines} == {"AuthenticationFailed", "TooManyAttempts"}
    assert {line["address"] for line in lines} == {"192.0.2.1"}


async def test_other_inputs_are_not_counted(front: Door) -> None:
    """While a name has to wait, its sessions go on being translated."""
    session = await front.login()
    for _ in range(PAIR.free + 1):
        await translated(front, WRONG, address="127.0.0.1")
    assert (await translated(front, USER_PASSWORD, address="127.0.0.1")).status == 429
    assert (await front.translate(doors.session_input(session), ASSERTION)).status == 200


async def by_message(door: Door, requester: Requester, password: str) -> str:
    """What a transport of messages does with a request; the token type, or the error's name."""
    body = {"input_token_state": user_input(password), "output_token_state": ID_TOKEN}
    parts = door.broker.components
    attempt = Attempt("translate", requester.transport, parts.clock.now())

    def decode() -> TranslationRequest:
        return codec.decode_translation(body, instance=doors.ELEMENT, requester=requester)

    try:
        answer = await parts.pipeline.translate(attempt, decode)
    except Refusal as refusal:
        return type(refusal).__name__
    return str(answer.status)


async def test_messages_are_counted_by_their_requester(front: Door) -> None:
    """Who guesses by message waits, on that transport or by that key, and nobody else does."""
    mallory, crm = Requester("amqp", id="mallory"), Requester("amqp", id="crm")
    for _ in range(PAIR.free):
        assert await by_message(front, mallory, WRONG) == "AuthenticationFailed"
    assert await by_message(front, mallory, USER_PASSWORD) == "TooManyAttempts"
    for other in (crm, Requester("mqtt", id="mallory"), replace(mallory, by_key=True)):
        assert await by_message(front, other, USER_PASSWORD) == "200"
