"""Keycloak from Maven Central: standard token exchange (V2), password and client credentials."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.peers.commands import absent, done, served
from bench.peers.java import fetched
from bench.peers.keycloak_realm import (
    ADMINISTRATOR,
    AUDIENCE,
    CLIENTS,
    PASSWORD,
    REALM,
    SECRET,
    TOKEN_PATH,
    set_up,
)
from bench.peers.loopback import FORM, HOST, Loopback, basic
from bench.peers.subjects import SubjectTokens
from bench.peers.token_endpoint import (
    SIGNATURES,
    ClientAlone,
    Expected,
    Given,
    GivenPasswords,
    GivenTokens,
    TokenEndpoint,
    exchange_form,
)
from bench.ports import free_port
from bench.target import Likeness, Loaded
from bench.target.keys import RSA_BITS
from bench.target.options import ACCESS_TOKEN

VERSION = "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
HEAP = "-Xms1g -Xmx1g"
TOOLS = {
    "java": "a JDK, 17 or later (Debian: openjdk-17-jdk-headless)",
    "mvn": "Maven (Debian: maven)",
}
MARK = "built"

_INPUTS = {
    "token-exchange": f"access token of the same realm, RS256, {RSA_BITS} bit",
    "client-credentials": "client credentials",
    "password": "user name and password",
}
_VERIFIED = {
    "token-exchange": "signature, iss, aud, exp, and that the session and the user are there",
    "client-credentials": "client alone",
    "password": "password: Argon2id, 7 MiB, 5 passes (Keycloak's default)",
}
_SESSION_WRITES = {
    "token-exchange": "none new: the subject token's session is read",
    "client-credentials": "none",
    "password": "a session for each login, in memory and in H2",
}


@dataclass(frozen=True, slots=True)
class Keycloak:
    """A :class:`bench.peers.Peer`."""

    name: str = "Keycloak"
    version: str = VERSION

    def missing(self) -> str | None:
        return absent(self.name, TOOLS)

    def install(self, cache: Path) -> None:
        home = _home(cache)
        mark = home / MARK
        if mark.exists():
            return
        shutil.rmtree(home, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        _fetch(cache)
        # A zip made by Maven keeps the scripts' mode bits aside, which shutil does not restore.
        done("sh", "bin/kc.sh", "build", "--db=dev-file", folder=home, step="kc.sh build")
        mark.touch()

    @contextlib.contextmanager
    def running(self, cache: Path, folder: Path) -> Iterator[dict[str, Loaded]]:
        server = Loopback(port := free_port())
        command = ("sh", str(_home(cache) / "bin" / "kc.sh"), *_options(folder, port))
        environment = {
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
            "JAVA_OPTS_KC_HEAP": HEAP,
        }
        with served(*command, log=folder / "keycloak.log", environment=environment) as script:
            server.ready("/realms/master", script)
            tokens, users = set_up(server)
            jwks = json.dumps(server.get(f"/realms/{REALM}/protocol/openid-connect/certs"))
            processes = {"java": script.child()}
            version = done("java", "-version", folder=folder, step="java -version")
            yield {
                name: Loaded(
                    name=self.name,
                    target=target,
                    processes=processes,
                    likeness=likeness(target),
                    configuration=_configuration(version),
                )
                for name, target in targets_at(server.url, jwks, tokens, users).items()
            }


def likeness(target: TokenEndpoint) -> Likeness:
    """What a figure of one of its requests includes."""
    return Likeness(
        input=_INPUTS[target.kind],
        output=f"JWT access token {target.expected.algorithm}",
        client_authentication="secret in HTTP Basic, compared in constant time",
        verified=_VERIFIED[target.kind],
        session_writes=_SESSION_WRITES[target.kind],
        persistence="none: access tokens are not kept",
        signature=SIGNATURES[target.expected.algorithm],
        memory_limit=HEAP,
        notes="database H2 in a file, local caches, production mode; JVM: warm up for 60 s",
    )


def _home(cache: Path) -> Path:
    return cache / f"keycloak-{VERSION}"


def _fetch(cache: Path) -> None:
    """Its distribution, unpacked below ``cache``; raises PeerFailed."""
    archive = fetched(ARTIFACT, cache)
    shutil.unpack_archive(archive, cache)
    archive.unlink()


def _options(folder: Path, port: int) -> tuple[str, ...]:
    return (
        "start",
        "--optimized",
        "--cache=local",
        "--http-enabled=true",
        "--hostname-strict=false",
        f"--http-host={HOST}",
        f"--http-port={port}",
        f"--db-url=jdbc:h2:file:{folder}/keycloak;NON_KEYWORDS=VALUE",
        "--log-level=warn",
    )


def _configuration(version: str) -> dict[str, str]:
    return {
        "Java": version.splitlines()[0],
        "started with": "start --optimized --cache=local --db=dev-file",
        "claims": "client scope basic alone: no roles, profile or e-mail",
        "JVM options": HEAP,
    }


def targets_at(
    url: str, jwks: str, tokens: SubjectTokens, users: dict[str, str]
) -> dict[str, TokenEndpoint]:
    """What the realm at ``url`` can be asked, by the names of bench.peers.REQUESTS."""
    wanted: dict[str, tuple[str, str, dict[str, str], Given]] = {
        "password-to-rs256": (
            "RS256",
            "password",
            {"grant_type": "password"},
            GivenPasswords(users, PASSWORD),
        )
    }
    for algorithm in CLIENTS:
        small = algorithm.lower()
        exchange = ("token-exchange", exchange_form(ACCESS_TOKEN), GivenTokens(tokens))
        wanted[f"jwt-to-{small}"] = (algorithm, *exchange)
        client = ("client-credentials", {"grant_type": "client_credentials"}, ClientAlone(None))
        wanted[f"client-to-{small}"] = (algorithm, *client)
    return {
        name: TokenEndpoint(
            kind=kind,
            url=url + TOKEN_PATH,
            head={
                "Content-Type": FORM,
                "Authorization": basic(CLIENTS[algorithm], SECRET),
            },
            form=form,
            given=given,
            expected=Expected(algorithm, f"{url}/realms/{REALM}", AUDIENCE, jwks),
        )
        for name, (algorithm, kind, form, given) in wanted.items()
    }
