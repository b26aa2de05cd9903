"""Logins and sessions that an AM elsewhere checks, so that this broker can stand in front of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from adapters.authentication.modules.common import missing
from adapters.authentication.modules.remote_am import callbacks
from adapters.authentication.modules.remote_am.api import Api, is_session
from adapters.authentication.modules.remote_am.callbacks import Given, Step
from adapters.authentication.modules.remote_am.client import Client, down
from adapters.authentication.modules.remote_am.configuration import Configuration, is_header
from adapters.authentication.modules.subjects import Subjects
from broker.authentication import FAILED, Evidence, Identity, MoreNeeded
from broker.errors import AuthenticationFailed, InvalidRequest, RemintError, Unavailable
from broker.model import Secret

MAX_WAITING = 256
"""Logins that one module waits for at a time."""
MAX_ENDING = 1000
"""Sessions that are being ended while nobody waits for that."""
MAX_ROUNDS = 16
"""Steps of one login."""
MAX_NAME_LENGTH = 256
MAX_PASSWORD_LENGTH = 1024
MAX_HEADER_LENGTH = 8000
"""Most servers take a line of 8 KiB."""
CLOSE_SECONDS = 5.0
BUSY = "too many logins are being checked; ask again shortly"

USERNAME_HEADER, PASSWORD_HEADER = "X-OpenAM-Username", "X-OpenAM-Password"
ID_TOKEN_KEY = "oidc_id_token_auth_target_header_key"  # noqa: S105  # a key of mapping contexts
CERTIFICATE_KEY = "x509_token_auth_target_header_key"
RESERVED = frozenset(
    {"host", "connection", "content-length", "content-type", "cookie", "transfer-encoding"}
    | {"accept", "accept-encoding", "accept-api-version", "expect", "te", "trailer", "upgrade"}
)

_log = structlog.get_logger(__name__)


class RemoteAmModule:
    """A module of the kind ``remote_am``."""

    headers: frozenset[str] = frozenset()

    def __init__(self, name: str, configuration: Configuration, subjects: Subjects) -> None:
        self.name = name
        self._configuration = configuration
        self._subjects = subjects
        self._client = Client(configuration.url, configuration.tls)
        self._api = Api(configuration, self._client)
        self._waiting = 0
        self._ending: set[asyncio.Task[None]] = set()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed, MoreNeeded, RealmMismatch for a session of another realm,
        InvalidRequest where the target names no header for the token, and Unavailable."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable(BUSY)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._configuration.timeout):
                return await self._checked(evidence)
        except TimeoutError:
            raise down("it did not answer in time") from None
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Lets the sessions end that are being ended, for a while."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=CLOSE_SECONDS)
        for task in self._ending:
            task.cancel()
        await self._client.close()

    async def _checked(self, evidence: Evidence) -> Identity:
        if evidence.session_id is not None and evidence.username is None and not evidence.state:
            return await self._of_session(evidence.session_id)
        session, methods = await self._login(evidence)
        kept = not self._configuration.end_session
        try:
            return await self._identity(session, methods, kept=kept)
        except BaseException:
            kept = False  # nobody will have it
            raise
        finally:
            if not kept:
                self._end(session)

    async def _of_session(self, session: Secret) -> Identity:
        if not is_session(session.reveal()):
            raise AuthenticationFailed(FAILED, detail="that can be no session of it")
        return await self._identity(session, (), kept=True)

    async def _identity(self, session: Secret, methods: tuple[str, ...], *, kept: bool) -> Identity:
        name = await self._api.principal(session)
        attributes = await self._api.profile(session, name)
        found = await self._subjects.identity(name, attributes, methods)
        return replace(found, session_id=session) if kept else found

    # -- logging in ----------------------------------------------------------------------------

    async def _login(self, evidence: Evidence) -> tuple[Secret, tuple[str, ...]]:
        """A session of the AM, and how it was come by."""
        if evidence.state:
            step, rounds = _resumed(evidence.state)
            answers = {key: each.reveal() for key, each in evidence.answers.items()}
            if {each.id for each in step.prompts()} - answers.keys():
                raise AuthenticationFailed(FAILED, detail="not all was answered")
            told = await self._api.authenticate(body=step.answered(answers))
            return await self._followed(told, Given(), rounds, ("pwd", "otp"))
        if evidence.username is not None or evidence.password is not None:
            return await self._by_password(evidence)
        if evidence.id_token is None and evidence.certificate is None:
            raise MoreNeeded(missing(evidence), detail="nothing came that it could check")
        head = _token_head(evidence)
        return await self._followed(await self._api.authenticate(head), Given(), 0, ())

    async def _by_password(self, evidence: Evidence) -> tuple[Secret, tuple[str, ...]]:
        username, password = evidence.username, evidence.password
        if not username or not password:
            raise AuthenticationFailed(FAILED, detail="no name and password came")
        if len(username) > MAX_NAME_LENGTH or len(password.reveal()) > MAX_PASSWORD_LENGTH:
            raise AuthenticationFailed(FAILED, detail="overlong name or password")
        if _in_header(username) and _in_header(password.reveal()):
            head = {USERNAME_HEADER: username, PASSWORD_HEADER: password.reveal()}
            told = await self._api.authenticate(head)
            return await self._followed(told, Given(otp=evidence.otp), 0, ("pwd",))
        # AMs differ in how they read other letters in headers; in a body there is one way.
        told = await self._api.authenticate()
        given = Given(username, password, evidence.otp)
        return await self._followed(told, given, 0, ("pwd",))

    async def _followed(
        self, told: Mapping[str, Any], given: Given, rounds: int, methods: tuple[str, ...]
    ) -> tuple[Secret, tuple[str, ...]]:
        """Steps through what AM asks, as far as the request holds answers. Raises MoreNeeded."""
        had_code = given.otp is not None
        while "tokenId" not in told:
            step = callbacks.step(told)
            rounds += 1
            if rounds > MAX_ROUNDS:
                raise AuthenticationFailed(FAILED, detail=f"more than {MAX_ROUNDS} steps")
            found = given.answers(step)
            if found is None:
                state = {"step": step.text, "rounds": str(rounds)}
                raise MoreNeeded(step.prompts(), state, detail="it asks for more")
            answers, given = found
            told = await self._api.authenticate(body=step.answered(answers))
        if had_code and given.otp is None:
            methods = (*methods, "otp")
        session = told["tokenId"]
        if not isinstance(session, str) or not is_session(session):
            raise down("its answer holds no session that can be used")
        return Secret(session), methods

    # -- ending sessions -----------------------------------------------------------------------

    def _end(self, session: Secret) -> None:
        """A session of this login alone; the caller does not wait for its end."""
        if len(self._ending) >= MAX_ENDING:
            _log.warning("remote_session_not_ended", module=self.name, reason="too many at once")
            return
        task = asyncio.get_running_loop().create_task(self._log_out(session))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _log_out(self, session: Secret) -> None:
        try:
            async with asyncio.timeout(self._configuration.timeout):
                await self._api.log_out(session)
        except (RemintError, TimeoutError) as error:
            reason = getattr(error, "detail", None) or type(error).__name__
            _log.warning("remote_session_not_ended", module=self.name, reason=reason)


def _token_head(evidence: Evidence) -> dict[str, str]:
    """The header in which the target's mapping context wants the token that came."""
    if evidence.id_token is not None:
        key, value = ID_TOKEN_KEY, evidence.id_token.reveal()
    elif evidence.certificate is not None:
        key, value = CERTIFICATE_KEY, base64.b64encode(evidence.certificate).decode()
    else:
        raise AuthenticationFailed(FAILED, detail="nothing came that it could check")
    name = evidence.context.get(key, "")
    if not is_header(name) or name.lower() in RESERVED:
        raise InvalidRequest(f"the auth target must name a header, as {key} of its context")
    if not _in_header(value) or len(value) > MAX_HEADER_LENGTH:
        raise AuthenticationFailed(FAILED, detail="the token does not fit into a header")
    return {name: value}


def _in_header(text: str) -> bool:
    """Whether a header holds it as it is: ASCII, printable, no blanks around it."""
    return text.isascii() and text.isprintable() and text == text.strip()


def _resumed(state: Mapping[str, str]) -> tuple[Step, int]:
    try:
        rounds = int(state.get("rounds", ""))
    except ValueError:
        raise AuthenticationFailed(FAILED, detail="the state of the login is broken") from None
    return callbacks.kept(state.get("step", "")), rounds
