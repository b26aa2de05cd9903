"""A Kerberos realm of the test's own: a KDC, and keys of those who take part."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import check_ports, free_port, on_free_ports

REALM = "EXAMPLE.COM"
START_SECONDS = 20.0

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed
_CLIENT = """
[libdefaults]
default_realm = {realm}
dns_canonicalize_hostname = false
dns_lookup_kdc = false
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
        run = {"env": {**os.environ, **self.environment}, "check": True, "capture_output": True}
        subprocess.run(["kadmin.local", "addprinc", "-randkey", principal], **run)  # type: ignore[call-overload]
        subprocess.run(["kadmin.local", "ktadd", "-k", str(path), principal], **run)  # type: ignore[call-overload]
        return path


@on_free_ports
@contextmanager
def running_kdc(folder: Path) -> Iterator[Kdc]:
    """A started KDC; its process is gone afterwards, whatever happened."""
    port = free_port()
    (folder / "krb5.conf").write_text(_CLIENT.format(realm=REALM, port=port))
    (folder / "kdc.conf").write_text(_SERVER.format(realm=REALM, port=port, folder=folder))
    environment = {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5RCACHETYPE": "none",
    }
    everything = {**os.environ, **environment}
    create = ["kdb5_util", "create", "-s", "-r", REALM, "-P", secrets.token_hex()]
    subprocess.run(create, env=everything, check=True, capture_output=True)
    with (folder / "kdc.log").open("wb") as log:
        command = [*_DIE_WITH_PARENT, "/usr/sbin/krb5kdc", "-n"]
        process = subprocess.Popen(command, env=everything, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                said = (folder / "kdc.log").read_text()
                check_ports(said)
                raise RuntimeError(f"the KDC did not start:\n{said}")
            time.sleep(0.02)
        yield Kdc(folder, environment)
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
