"""The senders of messages: what they send, what they take for an answer, and lost connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.driver.answers import DUPLICATE, NOT_TAKEN, RETURNED, Answers
from bench.driver.exchange import Exchange
from bench.driver.load import Closed, Open, Stage
from bench.driver.processes import Fleet
from bench.driver.sender import CONNECTION, PARSE, TIMEOUT, Failed, Sender, Strays, made
from bench.parts import PART
from bench.pool import write_pool
from bench.queue_depth import watched
from tests.bench.driving import one_stage
from tests.bench.echoing import Place, Said, always, echo
from tests.support.mosquitto import running_mosquitto
from tests.support.ports import free_port
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq

pytestmark = pytest.mark.server

VIRTUAL_HOST = "echo"
SECONDS = 60.0


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    with running_rabbitmq() as server:
        server.control("add_vhost", VIRTUAL_HOST)
        for user in ("alice", "broker"):
            server.control("set_permissions", "-p", VIRTUAL_HOST, user, ".*", ".*", ".*")
        yield server


@pytest.fixture(
    params=[
        pytest.param("amqp", marks=pytest.mark.xdist_group("rabbitmq")),
        pytest.param("mqtt", marks=pytest.mark.xdist_group("mosquitto")),
    ]
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A message server with nobody behind it."""
    if request.param == "amqp":
        yield Place("amqp", request.getfixturevalue("rabbitmq"), VIRTUAL_HOST)
        return
    with running_mosquitto() as server:
        yield Place("mqtt", server)


@contextlib.asynccontextmanager
async def opened(exchange: Exchange) -> AsyncIterator[Sender]:
    sender = made(exchange.options(), 1)
    try:
        await sender.open()
        yield sender
    finally:
        await sender.close()


async def kind_of(sender: Sender, body: bytes = b"body") -> str:
    with pytest.raises(Failed) as failed:
        async with asyncio.timeout(SECONDS):
            await sender.ask(body)
    return failed.value.kind


async def test_request(place: Place) -> None:
    """A request names its user, says what its body is, has an id of its own, and a deadline."""
    async with place.answered(echo), opened(place.exchange(timeout=7.0)) as sender:
        for body in (b"one", b"two"):
            assert await sender.ask(body) == body
    first, second = place.requests
    assert first.id != second.id
    assert (first.body, first.user, first.content_type) == (b"one", "alice", "application/json")
    assert 0 < first.deadline / 1000 - time.time() < 8


@pytest.mark.parametrize("size", [0, 1, 300, 200_000, 1_500_000])
async def test_sizes(place: Place, size: int) -> None:
    """Bodies of any size go and come whole."""
    async with place.answered(echo), opened(place.exchange()) as sender:
        body = bytes(number % 251 for number in range(size))
        assert await sender.ask(body) == body


async def test_side_by_side(place: Place) -> None:
    """Hundreds of requests share a connection, and each gets its own answer."""
    async with place.answered(echo), opened(place.exchange()) as sender:
        bodies = [b"%d" % number for number in range(500)]
        assert await asyncio.gather(*map(sender.ask, bodies)) == bodies


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(401), "status 401"),
        (Said(503), "status 503"),
        (Said(None), PARSE),
    ],
)
async def test_refusals(place: Place, said: Said, kind: str) -> None:
    """What is no good answer fails by its status, each time anew."""
    async with place.answered(always(said)), opened(place.exchange()) as sender:
        for _ in range(2):
            assert await kind_of(sender) == kind


async def test_part_refused() -> None:
    """A batch with a token for each of its requests is good; one with fewer is not."""
    sender = Answers(Exchange("amqp", "amqp://alice@127.0.0.1/", "bench", batch=2).judge())
    for tokens, good in ((2, True), (1, False)):
        _, id, answer = sender.asked()
        sender.answered(id, 200, b'{"issued_token":"x"}' * tokens)
        if good:
            assert await answer
        else:
            with pytest.raises(Failed, match=PART):
                await answer


async def test_nobody_there(place: Place) -> None:
    """Where nobody takes requests they come back at once."""
    async with opened(place.exchange()) as sender:
        assert await kind_of(sender) == RETURNED


