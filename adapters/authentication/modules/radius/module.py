"""Logins that RADIUS servers check: name and password, or the code of a second factor.

A server that wants to know more sends a challenge (RFC 2865, section 4.4). It is answered at once
by the code that came in the request; without one the caller is asked back, in the server's words.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapters.authentication.modules.common import missing
from adapters.authentication.modules.radius.addresses import Address
from adapters.authentication.modules.radius.attributes import PROMPT, USER_NAME
from adapters.authentication.modules.radius.configuration import Configuration, Use
from adapters.authentication.modules.radius.packets import (
    MAX_PACKET_BYTES,
    MAX_PASSWORD_BYTES,
    MAX_VALUE_BYTES,
    Answer,
    Code,
    Login,
)
from adapters.authentication.modules.radius.servers import Manner, Servers
from adapters.authentication.modules.subjects import Subjects, is_name
from adapters.authentication.modules.told import told
from adapters.telemetry.metrics import Metrics
from broker.authentication import (
    FAILED,
    OTP_PROMPT,
    Evidence,
    Identity,
    MoreNeeded,
    Prompt,
)
from broker.errors import AuthenticationFailed
from broker.model import Secret

MAX_PROMPT_LENGTH = 256
MAX_TOLD_LENGTH = 128
"""Of a server's words in the audit."""
MAX_ROUNDS = 8
"""Challenges that one login is led through."""
ECHO = "1"  # RFC 2869, section 5.10


@dataclass(frozen=True, slots=True)
class Turn:
    """One question to the servers; ``at`` is the one that a challenge came from."""

    login: Login
    at: Address | None = None
    rounds: int = 0


class RadiusModule:
    """A module of the kind ``radius``."""

    headers: frozenset[str] = frozenset()

    def __init__(
        self, name: str, configuration: Configuration, subjects: Subjects, metrics: Metrics
    ) -> None:
        self.name = name
        self._configuration = configuration
        self._subjects = subjects
        self._servers = Servers(
            name,
            configuration.servers,
            Manner(configuration.secret, configuration.tries, configuration.signed_answers),
            metrics,
        )

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many datagrams were no answers, by what was wrong with them."""
        return self._servers.dropped

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed, MoreNeeded, and Unavailable if no server answers in time."""
        known = known if self._configuration.use is Use.OTP else None
        turn = self._resumed(evidence, known) if evidence.state else self._first(evidence, known)
        code = evidence.otp if turn.at is None and self._configuration.use is not Use.OTP else None
        until = asyncio.get_running_loop().time() + self._configuration.timeout
        answer, server = await self._servers.asked(turn.login, until, turn.at)
        if answer.code is Code.CHALLENGE and code is not None:
            turn = Turn(
                replace(turn.login, password=_password(code), state=answer.state),
                server,
                turn.rounds + 1,
            )
            answer, server = await self._servers.asked(turn.login, until, server)
        if answer.code is Code.CHALLENGE:
            raise self._more(turn, answer, server)
        if answer.code is Code.REJECT:
            raise AuthenticationFailed(FAILED, detail=_refused(server, answer, evidence))
        return await self._identity(turn, answer, known)

    async def close(self) -> None:
        """It holds nothing open between logins."""

    def _first(self, evidence: Evidence, known: Identity | None) -> Turn:
        if self._configuration.use is Use.OTP:
            if known is None:
                raise AuthenticationFailed(FAILED, detail="a second factor needs a first")
            if evidence.otp is None:
                raise MoreNeeded((OTP_PROMPT,), {"user": known.name})
            return self._turn(known.name, evidence.otp, evidence)
        if evidence.username is None or evidence.password is None:
            raise MoreNeeded(missing(evidence), detail="no name and password came")
        return self._turn(evidence.username, evidence.password, evidence)

    def _resumed(self, evidence: Evidence, known: Identity | None) -> Turn:
        """The next step of a login that a challenge began."""
        state, code = evidence.state, evidence.answers.get(OTP_PROMPT.id, evidence.otp)
        user = state.get("user", "")
        if self._configuration.use is Use.OTP and (known is None or known.name != user):
            raise AuthenticationFailed(FAILED, detail="it is somebody else's second factor")
        if code is None:
            raise AuthenticationFailed(FAILED, detail="the challenge was not answered")
        turn = self._turn(user, code, evidence)
        if "challenge" not in state:
            return turn
        server = self._servers.named(state.get("server", ""))
        if server is None:
            raise AuthenticationFailed(FAILED, detail="the server that asked back is gone")
        try:
            challenge = base64.b64decode(state["challenge"], validate=True)
            rounds = int(state.get("rounds", ""))
        except (binascii.Error, ValueError):
            raise AuthenticationFailed(FAILED, detail="the state of the login is broken") from None
        return Turn(replace(turn.login, state=challenge or None), server, rounds)

    def _turn(self, username: str, password: Secret, evidence: Evidence) -> Turn:
        if not is_name(username) or len(username.encode()) > MAX_VALUE_BYTES:
            raise AuthenticationFailed(FAILED, detail="empty, overlong or unprintable name")
        return Turn(
            Login(
                username=username,
                password=_password(password),
                nas_identifier=self._configuration.nas_identifier,
                address=evidence.address,
            )
        )

    def _more(self, turn: Turn, answer: Answer, server: Address) -> AuthenticationFailed:
        if turn.rounds >= MAX_ROUNDS:
            return AuthenticationFailed(FAILED, detail=f"more than {MAX_ROUNDS} challenges")
        shown = ECHO in answer.texts(PROMPT)
        text = answer.message(MAX_PROMPT_LENGTH) or OTP_PROMPT.text
        state = {
            "user": turn.login.username,
            "server": str(server),
            "challenge": base64.b64encode(answer.state or b"").decode(),
            "rounds": str(turn.rounds + 1),
        }
        prompt = Prompt(OTP_PROMPT.id, text, secret=not shown)
        return MoreNeeded((prompt,), state, detail=f"{server} asks for more")

    async def _identity(self, turn: Turn, answer: Answer, known: Identity | None) -> Identity:
        attributes = {
            mine: values
            for mine, theirs in self._configuration.attributes.items()
            if (values := answer.texts(theirs))
        }
        if known is not None:
            return replace(
                known,
                attributes={**attributes, **known.attributes},
                methods=tuple(dict.fromkeys((*known.methods, "otp"))),
            )
        methods = ("pwd", "otp") if turn.at is not None else ("pwd",)
        return await self._subjects.identity(_named(turn, answer), attributes, methods)


def _named(turn: Turn, answer: Answer) -> str:
    """As the server writes it (RFC 2865, section 5.1), else as it was typed."""
    names = answer.texts(USER_NAME)
    return names[0] if len(names) == 1 else turn.login.username


def _password(secret: Secret) -> bytes:
    """Raises AuthenticationFailed for one that is not sent: the server would read an empty one, or
    what stands before a NUL (RFC 2865, section 5.2)."""
    data = secret.reveal().encode(errors="surrogatepass")
    if not 0 < len(data) <= MAX_PASSWORD_BYTES or b"\0" in data:
        raise AuthenticationFailed(FAILED, detail="empty or overlong password")
    return data


def _refused(server: Address, answer: Answer, evidence: Evidence) -> str:
    secrets = (evidence.password, evidence.otp, *evidence.answers.values())
    sent = (evidence.username or "", *(each.reveal() for each in secrets if each is not None))
    said = told(answer.message(MAX_PACKET_BYTES), MAX_TOLD_LENGTH, sent)
    return f"{server} refused{f' ({said})' if said else ''}"
