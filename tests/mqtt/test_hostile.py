"""What a requester may make up never stops the consumer, and never shows a secret."""

from __future__ import annotations

import asyncio
import random
import socket
import struct

import pytest

from tests.mqtt.caller import Caller, calling, topic_of, translation, user_properties
from tests.mqtt.conftest import Opened
from tests.support.door import ID_TOKEN, Door, user_input
from tests.support.mosquitto import Mosquitto, password_of
from tests.support.planted import MARK

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("mosquitto")]

MIB = 1024 * 1024


async def _serves(alice: Caller) -> None:
    """It still answers. Answers to what came before may come first."""
    message_id = await alice.send(translation())
    assert message_id is not None
    while (await alice.reply()).correlation != message_id.encode():
        pass


async def test_a_dead_letter(mqtt: Door, alice: Caller, undertaker: Caller) -> None:
    """What cannot be understood is answered, and goes to remint/v1/dead without its body."""
    body = f'{{"password": "{MARK}"'.encode()
    reply = await alice.ask(
        body, message_id="m-1", correlation=b"c", headers={"note": MARK, "deadline": "9" * 13}
    )
    assert (reply.status, reply.headers["retry"]) == (400, "never")
    letter = await undertaker.message()
    assert letter.payload == b""
    assert letter.properties is not None
    said = user_properties(letter.properties)
    digest = said.pop("x-remint-digest")
    assert len(digest) == 64
    assert said.pop("x-remint-reason") == reply.body["message"]
    assert said == {
        "x-remint-status": "400",
        "x-remint-size": str(len(body)),
        "x-remint-topic": topic_of("alice"),
        "x-remint-response-topic": alice.reply_topic,
        "x-remint-user-id": "alice",
        "message-id": "m-1",
        "deadline": "9" * 13,
    }
    assert letter.properties.CorrelationData == b"c"


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"[]", b"null", b"\xff" * 100, b"[" * 100_000, b'"' + b"x" * (2 * MIB) + b'"'],
    ids=["empty", "nul", "list", "null", "no-utf-8", "deep", "huge"],
)
async def test_bodies(mqtt: Door, alice: Caller, body: bytes) -> None:
    """A body that is no request is refused with a 4xx."""
    assert (await alice.ask(body)).status in (400, 413)
    await _serves(alice)


@pytest.mark.parametrize(
    "extra",
    [
        [("message-id", "m-1")],
        [("deadline", "1"), ("deadline", "9999999999999")],
        [("deadline", "soon")],
        [("deadline", "-1")],
        [("deadline", "٣")],
        [("traceparent", "a"), ("traceparent", "b")],
    ],
    ids=["id-twice", "deadline-twice", "no-number", "negative", "other-digits", "trace-twice"],
)
async def test_user_properties(mqtt: Door, alice: Caller, extra: list[tuple[str, str]]) -> None:
    """User properties that contradict themselves, or are no numbers, are refused."""
    assert (await alice.ask(translation(), user=extra)).status == 400
    assert await mqtt.tokens() == []


@pytest.mark.parametrize("message_id", [None, "", "x" * 256], ids=["none", "empty", "long"])
async def test_message_ids(mqtt: Door, alice: Caller, message_id: str | None) -> None:
    """A request without a message id that can be kept is refused."""
    user = [] if message_id is None else [("message-id", message_id)]
    assert (await alice.ask(translation(), message_id=None, user=user)).status == 400
    assert await mqtt.tokens() == []


async def test_correlation_data(mqtt: Door, alice: Caller) -> None:
    """Correlation Data beyond the limit are refused, and do not come back."""
    reply = await alice.ask(translation(), correlation=b"x" * 1025, message_id="m-1")
    assert (reply.status, reply.correlation) == (400, b"m-1")
    assert (await alice.ask(translation(), correlation=b"x" * 1024)).correlation == b"x" * 1024


@pytest.mark.parametrize(
    "target",
    [
        "remint/v1/reply/mallory/desk",
        "remint/v1/dead",
        "remint/v1/events/token.issued",
        "remint/v1/reply/alice/translate/bob",
    ],
)
async def test_somebody_elses_topic(
    mqtt: Door, alice: Caller, mallory: Caller, undertaker: Caller, target: str
) -> None:
    """A Response Topic that is not the requester's own is refused: a dead letter and no answer."""
    await alice.send(translation(), reply_to=target, message_id="m-1")
    letter = await undertaker.message()
    said = user_properties(letter.properties)
    assert (said["x-remint-status"], said["x-remint-response-topic"]) == ("400", target)
    assert await mallory.silent()
    assert await alice.silent()
    assert await undertaker.silent()
    assert await mqtt.tokens() == []


async def test_quality_of_service_0(mqtt: Door, alice: Caller) -> None:
    """A request that may get lost is refused with a sentence that says so."""
    await alice.send(translation(), qos=0)
    reply = await alice.reply()
    assert reply.status == 400
    assert "QoS 1" in reply.body["message"]
    assert await mqtt.tokens() == []


