"""``remint store copy``, as an operator runs it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli.store_copy import CHANGED, COMPLETE
from adapters.stores import copying
from tests.cli.conftest import Remint, Site
from tests.project.source import ROOT
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

PASSWORD = "a-long-passphrase\n"


@pytest.fixture(scope="module")
def _server() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        yield running


@pytest.fixture
def redis(_server: RedisServer) -> RedisServer:
    """An empty Redis with the functions loaded."""
    _server.empty()
    return _server


@pytest.fixture
def file(tmp_path: Path, remint: Remint) -> str:
    """The store of a state folder, with a user in it."""
    assert remint("users", "add", "ada", given=PASSWORD).code == 0
    return f"sqlite:///{tmp_path}/state/remint.db"


def test_a_deployment_moves_to_redis(
    remint: Remint, file: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says how much of each kind is on both sides; then the user logs in there."""
    done = remint("store", "copy", file, redis.url)
    assert (done.code, done.out.splitlines()[-1]) == (0, COMPLETE)
    numbers = {line.split()[0]: line.split()[1:4] for line in done.out.splitlines()[1:-1]}
    assert numbers["users"] == ["2", "2", "2"]
    assert "differs" not in done.out
    assert "compare users: 2\n" in done.err
    monkeypatch.setenv("REMINT_STORE__URL", redis.url)
    site = Site(remint, None)
    assert site.login("ada", PASSWORD.strip())
    assert "ada" in site.run("users", "list").out


def test_an_unfinished_copy_is_refused_and_finished(
    remint: Remint, file: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command on such a store says what to do, in a sentence; doing it helps."""

    def interrupt(step: copying.Step) -> None:
        if step.kind == "tokens":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("adapters.cli.store_copy._lines", interrupt)
        assert remint("store", "copy", file, redis.url).code == 130
    with monkeypatch.context() as patched:
        patched.setenv("REMINT_STORE__URL", redis.url)
        done = remint("users", "list")
    assert done.code == 1
    assert "run `remint store copy` again" in done.err
    assert remint("store", "copy", file, redis.url).code == 0


def test_a_source_in_use_ends_with_another_code(
    remint: Remint, file: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 and a sentence, if somebody wrote to FROM while it was copied."""

    def meddle(step: copying.Step) -> None:
        if step.ended and (step.kind, step.name) == ("users", "copy"):
            path = file.removeprefix("sqlite:///")
            subprocess.run(
                [sys.executable, "-c", MEDDLE, path], check=True, stdout=subprocess.DEVNULL
            )

    with monkeypatch.context() as patched:
        patched.setattr("adapters.cli.store_copy._lines", meddle)
        done = remint("store", "copy", file, redis.url)
    assert (done.code, done.err) == (1, f"{CHANGED}\n")
    assert "differs" in done.out
    assert COMPLETE not in done.out


MEDDLE = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
    "c.execute(\"UPDATE users SET active = 0 WHERE name = 'ada'\"); c.commit()"
)


def test_what_cannot_be_copied_is_a_sentence(remint: Remint, file: str, redis: RedisServer) -> None:
    """Each refusal has exit code 1, and names what to do or which side it speaks of."""
    done = remint("store", "copy", "memory://", redis.url)
    assert (done.code, done.out) == (1, "")
    assert "memory://" in done.err
    done = remint("store", "copy", file, redis.url.replace("broker-password", "another"))
    assert done.code == 1
    assert done.err.startswith("remint: TO: ")
    assert "another" not in done.err
    redis.cli("FUNCTION", "FLUSH")
    done = remint("store", "copy", file, redis.url)
    assert done.code == 1
    assert "remint store load-functions" in done.err


def test_a_url_that_is_none_is_a_usage_error(remint: Remint, file: str) -> None:
    """Exit code 2, as for any argument that cannot be read."""
    done = remint("store", "copy", file, "http://127.0.0.1")
    assert done.code == 2
    assert "the store URL must be" in done.err.replace("│", "").replace("\n", " ")


def test_a_terminal_sees_bars(file: str, redis: RedisServer, tmp_path: Path) -> None:
    """On a terminal each step has a bar on standard error; the table goes to standard output."""
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", "store", "copy", file, redis.url],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "REMINT_STATE_DIR": str(tmp_path / "state")},
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    shown = everything_on(screen)
    out, _ = process.communicate()
    assert process.returncode == 0, shown
    assert "copy users" in shown
    assert "compare tokens" in shown
    assert "━" in shown
    assert out.decode().splitlines()[-1] == COMPLETE


def everything_on(screen: int) -> str:
    shown = b""
    try:
        while more := os.read(screen, 4096):
            shown += more
    except OSError:  # how Linux says that nobody has the terminal open any more
        pass
    os.close(screen)
    return shown.decode(errors="replace")
