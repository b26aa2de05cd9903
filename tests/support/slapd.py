"""A private slapd: free ports, a temporary folder, people to log in, and nothing left behind."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from tests.support.pki import Holder, alternative, root
from tests.support.ports import check_ports, free_port, on_free_ports

START_SECONDS = 20.0
SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
ROOT_DN = f"cn=admin,{SUFFIX}"
ROOT_PASSWORD = "directory-administrator"
SERVICE_DN = f"cn=remint,{SUFFIX}"
SERVICE_PASSWORD = "service-password"
ADA_PASSWORD = "adas directory password"

_PROGRAM = "/usr/sbin/slapd"
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed

_ACTIVE_DIRECTORY = """
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'objectSid' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'userAccountControl' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.5 NAME 'accountStatus' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'testUser' SUP top AUXILIARY
  MAY ( sAMAccountName $ userPrincipalName $ objectSid $ userAccountControl $ accountStatus ) )
"""

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/active-directory.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload memberof
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/authority.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSVerifyClient {verify}
authz-regexp "^cn=remint.*$" "{service}"
{settings}
database mdb
suffix "{suffix}"
directory {folder}/data
rootdn "{root}"
rootpw {root_password}
maxsize 67108864
dbnosync
index objectClass,uid,mail,sAMAccountName,userPrincipalName,objectSid,member eq
overlay memberof
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{suffix}"
ppolicy_use_lockout
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read {others}
"""

TREE = f"""
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: ou=policies,{SUFFIX}
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,{SUFFIX}
objectClass: pwdPolicy
objectClass: applicationProcess
cn: default
pwdAttribute: userPassword
pwdMustChange: TRUE

dn: {SERVICE_DN}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: remint
userPassword: {SERVICE_PASSWORD}

dn: uid=ada,{PEOPLE}
objectClass: inetOrgPerson
objectClass: testUser
uid: ada
cn: Ada Lovelace
sn: Lovelace
mail: ada@example.com
mail: countess@example.com
userPassword: {ADA_PASSWORD}
sAMAccountName: alovelace
userPrincipalName: ada@corp.example.com
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6QMAAA==
userAccountControl: 512
accountStatus: active

dn: uid=bob,{PEOPLE}
objectClass: inetOrgPerson
objectClass: testUser
uid: bob
cn: Bob
sn: Bobson
mail: bob@example.com
userPassword: bobs directory password
sAMAccountName: bbobson
userAccountControl: 514
accountStatus: left
"""
"""Ada, whose objectSid is S-1-5-21-1-2-3-1001, and Bob, whose account is disabled."""


class Slapd:
    """One server with ``TREE`` in it, on ``ldap://``, ``ldaps://`` and ``ldapi://``.

    Its certificate is for 127.0.0.1 and for ``names``; ``authority`` signed it. ``others`` says
    what everybody but the broker's account may, in the words of slapd.access(5).
    """

    def __init__(
        self,
        folder: Path,
        *,
        tree: str = TREE,
        authority: Holder | None = None,
        server: Holder | None = None,
        settings: str = "",
        others: str = "by * none",
        verify: str = "allow",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self.port, self.tls_port = free_port(), free_port()
        self.authority = authority or root("Directory Root")
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir(parents=True)
        (folder / "active-directory.schema").write_text(_ACTIVE_DIRECTORY)
        self.authority_file, _ = self.authority.files(folder, "authority")
        (server or server_certificate(self.authority)).files(folder, "server")
        (folder / "slapd.conf").write_text(
            _CONFIGURATION.format(
                folder=folder,
                suffix=SUFFIX,
                root=ROOT_DN,
                root_password=ROOT_PASSWORD,
                service=SERVICE_DN,
                settings=settings,
                others=others,
                verify=verify,
            )
        )
        self._fill(tree)

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def socket_url(self) -> str:
        return f"ldapi://{str(self.folder / 'ldapi').replace('/', '%2F')}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("this server does not run")
        return self._process.pid

    def start(self) -> None:
        """Returns once the server accepts connections."""
        listeners = f"{self.url} {self.tls_url} {self.socket_url}"
        command = [_PROGRAM, "-h", listeners, "-f", "slapd.conf", "-d", "0"]
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, *command],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if self._process.poll() is not None:
                check_ports(self.log())
                raise RuntimeError(f"slapd did not start:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"slapd did not get ready:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as a crash would have it; a stopped server too."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It goes on accepting connections, by the kernel, and never answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def modify(self, ldif: str) -> None:
        """Change entries, as the directory's administrator."""
        self._client("ldapmodify", ldif)

    def add(self, ldif: str) -> None:
        self._client("ldapadd", ldif)

    def bound(self, dn: str, password: str) -> bool:
        """Whether the directory itself lets somebody in, as its own tool finds."""
        command = ["ldapwhoami", "-x", "-H", self.url, "-D", dn, "-w", password]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def log(self) -> str:
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.tls_port), timeout=1.0).close()
        except OSError:
            return False
        return (self.folder / "ldapi").exists()

    def _fill(self, tree: str) -> None:
        subprocess.run(
            ["slapadd", "-q", "-f", "slapd.conf"],
            cwd=self.folder,
            input=tree.lstrip(),
            text=True,
            check=True,
            capture_output=True,
        )

    def _client(self, program: str, ldif: str) -> None:
        subprocess.run(
            [program, "-x", "-H", self.url, "-D", ROOT_DN, "-w", ROOT_PASSWORD],
            input=ldif.lstrip(),
            text=True,
            check=True,
            capture_output=True,
        )


def server_certificate(authority: Holder, *names: x509.GeneralName, **changes: float) -> Holder:
    """One for 127.0.0.1, or for ``names`` instead."""
    shown = names or (x509.IPAddress(ipaddress.ip_address("127.0.0.1")),)
    return authority.issue("slapd", usage=None, extensions=[alternative(*shown)], **changes)


@on_free_ports
@contextmanager
def running_slapd(**options: object) -> Iterator[Slapd]:
    """A started server; process and folder are gone afterwards, whatever happened."""
    if shutil.which(_PROGRAM) is None:
        raise RuntimeError("these tests need slapd: apt-get install slapd ldap-utils")
    with tempfile.TemporaryDirectory(prefix="remint-slapd-", ignore_cleanup_errors=True) as name:
        server = Slapd(Path(name) / "slapd", **options)  # type: ignore[arg-type]
        try:
            server.start()
            yield server
        finally:
            server.kill()
