"""What a run records of its machine, and of the processes that it watched."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from bench.machine import HIDDEN, circumstances, command_line, server_version, without_secrets
from bench.processes import NotHere, Watch, used
from bench.result import Circumstances

PATIENCE_SECONDS = 60.0
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
# Once it is told to, a process works; then it waits for its input.
ALONE = """
import os, sys
sys.stdin.readline()
print(os.getpid(), flush=True)
exec({work!r})
print("worked", flush=True)
sys.stdin.read()
"""
# Once it is told to, a parent starts a child that works; then it waits for it and for its input.
PARENT = """
import subprocess, sys
sys.stdin.readline()
child = subprocess.Popen([sys.executable, "-c", {work!r}])
print(child.pid, flush=True)
child.wait()
print("reaped", flush=True)
sys.stdin.read()
"""


def test_circumstances() -> None:
    """A result names the machine, the versions and the commit, and nothing that is secret."""
    found = circumstances(
        "remint bench http https://demo:pw@sts.example.com --client-secret hush",
        seed=7,
        configuration={"store": "redis://:pw@127.0.0.1:6379"},
        servers=["nothing-of-the-kind"],
        versions={"oidc-provider": "9.13.3"},
    )
    assert isinstance(found, Circumstances)
    assert found.seed == 7
    assert (
        found.command
        == f"remint bench http https://{HIDDEN}@sts.example.com --client-secret {HIDDEN}"
    )
    assert found.configuration == {"store": f"redis://{HIDDEN}@127.0.0.1:6379"}
    assert found.versions["oidc-provider"] == "9.13.3"
    assert found.versions["nothing-of-the-kind"] == "unknown"
    assert {"python", "openssl", "remint", "cryptography"} <= found.versions.keys()
    assert found.machine["cores"] == os.cpu_count()
    assert {"cpu", "memory", "kernel", "governor", "virtualised"} <= found.machine.keys()
    assert found.at.endswith("+00:00")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("x --password hush", "x --password REDACTED"),
        ("x --password 'hush hush' --rate 5", "x --password REDACTED --rate 5"),
        ("x --client-secret=hush --rate 5", "x --client-secret=REDACTED --rate 5"),
        ("x --password-file ./pw", "x --password-file ./pw"),
        ("x --requested-token-type urn:jwt", "x --requested-token-type urn:jwt"),
        ("x --target token-exchange", "x --target token-exchange"),
        ("x amqp://guest:guest@host/vhost", "x amqp://REDACTED@host/vhost"),
        ("x 'https://h/m?token=hush&page=2'", "x 'https://h/m?token=REDACTED&page=2'"),
        ("x https://h/a@b --mint-subject a@b", "x https://h/a@b --mint-subject a@b"),
        ("x it's --password hush", "x 'it'\"'\"'s' --password REDACTED"),
    ],
)
def test_command_without_secrets(command: str, shown: str) -> None:
    """A command line can be typed again from a result, but for what is secret in it."""
    assert without_secrets(command) == shown


def test_own_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is recorded by its name, with its arguments quoted."""
    monkeypatch.setattr(sys, "argv", ["/some/where/remint", "bench", "a b", "--api-key", "hush"])
    assert command_line() == "remint bench 'a b' --api-key REDACTED"


def test_missing_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not here has no known version, and nobody fails for that."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert server_version("redis-server") == "unknown"


# -- processes -----------------------------------------------------------------------------------


@contextlib.contextmanager
def started(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, which ends with all its children."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def begun(parent: subprocess.Popen[str]) -> int:
    """Tell it to start its child; the child's pid."""
    assert parent.stdin is not None
    parent.stdin.write("\n")
    parent.stdin.flush()
    return int(line(parent))


def until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_process() -> None:
    """CPU time, memory and context switches of a process show in what it used."""
    with started(ALONE.format(work=BURN.format(seconds=0.2))) as process:
        watch = Watch({"server": process.pid})
        before = watch.look()
        assert begun(process) == process.pid
        assert line(process) == "worked"
        found = used(before, watch.look())
    assert found.cpu["server"] >= 0.05
    assert found.memory["server"] > 2**20
    assert 0 < found.proportional["server"] <= found.memory["server"]
    assert found.switches["server"] >= 0
    assert 0.0 <= found.steal <= 1.0


def test_children_that_end_still_count() -> None:
    """What a child used counts for its parent, though the child is gone at the second look."""
    with started(PARENT.format(work=BURN.format(seconds=0.3))) as parent:
        watch = Watch({"server": parent.pid})
        before = watch.look()
        assert begun(parent) > 0
        assert line(parent) == "reaped"
        found = used(before, watch.look())
    assert found.cpu["server"] >= 0.25  # the kernel counts reaped time in hundredths


def test_children_that_live_count() -> None:
    """What a child uses counts for its parent while the child works."""
    with started(PARENT.format(work=BURN.format(seconds=60))) as parent:
        watch = Watch({"server": parent.pid})
        begun(parent)
        before = watch.look()
        until(lambda: used(before, watch.look()).cpu["server"] > 0.2)
        assert used(before, watch.look()).memory["server"] > 2 * 2**20


def test_children_that_lost_their_parent_count() -> None:
    """A process that was seen below a name stays there when the one that started it dies."""
    with started(PARENT.format(work=BURN.format(seconds=60))) as parent:
        watch = Watch({"server": parent.pid})
        begun(parent)
        before = watch.look()
        parent.kill()
        parent.wait()
        until(lambda: used(before, watch.look()).cpu["server"] > 0.2)
        assert watch.gone() == ["server"]


def test_a_child_with_a_name_counts_once() -> None:
    """A child that is watched itself does not count for its parent as well."""
    with started(PARENT.format(work=BURN.format(seconds=60))) as parent:
        child = begun(parent)
        watch = Watch({"parent": parent.pid, "worker": child})
        before = watch.look()
        until(lambda: used(before, watch.look()).cpu["worker"] > 0.5)
        assert used(before, watch.look()).cpu["parent"] < 0.4


def test_a_process_that_is_not_here() -> None:
    """A pid of nobody is refused with a sentence; one that ends while it is watched is named."""
    with started("import sys; sys.stdin.read()") as process:
        watch = Watch({"server": process.pid})
        before = watch.look()
        assert watch.gone() == []
        process.kill()
        process.wait()
        assert watch.gone() == ["server"]
        assert used(before, watch.look()).cpu == {"server": 0.0}
        with pytest.raises(NotHere, match=f"no process {process.pid} for server"):
            Watch({"server": process.pid})
    with pytest.raises(NotHere):
        Watch({"server": -1})
