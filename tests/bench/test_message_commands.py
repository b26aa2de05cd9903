"""``remint bench amqp`` and ``remint bench mqtt`` as a load tester calls them, on a real broker."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import subjects
from bench.driver.load import Closed, Open
from bench.result import Measured, Run, read
from bench.served import INSTANCE, Broker, served
from tests.support.mosquitto import password_of, running_mosquitto
from tests.support.rabbitmq import USERS, running_rabbitmq

pytestmark = [pytest.mark.server, pytest.mark.slow]

LONGEST = 300
BOTH = [
    pytest.param("amqp", marks=pytest.mark.xdist_group("rabbitmq")),
    pytest.param("mqtt", marks=pytest.mark.xdist_group("mosquitto")),
]


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, what it said, and the document it left."""

    code: int
    shown: str
    said: str
    run: Run | None

    @property
    def stage(self) -> Measured:
        assert self.run is not None, self.said
        (stage,) = self.run.stages
        return stage


@dataclass(frozen=True)
class World:
    """A broker behind a message server, and the command that loads it as ``alice``."""

    transport: str
    url: str
    password: str
    broker: Broker
    out: Path

    def load(self, *arguments: str, instance: str = INSTANCE, password: str = "") -> Ended:
        """Load it with freshly minted tokens; ``arguments`` say how."""
        self.out.unlink(missing_ok=True)
        broker, password = self.broker, password or self.password
        command = [
            *(sys.executable, "-m", "adapters.cli", "bench", self.transport, self.url, instance),
            *("--input", "oidc", "--mint-key", str(broker.mint_key)),
            *("--mint-issuer", subjects.ISSUER, "--mint-audience", subjects.AUDIENCE),
            *("--mint-subject", subjects.SUBJECT),
            *("--introspect", f"{broker.url}/rest-sts/{INSTANCE}"),
            *("--out", str(self.out), "--quiet", *arguments),
        ]
        done = subprocess.run(
            command,
            env={**os.environ, "REMINT_BENCH_MESSAGE_PASSWORD": password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        assert password not in done.stdout + done.stderr
        run = read(self.out) if self.out.exists() else None
        assert run is None or isinstance(run, Run)
        assert password not in (self.out.read_text() if run else "")
        return Ended(done.returncode, " ".join(done.stdout.split()), done.stderr, run)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """By transport; each is made when it is first asked for."""
    made: dict[str, World] = {}
    with contextlib.ExitStack() as stack:

        def world(transport: str) -> World:
            if transport not in made:
                url, mine, password = _message_server(stack, transport)
                folder = tmp_path_factory.mktemp(transport)
                name = transport.upper()
                settings = {
                    f"REMINT_{name}__URL": url,
                    f"REMINT_{name}__REQUIRE_ENCRYPTED_CREDENTIALS": "false",
                }
                broker = stack.enter_context(served(folder, "memory://", settings, sessions=0))
                made[transport] = World(transport, mine, password, broker, folder / "run.json")
            return made[transport]

        yield world


def _message_server(stack: contextlib.ExitStack, transport: str) -> tuple[str, str, str]:
    """The broker's URL, that of ``alice`` without her password, and that."""
    if transport == "amqp":
        rabbitmq = stack.enter_context(running_rabbitmq())
        url, port, password = rabbitmq.url, rabbitmq.port, USERS["alice"]
    else:
        mosquitto = stack.enter_context(running_mosquitto())
        url, port, password = mosquitto.url, mosquitto.port, password_of("alice")
    return url, f"{transport}://alice@127.0.0.1:{port}/", password


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    return worlds(request.param)


def test_open(world: World, tmp_path: Path) -> None:
    """Requests that begin by the clock are answered and verified; the document says by which
    transport, how many waited in the queue where that can be seen, and what a figure includes."""
    names = ("input", "output", "client_authentication", "verified", "session_writes")
    names += ("persistence", "signature", "memory_limit")
    likeness = tmp_path / "likeness.toml"
    likeness.write_text("".join(f'{name} = "some {name}"\n' for name in names))
    ended = world.load("--rate", "20", "--duration", "2", "--likeness", str(likeness))
    stage = ended.stage
    assert ended.run is not None
    assert ended.run.transport == world.transport
    assert ended.run.likeness is not None
    assert ended.run.likeness.signature == "some signature"
    assert isinstance(stage.stage.load, Open)
    assert stage.answered == stage.sent == stage.tokens > 0
    assert not stage.errors
    assert stage.checked >= min(20, stage.answered)
    assert (stage.queued is not None) == (world.transport == "amqp")
    assert "wrong" not in ended.shown


def test_closed(world: World) -> None:
    """So many are in flight, of two driver processes together, and every answer is a good one."""
    arguments = ("--in-flight", "4", "--processes", "2", "--duration", "1", "--requests", "2000")
    stage = world.load(*arguments).stage
    assert stage.stage.load == Closed(4)
    assert stage.answered == stage.sent > 0
    assert stage.checked > 0


def test_batch(world: World) -> None:
    """Of batches the latency counts by message and the rate by token, and every part of a sampled
    answer is verified."""
    ended = world.load("--rate", "4", "--batch", "5", "--duration", "2", "--arrivals", "even")
    stage = ended.stage
    assert ended.run is not None
    assert ended.run.request == "rest-sts, 5 in a message"
    assert (stage.sent, stage.answered, stage.tokens) == (8, 8, 40)
    assert len(stage.latency) == stage.checked == 8
    assert stage.rate == pytest.approx(40 / stage.seconds)


@pytest.mark.parametrize("batch", ["1", "3"])
def test_encrypted(world: World, batch: str) -> None:
    """Requests are encrypted to the broker's key, and so are their answers, which are verified
    all the same."""
    jwks = f"{world.broker.url}/oauth2/jwks"
    arguments = ("--rate", "5", "--duration", "2", "--arrivals", "even", "--batch", batch)
    ended = world.load(*arguments, "--encrypt-to", jwks)
    assert ended.run is not None
    assert ended.run.request.endswith(", encrypted")
    assert ended.stage.answered == ended.stage.sent == ended.stage.checked == 10
    assert '"d"' not in world.out.read_text()


def test_wrong_answer(world: World) -> None:
    """An answer that is not what was asked for fails the run, with the reason."""
    arguments = ("--rate", "10", "--duration", "1", "--expect-issuer", "https://other.example.com")
    ended = world.load(*arguments)
    assert ended.code == 1
    assert "a wrong answer" in ended.shown
    assert ended.run is not None
    assert not ended.run.valid


def test_refused(world: World) -> None:
    """What the broker refuses is counted by the status in its answer."""
    arguments = ("--rate", "10", "--duration", "1", "--arrivals", "even")
    ended = world.load(*arguments, instance="nothing/there")
    assert ended.code == 1
    assert ended.stage.errors == {"status 404": 10}
    assert ended.stage.answered == 0


def test_wrong_password(world: World) -> None:
    """A login that the message server refuses ends in a sentence and leaves no document."""
    ended = world.load("--rate", "10", password="not-hers")
    assert (ended.code, ended.run) == (1, None)
    assert ended.said.startswith("remint: ")
    assert "Traceback" not in ended.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("amqp://alice:secret@127.0.0.1/", "bench"), "write no password into the URL"),
        (("amqp://127.0.0.1/", "bench"), "must name the user"),
        (("mqtt://alice@127.0.0.1/", "bench"), "must begin with amqp://"),
        (("amqp://alice@127.0.0.1/", "/"), "name the instance"),
    ],
)
def test_unusable(arguments: tuple[str, ...], words: str) -> None:
    """An address that cannot be used is refused before anything is asked for."""
    command = [sys.executable, "-m", "adapters.cli", "bench", "amqp", *arguments, "--rate", "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1
    assert words in done.stderr
    assert "secret" not in done.stderr