async def test_twice(place: Place) -> None:
    """A second answer is counted as a duplicate, and the next request gets its own answer."""
    async with place.answered(always(Said(), Said())), opened(place.exchange()) as sender:
        assert isinstance(sender, Strays)
        found: dict[str, int] = {}
        async with asyncio.timeout(SECONDS):
            while not found:
                assert await sender.ask(b"") == b"good"
                found = sender.strays()
        assert set(found) == {DUPLICATE}


async def test_given_up(place: Place) -> None:
    """After a request that was given up the next one gets its own answer."""
    async with opened(place.exchange()) as sender:
        assert isinstance(sender, Strays)
        async with place.answered(lambda asked: [] if asked.body == b"slow" else echo(asked)):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sender.ask(b"slow"), 0.05)
            assert await sender.ask(b"fast") == b"fast"
        assert sender.strays() == {}


async def test_late_answer() -> None:
    """What comes after its request was given up is dropped once; a second time it is one too
    many, and what nobody asked for is told apart."""
    answers = Answers()
    number, id, _ = answers.asked()
    answers.given_up(number)
    answers.answered(id, 200, b"")
    assert answers.strays() == {}
    answers.answered(id, 200, b"")
    answers.answered(b"somebody-1", 200, b"")
    assert answers.strays() == {DUPLICATE: 1, "unasked": 1}


async def test_counted_by_the_driver(place: Place, tmp_path: Path) -> None:
    """A driver process counts duplicates among the errors of its stage."""
    fleet = fleet_of(tmp_path, place.exchange())
    async with place.answered(always(Said(), Said())):
        measured = await one_stage(fleet, Stage(Closed(2), 1.0))
    assert measured.answered == measured.sent > 0
    assert measured.errors[DUPLICATE] > 0


async def test_open_model(place: Place, tmp_path: Path) -> None:
    """An open model sends as many as its schedule has, each once."""
    fleet = fleet_of(tmp_path, place.exchange(), processes=2)
    async with place.answered(echo):
        measured = await one_stage(fleet, Stage(Open(50, "even"), 1.0, 0.5))
    assert (measured.sent, measured.answered, measured.errors) == (50, 50, {})
    assert len({asked.id for asked in place.requests}) == len(place.requests) == 75


async def test_nobody_answers(place: Place, tmp_path: Path) -> None:
    """Where requests are taken and never answered, the stage ends with timeouts, in bounded
    time."""
    fleet = fleet_of(tmp_path, place.exchange(), timeout=0.5)
    async with place.answered(always()), asyncio.timeout(SECONDS):
        measured = await one_stage(fleet, Stage(Open(20, "even"), 1.0))
    assert measured.answered == 0
    assert measured.errors == {TIMEOUT: 20}


async def test_lost(place: Place) -> None:
    """Requests under way fail as the connection is lost, and the next one makes a new one."""
    async with opened(place.exchange()) as sender:
        async with place.answered(always()):
            asking = asyncio.create_task(kind_of(sender))
            async with asyncio.timeout(SECONDS):
                await until(lambda: place.requests)
            await cut(place)
            assert await asking == CONNECTION
        async with place.answered(echo), asyncio.timeout(SECONDS):
            assert await sender.ask(b"again") == b"again"


@pytest.mark.xdist_group("mosquitto")
async def test_gone(tmp_path: Path) -> None:
    """Once nobody listens every request fails as a connection, and the stage ends."""
    with running_mosquitto() as server:
        place = Place("mqtt", server)
        fleet = fleet_of(tmp_path, place.exchange())
        loading = asyncio.create_task(one_stage(fleet, Stage(Open(20, "even"), 3.0)))
        async with place.answered(echo), asyncio.timeout(SECONDS):
            await until(lambda: place.requests)
        await asyncio.to_thread(server.kill)
        async with asyncio.timeout(SECONDS):
            measured = await loading
    assert measured.answered + sum(measured.errors.values()) == measured.sent == 60
    assert measured.errors[CONNECTION] > 0


@pytest.mark.parametrize("transport", ["amqp", "mqtt"])
async def test_nobody_listens(transport: str) -> None:
    """Where nobody listens, opening fails as a connection."""
    url = f"{transport}://alice@127.0.0.1:{free_port()}/"
    with pytest.raises(Failed) as failed:
        async with opened(Exchange(transport, url, "bench", "secret")):
            pass
    assert failed.value.kind == CONNECTION


