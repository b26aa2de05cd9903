"""A Kerberos realm of the test's own: a KDC, and those who take part."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gssapi

from tests.support.ports import check_ports, free_port, on_free_ports

REALM = "EXAMPLE.COM"
SPNEGO, KERBEROS = "1.3.6.1.5.5.2", "1.2.840.113554.1.2.2"
START_SECONDS = 20.0
COMMAND_SECONDS = 30.0

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed
_CLIENT = """
[libdefaults]
default_realm = {realm}
dns_canonicalize_hostname = false
dns_lookup_kdc = false
forwardable = true
rdns = false
udp_preference_limit = 1
[realms]
{realm} = {{
  kdc = 127.0.0.1:{port}
}}
[domain_realm]
localhost = {realm}
"""
_SERVER = """
[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
}}
"""


@dataclass(frozen=True)
class Kdc:
    """``environment`` is what those who take part need to find it."""

    folder: Path
    environment: dict[str, str]

    def keytab(self, principal: str, name: str) -> Path:
        """A file with the key of a principal, who is made for it."""
        path = self.folder / name
        self._run("kadmin.local", "addprinc", "-randkey", principal)
        self._run("kadmin.local", "ktadd", "-k", str(path), principal)
        return path

    def user(self, principal: str, *options: str) -> Path:
        """A cache with a ticket of a principal, who is made with a password and logs in."""
        password = secrets.token_hex()
        self._run("kadmin.local", "addprinc", "-pw", password, principal)
        path = self.folder / f"{secrets.token_hex(4)}.ccache"
        self._run("kinit", *options, "-c", f"FILE:{path}", principal, said=password)
        return path

    def _run(self, *command: str, said: str = "") -> None:
        subprocess.run(
            command,
            env={**os.environ, **self.environment},
            input=said.encode(),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )


class Client:
    """Somebody with a ticket, who asks a service for a login."""

    def __init__(self, cache: Path, service: str = "HTTP@localhost", *, mech: str = SPNEGO) -> None:
        chosen = gssapi.OID.from_int_seq(mech)
        flag = gssapi.RequirementFlag
        self._context = gssapi.SecurityContext(
            name=gssapi.Name(service, gssapi.NameType.hostbased_service),
            creds=gssapi.Credentials(
                usage="initiate", mechs=[chosen], store={"ccache": f"FILE:{cache}"}
            ),
            mech=chosen,
            flags=int(flag.mutual_authentication | flag.delegate_to_peer),
            usage="initiate",
        )

    def token(self) -> bytes:
        """The first token, made anew for each client."""
        return bytes(self._context.step(None))

    def trusts(self, answer: bytes) -> bool:
        """Whether the answer proves that the other side is the service."""
        self._context.step(answer)
        return bool(self._context.complete)


@on_free_ports
@contextmanager
def running_kdc() -> Iterator[Kdc]:
    """A started KDC; process and folder are gone afterwards, whatever happened."""
    with tempfile.TemporaryDirectory(prefix="remint-kdc-", ignore_cleanup_errors=True) as name:
        yield from _running(Path(name), free_port())


def _running(folder: Path, port: int) -> Iterator[Kdc]:
    (folder / "krb5.conf").write_text(_CLIENT.format(realm=REALM, port=port))
    (folder / "kdc.conf").write_text(_SERVER.format(realm=REALM, port=port, folder=folder))
    environment = {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5RCACHEDIR": str(folder),
    }
    everything = {**os.environ, **environment}
    create = ["kdb5_util", "create", "-s", "-r", REALM, "-P", secrets.token_hex()]
    subprocess.run(create, env=everything, check=True, capture_output=True, timeout=COMMAND_SECONDS)
    with (folder / "kdc.log").open("wb") as log:
        command = [*_DIE_WITH_PARENT, "/usr/sbin/krb5kdc", "-n"]
        process = subprocess.Popen(command, env=everything, stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "kdc.log")
        yield Kdc(folder, environment)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            check_ports(log.read_text())
            raise RuntimeError(f"the KDC did not start:\n{log.read_text()}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
