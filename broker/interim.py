"""The session behind a translation, for plug-ins that want one.

Whoever came with a session keeps that one. For everybody else a session is opened only if a plug-in
asks for it: an interim session, without administrative right. It ends with the translation, however
that ends, unless the transform leaves sessions standing and the token was issued; cancelling the
token then ends it.

Its id comes from the token's: an attempt that takes over finds the session of the one before, and
nothing has to be kept in the token's record.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from broker.model import Principal, Secret
from broker.plan import Plan


class InterimSessions(Protocol):
    """Sessions that are named by the token which they were opened for."""

    async def open(self, principal: Principal, token_id: str) -> Secret | None:
        """The session's id, the same each time; None for who is no active user of ours."""

    async def end(self, token_id: str) -> None:
        """The session of a token is no more; none is no error."""


class Behind:
    """The session behind one translation."""

    def __init__(self, sessions: InterimSessions, principal: Principal, token_id: str) -> None:
        self._sessions = sessions
        self._principal = principal
        self._token_id = token_id
        self._opening: asyncio.Future[Secret | None] | None = None
        self._over = False

    async def session_id(self) -> Secret | None:
        """The session that came in, else an interim one; None for a subject that is no user of
        ours, and once the translation is over. Raises Unavailable."""
        if self._principal.session_id is not None:
            return self._principal.session_id
        if self._opening is None:
            if self._over:
                return None
            opening = self._sessions.open(self._principal, self._token_id)
            self._opening = asyncio.ensure_future(opening)
        # Whoever asks may be cut short; the session is opened, so that it can be ended.
        return await asyncio.shield(self._opening)

    async def settle(self, *, stays: bool) -> None:
        """The translation is over: end the interim session, if there is one that may not stay.

        Raises Unavailable.
        """
        self._over = True
        if self._opening is None:
            return
        await asyncio.wait({self._opening})
        if not stays or self._opening.exception() is not None:
            await self._sessions.end(self._token_id)


def may_be_asked(plan: Plan) -> bool:
    """Whether the instance names a plug-in that could ask for a session."""
    return bool(plan.instance.plugged)
