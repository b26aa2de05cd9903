"""Apache CXF's STS from Maven Central, on embedded Jetty: by REST and by SOAP."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.peers import REQUESTS
from bench.peers.commands import Server, absent, done, served
from bench.peers.java import (
    JWT_SIGNATURE,
    MARK,
    STORE_PASSWORD,
    TOOLS,
    XML_SIGNATURE,
    KeyStore,
    built,
    key_store,
)
from bench.peers.loopback import Loopback, basic
from bench.peers.subjects import SubjectTokens
from bench.peers.ws_trust import JWT, SAML2, Caller, WsTrust
from bench.ports import free_port
from bench.target import Likeness, Loaded
from bench.target.judging import Expected, Judge
from bench.target.trust import Trust, public_key

VERSION = "3.6.9"
HEAP = "-Xms512m -Xmx512m"
SOURCES = Path(__file__).parent / "cxf"
PROGRAM = "Sts"
READY_PATH = "/soap?wsdl"
"""The last thing that the program opens."""
USER = "bench"
PASSWORD = "bench"  # noqa: S105  # of a user who lives as long as the run
ISSUER = "https://cxf.bench.example"
AUDIENCE = "https://sp.bench.example"
SUBJECT_SECONDS = 7200
"""How long the tokens that are handed in are valid."""

_TOKEN_TYPES = {"password-to-rs256": JWT, "password-to-saml2": SAML2, "jwt-to-rs256": JWT}


@dataclass(frozen=True, slots=True)
class CxfSts:
    """A :class:`bench.peers.Peer`."""

    soap: bool = False
    """Asked by SOAP, with a UsernameToken, instead of REST with HTTP Basic."""
    version: str = VERSION

    @property
    def name(self) -> str:
        return f"Apache CXF STS ({'SOAP' if self.soap else 'REST'})"

    def missing(self) -> str | None:
        return absent(self.name, TOOLS)

    def install(self, cache: Path) -> None:
        home = _home(cache)
        if built(home):
            return
        for name in ("pom.xml", f"{PROGRAM}.java"):
            shutil.copyfile(SOURCES / name, home / name)
        goal = ("dependency:copy-dependencies", "-DoutputDirectory=lib")
        done("mvn", "--batch-mode", "--quiet", *goal, folder=home, step="mvn, for CXF's libraries")
        compiler = ("javac", "-cp", "lib/*", "-d", ".", f"{PROGRAM}.java")
        done(*compiler, folder=home, step=f"javac {PROGRAM}.java")
        (home / MARK).touch()

    @contextlib.contextmanager
    def running(self, cache: Path, folder: Path) -> Iterator[dict[str, Loaded]]:
        keys = key_store(folder)
        server = Loopback(port := free_port())
        command = ("java", *HEAP.split(), "-cp", f"{_home(cache)}:{_home(cache)}/lib/*", PROGRAM)
        given = (str(port), str(keys.store), STORE_PASSWORD, USER, PASSWORD)
        with served(*command, *given, log=folder / "cxf.log") as process:
            server.ready(READY_PATH, process)
            yield self._loaded(server.url, keys, process)

    def _loaded(self, url: str, keys: KeyStore, process: Server) -> dict[str, Loaded]:
        return {
            name: Loaded(
                name=self.name,
                target=target,
                processes={"java": process.pid},
                likeness=likeness(name, soap=self.soap),
                configuration={"heap": HEAP, "token store": "DefaultInMemoryTokenStore"},
            )
            for name, target in targets(url, keys, soap=self.soap).items()
        }


def targets(url: str, keys: KeyStore, *, soap: bool) -> dict[str, WsTrust]:
    """What the STS below ``url`` can be asked, by the name of the request."""
    judge = Judge(Trust({}, [public_key(keys.certificate)]), time.time())
    expires = int(time.time()) + SUBJECT_SECONDS
    claims = {"iss": ISSUER, "sub": USER, "aud": AUDIENCE, "exp": expires}
    tokens = SubjectTokens(keys.private_key, "bench", (claims,))
    return {
        name: WsTrust(
            url=f"{url}/soap" if soap else f"{url}/rest/token?action={_action(name)}",
            head=_head(soap=soap),
            token_type=token_type,
            expected=Expected(ISSUER, AUDIENCE, USER),
            judge=judge,
            tokens=tokens if name.startswith("jwt") else None,
            soap=Caller(USER, PASSWORD) if soap else None,
        )
        for name, token_type in _TOKEN_TYPES.items()
    }


def likeness(request: str, *, soap: bool) -> Likeness:
    """What a figure of a request includes."""
    exchanged = request.startswith("jwt")
    assertion = _TOKEN_TYPES[request] == SAML2
    return Likeness(
        input=REQUESTS[request].partition(",")[0],
        output="SAML 2.0 assertion, bearer" if assertion else "JWT RS256",
        client_authentication=f"{_caller(soap=soap)}, plain comparison",
        verified="signature (RS256, the STS's own key), exp, nbf" if exchanged else "the password",
        session_writes="none",
        persistence="memory of the process: Ehcache" if assertion else "none: JWTs are not kept",
        signature=XML_SIGNATURE if assertion else JWT_SIGNATURE,
        memory_limit=HEAP,
        notes="WS-Trust in XML over HTTP/1.1; JVM: warm up for 60 s",
    )


def _home(cache: Path) -> Path:
    return cache / f"cxf-sts-{VERSION}"


def _action(request: str) -> str:
    return "validate" if request.startswith("jwt") else "issue"


def _caller(*, soap: bool) -> str:
    return "WSS UsernameToken" if soap else "HTTP Basic"


def _head(*, soap: bool) -> Mapping[str, str]:
    if soap:
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    return {"Content-Type": "application/xml", "Authorization": basic(USER, PASSWORD)}
