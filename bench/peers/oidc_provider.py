"""oidc-provider from npm: the widespread Node.js library, with an RFC 8693 grant as its users add
one (``oidc_provider/server.mjs``)."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import ECKey, RSAKey

from bench.peers import PeerFailed, node
from bench.peers.commands import Server, served
from bench.peers.loopback import FORM, START_SECONDS, Loopback, basic
from bench.peers.subjects import SubjectTokens, new_rsa_key
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
from bench.target.options import JWT

VERSION = "9.13.3"  # of package.json beside server.mjs
SOURCE = Path(__file__).with_name("oidc_provider")
HEAP_MIB = 512
CLIENT = "bench"
SECRET = "bench-secret-of-32-characters-00"  # noqa: S105  # of a server that lives as long as the run
ISSUER = "https://issuer.example.com"
SUBJECTS = 1000
SUBJECT_SECONDS = 86400
RESOURCES = {"https://api.example.com/rs256": "RS256", "https://api.example.com/es256": "ES256"}
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """A :class:`bench.peers.Peer`."""

    name: str = "oidc-provider"
    version: str = VERSION

    def missing(self) -> str | None:
        return node.missing(self.name)

    def install(self, cache: Path) -> None:
        node.install(SOURCE, _folder(cache))

    @contextlib.contextmanager
    def running(self, cache: Path, folder: Path) -> Iterator[dict[str, Loaded]]:
        tokens = subject_tokens()
        settings = folder / "settings.json"
        settings.touch(mode=0o600)
        settings.write_text(json.dumps(_settings(tokens)))
        program = _folder(cache) / "server.mjs"
        command = ("node", f"--max-old-space-size={HEAP_MIB}", str(program), str(settings))
        log = folder / "oidc-provider.log"
        with served(*command, log=log, environment={"NODE_ENV": "production"}) as own:
            url, version = _said(own)
            server = Loopback(urlsplit(url).port or 0)
            jwks = json.dumps(server.get("/jwks"))
            targets = targets_at(server.url, jwks, tokens)
            yield {
                name: Loaded(
                    name=self.name,
                    target=target,
                    processes={"node": own.pid},
                    likeness=likeness(target),
                    configuration=_configuration(version),
                )
                for name, target in targets.items()
            }


def likeness(target: TokenEndpoint) -> Likeness:
    """What a figure of one of its requests includes."""
    exchange = target.kind == "token-exchange"
    return Likeness(
        input=f"JWT RS256, {RSA_BITS} bit" if exchange else "client credentials",
        output=f"JWT access token {target.expected.algorithm}",
        client_authentication="secret in HTTP Basic, compared in constant time",
        verified="signature, iss, aud, exp, sub and jti there" if exchange else "client alone",
        session_writes="none",
        persistence="none: JWT access tokens are not kept",
        signature=SIGNATURES[target.expected.algorithm],
        memory_limit=f"--max-old-space-size={HEAP_MIB} (MiB)",
        notes="one process; signatures run in libuv's four threads, beside the event loop; "
        "Node.js as found on the PATH, of which its makers support 22 and later",
    )


def _folder(cache: Path) -> Path:
    return cache / f"oidc-provider-{VERSION}"


def _configuration(version: str) -> Mapping[str, str]:
    return {
        "Node.js": version,
        "NODE_ENV": "production",
        "adapter": "memory (the library's own)",
        "grant": "RFC 8693, registerGrantType",
        "keys of issuers": "a JWK set in memory",
    }


def subject_tokens() -> SubjectTokens:
    """Of an issuer that the server is told to trust."""
    expires_at = int(time.time()) + SUBJECT_SECONDS
    claims = tuple(
        {"iss": ISSUER, "sub": f"user-{number}", "aud": CLIENT, "exp": expires_at}
        for number in range(SUBJECTS)
    )
    return SubjectTokens(key=new_rsa_key(), key_id="issuer", claims=claims)


def _settings(tokens: SubjectTokens) -> dict[str, Any]:
    rsa = RSAKey.import_key(new_rsa_key()).as_dict(private=True)
    ec = ECKey.generate_key("P-256", private=True).as_dict(private=True)
    own = [{**rsa, "alg": "RS256", "use": "sig"}, {**ec, "alg": "ES256", "use": "sig"}]
    return {
        "client": {"id": CLIENT, "secret": SECRET},
        "jwks": {"keys": own},
        "trusted": {"issuer": ISSUER, "audience": CLIENT, "jwks": tokens.public_jwks()},
        "resources": RESOURCES,
    }


def _said(server: Server) -> tuple[str, str]:
    """Its issuer and the version of Node.js, once it listens; raises PeerFailed."""
    until = time.monotonic() + START_SECONDS
    while True:
        for line in server.written().splitlines():
            url, _, version = line.partition(" ")
            if url.startswith("http://") and version:
                return url, version
        server.check_alive()
        if time.monotonic() > until:
            raise PeerFailed(f"oidc-provider did not listen within {START_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)


def targets_at(url: str, jwks: str, tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    """What the server at ``url`` can be asked, by the names of bench.peers.REQUESTS."""
    targets = {}
    for resource, algorithm in RESOURCES.items():
        expected = Expected(algorithm=algorithm, issuer=url, audience=resource, jwks=jwks)
        kinds: dict[str, tuple[str, dict[str, str], Given]] = {
            "jwt": ("token-exchange", exchange_form(JWT), GivenTokens(tokens)),
            "client": (
                "client-credentials",
                {"grant_type": "client_credentials"},
                ClientAlone(CLIENT),
            ),
        }
        for name, (kind, form, given) in kinds.items():
            targets[f"{name}-to-{algorithm.lower()}"] = TokenEndpoint(
                kind=kind,
                url=f"{url}/token",
                head={"Content-Type": FORM, "Authorization": basic(CLIENT, SECRET)},
                form={**form, "resource": resource},
                given=given,
                expected=expected,
            )
    return targets
