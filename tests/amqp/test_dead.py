"""``remint dead``: an operator looks at dead letters, sends one again, throws one away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import aio_pika
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import RSAKey

from adapters.amqp.message import Incoming, dead_letter
from adapters.amqp.topology import DEAD
from adapters.messages import dead_key
from adapters.state_folder import CannotStart
from broker.errors import InvalidRequest
from broker.model import Secret
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened
from tests.support.door import Door
from tests.support.planted import MARK, Planted
from tests.support.process import remint
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

FOREIGN_KEY = bytes(32)
GARBAGE = f"{{not json, but a password: {MARK}".encode()
PASSPHRASE = f"of the operator {MARK}"

Command = Callable[..., Any]


@pytest.fixture
def dead(rabbitmq: RabbitMQ, tmp_path: Path) -> Command:
    """Runs ``remint dead`` against the server."""

    async def run(*arguments: str, passphrase: str = "") -> CompletedProcess[str]:
        return await asyncio.to_thread(
            remint,
            "dead",
            *arguments,
            state=tmp_path / "state",
            settings={"AMQP__URL": rabbitmq.url},
            environment={"DEAD_LETTER_PASSPHRASE": passphrase} if passphrase else {},
        )

    return run


@pytest.fixture
async def impersonator(rabbitmq: RabbitMQ) -> AsyncIterator[None]:
    """The broker's login may send in the name of others."""
    await asyncio.to_thread(rabbitmq.control, "set_user_tags", "broker", "impersonator")
    yield
    await asyncio.to_thread(rabbitmq.control, "set_user_tags", "broker")


def _private(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def _pem(key: Any, passphrase: str = "") -> bytes:
    how: Any = serialization.NoEncryption()
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    )


def _public(key: Any) -> bytes:
    return bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


@pytest.fixture
def operator_key(tmp_path: Path) -> tuple[Path, Path]:
    """Files of the public and the private key."""
    key = _private("EC")
    public, private = tmp_path / "public.pem", tmp_path / "private.pem"
    public.write_bytes(_public(key))
    private.write_bytes(_pem(key))
    return public, private


async def _bury(
    door: Door, alice: Caller, incoming: Incoming, public: Path | None = None, key: bytes = b""
) -> None:
    """Put a dead letter where a broker would put it, unless with another ``key``."""
    refusal = InvalidRequest("the body is not valid JSON")
    key = key or door.broker.stores.deployment.key.derive("fingerprint")
    letter = dead_letter(incoming, refusal, key, dead_key.body_sealer(public))
    await alice.channel.default_exchange.publish(letter, DEAD)


async def test_list_and_show(amqp: Door, alice: Caller, dead: Command) -> None:
    """The list has a line for each and shows why it is there; nothing is consumed by looking."""
    await alice.send(GARBAGE, message_id="m-1", reply_to=None)
    await alice.send(GARBAGE, message_id="m-2\x1b[2J", reply_to=None)
    await alice.until_waiting(DEAD, 2)
    for _ in range(2):
        listed = await dead("list")
        assert listed.returncode == 0, listed.stderr
        first, second = listed.stdout.splitlines()
        assert first == '1  "m-1"  -  "the body is not valid JSON"'
        assert second.startswith('2  "m-2\\u001b[2J"  -')
    assert len((await dead("list", "--limit", "1")).stdout.splitlines()) == 1
    shown = await dead("show", "m-1")
    assert 'x-remint-user-id: "alice"' in shown.stdout.splitlines()
    assert f"x-remint-size: {len(GARBAGE)}" in shown.stdout.splitlines()
    await alice.until_waiting(DEAD, 2)


async def test_drop(amqp: Door, alice: Caller, dead: Command) -> None:
    """One is thrown away, by its number or its message id, and the others stay."""
    for number in range(3):
        await alice.send(GARBAGE, message_id=f"m-{number}", reply_to=None)
        await alice.until_waiting(DEAD, number + 1)
    assert (await dead("drop", "2")).stdout == 'dropped "m-1"\n'
    assert (await dead("drop", "m-2")).stdout == 'dropped "m-2"\n'
    await alice.until_waiting(DEAD, 1)
    assert (await alice.dead_letter()).message_id == "m-0"


async def test_no_such_letter(amqp: Door, dead: Command) -> None:
    """What is not there is a sentence and exit code 1."""
    for command in ("show", "drop", "replay"):
        done = await dead(command, "m-9")
        assert done.returncode == 1
        assert done.stderr.startswith("remint: no such letter among")


async def test_replay_without_body(amqp: Door, alice: Caller, dead: Command) -> None:
    """A dead letter without a body says what to do, and stays where it is."""
    await alice.send(GARBAGE, message_id="m-1", reply_to=None)
    await alice.until_waiting(DEAD, 1)
    done = await dead("replay", "m-1")
    assert done.returncode == 1
    assert "amqp.dead_letter_key" in done.stderr
    await alice.until_waiting(DEAD, 1)


async def test_replay(
    amqp: Door,
    alice: Caller,
    planted: Planted,
    dead: Command,
    operator_key: tuple[Path, Path],
    impersonator: None,
) -> None:
    """A request that is sent again keeps its message id, its requester and its way back: it is
    answered, and the same request under that id gets the same answer."""
    public, private = operator_key
    body = translation()
    request = Incoming(
        json.dumps(body).encode(),
        message_id="m-1",
        correlation_id="c-1",
        reply_to=alice.replies.name,
        user_id="alice",
        content_type="application/json",
    )
    await _bury(amqp, alice, request, public)
    assert "  sealed  " in (await dead("list")).stdout
    done = await dead("replay", "1", "--key", str(private))
    assert (done.returncode, done.stdout) == (0, 'sent "m-1" to remint.requests\n'), done.stderr
    reply = await alice.reply()
    assert (reply.status, reply.message.correlation_id) == (200, "c-1")
    assert (await alice.ask(body, message_id="m-1")).raw == reply.raw
    assert len(await amqp.tokens()) == 1
    await alice.until_waiting(DEAD, 0)


