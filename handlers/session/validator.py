"""Accepts a session that stands."""

from __future__ import annotations

from broker import policy
from broker.errors import SessionInvalid
from broker.instance import Instance
from broker.model import OPENAM, Principal, ReceivedToken, Secret
from broker.ports import SessionStore, UserStore
from handlers.members import text_member

MAX_SESSION_ID_LENGTH = 4096
ENDED = "the session is not known, or it has ended"


class SessionValidator:
    """Looks the session up in ``sessions``; using it counts as access.

    Its user is looked up too: who was removed, made inactive or given a new password gets no token
    for an old login.
    """

    token_type = OPENAM

    def __init__(self, sessions: SessionStore, users: UserStore) -> None:
        self._sessions = sessions
        self._users = users

    def parse(self, token: ReceivedToken) -> Secret:
        """Raises InvalidRequest naming the member that is missing."""
        return Secret(text_member(token.unverified, "session_id", MAX_SESSION_ID_LENGTH))

    async def validate(self, credential: Secret, instance: Instance, now: float) -> Principal:
        """Raises SessionInvalid, in the same words for an unknown, ended or expired session.

        The pipeline compares realms: a session of another realm is somebody, only not here.
        """
        session = await self._sessions.get(credential)
        if session is None:
            raise SessionInvalid(ENDED)
        user = await self._users.get(session.realm, session.principal)
        if user is None or not policy.stands(session, user, now):
            raise SessionInvalid(ENDED)
        if policy.touch_is_due(session, int(now)):
            await self._sessions.touch(credential, int(now))
        return Principal(
            name=session.principal,
            realm=session.realm,
            method=OPENAM,
            attributes=user.attributes,
            authenticated_at=session.created_at,
            not_after=session.life_expires_at,
            session_id=credential,
        )
