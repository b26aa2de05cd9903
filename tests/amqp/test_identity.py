"""Who asks, and who hears the answer: with real RabbitMQ, as issue and contract promise it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from adapters.amqp.topology import DEAD, EXPIRED, QUEUES
from tests.amqp.caller import Caller, calling, take, translation
from tests.amqp.conftest import Opened, until_ready
from tests.support.door import ASSERTION, Door, user_input
from tests.support.jose import (
    JOSE,
    decrypted,
    enc_key_of,
    encrypted,
    public,
    registered,
    reply_key,
    signed,
    signing_key,
)
from tests.support.planted import USER_PASSWORD, Planted
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

SEALED = {"require_encrypted_credentials": True}
SIGNER, OTHER = signing_key("EC", "alice"), signing_key("OKP", "other")


@pytest.fixture
def signers(tmp_path: Path) -> dict[str, Path]:
    """The settings of a broker that knows two who sign."""
    path = tmp_path / "requesters.json"
    path.write_text(registered(SIGNER, OTHER))
    return {"jwks_file": path}


async def _sealed(door: Door, token: bytes) -> bytes:
    return encrypted(token, await enc_key_of(door), {"cty": "jose"})


async def test_two_requesters_under_one_id(
    opened: Opened, signers: dict[str, Path], alice: Caller, mallory: Caller
) -> None:
    """Two users and a key whose kid is the name of one of them are three requesters: one message
    id gives each a token of its own."""
    async with opened(amqp=SEALED, requesters=signers) as door:
        key = await enc_key_of(door)
        tokens = []
        for caller in (alice, mallory):
            sent = encrypted(translation(), key)
            reply = await caller.ask(sent, content_type=JOSE, message_id="m-1")
            tokens.append(reply.body["issued_token"])
        token = signed(translation(), SIGNER, "m-1", reply_to=alice.replies.name)
        reply = await alice.ask(await _sealed(door, token), content_type=JOSE, message_id="m-1")
        tokens.append(reply.body["issued_token"])
        assert len(set(tokens)) == 3
        assert len(await door.tokens()) == 3
        assert [line["requester"] for line in door.audit() if line["outcome"] == "ok"] == [
            "alice",
            "mallory",
            "key:alice",
        ]


async def test_signed_without_a_user(
    opened: Opened, signers: dict[str, Path], alice: Caller
) -> None:
    """Who signs needs no user_id; who does neither is turned away."""
    async with opened(amqp=SEALED, requesters=signers) as door:
        mine = reply_key()
        token = signed(translation(), SIGNER, "m-1", reply_jwk=public(mine))
        reply = await alice.ask(
            await _sealed(door, token), content_type=JOSE, message_id="m-1", user_id=None
        )
        assert reply.status == 200
        door.planted.note(json.loads(decrypted(reply.raw, mine))["issued_token"])
        nobody = encrypted(translation(), await enc_key_of(door))
        assert (await alice.ask(nobody, content_type=JOSE, user_id=None)).status == 401


async def test_signed_anew(opened: Opened, signers: dict[str, Path], alice: Caller) -> None:
    """A retry that is signed and encrypted anew gets the same answer, and another credential under
    the id a 409."""
    async with opened(amqp=SEALED, requesters=signers) as door:
        answers = []
        for issued in (0, 1):
            mine = reply_key()
            members = {"reply_jwk": public(mine), "jti": str(issued)}
            token = signed(translation(), SIGNER, "m-1", **members)
            sent = await _sealed(door, token)
            reply = await alice.ask(sent, content_type=JOSE, message_id="m-1")
            answers.append(decrypted(reply.raw, mine))
        assert answers[0] == answers[1]
        door.planted.note(json.loads(answers[0])["issued_token"])
        for given, wanted in ((user_input("wrong"), None), (None, ASSERTION)):
            members = {"reply_to": alice.replies.name}
            token = signed(translation(given, wanted), SIGNER, "m-1", **members)
            sent = await _sealed(door, token)
            reply = await alice.ask(sent, content_type=JOSE, message_id="m-1")
            assert reply.status == 409
        assert len(await door.tokens()) == 1


async def test_captured(
    opened: Opened, signers: dict[str, Path], alice: Caller, mallory: Caller
) -> None:
    """Whoever takes a sealed request from the queue and sends it on hears nothing of the answer,
    under its own id or another."""
    async with opened(amqp=SEALED, requesters=signers) as door:
        token = signed(translation(), SIGNER, "m-1", reply_to=alice.replies.name)
        sent = await _sealed(door, token)
        assert (await alice.ask(sent, content_type=JOSE, message_id="m-1")).status == 200
        for message_id in ("m-1", "m-2"):
            for user in ("mallory", None):
                reply = await mallory.ask(
                    sent, content_type=JOSE, message_id=message_id, user_id=user
                )
                assert reply.status == 401
        assert len(await door.tokens()) == 1


async def test_other_key_s_answer(
    opened: Opened, signers: dict[str, Path], alice: Caller, mallory: Caller
) -> None:
    """``result`` finds the answers of the one who asks, and nobody else's."""
    async with opened(amqp=SEALED, requesters=signers) as door:
        first = await alice.ask(
            encrypted(translation(), await enc_key_of(door)), content_type=JOSE, message_id="m-1"
        )
        assert (await mallory.ask({"request_id": "m-1"}, type="result")).status == 404
        for key in (SIGNER, OTHER):
            token = signed({"request_id": "m-1"}, key, "m-2", reply_to=mallory.replies.name)
            asked = await _sealed(door, token)
            reply = await mallory.ask(asked, content_type=JOSE, message_id="m-2", type="result")
            assert reply.status == 404
        again = await alice.ask({"request_id": "m-1"}, type="result")
        assert again.raw == first.raw


