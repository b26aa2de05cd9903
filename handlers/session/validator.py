"""Accepts a session that stands."""

from __future__ import annotations

from broker.errors import SessionInvalid
from broker.instance import Instance
from broker.model import OPENAM, Principal, ReceivedToken, Secret
from broker.ports import SessionStore
from handlers.members import text_member

MAX_SESSION_ID_LENGTH = 4096


class SessionValidator:
    """Looks the session up in ``sessions``; using it counts as access."""

    token_type = OPENAM

    def __init__(self, sessions: SessionStore) -> None:
        self._sessions = sessions

    def parse(self, token: ReceivedToken) -> Secret:
        """Raises InvalidRequest naming the member that is missing."""
        return Secret(text_member(token.unverified, "session_id", MAX_SESSION_ID_LENGTH))

    async def validate(self, credential: Secret, instance: Instance, now: float) -> Principal:
        """Raises SessionInvalid, in the same words for an unknown, ended or expired session.

        The pipeline compares realms: a session of another realm is somebody, only not here.
        """
        session = await self._sessions.get(credential)
        if session is None or session.expired(now):
            raise SessionInvalid("the session is not known, or it has ended")
        await self._sessions.touch(credential, int(now))
        return Principal(
            name=session.principal,
            realm=session.realm,
            method=OPENAM,
            authenticated_at=session.created_at,
            not_after=session.life_expires_at,
            session_id=credential,
        )
