"""The broker as a real process: started, killed, stopped, started again on the same state."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.project.source import ROOT
from tests.support.planted import ADMIN_PASSWORD

START_SECONDS = 30.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02

# What may hold secrets in a state folder; everything else in it is searched for them.
SECRET_FILES = ("admin-password", "root-secret")

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed


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
        self.port = free_port()
        self.source = source
        self.settings = {
            "STATE_DIR": str(self.state),
            "HTTP__PORT": str(self.port),
            "ADMIN__PASSWORD": ADMIN_PASSWORD,
            "LOG__FORMAT": "json",
            **(settings or {}),
        }
        scheme = "https" if self.settings.get("HTTP__TLS") == "on" else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", module, *(arguments or ("serve",))]
        self._log = folder / f"output-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: list[int] = []

    @property
    def pid(self) -> int:
        """Of the process that was started: with several workers, their parent."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it and do not wait."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, *self._command],
                cwd=self.source,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._sessions.append(self._process.pid)

    def start(self) -> None:
        """Start it; returns once it is ready."""
        self.launch()
        self.wait_ready()

    def environment(self) -> dict[str, str]:
        """This process's environment, with the settings and the broker's source on the path."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REMINT_")}
        named = {f"REMINT_{name}": value for name, value in self.settings.items()}
        return {**inherited, **named, "PYTHONPATH": str(self.source)}

    def wait_ready(self) -> None:
        def ready() -> bool:
            if self.ended:
                raise RuntimeError(f"the broker ended:\n{self.output()[-4000:]}")
            return self.answers("/readyz")

        self.wait_for(ready, START_SECONDS)

    def wait_for(self, found: Callable[[], bool], seconds: float = STOP_SECONDS) -> None:
        """Look until ``found`` is true; it is a failure if that takes more than ``seconds``."""
        until = time.monotonic() + seconds
        while not found():
            if time.monotonic() > until:
                raise RuntimeError(f"waited in vain:\n{self.output()[-4000:]}")
            time.sleep(POLL_SECONDS)

    def answers(self, path: str) -> bool:
        """Whether a GET on a connection of its own gets a 200; whose certificate is not asked."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        if self.url.startswith("https"):
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
    return subprocess.run(
        [*_DIE_WITH_PARENT, sys.executable, "-m", "adapters.cli", *arguments],
        cwd=ROOT,
        env={**inherited, **named, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def alive(pid: int) -> bool:
    """True for a process that runs: a dead one that nobody waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in ("Z", "X")
