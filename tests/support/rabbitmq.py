"""A private RabbitMQ: free ports, a temporary folder, its own epmd, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import check_ports, check_unbound, free_ports, on_free_ports

BIN = Path("/usr/lib/rabbitmq/bin")  # the scripts themselves: Debian's wrappers want another user
START_SECONDS = 60.0
CONTROL_SECONDS = 60.0
NOT_YET = 64
"""How rabbitmqctl ends where the server still starts; also for wrong arguments."""
USERS = {"broker": "broker-password", "alice": "alice-password", "mallory": "mallory-password"}

_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
# Even if the test run itself is killed: the shell hears of it, and ends the group it leads.
_DIE_WITH_PARENT = (
    *("setpriv", "--pdeathsig", "TERM", "--"),
    *("sh", "-c", 'trap "kill -9 0" TERM; "$@" & wait', "sh"),
)


class RabbitMQ:
    """One node. ``url`` is an administrator's, ``url_for`` any user's of ``USERS``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._dist_port, self._epmd_port = free_ports(3)
        self._node = f"remint{self.port}@localhost"
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._write_configuration()

    @property
    def url(self) -> str:
        return self.url_for("broker")

    def url_for(self, user: str) -> str:
        return f"amqp://{user}:{USERS[user]}@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Returns once the server speaks AMQP."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start and do not wait. Call it in the main thread: a thread's end is a parent's death."""
        if not (self.folder / "output.log").exists():
            check_unbound(self.port, self._dist_port, self._epmd_port)
        if self._epmd is None:
            self._epmd = self._spawn("epmd", "-port", str(self._epmd_port))
        self._server = self._spawn(str(BIN / "rabbitmq-server"))

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._server is None or self._server.poll() is not None
            if ended or time.monotonic() > deadline:
                check_ports(self.log())
                raise RuntimeError(f"RabbitMQ did not start:\n{self.log()[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL, as a power cut would have it."""
        _end(self._server)
        self._server = None

    def stop(self) -> None:
        self.kill()
        _end(self._epmd)
        self._epmd = None

    def ended(self) -> int | None:
        """How the server ended, None while it runs."""
        return None if self._server is None else self._server.poll()

    def signal(self, number: signal.Signals) -> None:
        """To the server and all that it started."""
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, number)

    def terminate(self) -> None:
        """Ask the server itself to end in order."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.folder / "pid").read_text()), signal.SIGTERM)

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` against this node and return what it printed.

        A server speaks AMQP a moment before it takes all commands; that moment is waited for.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            done = subprocess.run(
                [str(BIN / "rabbitmqctl"), "-n", self._node, *arguments],
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=CONTROL_SECONDS,
                check=False,
            )
            if done.returncode == 0:
                return done.stdout
            if done.returncode != NOT_YET or time.monotonic() > deadline:
                said = done.stdout + done.stderr
                raise RuntimeError(f"rabbitmqctl {arguments[0]}: {done.returncode}: {said}")
            time.sleep(0.2)

    def log(self) -> str:
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(_PROTOCOL_HEADER)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "output.log").open("ab") as output:
            return subprocess.Popen(
                [*_DIE_WITH_PARENT, *command],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # Idle schedulers must not spin on a small machine.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _write_configuration(self) -> None:
        definitions = {
            "vhosts": [{"name": "/"}],
            "users": [
                {"name": name, "password": password, "tags": ""} for name, password in USERS.items()
            ],
            "permissions": [
                {"user": name, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
                for name in USERS
            ],
        }
        (self.folder / "definitions.json").write_text(json.dumps(definitions))
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"load_definitions = {self.folder / 'definitions.json'}\n"
            "disk_free_limit.absolute = 1MB\n"
            "log.console.level = warning\n"
        )


@on_free_ports
@contextmanager
def running_rabbitmq() -> Iterator[RabbitMQ]:
    """A started server; processes and folder are gone afterwards, whatever happened."""
    if not BIN.is_dir() or shutil.which("epmd") is None:
        raise RuntimeError("these tests need RabbitMQ: apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="remint-rabbitmq-", ignore_cleanup_errors=True) as name:
        server = RabbitMQ(Path(name))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """End a process, with the group it leads, and wait until it is gone."""
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