@pytest.mark.parametrize(
    "name",
    [
        "remint.reply.alice.x",
        "remint.reply.alice",
        "remint.reply.mallory",
        "remint.reply.mallory.x.y",
        "remint.reply.mallory..alice.x",
        "remint.reply.mallory/../alice.x",
        "remint.reply.anonymous.x",
        "remint.reply.MALLORY.x",
        "remint.requests",
        "remint.dead",
        "remint.events",
        "amq.gen",
        "amq.rabbitmq.reply-to-other.x",
        "a" * 255,
    ],
)
async def test_reply_to_of_somebody_else(amqp: Door, mallory: Caller, name: str) -> None:
    """An answer goes to a queue of the requester's own and nowhere else: the request is a dead
    letter, and no work is done on it."""
    await mallory.send(translation(), reply_to=name)
    letter = await mallory.dead_letter()
    assert "reply_to" in str(letter.headers["x-remint-reason"])
    assert await amqp.tokens() == []


async def test_user_who_is_called_a_key(
    opened: Opened, signers: dict[str, Path], rabbitmq: RabbitMQ, planted: Planted
) -> None:
    """A user of RabbitMQ named like a signing key is not taken for it."""
    await asyncio.to_thread(_add_user, rabbitmq, "key:alice", "key-password")
    async with opened(amqp=SEALED, requesters=signers) as door:
        url = f"amqp://key%3Aalice:key-password@127.0.0.1:{rabbitmq.port}/"
        async with calling(rabbitmq, planted, "key:alice", url=url) as impostor:
            sent = encrypted(translation(), await enc_key_of(door))
            assert (await impostor.ask(sent, content_type=JOSE)).status == 401
        assert await door.tokens() == []


async def test_no_queue_holds_a_credential(
    opened: Opened, signers: dict[str, Path], rabbitmq: RabbitMQ, alice: Caller, planted: Planted
) -> None:
    """In a dump of every queue, while requests wait, after they were answered and with what could
    not be, no password and no token can be read."""
    mine = reply_key()
    async with opened(amqp=SEALED, requesters=signers) as door:
        key = await enc_key_of(door)
    body = {**translation(), "reply_jwk": public(mine)}
    plain = encrypted(body, key)
    both = encrypted(signed(body, SIGNER, "m-2"), key, {"cty": "jose"})
    for message_id, token in (("m-1", plain), ("m-2", both), ("m-3", plain[:-9])):
        await alice.send(token, content_type=JOSE, message_id=message_id)
    await alice.send(plain, content_type=JOSE, message_id="m-4", expiration=0.001)
    dumps = [await _dump(rabbitmq)]
    assert dumps[0]
    async with opened(amqp=SEALED, requesters=signers) as door:
        answers = [await take(alice.replies) for _ in range(4)]
        tokens = [
            json.loads(decrypted(answer.body, mine))["issued_token"]
            for answer in answers
            if answer.headers["status"] == 200
        ]
        assert len(tokens) == 2
        await until_ready(door)
        dumps += [await _dump(rabbitmq), [answer.body for answer in answers]]
    for token in tokens:
        planted.note(token)
    seen = [text.decode("utf-8", "replace") for dump in dumps for text in dump]
    assert planted.found_in(seen) == []
    assert not any(USER_PASSWORD in text for text in seen)


def _add_user(rabbitmq: RabbitMQ, name: str, password: str) -> None:
    rabbitmq.control("add_user", name, password)
    rabbitmq.control("set_permissions", name, ".*", ".*", ".*")


async def _dump(rabbitmq: RabbitMQ) -> list[bytes]:
    """Every message of our queues as it lies there: body, properties and headers."""
    found: list[bytes] = []
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        for name in {*QUEUES, DEAD, EXPIRED}:
            try:
                queue = await channel.get_queue(name)
            except aio_pika.exceptions.ChannelClosed:
                channel = await connection.channel()
                continue
            held: list[Any] = []
            while (message := await queue.get(fail=False)) is not None:
                held.append(message)
                found += [message.body, repr(message.info()).encode()]
            for message in held:
                await message.nack(requeue=True)
    return found
