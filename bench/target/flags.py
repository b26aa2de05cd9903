"""The command line options that make a TargetOptions, for every command that loads a target."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.target import NotPrepared
from bench.target.options import (
    CLIENT_SECRET_VARIABLE,
    JWT,
    PASSWORD_VARIABLE,
    ClientAuthentication,
    Input,
    Kind,
    Output,
    TargetOptions,
    secret_from,
)

PLACE = "target"
"""The parameter of a command that takes the TargetOptions."""

KindOf = Annotated[Kind, typer.Option("--target", help="The protocol of the requests.")]

_SHOWN = "What is shown"
_ASKED = "What is asked for"
_JUDGED = "How answers are judged"


def _option(name: str, help: str, panel: str, **more: Any) -> Any:
    return typer.Option(name, help=help, rich_help_panel=panel, **more)


def _file(name: str, help: str, panel: str) -> Any:
    return _option(name, help, panel, dir_okay=False)


def gathered(
    input: Annotated[Input, _option("--input", "rest-sts: what is shown.", _SHOWN)] = Input.OPENAM,
    username: Annotated[str, _option("--username", "Who logs in.", _SHOWN)] = "",
    password_file: Annotated[
        Path | None,
        _file("--password-file", f"Else {PASSWORD_VARIABLE}, else it is asked for.", _SHOWN),
    ] = None,
    users: Annotated[
        Path | None, _file("--users", "name:password a line; requests take turns.", _SHOWN)
    ] = None,
    login_url: Annotated[
        str, _option("--login-url", "AM's /json/authenticate; found from the URL.", _SHOWN)
    ] = "",
    sessions: Annotated[
        int, _option("--sessions", "Sessions to log in; 0: one a request.", _SHOWN, min=0)
    ] = 0,
    subjects: Annotated[
        Path | None, _file("--subjects", "Ready sessions or JWTs, one a line.", _SHOWN)
    ] = None,
    mint_key: Annotated[
        Path | None,
        _file("--mint-key", "Private key, PEM or JWK, to sign a JWT for each request.", _SHOWN),
    ] = None,
    mint_issuer: Annotated[str, _option("--mint-issuer", "iss of those.", _SHOWN)] = "",
    mint_audience: Annotated[str, _option("--mint-audience", "aud of those.", _SHOWN)] = "",
    mint_subject: Annotated[
        str, _option("--mint-subject", "sub of those; {number} counts.", _SHOWN)
    ] = "bench",
    mint_lifetime: Annotated[
        int, _option("--mint-lifetime", "Seconds until their exp.", _SHOWN, min=1)
    ] = 3600,
    client_id: Annotated[str, _option("--client-id", "The OAuth client.", _SHOWN)] = "",
    client_secret_file: Annotated[
        Path | None,
        _file("--client-secret-file", f"Else {CLIENT_SECRET_VARIABLE}, else asked for.", _SHOWN),
    ] = None,
    client_auth: Annotated[
        ClientAuthentication,
        _option("--client-auth", "Where the client's secret goes.", _SHOWN),
    ] = ClientAuthentication.BASIC,
    subject_token_type: Annotated[
        str, _option("--subject-token-type", "token-exchange: what is shown.", _SHOWN)
    ] = JWT,
    output: Annotated[
        Output, _option("--output", "rest-sts: what is asked for.", _ASKED)
    ] = Output.OIDC,
    requested_token_type: Annotated[
        str, _option("--requested-token-type", "token-exchange: what is asked for.", _ASKED)
    ] = "",
    audience: Annotated[str, _option("--audience", "For whom.", _ASKED)] = "",
    scope: Annotated[str, _option("--scope", "With which scope.", _ASKED)] = "",
    resource: Annotated[str, _option("--resource", "For which resource (RFC 8707).", _ASKED)] = "",
    jwks: Annotated[
        str, _option("--jwks", "URL or file of the server's keys; looked for there.", _JUDGED)
    ] = "",
    certificate: Annotated[
        Path | None,
        _file("--certificate", "PEM: the certificate or public key of the signer.", _JUDGED),
    ] = None,
    expect_issuer: Annotated[
        str, _option("--expect-issuer", "The issuer that tokens must name.", _JUDGED)
    ] = "",
    expect_audience: Annotated[
        str, _option("--expect-audience", "The audience that they must name.", _JUDGED)
    ] = "",
    any_subject: Annotated[
        bool, _option("--any-subject", "They may name another subject than shown.", _JUDGED)
    ] = False,
    sha1: Annotated[
        bool, _option("--sha1", "Assertions may be signed with SHA-1, AM's default.", _JUDGED)
    ] = False,
    kept: Annotated[
        bool,
        _option("--kept/--not-kept", "Ask the server whether it knows its tokens.", _JUDGED),
    ] = True,
    introspect: Annotated[
        str,
        _option("--introspect", "RFC 7662 endpoint, or the STS instance, that tells.", _JUDGED),
    ] = "",
    ca: Annotated[
        Path | None, _file("--ca", "PEM: who vouches for an https:// server.", _JUDGED)
    ] = None,
    requests: Annotated[
        int, _option("--requests", "How many to prepare; 0: as the load needs.", _ASKED, min=0)
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> TargetOptions:
    """Secrets read or asked for. Raises NotPrepared."""
    password = secret_from(password_file, PASSWORD_VARIABLE)
    if username and not password:
        password = _asked(f"password of {username}")
    client_secret = secret_from(client_secret_file, CLIENT_SECRET_VARIABLE)
    if client_id and client_auth != ClientAuthentication.NONE and not client_secret:
        client_secret = _asked(f"secret of client {client_id}")
    return TargetOptions(
        input=input,
        output=output,
        username=username,
        password=password,
        users=users,
        login_url=login_url,
        sessions=sessions,
        subjects=subjects,
        mint_key=mint_key,
        mint_issuer=mint_issuer,
        mint_audience=mint_audience,
        mint_subject=mint_subject,
        mint_lifetime=mint_lifetime,
        client_id=client_id,
        client_secret=client_secret,
        client_authentication=client_auth,
        subject_token_type=subject_token_type,
        requested_token_type=requested_token_type,
        audience=audience,
        scope=scope,
        resource=resource,
        jwks=jwks,
        certificate=certificate,
        expect_issuer=expect_issuer,
        expect_audience=expect_audience,
        any_subject=any_subject,
        sha1=sha1,
        kept=kept,
        kept_url=introspect,
        ca=ca,
        requests=requests,
        quiet=quiet,
    )


def with_target(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with all these options in the place of its parameter ``target: TargetOptions``.

    An option that the command has itself, such as ``--quiet``, is the command's, and handed on.
    Raises ValueError for a command without that parameter.
    """
    own = dict(inspect.signature(command, eval_str=True).parameters)
    if own.pop(PLACE, None) is None:
        raise ValueError(f"the command takes no {PLACE}")
    offered = inspect.signature(gathered, eval_str=True).parameters
    added = {name: given for name, given in offered.items() if name not in own}

    @wraps(command)
    def called(**given: Any) -> Any:
        taken = {name: given[name] for name in offered if name in given}
        kept = {name: value for name, value in given.items() if name in own}
        try:
            target = gathered(**taken)
        except NotPrepared as missing:
            raise typer.BadParameter(str(missing)) from None
        return command(**kept, **{PLACE: target})

    parameters = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own.values(), *added.values())
    ]
    del called.__wrapped__  # typer would read the command's own hints
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # as PEP 362
    return called


def _asked(what: str) -> str:
    """Empty where nobody can answer: the target says what it lacks."""
    return str(typer.prompt(what, hide_input=True, err=True)) if sys.stdin.isatty() else ""
