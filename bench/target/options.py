"""What a load tester says of a target on the command line, and the target that comes of it.

Passwords and client secrets are never arguments: every process of a machine can read those. They
come from a file, from the environment, or are asked for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.target import NotPrepared, Target

PASSWORD_VARIABLE = "REMINT_BENCH_PASSWORD"  # noqa: S105  # the name of a variable
CLIENT_SECRET_VARIABLE = "REMINT_BENCH_CLIENT_SECRET"  # noqa: S105  # the name of a variable

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # RFC 8693, section 3
JWT = "urn:ietf:params:oauth:token-type:jwt"


class Kind(StrEnum):
    """The protocols that requests are made for."""

    REST_STS = "rest-sts"
    TOKEN_EXCHANGE = "token-exchange"  # noqa: S105  # RFC 8693's name
    CLIENT_CREDENTIALS = "client-credentials"


class Input(StrEnum):
    """What a REST STS is shown."""

    USERNAME = "username"
    OPENAM = "openam"
    OIDC = "oidc"


class Output(StrEnum):
    """What a REST STS is asked for."""

    OIDC = "oidc"
    SAML2 = "saml2"


class ClientAuthentication(StrEnum):
    """How an OAuth client proves itself: RFC 6749, section 2.3.1."""

    BASIC = "basic"
    POST = "post"
    NONE = "none"


class MintAlgorithm(StrEnum):
    """What subject tokens are signed with."""

    RS256 = "RS256"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Everything that targets are made of; each takes what it needs. Times are in seconds."""

    input: str = Input.OPENAM
    output: str = Output.OIDC
    username: str = ""
    password: str = field(default="", repr=False)
    users: Path | None = None
    """User names with passwords, ``name:password`` a line: each request takes the next."""
    login_url: str = ""
    """Where sessions begin; for a REST STS over HTTP found from its URL."""
    sessions: int = 0
    """How many sessions to log in; 0 for one a request."""
    subjects: Path | None = None
    """Ready subject tokens, one a line: sessions or JWTs."""
    mint_key: Path | None = None
    """PEM or JWK of the private key that subject tokens are signed with before the run."""
    mint_issuer: str = ""
    mint_audience: str = ""
    mint_subject: str = "bench"
    """``{number}`` in it becomes the number of the token."""
    mint_lifetime: int = 3600
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_authentication: str = ClientAuthentication.BASIC
    subject_token_type: str = JWT
    requested_token_type: str = ""
    audience: str = ""
    scope: str = ""
    resource: str = ""
    jwks: str = ""
    """URL or file; looked for at the server where it is not given."""
    certificate: Path | None = None
    """PEM of the certificate, or of the public key, that answers are verified with."""
    expect_issuer: str = ""
    expect_audience: str = ""
    any_subject: bool = False
    """Issued tokens may name another subject than what was shown."""
    sha1: bool = False
    """Assertions may be signed with SHA-1."""
    kept: bool = True
    """Ask the server whether it knows what it issued."""
    kept_url: str = ""
    """The instance (validate) or RFC 7662 endpoint that is asked; found for a REST STS."""
    ca: Path | None = None
    """PEM of the authorities that vouch for an https:// server; the system's where not given."""
    requests: int = 0
    """How many requests to prepare; 0 leaves it to the load."""
    quiet: bool = False
    """No progress on standard error."""

    def facts(self) -> dict[str, str]:
        """For the record of a run: what was set, files by name alone, secrets left out."""
        secret = {"password", "client_secret", "quiet", "requests"}
        plain = TargetOptions()
        found = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if name not in secret and value != getattr(plain, name):
                found[f"target.{name}"] = value.name if isinstance(value, Path) else str(value)
        found["target.kept"] = "checked" if self.kept else "not checked"
        return found


def target_from(kind: str, url: str, options: TargetOptions) -> Target:
    """The target of a kind (``Kind``) at a URL.

    For messages ``url`` is the id of an instance, such as ``customers/bench``, and stands in every
    body. Looks for the server's keys where none are given, so it may ask the server.
    Raises NotPrepared.
    """
    if kind == Kind.REST_STS:
        from bench.target.rest_sts import RestSts

        return RestSts(url, options)
    if kind == Kind.TOKEN_EXCHANGE:
        from bench.target.token_exchange import TokenExchange

        return TokenExchange(url, options)
    if kind == Kind.CLIENT_CREDENTIALS:
        from bench.target.client_credentials import ClientCredentials

        return ClientCredentials(url, options)
    raise NotPrepared(f"no target is called {kind}: use one of {', '.join(Kind)}")


def secret_from(file: Path | None, variable: str) -> str:
    """The first line of a file, else an environment variable, else empty. Raises NotPrepared."""
    if file is None:
        return os.environ.get(variable, "")
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise NotPrepared(f"the file {file} cannot be read") from None
    if not lines or not lines[0]:
        raise NotPrepared(f"the first line of {file} is empty")
    return lines[0]
