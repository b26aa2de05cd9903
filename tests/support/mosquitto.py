"""A private Mosquitto, with the configuration that compose.yaml uses, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.project.source import ROOT
from tests.support.ports import check_ports, check_unbound, free_port, on_free_ports

CONFIGURATION = ROOT / "examples" / "mosquitto"
START_SECONDS = 20.0
USERS = {
    "remint": "broker-password",
    "alice": "alice-password",
    "mallory": "mallory-password",
    "anonymous": "anonymous-password",
}
WATCHER = "watcher"  # may read dead letters and events, as an operator's tools do
WATCHER_RULES = "\nuser watcher\ntopic read remint/v1/dead\ntopic read remint/v1/events/#\n"

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed


class Mosquitto:
    """One server. ``url`` is the broker's, ``url_for`` any user's of ``USERS``.

    ``settings`` replace lines of the shipped file, by their first word. ``tls`` names a
    certificate and its key, in PEM.
    """

    def __init__(
        self, folder: Path, *, tls: tuple[Path, Path] | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._scheme = "mqtt" if tls is None else "mqtts"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir()
        self._write_configuration(tls, settings)

    @property
    def url(self) -> str:
        return self.url_for("remint")

    def url_for(self, user: str) -> str:
        return f"{self._scheme}://{user}:{password_of(user)}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("this server does not run")
        return self._process.pid

    def start(self) -> None:
        """Returns once the server listens."""
        if not (self.folder / "output.log").exists():
            check_unbound(self.port)
        before = len(self.log())
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, "mosquitto", "-c", str(self.folder / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                check_ports(self.log()[before:])
                raise RuntimeError(f"Mosquitto did not start:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as a power cut would have it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Start again without anything that was kept."""
        self.kill()
        shutil.rmtree(self.folder / "data")
        (self.folder / "data").mkdir()
        self.start()

    def log(self) -> str:
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kept(self) -> bytes:
        """What stands on disk."""
        path = self.folder / "data" / "mosquitto.db"
        return path.read_bytes() if path.exists() else b""

    async def saved(self, text: bytes) -> None:
        """Waits until it stands on disk: Mosquitto acknowledges a moment before it saves."""
        async with asyncio.timeout(START_SECONDS):
            while text not in self.kept():  # noqa: ASYNC110  # a file has no event
                await asyncio.sleep(0.01)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                return True
        except OSError:
            return False

    def _write_configuration(self, tls: tuple[Path, Path] | None, settings: dict[str, str]) -> None:
        folder = self.folder
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        for user in (*USERS, WATCHER):
            subprocess.run(
                ["mosquitto_passwd", "-b", str(passwords), user, password_of(user)],
                check=True,
                capture_output=True,
            )
        (folder / "acl").write_text((CONFIGURATION / "acl").read_text() + WATCHER_RULES)
        given = {
            "listener": f"listener {self.port} 127.0.0.1",
            "password_file": f"password_file {passwords}",
            "acl_file": f"acl_file {folder / 'acl'}",
            "persistence_location": f"persistence_location {folder / 'data'}/",
            **settings,
        }
        text = (CONFIGURATION / "mosquitto.conf").read_text()
        for name, line in given.items():
            text, found = re.subn(rf"^{name} .*$", line, text, flags=re.M)
            if not found:
                text += f"{line}\n"
        if tls is not None:
            text += f"certfile {tls[0]}\nkeyfile {tls[1]}\n"
        if os.getuid() == 0:
            text += "user root\n"  # else it becomes a user that may not write here
        (folder / "mosquitto.conf").write_text(text)


def password_of(user: str) -> str:
    return USERS.get(user, f"{user}-password")


@on_free_ports
@contextmanager
def running_mosquitto(
    *, tls: tuple[Path, Path] | None = None, **settings: str
) -> Iterator[Mosquitto]:
    """A started server; process and folder are gone afterwards, whatever happened."""
    if shutil.which("mosquitto") is None or shutil.which("mosquitto_passwd") is None:
        raise RuntimeError("these tests need Mosquitto: apt-get install mosquitto")
    with tempfile.TemporaryDirectory(prefix="remint-mqtt-", ignore_cleanup_errors=True) as name:
        server = Mosquitto(Path(name), tls=tls, **settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()
