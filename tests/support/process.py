"""The broker as a real process: started, killed, stopped, started again on the same state."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.project.source import ROOT
from tests.support.forked import Process, start
from tests.support.planted import ADMIN_PASSWORD
from tests.support.ports import PortTaken, check_ports, check_unbound, first_that_starts, free_port

START_SECONDS = 30.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 60.0
POLL_SECONDS = 0.02

# What may hold secrets in a state folder; everything else in it is searched for them.
SECRET_FILES = ("admin-password", "root-secret")


class BrokerProcess:
    """``python -m <module> <arguments>`` on a state folder and a port of its own.

    ``settings`` are REMINT_ variables without the prefix, such as ``HTTP__TLS``. What the process
    puts out gathers in ``output()`` over all its lives.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        module: str = "adapters.cli",
        source: Path = ROOT,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.state = folder / "state"
        self.source = source
        self.settings = {
            "STATE_DIR": str(self.state),
            "ADMIN__PASSWORD": ADMIN_PASSWORD,
            "LOG__FORMAT": "json",
            **(settings or {}),
        }
        given = self.settings.get("HTTP__PORT")
        self._listen_at(int(given) if given else free_port())
        self._module, self._arguments = module, [*(arguments or ("serve",))]
        self._log = folder / f"output-{self.port}.log"
        self._process: Process | None = None
        self._sessions: list[int] = []
        self._said_before = 0
        self._was_ready = False

    @property
    def pid(self) -> int:
        """Of the process that was started: with several workers, their parent."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it and do not wait."""
        self._said_before = len(self.output())
        with self._log.open("ab") as log:
            self._process = start(
                self._module,
                self._arguments,
                environment=self.environment(),
                folder=self.source,
                stdout=log,
                stderr=log,
            )
        self._sessions.append(self._process.pid)

    def start(self) -> None:
        """Start it; returns once it is ready: the first time on another port if need be."""
        if self._was_ready:  # others know the port by now
            self.launch()
            self.wait_ready()
        else:
            first_that_starts(self._start_somewhere)

    def _start_somewhere(self) -> None:
        try:
            check_unbound(self.port)
            self.launch()
            self.wait_ready()
        except PortTaken:
            self._listen_at(free_port())
            raise

    def _listen_at(self, port: int) -> None:
        self.port = port
        self.settings["HTTP__PORT"] = str(port)
        scheme = "https" if self.settings.get("HTTP__TLS") == "on" else "http"
        self.url = f"{scheme}://127.0.0.1:{port}"

    def environment(self) -> dict[str, str]:
        """This process's environment, with the settings and the broker's source on the path."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REMINT_")}
        named = {f"REMINT_{name}": value for name, value in self.settings.items()}
        return {**inherited, **named, "PYTHONPATH": str(self.source)}

    def wait_ready(self) -> None:
        """Returns once it is ready; raises PortTaken, or RuntimeError, if it never is."""

        def ready() -> bool:
            if self.ended:
                check_ports(self.output()[self._said_before :])
                raise RuntimeError(f"the broker ended:\n{self.output()[-4000:]}")
            return self.answers("/readyz", self.managed)

        self.wait_for(ready, START_SECONDS)
        self._was_ready = True

    def wait_for(self, found: Callable[[], bool], seconds: float = STOP_SECONDS) -> None:
        """Look until ``found`` is true; it is a failure if that takes more than ``seconds``."""
        until = time.monotonic() + seconds
        while not found():
            if time.monotonic() > until:
                raise RuntimeError(f"waited in vain:\n{self.output()[-4000:]}")
            time.sleep(POLL_SECONDS)

    @property
    def managed(self) -> int | None:
        """The port on which it tells how it is doing, if that is not its own."""
        port = self.settings.get("HTTP__MANAGEMENT_PORT")
        return int(port) if port else None

    def answers(self, path: str, port: int | None = None) -> bool:
        """Whether a GET on a connection of its own gets a 200; whose certificate is not asked.
        Another ``port`` than the broker's own speaks plain HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=2)
        if port is None and self.url.startswith("https"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=2, context=context
            )
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code, negative for a signal; raises if there is none by then."""
        assert self._process is not None
        return self._process.wait(seconds)

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """``kill -9`` for the started process and all it forked, as a power cut would have it."""
        for session in self._sessions:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
        self._sessions = []
        if self._process is not None:
            self._process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """``kill -9``, and start again on the same state folder and port."""
        self.kill()
        self.start()

    def output(self) -> str:
        """Standard output and standard error of every life so far."""
        return self._log.read_text() if self._log.exists() else ""

    def served_by(self) -> list[int]:
        """The live processes that said they serve, in that order."""
        said = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        pids = [line["pid"] for line in said if line.get("event") == "serving"]
        return [pid for pid in pids if alive(pid)]

    def audit(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.state / "audit.log").read_text().splitlines()]

    def texts(self) -> list[str]:
        """All it wrote anywhere, but for the files whose purpose is to hold a secret."""
        files = [path for path in self.state.rglob("*") if path.is_file()]
        kept = [p for p in files if p.name not in SECRET_FILES and p.suffix != ".pem"]
        return [self.output(), *(path.read_bytes().decode("latin-1") for path in kept)]


@contextlib.contextmanager
def running(
    folder: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[BrokerProcess]:
    """A broker that serves, and no trace of its processes afterwards."""
    broker = BrokerProcess(folder, *arguments, settings=settings)
    with ended(broker):
        broker.start()
        yield broker


@contextlib.contextmanager
def ended(broker: BrokerProcess) -> Iterator[BrokerProcess]:
    """Whatever happens, its processes end."""
    try:
        yield broker
    finally:
        broker.kill()


def remint(
    *arguments: str,
    state: Path,
    given: str = "",
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, as a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("REMINT_")}
    named = {"REMINT_STATE_DIR": str(state)}
    named |= {f"REMINT_{name}": value for name, value in (settings or {}).items()}
    with (
        tempfile.TemporaryFile("w+") as stdin,
        tempfile.TemporaryFile("w+") as stdout,
        tempfile.TemporaryFile("w+") as stderr,
    ):
        stdin.write(given)
        stdin.seek(0)
        process = start(
            "adapters.cli",
            [*arguments],
            environment={**inherited, **named, **(environment or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            code = process.wait(COMMAND_SECONDS)
        finally:
            process.kill()
            process.wait()
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(
            ["remint", *arguments], code, stdout.read(), stderr.read()
        )


def alive(pid: int) -> bool:
    """True for a process that runs: a dead one that nobody waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in ("Z", "X")
