"""A RabbitMQ of the bench's own: free ports of 127.0.0.1, a temporary folder, then nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.case import Missing
from bench.ports import free_port

START_SECONDS = 60.0
PAUSE_SECONDS = 0.1

BIN = Path("/usr/lib/rabbitmq/bin")  # the scripts themselves: Debian's wrappers want another user
USER = "guest"  # whom RabbitMQ makes at its first start, for this machine alone

_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class RabbitMQMissing(Missing):
    """There is no RabbitMQ to measure with."""


@dataclass(frozen=True, slots=True)
class RabbitMQServer:
    """``pid`` is that of the Erlang machine, which does all the work."""

    url: str
    pid: int


@contextlib.contextmanager
def rabbitmq_server() -> Iterator[RabbitMQServer]:
    """An empty server; raises RabbitMQMissing."""
    program = BIN / "rabbitmq-server"
    epmd = shutil.which("epmd")
    if epmd is None or not program.exists():
        raise RabbitMQMissing("there is no RabbitMQ here: apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="remint-bench-", ignore_cleanup_errors=True) as name:
        port, folder = free_port(), Path(name)
        (folder / "rabbitmq.conf").touch()
        environment = {**os.environ, **_environment(folder, port)}
        epmd_port = environment["ERL_EPMD_PORT"]
        with (
            _group(environment, folder, epmd, "-port", epmd_port),
            _group(environment, folder, str(program)) as process,
        ):
            _wait_for(port, process)
            url = f"amqp://{USER}:guest@127.0.0.1:{port}/"
            yield RabbitMQServer(url, _erlang(process.pid))


@contextlib.contextmanager
def _group(
    environment: Mapping[str, str], folder: Path, *command: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A command and all that it starts, killed at the end: nothing of it is kept."""
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # RabbitMQ's own programs, by name
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            raise RabbitMQMissing("RabbitMQ is installed and did not start")
        time.sleep(PAUSE_SECONDS)


def _erlang(group: int) -> int:
    """The Erlang machine among the processes of a group; the group's leader is only a script."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # one that ended meanwhile
            pid, name = int(folder.name), (folder / "comm").read_text()
            if os.getpgid(pid) == group and name.startswith("beam"):
                return pid
    raise RabbitMQMissing("RabbitMQ is installed and did not stay")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(_PROTOCOL_HEADER)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def _environment(folder: Path, port: int) -> Mapping[str, str]:
    return {
        "HOME": str(folder),
        "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": str(folder / "rabbitmq.log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        # Idle schedulers must not spin on a small machine.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }
