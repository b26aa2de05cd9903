"""A private redis-server: a free port, a temporary folder, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import check_ports, check_unbound, free_port, on_free_ports

START_SECONDS = 20.0
COMMAND_SECONDS = 30.0
FUNCTIONS = Path(__file__).parents[2] / "adapters" / "stores" / "redis_functions.lua"
PROGRAM = os.environ.get("REDIS_SERVER", "redis-server")  # Valkey's is called valkey-server
ADMINISTRATOR = "administrator"
ADMINISTRATOR_PASSWORD = "administrator-password"
BROKER = "remint"
BROKER_PASSWORD = "broker-password"

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed


class RedisServer:
    """One server that syncs every write, with an administrator and a broker's user.

    ``rules`` are those of the broker's user, as ``ACL SETUSER`` takes them; ``settings`` go over
    those made here.
    """

    def __init__(self, folder: Path, rules: str, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.socket = folder / "redis.sock"
        self._settings = self._own_settings() | settings
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        (folder / "users.acl").write_text(
            "user default off ~* &* +@all\n"  # docs/redis.md says why not less
            f"user {ADMINISTRATOR} on >{ADMINISTRATOR_PASSWORD} ~* &* +@all\n"
            f"user {BROKER} on >{BROKER_PASSWORD} {rules}\n"
        )

    @property
    def login(self) -> str:
        """The broker's."""
        return f"{BROKER}:{BROKER_PASSWORD}"

    @property
    def url(self) -> str:
        """The broker's."""
        return f"redis://{self.login}@127.0.0.1:{self.port}"

    @property
    def administrator_url(self) -> str:
        return f"redis://{ADMINISTRATOR}:{ADMINISTRATOR_PASSWORD}@127.0.0.1:{self.port}"

    def replica(self, folder: Path, rules: str) -> RedisServer:
        """Another server, not started, that follows this one."""
        return RedisServer(
            folder,
            rules,
            replicaof=f"127.0.0.1 {self.port}",
            masteruser=ADMINISTRATOR,
            masterauth=ADMINISTRATOR_PASSWORD,
        )

    def start(self, **settings: str) -> None:
        """Returns once the server has loaded its data and answers."""
        if self._process is None and not self.log():
            check_unbound(self.port, int(self._settings.get("cluster_port", self.port)))
        before = len(self.log())
        self.launch(**settings)
        wait_until(lambda: self._answers(before), self.log)

    def launch(self, **settings: str) -> None:
        """Start the process and do not wait for it."""
        words = [
            word
            for name, value in (self._settings | settings).items()
            for word in (f"--{name.replace('_', '-')}", *value.split(" "))
        ]
        self._process = spawn(self.folder, PROGRAM, *words)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("this server does not run")
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as a crash would have it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ended(self) -> int | None:
        """How the server ended, None while it runs."""
        return None if self._process is None else self._process.poll()

    def cli(self, *words: str) -> str:
        """What redis-cli prints, as the administrator."""
        login = ["--user", ADMINISTRATOR, "--no-auth-warning", "-p", str(self.port)]
        done = subprocess.run(
            ["redis-cli", *login, *words],
            env={"PATH": "/usr/bin:/bin", "REDISCLI_AUTH": ADMINISTRATOR_PASSWORD},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
        return done.stdout

    def wait_replicated(self, replicas: int = 1) -> None:
        """Returns once so many replicas have all that this server has; what they lack is lost with
        it. WAIT would only ask for the writes of its own connection."""
        wait_until(lambda: self._caught_up() == replicas, self.log)

    def _caught_up(self) -> int:
        told = self.cli("INFO", "replication")
        offset = re.findall(r"^master_repl_offset:(\d+)", told, re.MULTILINE)
        theirs = re.findall(r"^slave\d+:.*state=online,offset=(\d+)", told, re.MULTILINE)
        return sum(their == offset[0] for their in theirs)

    def empty(self) -> None:
        """As after the first start and the loading of the functions."""
        self.cli("FLUSHALL")
        self.cli("FUNCTION", "LOAD", "REPLACE", FUNCTIONS.read_text())

    def dumps(self) -> dict[str, bytes]:
        """The files in which the data stand, by the end of their names."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in files if path.suffix in {".aof", ".rdb"}}

    def log(self) -> str:
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _own_settings(self) -> dict[str, str]:
        return {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "aclfile": str(self.folder / "users.acl"),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
            "rdbcompression": "no",  # a search for secrets must see through it
            "loglevel": "warning",
        }

    def _answers(self, before: int) -> bool:
        """Even to a stranger it says that he must log in, once it has loaded.

        Raises PortTaken, or RuntimeError, if it ended; ``before`` is what the log had until then.
        """
        if self.ended() is not None:
            check_ports(self.log()[before:])
            raise RuntimeError(f"Redis did not start:\n{self.log()[-4000:]}")
        return said(self.port, b"PING\r\n").startswith(b"-NOAUTH")


@on_free_ports
@contextmanager
def running_redis(rules: str, **settings: str) -> Iterator[RedisServer]:
    """A started server; process and folder are gone afterwards, whatever happened."""
    with a_folder() as folder:
        server = RedisServer(folder / "redis", rules, **settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def a_folder() -> Iterator[Path]:
    if shutil.which(PROGRAM) is None:
        raise RuntimeError("these tests need Redis: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="remint-redis-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def spawn(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    with (folder / "output.log").open("ab") as output:
        return subprocess.Popen(
            [*_DIE_WITH_PARENT, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def wait_until(ready: Callable[[], bool], log: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Redis did not get ready:\n{log()[-4000:]}")
        time.sleep(0.02)


def said(port: int, question: bytes) -> bytes:
    """What a server says to a stranger; nothing while it does not listen."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(question)
            return connection.recv(4096)
    except OSError:
        return b""
