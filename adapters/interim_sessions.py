"""Interim sessions (port ``broker.interim.InterimSessions``)."""

from __future__ import annotations

import base64
import hmac
import uuid

from broker.model import Principal, Secret, Session
from broker.ports import Clock, SessionStore, UserStore


class InterimSessions:
    """In the store, among the others. ``key`` makes a session's id out of a token's, which is no
    secret; it is the same in all brokers of a store. Idle and life times in seconds."""

    def __init__(
        self,
        *,
        store: SessionStore,
        users: UserStore,
        clock: Clock,
        key: bytes,
        max_idle_seconds: int,
        max_life_seconds: int,
    ) -> None:
        self._store = store
        self._users = users
        self._clock = clock
        self._key = key
        self._max_idle_seconds = max_idle_seconds
        self._max_life_seconds = max_life_seconds

    async def open(self, principal: Principal, token_id: str) -> Secret | None:
        """The session's id; None for who is no active user of ours. Raises Unavailable."""
        if principal.foreign is not None:
            return None
        user = await self._users.get(principal.realm, principal.name)
        if user is None or not user.active:
            return None
        now = int(self._clock.now())
        session = Session(
            id=self._id(token_id),
            uid=str(uuid.UUID(bytes=self._derived("uid", token_id)[:16])),
            principal=user.name,
            realm=user.realm,
            created_at=now,
            last_access_at=now,
            max_idle_seconds=self._max_idle_seconds,
            max_life_seconds=self._max_life_seconds,
            interim=True,
            user_stamp=user.stamp,
        )
        await self._store.put(session)
        return session.id

    async def end(self, token_id: str) -> None:
        """Asks first: most tokens have no session, and to look is cheaper than to write."""
        session_id = self._id(token_id)
        if await self._store.get(session_id) is not None:
            await self._store.end(session_id)

    def _id(self, token_id: str) -> Secret:
        text = base64.urlsafe_b64encode(self._derived("id", token_id)).decode().rstrip("=")
        return Secret(text)

    def _derived(self, purpose: str, token_id: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}/{token_id}".encode(), "sha256")
