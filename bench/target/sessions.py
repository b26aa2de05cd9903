"""Sessions of users, logged in before a run by AM's zero-page login."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from bench.target import NotPrepared
from bench.target.asking import UNREACHABLE, answered, asking, each, members, waited
from bench.target.options import TargetOptions
from bench.target.progress import progress

USERNAME_HEADER = "X-OpenAM-Username"
PASSWORD_HEADER = "X-OpenAM-Password"  # noqa: S105  # the name of a header
VERSION = {"Accept-API-Version": "resource=2.0, protocol=1.0"}
JSON = {"Content-Type": "application/json"}
REST_STS = "/rest-sts/"

Credentials = tuple[str, str]
"""A user name and its password."""


def credentials(options: TargetOptions) -> list[Credentials]:
    """Those of ``--users``, else the one of ``--username``. Raises NotPrepared."""
    if options.users is not None:
        return _listed(options.users)
    if not options.username:
        raise NotPrepared("say who logs in: --username with its password, or --users FILE")
    if not options.password:
        raise NotPrepared(f"there is no password of {options.username}: name a --password-file")
    return [(options.username, options.password)]


def login_url(instance_url: str, options: TargetOptions) -> str:
    """``/json[/realm]/authenticate`` beside ``/rest-sts/[realm/]instance``. Raises NotPrepared."""
    if options.login_url:
        return options.login_url
    parts = urlsplit(instance_url)
    context, found, instance = parts.path.partition(REST_STS)
    if not found:
        raise NotPrepared("say where sessions begin: --login-url, such as …/json/authenticate")
    realm = instance.strip("/").rpartition("/")[0]
    path = "/".join(name for name in (f"{context}/json", realm, "authenticate") if name)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def logged_in(
    url: str, users: Sequence[Credentials], number: int, *, ca: Path | None, quiet: bool
) -> list[tuple[str, str]]:
    """So many sessions with the names of their users, who take turns. Raises NotPrepared."""
    with progress("logging in", number, quiet=quiet) as advance:
        return waited(_all_logged_in(url, users, number, ca, advance))


async def _all_logged_in(
    url: str,
    users: Sequence[Credentials],
    number: int,
    ca: Path | None,
    advance: Callable[[int], None],
) -> list[tuple[str, str]]:
    found = [("", "")] * number

    async with asking(ca) as http:

        async def log_in(at: int) -> None:
            name, password = users[at % len(users)]
            found[at] = await _session(http, url, name, password), name
            advance(1)

        await each(range(number), log_in)
    return found


async def _session(http: aiohttp.ClientSession, url: str, name: str, password: str) -> str:
    head = {**JSON, **VERSION, USERNAME_HEADER: name, PASSWORD_HEADER: password}
    try:
        status, body = await answered(http, "POST", url, head=head)
    except (*UNREACHABLE, ValueError) as error:
        raise NotPrepared(f"the login did not answer: {type(error).__name__}") from None
    session = members(body).get("tokenId")
    if status != 200 or not isinstance(session, str):
        raise NotPrepared(f"the login of {name} was answered with {status} and no session")
    return session


def _listed(path: Path) -> list[Credentials]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise NotPrepared(f"the file {path} cannot be read") from None
    found = []
    for number, line in enumerate(lines, 1):
        name, colon, password = line.partition(":")
        if not line.strip():
            continue
        if not (name and colon and password):
            raise NotPrepared(f"line {number} of {path} is not name:password")
        found.append((name, password))
    if not found:
        raise NotPrepared(f"{path} names no users")
    return found
