"""Accepts a session that stands."""

from __future__ import annotations

from collections.abc import Mapping

from broker import policy
from broker.errors import SessionInvalid
from broker.instance import Instance
from broker.model import OPENAM, Login, Principal, ReceivedToken, Secret, Session, User
from broker.ports import SessionStore, UserStore
from handlers.members import text_member

MAX_SESSION_ID_LENGTH = 4096
ENDED = "the session is not known, or it has ended"


class SessionValidator:
    """Looks the session up in ``sessions``; using it counts as access.

    Its user is looked up too: who was removed, made inactive or given a new password gets no token
    for an old login. A foreign subject has no user here, whatever the name.
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
        user = None
        if session.foreign is None:
            user = await self._users.get(session.realm, session.principal)
        if not policy.stands(session, user, now):
            raise SessionInvalid(ENDED)
        if policy.touch_is_due(session, int(now)):
            await self._sessions.touch(credential, int(now))
        return Principal(
            name=session.principal,
            realm=session.realm,
            method=OPENAM,
            attributes=_attributes(session, user),
            authenticated_at=session.created_at,
            not_after=session.life_expires_at,
            session_id=credential,
            foreign=session.foreign,
            login=_login(session),
            session_properties=session.properties,
        )


def _attributes(session: Session, user: User | None) -> Mapping[str, tuple[str, ...]]:
    """What is kept here of a local user stands over what a directory said at login."""
    found = {} if session.origin is None else session.origin.attributes
    if user is None:
        return found
    return {**found, **user.attributes} if found else user.attributes


def _login(session: Session) -> Login | None:
    """What a token says of a login that modules checked."""
    if session.origin is None or not session.origin.methods:
        return None
    return Login(at=session.created_at, methods=session.origin.methods)
