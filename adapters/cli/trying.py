"""``remint auth test``: a login, tried from the shell, each step explained."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from adapters import bootstrap
from adapters.authentication import draft
from adapters.authentication.compiled import OWN_VALIDATORS
from adapters.authentication.directory import AuthenticationDirectory
from adapters.authentication.trial import Trial, links_of, tried
from adapters.cli import options
from adapters.cli.client import CallFailed
from adapters.printable import printable
from adapters.settings import Settings, load
from adapters.telemetry import log
from broker.authentication import Authentication, Evidence, Identity, Prompt
from broker.errors import RemintError, Unavailable
from broker.model import USERNAME, Secret, TokenType
from broker.output_options import AuthTarget
from broker.policy import shown

ACCEPTED, REFUSED, NOT_ASKED = 0, 1, 2
"""The command's exit codes."""

LISTED = {"chain": draft.SERVICE, "module": draft.MODULE}
HOW_WRITTEN = "service|CHAIN or module|NAME, or as chain/NAME or module/NAME"


def try_login(
    username: Annotated[str, typer.Option(help="The name to log in with.")],
    realm: options.Realm = "/",
    target: Annotated[
        str | None,
        typer.Option(
            help="service|CHAIN or module|NAME, or chain/NAME or module/NAME as list shows them; "
            "else the realm's default for the type."
        ),
    ] = None,
    token_type: Annotated[
        str, typer.Option("--type", help="The type of input whose default is meant.")
    ] = USERNAME,
    otp: Annotated[
        bool, typer.Option("--otp", help="Ask for a one-time code too, after the password.")
    ] = False,
    show_attributes: Annotated[
        bool, typer.Option(help="Show the values of attributes, and not their names alone.")
    ] = False,
    config: options.Config = None,
) -> None:
    """Try a login with the modules of the local store, and say what each of them says.

    The password is asked for, or read from standard input, a line each: password, code, answers to
    what modules ask back. Exit code 0: accepted, 1: refused, 2: nobody could be asked, or there is
    no such target.
    """
    named = _target_of(target) if target is not None else None
    settings = load(config)
    log.configure("error", settings.log.format)
    password = _secret("Password")
    code = _secret("One-time code") if otp else None
    login = _Login(username, password, code, realm, TokenType(token_type), named)
    sys.exit(_tested(settings, login, show_attributes=show_attributes))


def _tested(settings: Settings, login: _Login, *, show_attributes: bool) -> int:
    """The exit code. What keeps a login from being tried at all is no refusal of it."""
    try:
        if settings.store_url == "memory://":
            raise CallFailed("memory:// keeps no modules; name the settings of a store that does")
        return asyncio.run(_test(settings, login, show_attributes=show_attributes))
    except (CallFailed, RemintError, *bootstrap.REFUSALS) as error:
        print("\n".join(map(printable, f"remint: {error}".split("\n"))), file=sys.stderr)
        return NOT_ASKED


class _Login:
    """What is tried. It holds secrets, and no ``repr`` shows them."""

    def __init__(
        self,
        username: str,
        password: Secret,
        otp: Secret | None,
        realm: str,
        token_type: TokenType,
        named: AuthTarget | None,
    ) -> None:
        self.realm = realm
        self.token_type = token_type
        self.named = named
        self._username = username
        self._password = password
        self._otp = otp

    def evidence(self, now: float) -> Evidence:
        return Evidence(
            realm=self.realm,
            now=now,
            username=self._username,
            password=self._password,
            otp=self._otp,
        )


async def _test(settings: Settings, login: _Login, *, show_attributes: bool) -> int:
    broker = await bootstrap.build(
        settings, url=settings.http.public_url or "http://localhost", declared=False
    )
    parts = broker.components
    try:
        if not await parts.realm_exists(login.realm):
            raise CallFailed(f"there is no realm {shown(login.realm)}")
        if not await parts.authentication.refresh():
            raise CallFailed("the store cannot be read now")
        named = _resolved(parts.authentication, login)
        target = parts.authentication.named(login.realm, named)
        print(f"target {named.index_type}|{named.index_value} in {login.realm}")
        trial = await tried(target, login.evidence(parts.clock.now()), _answers)
    finally:
        await broker.close()
    _explain(target, trial)
    return _ended(trial, show_attributes=show_attributes)


def _resolved(directory: AuthenticationDirectory, login: _Login) -> AuthTarget:
    """The one that was named, the realm's default, or what a broker does without either."""
    found = login.named or directory.default(login.realm, login.token_type)
    if found is not None:
        return found
    for (kind, name), token_type in OWN_VALIDATORS.items():
        if token_type == login.token_type:
            return AuthTarget(kind, name)
    raise CallFailed(f"the realm names no target for {shown(login.token_type)}; add --target")


def _target_of(text: str) -> AuthTarget:
    """A target as settings write it, or a row as ``remint auth list`` prints it."""
    part, _, name = text.partition("/")
    found = AuthTarget(LISTED[part], name) if part in LISTED and name else draft.target_of(text)
    if found is None:
        raise typer.BadParameter(f"write the target as {HOW_WRITTEN}")
    return found


def _explain(target: Authentication, trial: Trial) -> None:
    """A line for each module in the order of the chain; one that asked back has several."""
    flags = dict(links_of(target))
    for step in trial.steps:
        why = f": {printable(step.reason)}" if step.reason else ""
        took = f"{step.seconds * 1000:.1f} ms"
        print(f"  {step.module} ({flags.get(step.module, 'alone')}) {step.verdict}, {took}{why}")
    asked = {step.module for step in trial.steps}
    for name, flag in flags.items():
        if name not in asked:
            print(f"  {name} ({flag}) was not asked")


def _ended(trial: Trial, *, show_attributes: bool) -> int:
    if trial.identity is not None:
        _show(trial.identity, show_attributes=show_attributes)
        return ACCEPTED
    error = trial.error
    said = "" if error is None else printable(error.sentence)
    if isinstance(error, Unavailable):
        print(f"nobody could be asked: {said}")
        return NOT_ASKED
    print(f"refused: {said}")
    return REFUSED


def _show(identity: Identity, *, show_attributes: bool) -> None:
    who = "a local user" if identity.foreign is None else identity.foreign
    print(f"accepted: {printable(identity.name)} ({printable(who)})")
    if identity.methods:
        print(f"  by {', '.join(identity.methods)}")
    for name in sorted(identity.attributes):
        values = identity.attributes[name]
        text = ", ".join(values) if show_attributes else f"{len(values)} value(s)"
        print(f"  {printable(name)}: {printable(text)}")


async def _answers(prompts: tuple[Prompt, ...]) -> Mapping[str, Secret]:
    return {prompt.id: _secret(printable(prompt.text)) for prompt in prompts}


def _secret(text: str) -> Secret:
    if sys.stdin.isatty():
        return Secret(typer.prompt(text, hide_input=True))
    return Secret(sys.stdin.readline().rstrip("\n"))
