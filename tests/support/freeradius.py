"""A private FreeRADIUS: one of Debian's, a free port, a temporary folder, and nothing left behind.

It signs its answers (Message-Authenticator) as servers do since Blast-RADIUS, but for the user
``old``. ``carol`` is asked for a code after her password, ``erin`` for two; the password of
``demo`` is a code.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import check_ports, free_port, on_free_ports

PROGRAM = "/usr/sbin/freeradius"
START_SECONDS = 20.0
SECRET = "a shared secret of the tests"
PASSWORDS = {
    "alice": "alice-password",
    "José": "pässwörd",
    "carol": "carol-password",
    "erin": "erin-password",
    "old": "old-password",
    "demo": "135790",
    "admin": "admin-of-the-directory",
}
CODE = "246810"
SECOND_CODE = "975310"
PROMPT = "Enter the code that we sent you"

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")  # even if the run itself is killed
_IN_FRONT = ("-f", "-l", "stdout", "-n", "radiusd")

_CONFIGURATION = """
prefix = /usr
localstatedir = {folder}
logdir = {folder}
run_dir = {folder}
libdir = /usr/lib/freeradius
dictionary_dir = /usr/share/freeradius
pidfile = {folder}/freeradius.pid
max_request_time = 5
cleanup_delay = 2
hostname_lookups = no
proxy_requests = no
log {{
    destination = stdout
    auth = no
}}
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = no
}}
thread pool {{
    start_servers = 1
    max_servers = 4
    min_spare_servers = 1
    max_spare_servers = 2
    max_requests_per_server = 0
    auto_limit_acct = no
}}
client broker {{
    ipaddr = 127.0.0.1
    secret = "{secret}"
    require_message_authenticator = yes
}}
modules {{
    always handled {{
        rcode = handled
    }}
    pap {{
    }}
    files {{
        filename = {folder}/users
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        if (!&State) {{
            files
            if (&User-Name == "carol" || &User-Name == "erin") {{
                update control {{
                    &Auth-Type := Challenged
                }}
            }}
            else {{
                pap
            }}
        }}
        else {{
            update control {{
                &Auth-Type := Answered
                &Cleartext-Password := "%{{session-state:Tmp-String-0}}"
            }}
        }}
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type Challenged {{
            pap
            update session-state {{
                &Tmp-String-0 := "{code}"
            }}
            update reply {{
                &Reply-Message := "{prompt}"
                &Message-Authenticator := 0x00
            }}
            update control {{
                &Response-Packet-Type := Access-Challenge
            }}
            handled
        }}
        Auth-Type Answered {{
            pap
            if (&User-Name == "erin" && "%{{session-state:Tmp-String-0}}" == "{code}") {{
                update session-state {{
                    &Tmp-String-0 := "{second_code}"
                }}
                update reply {{
                    &Reply-Message := "And the next one"
                    &Message-Authenticator := 0x00
                }}
                update control {{
                    &Response-Packet-Type := Access-Challenge
                }}
                handled
            }}
        }}
    }}
    post-auth {{
        if (&User-Name != "old") {{
            update reply {{
                &Message-Authenticator := 0x00
            }}
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                &Message-Authenticator := 0x00
            }}
        }}
    }}
}}
"""

_SAID_OF = {
    "alice": ['Class = "staff"', 'Class += "vpn"', 'Filter-Id = "orders"', "Session-Timeout = 600"],
}


class FreeRadius:
    """One server on loopback. ``secret`` is what it shares with the broker."""

    def __init__(self, folder: Path, *, secret: str = SECRET, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        text = _CONFIGURATION.format(
            folder=folder,
            port=self.port,
            secret=secret,
            prompt=PROMPT,
            code=CODE,
            second_code=SECOND_CODE,
        )
        (folder / "radiusd.conf").write_text(text)
        (folder / "users").write_text("".join(_entry(name) for name in PASSWORDS))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it listens. Raises PortTaken, or RuntimeError, if it does not."""
        before = len(self.log())
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, PROGRAM, *_IN_FRONT, "-d", str(self.folder)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while "Ready to process requests" not in self.log()[before:]:
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                check_ports(self.log()[before:])
                raise RuntimeError(f"FreeRADIUS did not start:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as a crash would have it: its port then refuses."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It hears and never answers, as a server that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("this server does not run")
        self._process.send_signal(number)


def _entry(name: str) -> str:
    said = "".join(f"\t{line}\n" for line in [",\n\t".join(_SAID_OF.get(name, []))] if line)
    return f'"{name}" Cleartext-Password := "{PASSWORDS[name]}"\n{said}\n'


@on_free_ports
@contextmanager
def running_freeradius(*, secret: str = SECRET) -> Iterator[FreeRadius]:
    """A started server; process and folder are gone afterwards, whatever happened."""
    if shutil.which(PROGRAM) is None:
        raise RuntimeError("these tests need FreeRADIUS: apt-get install freeradius")
    with tempfile.TemporaryDirectory(prefix="remint-radius-", ignore_cleanup_errors=True) as name:
        server = FreeRadius(Path(name) / "radius", secret=secret)
        try:
            server.start()
            yield server
        finally:
            server.kill()
