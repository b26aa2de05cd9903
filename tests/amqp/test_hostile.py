"""No message that a publisher can write stops the consumer."""

from __future__ import annotations

import base64
import struct

import pytest
from aio_pika.exceptions import ChannelPreconditionFailed
from pamqp.commands import Basic

from adapters.amqp.topology import REQUESTS
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import all_acknowledged
from tests.support.door import Door

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


class _Raw(Basic.Properties):
    """Properties that are sent as the bytes they are given."""

    wire = b""

    def marshal(self) -> bytes:
        return self.wire


def _flags(bit: int) -> bytes:
    return struct.pack(">H", 1 << bit)


def _table(inner: bytes) -> bytes:
    return struct.pack(">I", len(inner)) + inner


def _nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = b"\x01aF" + _table(inner)
    return inner


@pytest.mark.parametrize(
    "wire",
    [
        _flags(7) + b"\x02\xff\xfe",
        _flags(15) + b"\x02\xff\xfe",
        _flags(6) + struct.pack(">Q", 2**63 - 1),
        _flags(13) + _table(b"\x01aT" + struct.pack(">Q", 2**63 - 1)),
        _flags(13) + _table(_nested(600)),
    ],
    ids=["message id", "content type", "timestamp", "time in a header", "nested headers"],
)
async def test_unreadable_properties(
    links: list[str], amqp: Door, alice: Caller, wire: bytes
) -> None:
    """Properties that cannot be decoded make a dead letter, on a link that stays up."""
    raw = await alice.channel.get_underlay_channel()
    properties = _Raw(message_id="for the library's own books")
    properties.wire = wire
    await raw.basic_publish(b"{}", routing_key=REQUESTS, properties=properties)
    letter = await alice.dead_letter()
    assert letter.headers["x-remint-size"] == 2
    assert (await alice.ask(translation())).status == 200
    assert links == ["link"]


def _direct(node: bytes) -> str:
    pid = b"\x83Xv" + struct.pack(">H", len(node)) + node + struct.pack(">III", 99999, 0, 7)
    return f"amq.rabbitmq.reply-to.{base64.b64encode(pid).decode()}.AAAA"


@pytest.mark.parametrize(
    "target",
    ["amq.rabbitmq.reply-to.g1h2AAAA.AAAA", _direct(b"reply@123"), "amq.rabbitmq.reply-to.x"],
    ids=["cut short", "unknown node", "no form at all"],
)
async def test_forged_direct_reply(
    links: list[str], amqp: Door, alice: Caller, target: str
) -> None:
    """A made-up direct reply name, at which RabbitMQ ends the connection, costs us nothing."""
    await alice.send(translation(), message_id="m-1", reply_to=target)
    assert (await alice.ask(translation())).status == 200
    assert links == ["link"]
    # The result was kept: the same id gets it by a better way.
    assert (await alice.ask(translation(), message_id="m-1")).status == 200
    assert len(await amqp.tokens()) == 2
    await all_acknowledged(amqp, alice)


async def test_full_reply_queue(links: list[str], amqp: Door, alice: Caller) -> None:
    """A reply queue that refuses messages does not keep its request from being acknowledged."""
    full = await alice.channel.declare_queue(
        "remint.reply.alice.full",
        exclusive=True,
        arguments={"x-max-length": 0, "x-overflow": "reject-publish"},
    )
    await alice.send(translation(), message_id="m-1", reply_to=full.name)
    assert (await alice.ask(translation(), message_id="m-1")).status == 200
    assert links == ["link"]
    await all_acknowledged(amqp, alice)


async def test_reply_queue_that_is_gone(links: list[str], amqp: Door, alice: Caller) -> None:
    """An answer nobody can receive is dropped, the request acknowledged, the result kept."""
    await alice.send(translation(), message_id="m-1", reply_to="remint.reply.alice.gone")
    reply = await alice.ask(translation(), message_id="m-1")
    [record] = await amqp.tokens()
    assert reply.headers["token-id"] == record.token_id
    assert links == ["link"]
    await all_acknowledged(amqp, alice)


async def test_expiration_that_is_no_number(amqp: Door, alice: Caller) -> None:
    """RabbitMQ refuses an expiration that is no number, so none reaches us."""
    raw = await alice.channel.get_underlay_channel()
    properties = Basic.Properties(expiration="soon", message_id="m-1")
    with pytest.raises(ChannelPreconditionFailed, match="expiration"):
        await raw.basic_publish(b"{}", routing_key=REQUESTS, properties=properties)
    assert amqp.audit() == []
