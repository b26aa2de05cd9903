"""The module: a login by name and password, or the entry of somebody who is known already."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from adapters.authentication.modules.ldap import groups, logins, names, profile
from adapters.authentication.modules.ldap.directory import AMBIGUOUS, Directory, Truncated
from adapters.authentication.modules.ldap.options import Mode, Options
from adapters.authentication.modules.ldap.people import Searching, name_of, profile_of
from adapters.authentication.modules.ldap.protocol import Entry
from adapters.authentication.modules.ldap.verdicts import refusal, warning
from adapters.authentication.modules.subjects import Subjects
from broker.authentication import (
    FAILED,
    PASSWORD_PROMPT,
    USERNAME_PROMPT,
    Evidence,
    Identity,
    MoreNeeded,
)
from broker.errors import AuthenticationFailed
from broker.ports import UserStore

PASSWORD = ("pwd",)  # RFC 8176 section 2
_SEVERAL = "several in the directory have that name"

_log = logging.getLogger(__name__)


class LdapModule:
    """One module of a realm. Connections are opened when somebody first logs in."""

    headers: frozenset[str] = frozenset()

    def __init__(self, name: str, realm: str, options: Options, users: UserStore) -> None:
        self._name = name
        self._realm = realm
        self._options = options
        self._subjects = Subjects(name, realm, options.link_local_users, users)
        self._directory = Directory(options)
        self._wanted = (*profile.wanted(options), *groups.wanted(options.groups))

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed, MoreNeeded and Unavailable."""
        if self._options.mode is Mode.LOOKUP:
            return await self._looked_up(known)
        login, password = _credentials(evidence)
        problem = logins.login_problem(login) or logins.password_problem(password)
        if problem is not None:
            raise AuthenticationFailed(FAILED, detail=problem)
        async with self._turn() as deadline:
            entry = await self._checked(login, password, deadline)
            return await self._identity(entry, deadline)

    async def lookup(self, name: str) -> tuple[str, dict[str, tuple[str, ...]]]:
        """Name and attributes, as the directory has them, of whom another module vouched for.

        Raises AuthenticationFailed if there is nobody of that name, or several, or one whose
        account is disabled; Unavailable.
        """
        problem = logins.login_problem(name)
        if problem is not None:
            raise AuthenticationFailed(FAILED, detail=problem)
        async with self._turn() as deadline:
            entry = await self._meant(name, deadline)
            return name_of(entry, self._options), await self._profile(entry, deadline)

    @contextlib.asynccontextmanager
    async def asking(self, attributes: Sequence[str]) -> AsyncIterator[Searching]:
        """The directory for principal resolution, for as long as one login may take."""
        async with self._turn() as deadline:
            yield Searching(
                self._options, self._directory, self._subjects, tuple(attributes), deadline
            )

    async def close(self) -> None:
        await self._directory.close()

    # -- steps -----------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[float]:
        """The deadline of one login, once it is its turn."""
        deadline = asyncio.get_running_loop().time() + self._options.timeout
        await self._directory.turn(deadline)
        try:
            yield deadline
        finally:
            self._directory.done()

    async def _looked_up(self, known: Identity | None) -> Identity:
        """The same identity, with what the directory says of it."""
        if known is None:
            raise AuthenticationFailed(FAILED, detail="no module before it said who it is")
        value = known.name
        if self._options.lookup_attribute:
            values = known.attributes.get(self._options.lookup_attribute, ())
            if len(values) != 1:
                detail = f"{self._options.lookup_attribute} has {len(values)} values, not one"
                raise AuthenticationFailed(FAILED, detail=detail)
            value = values[0]
        _, attributes = await self.lookup(value)
        return replace(known, attributes={**attributes, **known.attributes})

    async def _checked(self, login: str, password: str, deadline: float) -> Entry:
        """The entry whose password it is. Somebody unknown costs a bind like everybody else."""
        try:
            entry = await self._meant(login, deadline)
        except AuthenticationFailed:
            await self._directory.bound(self._nobody(login), password, deadline)
            raise
        result = await self._directory.bound(entry.dn, password, deadline)
        why = refusal(result)
        if why is not None:
            raise AuthenticationFailed(FAILED, detail=why)
        if (told := warning(result)) is not None:
            _log.info("module %s of realm %s: %s", self._name, self._realm, told)
        return entry

    async def _meant(self, login: str, deadline: float) -> Entry:
        """The one entry that a login means. Raises AuthenticationFailed and Unavailable."""
        places = logins.places(login, self._options)
        if isinstance(places, str):
            raise AuthenticationFailed(FAILED, detail=places)
        try:
            found = await self._directory.entries(places, self._wanted, AMBIGUOUS, deadline)
        except Truncated:
            raise AuthenticationFailed(FAILED, detail=_SEVERAL) from None
        if not found:
            raise AuthenticationFailed(FAILED, detail="nobody in the directory has that name")
        if len(found) > 1:
            raise AuthenticationFailed(FAILED, detail=_SEVERAL)
        return found[0]

    def _nobody(self, login: str) -> str:
        """Whom to bind as in the place of somebody unknown."""
        if self._options.decoy_dn:
            return self._options.decoy_dn
        return f"uid={names.escaped(login)},{self._options.bases[0]}"

    async def _profile(self, entry: Entry, deadline: float) -> dict[str, tuple[str, ...]]:
        return await profile_of(entry, self._options, self._directory, deadline)

    async def _identity(self, entry: Entry, deadline: float) -> Identity:
        attributes = await self._profile(entry, deadline)
        name = name_of(entry, self._options)
        return await self._subjects.identity(name, attributes, PASSWORD)


def _credentials(evidence: Evidence) -> tuple[str, str]:
    """What was typed, or what the prompts were answered with. Raises MoreNeeded."""
    name, password = evidence.username, evidence.password
    if USERNAME_PROMPT.id in evidence.answers:
        name = evidence.answers[USERNAME_PROMPT.id].reveal()
    password = evidence.answers.get(PASSWORD_PROMPT.id, password)
    if name is None or password is None:
        needed = [(USERNAME_PROMPT, name), (PASSWORD_PROMPT, password)]
        raise MoreNeeded(tuple(prompt for prompt, given in needed if given is None))
    return name, password.reveal()