async def test_wrong_password(place: Place) -> None:
    """A login that the message server refuses fails with a sentence, without the password."""
    with pytest.raises(Failed) as failed:
        async with opened(place.exchange(password="wrong-secret")):
            pass
    assert failed.value.kind == CONNECTION
    assert "wrong-secret" not in str(failed.value)


async def test_another_protocol() -> None:
    """What does not speak the protocol fails as a connection, not as a crash."""

    async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example.com ready\r\n" * 100)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(chatter, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for transport in ("amqp", "mqtt"):
            with pytest.raises(Failed) as failed:
                async with opened(Exchange(transport, f"{transport}://a@127.0.0.1:{port}", "b")):
                    pass
            assert failed.value.kind == CONNECTION


@pytest.mark.xdist_group("rabbitmq")
async def test_not_taken(rabbitmq: RabbitMQ) -> None:
    """A queue that is full and refuses to take more is told apart from one that is not there."""
    place = Place("amqp", rabbitmq, VIRTUAL_HOST)
    async with full_queue(place), opened(place.exchange()) as sender:
        assert await kind_of(sender) == NOT_TAKEN


@pytest.mark.xdist_group("rabbitmq")
async def test_depth(rabbitmq: RabbitMQ) -> None:
    """Messages that wait in the queue are counted; where there is no queue nobody looked."""
    place = Place("amqp", rabbitmq, VIRTUAL_HOST)
    begun = time.monotonic()
    async with watched(place.exchange()) as depth:
        assert depth is not None
        await asyncio.sleep(0.1)
        assert depth.most(begun, time.monotonic()) is None
    async with full_queue(place, waiting=3), watched(place.exchange()) as depth:
        assert depth is not None
        async with asyncio.timeout(SECONDS):
            await until(lambda: depth.most(begun, time.monotonic()) is not None)
        assert depth.most(begun, time.monotonic()) == 3


@pytest.mark.parametrize(
    ("transport", "url", "words"),
    [
        ("amqp", "http://alice@127.0.0.1/", "begin with amqp:// or amqps://"),
        ("mqtt", "amqp://alice@127.0.0.1/", "begin with mqtt:// or mqtts://"),
        ("amqp", "amqp://alice:secret@127.0.0.1/", "no password"),
        ("mqtt", "mqtt://127.0.0.1/", "name the user"),
        ("mqtt", "mqtt://al%2Fice@127.0.0.1/", "no /"),
        ("amqp", "amqp://alice@127.0.0.1:many/", "port"),
    ],
)
def test_unusable_address(transport: str, url: str, words: str) -> None:
    """An address that cannot be used is refused with what to write, and no secret is repeated."""
    with pytest.raises(ValueError, match="(?i)" + words) as refused:
        made({"transport": transport, "url": url, "instance": "bench"}, 1)
    assert "secret" not in str(refused.value)


def test_exchange_hides_secrets() -> None:
    """Neither the password nor the private key for answers is in a repr."""
    exchange = Exchange("amqp", "amqp://a@h", "b", "secret", reply_key={"d": "secret"})
    assert "secret" not in repr(exchange)


def fleet_of(folder: Path, exchange: Exchange, timeout: float = 20.0, processes: int = 1) -> Fleet:
    pool = folder / "pool"
    write_pool(pool, (b"%d" % number for number in range(100)))
    return Fleet(exchange.options(), pool, 64, 1, timeout, processes)


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110  # nobody tells us
        await asyncio.sleep(0.01)


async def cut(place: Place) -> None:
    """End every connection to the message server."""
    if isinstance(place.server, RabbitMQ):
        arguments = ("close_all_connections", "--vhost", VIRTUAL_HOST, "a test")
        await asyncio.to_thread(place.server.control, *arguments)
    else:
        await asyncio.to_thread(place.server.forget)


@contextlib.asynccontextmanager
async def full_queue(place: Place, waiting: int = 1) -> AsyncIterator[None]:
    """The queue of requests, which takes no more than what waits in it."""
    import aio_pika

    server: Any = place.server
    arguments = {"x-max-length": waiting, "x-overflow": "reject-publish"}
    async with await aio_pika.connect(server.url + VIRTUAL_HOST) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("remint.requests", arguments=arguments)
        try:
            for _ in range(waiting):
                await channel.default_exchange.publish(aio_pika.Message(b""), queue.name)
            yield
        finally:
            await queue.delete(if_empty=False)
