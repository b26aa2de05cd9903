"""Logins: sessions as AM has them, opaque ids, and the right that comes with the role."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace

from broker import policy
from broker.authentication import FAILED, Identity
from broker.errors import AccessDenied, AuthenticationFailed, Forbidden
from broker.model import ROOT_REALM, Origin, Secret, Session, User
from broker.ports import Authenticator, Clock, ReplayCache, SessionStore, UserStore

SESSION_ID_BYTES = 32
MAX_SESSION_ID_LENGTH = 512
OWNER_BYTES = 16
SPENT_SECONDS = 3600
"""How long a code that opened a session counts as spent, at least: codes live for minutes."""


class Sessions:
    """Opens, looks up and ends sessions. Idle and life times in seconds."""

    def __init__(
        self,
        *,
        store: SessionStore,
        users: UserStore,
        authenticator: Authenticator,
        replays: ReplayCache,
        clock: Clock,
        max_idle_seconds: int,
        max_life_seconds: int,
    ) -> None:
        self._store = store
        self._users = users
        self._authenticator = authenticator
        self._replays = replays
        self._clock = clock
        self._max_idle_seconds = max_idle_seconds
        self._max_life_seconds = max_life_seconds

    async def login(
        self, realm: str, username: str, password: Secret, address: str | None
    ) -> Session:
        """A new session. Raises AuthenticationFailed, TooManyAttempts, Unavailable."""
        user = await self._authenticator.authenticate(realm, username, password, address)
        return await self.open(user)

    async def open(self, user: User, *, interim: bool = False) -> Session:
        """A session for an authenticated user; an interim one carries no administrative right."""
        session = replace(
            self._fresh(user.realm, user.name), interim=interim, user_stamp=user.stamp
        )
        await self._store.put(session)
        return session

    async def admit(self, realm: str, identity: Identity, target: str) -> Session:
        """A session of whom ``target`` (``service|NAME``, ``module|NAME``) let in. A local user
        must still be there and active; what counts once is spent.

        Raises AuthenticationFailed and Unavailable.
        """
        user = await self._user_of(realm, identity)
        session = self._bounded(self._fresh(realm, identity.name), identity)
        await self._spend(identity)
        attributes = {} if user is None else user.attributes
        origin = Origin(
            target=target,
            methods=identity.methods,
            foreign=identity.foreign,
            attributes={
                name: values
                for name, values in identity.attributes.items()
                if name not in attributes
            },
        )
        stamp = "" if user is None else user.stamp
        session = replace(session, user_stamp=stamp, origin=origin)
        await self._store.put(session)
        return session

    async def _user_of(self, realm: str, identity: Identity) -> User | None:
        if identity.foreign is not None:
            return None
        user = await self._users.get(realm, identity.name)
        if user is None or not user.active:
            raise AuthenticationFailed(FAILED, detail="no active local user has that name")
        return user

    def _fresh(self, realm: str, name: str) -> Session:
        now = int(self._clock.now())
        return Session(
            id=Secret(secrets.token_urlsafe(SESSION_ID_BYTES)),
            uid=str(uuid.uuid4()),
            principal=name,
            realm=realm,
            created_at=now,
            last_access_at=now,
            max_idle_seconds=self._max_idle_seconds,
            max_life_seconds=self._max_life_seconds,
        )

    def _bounded(self, session: Session, identity: Identity) -> Session:
        """No longer than what vouches for it is good."""
        if identity.not_after is None:
            return session
        left = identity.not_after - session.created_at
        if left <= 0:
            raise AuthenticationFailed(FAILED, detail="what vouches for the login has ended")
        return replace(session, max_life_seconds=min(left, session.max_life_seconds))

    async def _spend(self, identity: Identity) -> None:
        if identity.one_time is None:
            return
        ends = (identity.one_time_until or 0, identity.not_after or 0)
        until = max(self._clock.now() + SPENT_SECONDS, *ends)
        owner = f"session/{secrets.token_hex(OWNER_BYTES)}"
        if not await self._replays.spend(identity.one_time, owner, until):
            raise AuthenticationFailed(FAILED, detail="the code was used before")

    async def find(self, session_id: Secret | None) -> Session | None:
        """The live session of an id, None for anything else. Does not keep it from idling out."""
        if session_id is None or not 0 < len(session_id.reveal()) <= MAX_SESSION_ID_LENGTH:
            return None
        session = await self._store.get(session_id)
        if session is None:
            return None
        user = await self._user(session)
        return session if policy.stands(session, user, self._clock.now()) else None

    async def end(self, session_id: Secret) -> bool:
        return await self._store.end(session_id)

    async def reap(self) -> int:
        return await self._store.reap(self._clock.now())

    async def administrator(self, session_id: Secret | None, realm: str | None = None) -> Session:
        """The session, if its user administers ``realm`` (its own, where None is given).

        The root realm's administrators rule every realm. A foreign subject never administers,
        whatever it is called.

        The role is read from the user at this moment, so taking it away takes effect at once.
        Raises AccessDenied without a session, Forbidden without the right.
        """
        session = await self.find(session_id)
        if session is None:
            raise AccessDenied("Access Denied: send an administrator's session")
        user = await self._user(session)
        allowed = (
            not session.interim
            and user is not None
            and user.active
            and user.administrator
            and (realm is None or session.realm in (ROOT_REALM, realm))
        )
        if not allowed:
            raise Forbidden("the user is not an administrator of this realm")
        await self._store.touch(session.id, int(self._clock.now()))
        return session

    async def _user(self, session: Session) -> User | None:
        """The local user of a session; None for a foreign subject, who has none."""
        if session.foreign is not None:
            return None
        return await self._users.get(session.realm, session.principal)
