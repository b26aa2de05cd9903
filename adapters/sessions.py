"""Logins: sessions as AM has them, opaque ids, and the right that comes with the role."""

from __future__ import annotations

import secrets
import uuid

from broker import policy
from broker.errors import AccessDenied, Forbidden
from broker.model import ROOT_REALM, Secret, Session, User
from broker.ports import Authenticator, Clock, SessionStore, UserStore

SESSION_ID_BYTES = 32
MAX_SESSION_ID_LENGTH = 512


class Sessions:
    """Opens, looks up and ends sessions. Idle and life times in seconds."""

    def __init__(
        self,
        *,
        store: SessionStore,
        users: UserStore,
        authenticator: Authenticator,
        clock: Clock,
        max_idle_seconds: int,
        max_life_seconds: int,
    ) -> None:
        self._store = store
        self._users = users
        self._authenticator = authenticator
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
        now = int(self._clock.now())
        session = Session(
            id=Secret(secrets.token_urlsafe(SESSION_ID_BYTES)),
            uid=str(uuid.uuid4()),
            principal=user.name,
            realm=user.realm,
            created_at=now,
            last_access_at=now,
            max_idle_seconds=self._max_idle_seconds,
            max_life_seconds=self._max_life_seconds,
            interim=interim,
            user_stamp=user.stamp,
        )
        await self._store.put(session)
        return session

    async def find(self, session_id: Secret | None) -> Session | None:
        """The live session of an id, None for anything else. Does not keep it from idling out."""
        if session_id is None or not 0 < len(session_id.reveal()) <= MAX_SESSION_ID_LENGTH:
            return None
        session = await self._store.get(session_id)
        if session is None:
            return None
        user = await self._users.get(session.realm, session.principal)
        return session if policy.stands(session, user, self._clock.now()) else None

    async def end(self, session_id: Secret) -> bool:
        return await self._store.end(session_id)

    async def reap(self) -> int:
        return await self._store.reap(self._clock.now())

    async def administrator(self, session_id: Secret | None, realm: str | None = None) -> Session:
        """The session, if its user administers ``realm`` (its own, where None is given).

        The root realm's administrators rule every realm.

        The role is read from the user at this moment, so taking it away takes effect at once.
        Raises AccessDenied without a session, Forbidden without the right.
        """
        session = await self.find(session_id)
        if session is None:
            raise AccessDenied("Access Denied: send an administrator's session")
        user = await self._users.get(session.realm, session.principal)
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
