"""A slapd of the bench's own: free ports of 127.0.0.1, a temporary folder, one user, no traces."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.case import Missing
from bench.ports import free_port
from bench.process import running

PROGRAM = "/usr/sbin/slapd"
START_SECONDS = 20.0
PAUSE_SECONDS = 0.02
LIFE = datetime.timedelta(hours=12)
SUFFIX = "dc=bench"
SERVICE = f"cn=service,{SUFFIX}"
PASSWORD = "bench"  # noqa: S105  # of a directory that lives as long as the run

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{suffix}"
directory {folder}/data
dbnosync
index objectClass,uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by * none
"""

_TREE = f"""dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: bench
o: bench

dn: {SERVICE}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: service
userPassword: {PASSWORD}

dn: uid=bench,{SUFFIX}
objectClass: inetOrgPerson
uid: bench
cn: Bench
sn: Bench
mail: bench@example.com
userPassword: {PASSWORD}
"""


class SlapdMissing(Missing):
    """There is no slapd to measure."""


@dataclass(frozen=True, slots=True)
class SlapdServer:
    """``user`` is the name of an entry; all passwords are ``PASSWORD``, also in a file."""

    url: str
    tls_url: str
    ca_file: Path
    password_file: Path
    pid: int
    user: str = f"uid=bench,{SUFFIX}"


@contextlib.contextmanager
def slapd_server() -> Iterator[SlapdServer]:
    """A directory with one user; raises SlapdMissing."""
    if not Path(PROGRAM).exists() or shutil.which("slapadd") is None:
        raise SlapdMissing("there is no slapd here: apt-get install slapd ldap-utils")
    with tempfile.TemporaryDirectory(prefix="remint-bench-") as name:
        folder = Path(name)
        ca_file = _written(folder)
        port, tls_port = free_port(), free_port()
        url, tls_url = f"ldap://127.0.0.1:{port}", f"ldaps://127.0.0.1:{tls_port}"
        configuration = str(folder / "slapd.conf")
        subprocess.run(  # noqa: S603  # slapd's own tool, on files of ours
            [str(shutil.which("slapadd")), "-q", "-f", configuration],
            input=_TREE,
            text=True,
            check=True,
        )
        command = (PROGRAM, "-h", f"{url} {tls_url}", "-f", configuration, "-d", "0")
        with running(*command) as process:
            _wait_for(tls_port)
            yield SlapdServer(url, tls_url, ca_file, folder / "password", process.pid)


def _written(folder: Path) -> Path:
    """All that slapd reads; the path of its certificate, which certifies itself."""
    (folder / "data").mkdir()
    (folder / "password").write_text(PASSWORD)
    text = _CONFIGURATION.format(folder=folder, suffix=SUFFIX, service=SERVICE)
    (folder / "slapd.conf").write_text(text)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - LIFE)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    with open(folder / "server.key", "xb", opener=_private) as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return