async def test_quality_of_service_2(mqtt: Door, alice: Caller) -> None:
    """A request at QoS 2 is served like one at QoS 1."""
    await alice.send(translation(), qos=2)
    assert (await alice.reply()).status == 200


async def test_unreadable_properties(
    mqtt: Door, mosquitto: Mosquitto, alice: Caller, undertaker: Caller
) -> None:
    """Properties that the server lets through and the library refuses end as a dead letter."""
    text = "\ufeff".encode()
    pair = b"\x26" + _text(b"note") + _text(text)
    await asyncio.to_thread(_publish_raw, mosquitto, pair)
    said = user_properties((await undertaker.message()).properties)
    assert said["x-remint-reason"] == "the properties of this message cannot be read"
    await _serves(alice)


async def test_many_properties(
    mqtt: Door, mosquitto: Mosquitto, alice: Caller, undertaker: Caller
) -> None:
    """Half a megabyte of user properties is not read at all."""
    pair = b"\x26" + _text(b"") + _text(b"")
    await asyncio.to_thread(_publish_raw, mosquitto, pair * 100_000)
    said = user_properties((await undertaker.message()).properties)
    assert said["x-remint-status"] == "400"
    await _serves(alice)


async def test_another_users_topic(mqtt: Door, alice: Caller, mallory: Caller) -> None:
    """The message server lets nobody publish under another's name, nor make up an answer."""
    await mallory.send(translation(), topic=topic_of("alice"))
    assert mallory.codes.popitem()[1] == 0x87
    assert await mallory.silent()
    assert await mqtt.tokens() == []


@pytest.mark.parametrize(
    "topic",
    [
        "remint/v1/reply/alice/desk",
        "remint/v1/reply/alice/translate/mallory",
        "remint/v1/reply/alice/a/b/translate/mallory",
        "remint/v1/events/token.issued",
        "remint/v1/dead",
    ],
)
async def test_made_up_answers(
    mqtt: Door, alice: Caller, mallory: Caller, undertaker: Caller, topic: str
) -> None:
    """The message server lets nobody but the broker write answers, events and dead letters."""
    await mallory.publish(topic, b"made up")
    assert mallory.codes.popitem()[1] == 0x87
    assert await alice.silent()
    assert await undertaker.silent()


async def test_anonymous(opened: Opened, mosquitto: Mosquitto, alice: Caller) -> None:
    """The user name ``anonymous`` is nobody: it is served only where that is allowed."""
    for allowed, status in ((False, 401), (True, 200)):
        async with (
            opened(mqtt={"allow_anonymous": allowed}) as door,
            calling(mosquitto, door.planted, "anonymous") as anonymous,
        ):
            assert (await anonymous.ask(translation(user_input(), ID_TOKEN))).status == status


async def test_garbage(mqtt: Door, mosquitto: Mosquitto, alice: Caller) -> None:
    """Three hundred messages of random properties and bodies leave the consumer as it was."""
    chance = random.Random(4)  # noqa: S311 - the same garbage each time
    await asyncio.to_thread(_publish_garbage, mosquitto, chance, 300)
    await _serves(alice)
    transport = mqtt.broker.mqtt
    assert transport is not None
    assert transport.ready


def _publish_garbage(mosquitto: Mosquitto, chance: random.Random, count: int) -> None:
    """Each on a connection of its own: the server ends those that it finds malformed."""
    for _ in range(count):
        kind = chance.choice((b"\x01", b"\x02", b"\x03", b"\x08", b"\x09", b"\x23", b"\x26"))
        blob = chance.randbytes(chance.randrange(20))
        properties = kind + chance.choice((blob, _text(blob), _text(blob) + _text(blob)))
        _publish_raw(mosquitto, properties, body=chance.randbytes(chance.randrange(200)))


def _publish_raw(mosquitto: Mosquitto, properties: bytes, body: bytes = b"{}") -> None:
    """Publish at QoS 1 as alice, with properties that no library would write."""
    login = _text(b"alice") + _text(password_of("alice").encode())
    connect = _text(b"MQTT") + b"\x05\xc2\x00\x3c\x00" + _text(b"") + login
    publish = _text(topic_of("alice").encode()) + b"\x00\x01"
    publish += _variable(len(properties)) + properties + body
    with socket.create_connection(("127.0.0.1", mosquitto.port), timeout=10) as connection:
        connection.sendall(b"\x10" + _variable(len(connect)) + connect)
        connection.recv(1024)
        connection.sendall(b"\x32" + _variable(len(publish)) + publish)
        connection.recv(1024)  # the PUBACK, or the end


def _text(value: bytes) -> bytes:
    return struct.pack("!H", len(value)) + value


def _variable(number: int) -> bytes:
    """A Variable Byte Integer (MQTT 5, section 1.5.5)."""
    written = b""
    while True:
        number, low = divmod(number, 128)
        written += bytes([low | (0x80 if number else 0)])
        if not number:
            return written