async def test_replay_in_the_name_of_another(
    amqp: Door, alice: Caller, dead: Command, operator_key: tuple[Path, Path]
) -> None:
    """Without the right to send in a requester's name a letter stays, and the sentence says why."""
    public, private = operator_key
    await _bury(amqp, alice, Incoming(b"{}", message_id="m-1", user_id="alice"), public)
    done = await dead("replay", "m-1", "--key", str(private))
    assert done.returncode == 1
    assert "impersonator" in done.stderr
    await alice.until_waiting(DEAD, 1)


async def test_letters_of_others(
    amqp: Door,
    alice: Caller,
    mallory: Caller,
    dead: Command,
    operator_key: tuple[Path, Path],
    impersonator: None,
) -> None:
    """A letter that no broker wrote is shown as such, and never sent in anybody's name."""
    public, private = operator_key
    request = Incoming(
        json.dumps(translation()).encode(),
        message_id="m-1",
        reply_to=mallory.replies.name,
        user_id="alice",
    )
    await _bury(amqp, mallory, request, public, FOREIGN_KEY)
    assert '  "m-1"  not-ours  ' in (await dead("list")).stdout
    assert (await dead("show", "1")).stdout.startswith("not-ours: ")
    done = await dead("replay", "1", "--key", str(private))
    assert done.returncode == 1
    assert "no broker of this deployment" in done.stderr
    await alice.until_waiting(DEAD, 1)
    assert await amqp.tokens() == []


async def test_wrong_key(
    amqp: Door, alice: Caller, tmp_path: Path, dead: Command, operator_key: tuple[Path, Path]
) -> None:
    """Without the key, or with another, nothing is sent and nothing is lost."""
    await _bury(amqp, alice, Incoming(b"{}", message_id="m-1", user_id="alice"), operator_key[0])
    other = tmp_path / "other.pem"
    other.write_bytes(_pem(_private("EC")))
    for arguments, said in (((), "--key"), (("--key", str(other)), "does not open")):
        done = await dead("replay", "m-1", *arguments)
        assert done.returncode == 1
        assert said in done.stderr
    await alice.until_waiting(DEAD, 1)


async def test_no_queue(rabbitmq: RabbitMQ, dead: Command) -> None:
    """Before a broker made the queue, the command says that there is none."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        await (await connection.channel()).queue_delete(DEAD)
    done = await dead("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "remint: there is no queue remint.dead yet: brokers declare it\n"


async def test_bodies_for_the_operator(
    opened: Opened, alice: Caller, operator_key: tuple[Path, Path]
) -> None:
    """With a key the broker keeps the body of what it could not read, for that key alone."""
    public, private = operator_key
    async with opened(amqp={"dead_letter_key": public}):
        await alice.send(GARBAGE, reply_to=None)
        letter = await alice.dead_letter()
    assert MARK.encode() not in letter.body
    assert dead_key.opened(letter.body, private.read_bytes(), None) == GARBAGE


@pytest.mark.parametrize("kind", ["EC", "RSA"])
@pytest.mark.parametrize("form", ["JWK", "PEM"])
def test_key_forms(tmp_path: Path, kind: str, form: str) -> None:
    """The public key may be EC or RSA, a JWK or PEM; the private one may have a passphrase."""
    key = _private(kind)
    path = tmp_path / "public"
    path.write_bytes(_public(key))
    if form == "JWK":
        path.write_text(json.dumps(dead_key._jwk_of(_public(key))))
    seal = dead_key.body_sealer(path)
    assert seal is not None
    sealed = seal(GARBAGE)
    assert sealed.count(b".") == 4
    assert dead_key.opened(sealed, _pem(key, PASSPHRASE), Secret(PASSPHRASE)) == GARBAGE
    with pytest.raises(InvalidRequest, match="passphrase"):
        dead_key.opened(sealed, _pem(key, PASSPHRASE), None)


def test_large_bodies_stay_behind(operator_key: tuple[Path, Path]) -> None:
    """A body larger than any request may be is not kept; one of the largest size is."""
    seal = dead_key.body_sealer(operator_key[0])
    assert seal is not None
    largest = bytes(dead_key.MAX_SEALED_BYTES)
    assert dead_key.opened(seal(largest), operator_key[1].read_bytes(), None) == largest
    assert seal(largest + b"\0") == b""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"nonsense", "neither a JWK nor"),
        (b"{nonsense", "neither a JWK nor"),
        (_pem(_private("EC")), "private key"),
        (_public(ed25519.Ed25519PrivateKey.generate()), "RSA or EC"),
        (_public(rsa.generate_private_key(65537, 1024)), "bits"),  # noqa: S505 - to be refused
        (json.dumps(RSAKey.generate_key(2048).as_dict(private=True)).encode(), "private"),
    ],
    ids=["text", "json", "private-pem", "ed25519", "short-rsa", "private-jwk"],
)
def test_unusable_key(tmp_path: Path, data: bytes, said: str) -> None:
    """A key that must not be used is a sentence at start which names the file and the reason."""
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(CannotStart, match=said) as refused:
        dead_key.body_sealer(path)
    assert str(path) in str(refused.value)
