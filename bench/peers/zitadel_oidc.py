"""zitadel/oidc through the Go module proxy: the example server of the certified Go library, with
its own storage in memory (``zitadel_oidc/main.go``)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.peers import PeerFailed
from bench.peers.commands import Server, absent, done, served
from bench.peers.loopback import FORM, START_SECONDS, Loopback, basic
from bench.peers.subjects import SubjectTokens
from bench.peers.token_endpoint import (
    SIGNATURES,
    ClientAlone,
    Expected,
    Given,
    GivenTokens,
    TokenEndpoint,
    exchange_form,
)
from bench.target import Likeness, Loaded
from bench.target.keys import RSA_BITS
from bench.target.options import ACCESS_TOKEN

VERSION = "3.45.1"  # of go.mod beside main.go
SOURCE = Path(__file__).with_name("zitadel_oidc")
FILES = ("go.mod", "go.sum", "main.go")
LEAST_GO = (1, 24)
"""What that go.mod asks for."""
TOOLS = {"go": "Go, 1.24 or later"}
PROGRAM = "zitadel-oidc"
MARK = "built"
DOWNLOAD = "go mod download"
"""The step that needs the module proxy."""
MEMORY_LIMIT = "1GiB"
TOKEN_PATH = "/oauth/token"  # noqa: S105  # the library's default, as is the next
KEYS_PATH = "/keys"
CLIENT = "bench"
SECRET = "bench-secret-of-32-characters-00"  # noqa: S105  # of a server that lives as long as the run
SERVICE_USER = "sid1"
SERVICE_SECRET = "verysecret"  # noqa: S105  # the only service user of the example's storage
AUDIENCE = "https://api.example.com/rs256"
ALGORITHM = "RS256"
"""The only one that the example's storage signs with."""
SUBJECTS = 1000
SUBJECT_SECONDS = 86400
PAUSE_SECONDS = 0.05
SIGNING_KEY = "signing-key.pem"
"""Written by the server: its subject tokens are of its own."""
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ZitadelOidc:
    """A :class:`bench.peers.Peer`."""

    name: str = "zitadel/oidc"
    version: str = VERSION

    def missing(self) -> str | None:
        return absent(self.name, TOOLS) or _too_old(self.name)

    def install(self, cache: Path) -> None:
        home = _home(cache)
        home.mkdir(parents=True, exist_ok=True)
        mark, sources = home / MARK, b"".join((SOURCE / name).read_bytes() for name in FILES)
        digest = hashlib.sha256(sources).hexdigest()
        if mark.exists() and mark.read_text() == digest:
            return
        for name in FILES:
            shutil.copyfile(SOURCE / name, home / name)
        mark.unlink(missing_ok=True)
        done("go", "mod", "download", folder=home, step=DOWNLOAD)
        build = ("go", "build", "-trimpath", "-buildvcs=false", "-o", PROGRAM, ".")
        done(*build, folder=home, step="go build")
        mark.write_text(digest)

    @contextlib.contextmanager
    def running(self, cache: Path, folder: Path) -> Iterator[dict[str, Loaded]]:
        settings = _settings(folder)
        command = (str(_home(cache) / PROGRAM), str(settings))
        # An empty GOMAXPROCS is none: as many as there are cores.
        environment = {"GOMEMLIMIT": MEMORY_LIMIT, "GOMAXPROCS": ""}
        with served(*command, log=folder / f"{PROGRAM}.log", environment=environment) as own:
            said = _said(own)
            jwks = json.dumps(Loopback(urlsplit(said.issuer).port or 0).get(KEYS_PATH))
            tokens = subject_tokens(said.issuer, (folder / SIGNING_KEY).read_text(), jwks)
            yield {
                name: Loaded(
                    name=self.name,
                    target=target,
                    processes={PROGRAM: own.pid},
                    likeness=likeness(target),
                    configuration=_configuration(said),
                )
                for name, target in targets_at(said.issuer, jwks, tokens).items()
            }


