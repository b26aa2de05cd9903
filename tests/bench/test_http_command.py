"""``remint bench http`` as a load tester calls it: its document, its tables, its exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.driver.load import Closed, Open
from bench.result import Run, read
from bench.selfcheck.stubs import stub
from tests.bench.scripted import always, scripted

MANY_SECONDS = "600"
CLIENT = ("--target", "client-credentials", "--client-id", "bench", "--client-auth", "none")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A token endpoint that gives everybody the same opaque token."""
    async with stub([0.001]) as server:
        yield server.url


def begun(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", "bench", "http", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def document(path: Path) -> Run:
    found = read(path)
    assert isinstance(found, Run)
    return found


async def test_document(url: str, tmp_path: Path) -> None:
    """A run leaves what it measured as a document and a table, and its exit code says whether the
    figures are valid."""
    out = tmp_path / "new" / "run.json"
    code, shown, said = ended(
        begun(
            *(url, *CLIENT, "--rate", "50", "--duration", "1", "--no-verify", "--name", "stub"),
            *("--requests", "200", "--pid", f"stub={os.getpid()}", "--out", str(out), "--quiet"),
        )
    )
    run = document(out)
    (stage,) = run.stages
    assert (run.name, run.request, run.transport) == ("stub", "client-credentials", "http")
    assert stage.answered == stage.sent == stage.distinct > 0
    assert isinstance(stage.stage.load, Open)
    assert stage.server_cpu["stub"] >= 0
    assert "50/s" in shown
    assert f"wrote {out}" in said
    assert code == (0 if run.valid else 1)
    assert all(problem in " ".join(shown.split()) for problem in stage.problems)


async def test_steps(url: str, tmp_path: Path) -> None:
    """Steps are a stage each, in one document, with progress a second on standard error."""
    out = tmp_path / "run.json"
    _, _, said = ended(
        begun(
            *(url, *CLIENT, "--steps", "20,40", "--duration", "1.5", "--warm-up", "0"),
            *("--no-verify", "--out", str(out)),
        )
    )
    loads = [stage.stage.load for stage in document(out).stages]
    assert loads == [Open(20), Open(40)]
    assert "stage 2 of 2" in said
    assert "p99" in said


async def test_in_flight(url: str, tmp_path: Path) -> None:
    """A closed model is asked for by the number of requests in flight."""
    out = tmp_path / "run.json"
    ended(
        begun(
            *(url, *CLIENT, "--in-flight", "2", "--duration", "0.5", "--requests", "500"),
            *("--no-verify", "--out", str(out), "--quiet"),
        )
    )
    (stage,) = document(out).stages
    assert stage.stage.load == Closed(2)
    assert stage.answered > 0


async def test_wrong_answer(url: str, tmp_path: Path) -> None:
    """A server that gives two requests the same token fails the run, with the reason."""
    out = tmp_path / "run.json"
    code, shown, _ = ended(
        begun(
            *(url, *CLIENT, "--rate", "50", "--duration", "1", "--not-kept"),
            *("--out", str(out), "--quiet"),
        )
    )
    assert code == 1
    assert "two requests got the same token" in " ".join(shown.split())
    assert not document(out).valid


async def test_interrupted(url: str, tmp_path: Path) -> None:
    """SIGINT ends a run with what it measured until then, marked as such."""
    out = tmp_path / "run.json"
    process = begun(
        *(url, *CLIENT, "--rate", "50", "--duration", MANY_SECONDS, "--warm-up", "0"),
        *("--no-verify", "--requests", "1000", "--out", str(out)),
    )
    assert process.stderr is not None
    while "answered" not in (line := process.stderr.readline()):
        assert line, "the run ended by itself"
    process.send_signal(signal.SIGINT)
    code, shown, _ = ended(process)
    (stage,) = document(out).stages
    assert code == 130
    assert "stopped before its end" in shown
    assert stage.answered == stage.sent > 0
    assert any(problem.startswith("stopped after") for problem in stage.problems)
    assert not document(out).valid


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nonsense", "must begin with http:// or https://"),
        ("ftp://127.0.0.1/token", "must begin with http:// or https://"),
        ("http://127.0.0.1:99999/token", "a port that is none"),
        ("http://127.0.0.1:1/token", "nobody can be reached at 127.0.0.1:1: Connection refused"),
    ],
)
@pytest.mark.parametrize("target", [CLIENT, ("--target", "rest-sts", "--username", "demo")])
def test_no_server(target: tuple[str, ...], place: str, words: str) -> None:
    """A place that cannot be loaded is named as such, before keys or logins are looked for."""
    code, _, said = ended(begun(place, *target, "--rate", "5"))
    assert code == 1
    assert words in said
    assert "Traceback" not in said


async def test_no_room(url: str, tmp_path: Path) -> None:
    """A document that cannot be kept is told before anything is measured."""
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "run.json"
    code, shown, said = ended(begun(url, *CLIENT, "--rate", "5", "--out", str(out)))
    assert code == 1
    assert str(tmp_path / "file") in said
    assert "Traceback" not in said
    assert shown == ""


async def test_refusals_are_shown(tmp_path: Path) -> None:
    """What the server said when it refused is told once, and nothing in it that is a credential."""
    secret = "eyJ" + "a" * 60
    body = b'{"error":"invalid_target","error_description":"no such resource %b"}' % secret.encode()
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with scripted(always(refusal)) as server:
        code, shown, said = await asyncio.to_thread(
            lambda: ended(
                begun(
                    *(server.url, *CLIENT, "--rate", "20", "--duration", "0.5", "--quiet"),
                    *("--out", str(tmp_path / "run.json"), "--not-kept"),
                )
            )
        )
    assert code == 1
    shown = " ".join(shown.split())
    assert shown.count("the first status 400 said:") == 1
    assert "invalid_target" in shown
    assert "nothing was answered well (status 400:" in shown
    assert secret not in shown + said + (tmp_path / "run.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of --rate"),
        (("--rate", "1", "--in-flight", "1"), "give one of --rate"),
        (("--ramp", "1:2"), "FROM:TO:SECONDS"),
        (("--steps", "fast"), "100,200,400"),
        (("--steps", "nan"), "100,200,400"),
        (("--ramp", "1:inf:2"), "FROM:TO:SECONDS"),
        (("--in-flight", "1000000"), "less than or equal to 10000"),
        (("--rate", "1", "--pid", "4711"), "NAME=PID"),
    ],
)
def test_refused(arguments: tuple[str, ...], words: str) -> None:
    """A load that cannot be understood is refused with what to write instead."""
    code, _, said = ended(begun("http://127.0.0.1:1/", *CLIENT, *arguments))
    assert code == 2
    assert words in said


def test_nobody_listens(tmp_path: Path) -> None:
    """Where nobody listens the command says so in a sentence, and leaves no document."""
    out = tmp_path / "run.json"
    code, _, said = ended(
        begun("http://127.0.0.1:1/", *CLIENT, "--rate", "10", "--no-verify", "--out", str(out))
    )
    assert code == 1
    assert "remint: " in said
    assert "Traceback" not in said
    assert not out.exists()
