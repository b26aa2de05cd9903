"""Where subject tokens come from: signed or logged in before the run, or read from a file.

``different`` tells how many there were the last time, so that a run knows whether one came twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from bench.target import NotPrepared
from bench.target.judging import unverified_claims
from bench.target.keys import MintKey
from bench.target.minting import Plan, minted
from bench.target.options import TargetOptions
from bench.target.sessions import credentials, logged_in


class Tokens:
    """JWTs. Raises NotPrepared where neither a file nor a key is named, or a name is missing."""

    def __init__(self, options: TargetOptions) -> None:
        self.different = 0
        self._options = options
        if options.subjects is not None:
            return
        if options.mint_key is None:
            raise NotPrepared("say what to show: --subjects FILE, or --mint-key FILE with --mint-…")
        if not (options.mint_issuer and options.mint_audience):
            raise NotPrepared("minted tokens need --mint-issuer and --mint-audience")
        self._key = MintKey.read(options.mint_key)

    def take(self, number: int) -> Iterator[str]:
        """So many; those of a file go round when they are used up."""
        options = self._options
        if options.subjects is not None:
            seen: set[int] = set()
            for line in repeated(options.subjects, number):
                seen.add(hash(line))
                self.different = len(seen)
                yield line
            return
        self.different = number
        plan = Plan(
            options.mint_issuer,
            options.mint_audience,
            options.mint_subject,
            options.mint_lifetime,
        )
        yield from minted(self._key, plan, number, quiet=options.quiet)

    def holder(self, token: str) -> str | None:
        """Whom a token names."""
        subject = unverified_claims(token).get("sub")
        return subject if isinstance(subject, str) else None


class Sessions:
    """Session ids: from a file, or of users who log in."""

    def __init__(self, options: TargetOptions, login_url: str) -> None:
        """Raises NotPrepared where nobody is named who could log in."""
        self.different = 0
        self._options = options
        self._login_url = login_url
        self._found: list[tuple[str, str]] = []
        self._names: dict[str, str] = {}
        self._users = [] if options.subjects is not None else credentials(options)

    def take(self, number: int) -> Iterator[str]:
        """So many; those there are go round when they are used up. A named number of sessions is
        logged in once. Raises NotPrepared."""
        options = self._options
        if options.subjects is not None:
            seen: set[int] = set()
            for line in repeated(options.subjects, number):
                seen.add(hash(line))
                self.different = len(seen)
                yield line
            return
        wanted = min(options.sessions or number, number)
        if not options.sessions or len(self._found) < wanted:
            self._found = logged_in(
                self._login_url, self._users, wanted, ca=options.ca, quiet=options.quiet
            )
            self._names.update(self._found)
        self.different = len(dict(self._found))
        yield from islice(cycle(session for session, _ in self._found), number)

    def holder(self, session: str) -> str | None:
        """Who logged in; None for one from a file."""
        return self._names.get(session)


def repeated(path: Path, number: int) -> Iterator[str]:
    """So many lines of a file, from its start again after its end. Raises NotPrepared."""
    given = 0
    while given < number:
        before = given
        try:
            with path.open(encoding="utf-8") as file:
                for line in file:
                    if text := line.strip():
                        yield text
                        given += 1
                        if given == number:
                            return
        except (OSError, UnicodeDecodeError):
            raise NotPrepared(f"the file {path} cannot be read") from None
        if given == before:
            raise NotPrepared(f"{path} has no line with a token")