def likeness(target: TokenEndpoint) -> Likeness:
    """What a figure of one of its requests includes."""
    exchange = target.kind == "token-exchange"
    return Likeness(
        input=f"access token of the same server, RS256, {RSA_BITS} bit"
        if exchange
        else "client credentials",
        output=f"JWT access token {target.expected.algorithm}",
        client_authentication="secret in HTTP Basic, plain comparison",
        verified="signature, iss, exp, and that the user is there and may impersonate; no aud"
        if exchange
        else "client alone",
        session_writes="none",
        persistence="record of each token, in memory, never removed",
        signature=SIGNATURES[target.expected.algorithm],
        memory_limit=f"GOMEMLIMIT={MEMORY_LIMIT} (soft)",
        notes="one process, GOMAXPROCS as many as cores; the example's storage behind one lock; "
        "its log holds warnings alone",
    )


def subject_tokens(issuer: str, key: str, jwks: str) -> SubjectTokens:
    """Of the server itself: it trusts no other issuer. ``key`` is its private key as PEM, ``jwks``
    its JWK set as JSON."""
    expires_at = int(time.time()) + SUBJECT_SECONDS
    claims = tuple(
        {"iss": issuer, "sub": name, "aud": CLIENT, "exp": expires_at} for name in _names()
    )
    return SubjectTokens(key=key, key_id=json.loads(jwks)["keys"][0]["kid"], claims=claims)


def targets_at(issuer: str, jwks: str, tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    """What the server can be asked, by the names of bench.peers.REQUESTS."""
    wanted: dict[str, tuple[str, str, str, Mapping[str, str], Given]] = {
        "jwt-to-rs256": (
            "token-exchange",
            basic(CLIENT, SECRET),
            AUDIENCE,
            {**exchange_form(ACCESS_TOKEN), "audience": AUDIENCE},
            GivenTokens(tokens),
        ),
        "client-to-rs256": (
            "client-credentials",
            basic(SERVICE_USER, SERVICE_SECRET),
            SERVICE_USER,  # the storage's own choice
            {"grant_type": "client_credentials"},
            ClientAlone(SERVICE_USER),
        ),
    }
    return {
        name: TokenEndpoint(
            kind=kind,
            url=issuer.rstrip("/") + TOKEN_PATH,
            head={"Content-Type": FORM, "Authorization": caller},
            form=form,
            given=given,
            expected=Expected(ALGORITHM, issuer, audience, jwks),
        )
        for name, (kind, caller, audience, form, given) in wanted.items()
    }


@dataclass(frozen=True, slots=True)
class _Said:
    """What the server prints once it listens."""

    issuer: str
    go: str
    processors: str


def _said(server: Server) -> _Said:
    """Raises PeerFailed."""
    until = time.monotonic() + START_SECONDS
    while True:
        for line in server.written().splitlines():
            words = line.split()
            if len(words) == 3 and words[0].startswith("http://"):
                return _Said(*words)
        server.check_alive()
        if time.monotonic() > until:
            raise PeerFailed(f"{PROGRAM} did not listen within {START_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)


def _home(cache: Path) -> Path:
    return cache / f"{PROGRAM}-{VERSION}"


def _too_old(peer: str) -> str | None:
    """The sentence for a Go that cannot build it; None if it can, or does not say its version."""
    try:
        version = done("go", "env", "GOVERSION", folder=Path("/"), step="go env").strip()
    except PeerFailed:
        return None
    told = _GO_VERSION.match(version)
    if told is None or (int(told[1]), int(told[2])) >= LEAST_GO:
        return None
    return f"{peer} needs {TOOLS['go']}, and here is {version}"


def _settings(folder: Path) -> Path:
    """The file of the program's settings, and that of its users."""
    users, settings = folder / "users.json", folder / "settings.json"
    users.write_text(json.dumps({name: _user(name) for name in _names()}))
    settings.touch(mode=0o600)
    settings.write_text(
        json.dumps(
            {
                "client": {"id": CLIENT, "secret": SECRET},
                "users": str(users),
                "signing_key": str(folder / SIGNING_KEY),
            }
        )
    )
    return settings


def _names() -> Iterator[str]:
    return (f"user-{number}" for number in range(SUBJECTS))


def _user(name: str) -> dict[str, Any]:
    """One whose tokens may be exchanged: the example allows that to administrators alone."""
    return {"ID": name, "Username": name, "IsAdmin": True}


def _configuration(said: _Said) -> Mapping[str, str]:
    return {
        "Go": said.go,
        "GOMAXPROCS": said.processors,
        "GOMEMLIMIT": MEMORY_LIMIT,
        "storage": "memory (the example's own)",
        "access tokens": "JWT, where the example's clients get opaque ones",
        "log": "warnings alone",
    }
