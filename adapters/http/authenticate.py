"""AM's login, ``/json/authenticate``: with credentials in the head, or step by step (callbacks)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from adapters import codec
from adapters.authentication.draft import SERVICE
from adapters.authentication.steps import Step, Steps
from adapters.authentication.trial import links_of
from adapters.components import Components
from adapters.http import callbacks, login_evidence, login_query
from adapters.http.call import Call, Reply
from adapters.http.encoded_word import decoded
from broker.authentication import (
    FAILED,
    PASSWORD_PROMPT,
    USERNAME_PROMPT,
    Authentication,
    Evidence,
    MoreNeeded,
    Progress,
)
from broker.errors import (
    AccessDenied,
    AuthenticationFailed,
    InvalidRequest,
    MethodNotAllowed,
)
from broker.model import USERNAME, Secret, Session
from broker.output_options import AuthTarget

USERNAME_HEADER = "X-OpenAM-Username"
PASSWORD_HEADER = "X-OpenAM-Password"  # noqa: S105  # the name of a header
AFTER_LOGIN = "/"
CHALLENGE = "WWW-Authenticate"
LOCAL = "DataStore"
"""What AM calls the module that asks its own users for their passwords."""

AUTH_ID = "authId"
SUCCESSFUL = "Authentication Successful"
"""AM's word for a login that opened no session."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who checks a login; ``target`` is None where the broker checks local passwords itself."""

    name: str
    target: Authentication | None = field(repr=False)


class Authenticate:
    """Opens sessions."""

    def __init__(self, components: Components) -> None:
        self._sessions = components.sessions
        self._directory = components.authentication
        self._clock = components.clock
        self._trail = components.trail
        self._http = components.settings.http
        self._steps = Steps(components.login_key, components.replays)

    async def handle(self, call: Call, realm: str, rest: str) -> Reply:
        """Raises InvalidRequest, AccessDenied, AuthenticationFailed, TooManyAttempts and
        Unavailable."""
        if call.method != "POST" or rest:
            raise MethodNotAllowed("log in with POST", allow=["POST"])
        raw = await call.body()
        call.attempt.operation = "authenticate"
        call.attempt.realm = realm
        body = codec.decode_object(raw) if raw.strip() else {}
        await self._directory.refresh()
        if AUTH_ID in body:
            return await self._resumed(call, realm, body)
        username, password = _said(call, USERNAME_HEADER), _said(call, PASSWORD_HEADER)
        if (username is None) != (password is None):
            raise AccessDenied(f"log in with the headers {USERNAME_HEADER} and {PASSWORD_HEADER}")
        chosen = self._chosen(realm, login_query.target(call))
        secret = None if password is None else Secret(password)
        return await self._asked(call, realm, chosen, username, secret, {}, None)

    async def _resumed(self, call: Call, realm: str, body: Mapping[str, Any]) -> Reply:
        """The answer to what was asked back."""
        auth_id, now = body[AUTH_ID], self._clock.now()
        if not isinstance(auth_id, str):
            raise InvalidRequest("authId is the string that came with the callbacks")
        opened = self._steps.open(auth_id, realm, now)
        step, named = opened.step, login_query.target(call)
        if named is not None and login_query.text(named) != step.target:
            raise AuthenticationFailed(FAILED, detail="the authId is of another chain or module")
        try:
            chosen = self._chosen(realm, login_query.read(step.target))
        except InvalidRequest as gone:
            raise AuthenticationFailed(FAILED, detail=gone.sentence) from None
        if chosen.name != step.target:
            raise AuthenticationFailed(FAILED, detail="the realm names another target by now")
        opened.check(chosen.target)
        given = callbacks.answers(body, step.prompts)
        await self._steps.spend(opened)
        return await self._asked(call, realm, chosen, step.username, None, given, step.progress)

    async def _asked(
        self,
        call: Call,
        realm: str,
        chosen: Chosen,
        username: str | None,
        password: Secret | None,
        answers: Mapping[str, Secret],
        progress: Progress | None,
    ) -> Reply:
        evidence = login_evidence.evidence(
            call,
            realm,
            self._clock.now(),
            wanted=() if chosen.target is None else chosen.target.headers,
            username=username,
            password=password,
            answers=answers,
        )
        try:
            if login_evidence.overlong(evidence.username, evidence.password):
                raise AuthenticationFailed(FAILED, detail="overlong name or password")
            session = await self._session(call, chosen, evidence, progress)
        except MoreNeeded as more:
            return await self._more(call, realm, chosen, evidence, more)
        except AuthenticationFailed as refusal:
            challenge = evidence.answer_headers.get(CHALLENGE)
            if challenge is None:
                raise
            return await self._challenged(call, refusal, challenge, {})
        call.attempt.principal = session.account
        body, headers = await self._opened(session, wanted=login_query.wants_session(call))
        proof = evidence.answer_headers.get(CHALLENGE, "")
        if " " in proof:  # else it asks for what is not needed any more
            headers[CHALLENGE] = proof
        return Reply({**body, "successUrl": AFTER_LOGIN, "realm": realm}, headers=headers)

    async def _opened(
        self, session: Session, *, wanted: bool
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What the caller hears of the session, in body and head. One that is not wanted ends
        before its id is told to anybody: all that a login is refused for was looked at by then."""
        if not wanted:
            await self._sessions.end(session.id)
            return {"message": SUCCESSFUL}, {}
        return {"tokenId": session.id.reveal()}, {"Set-Cookie": self._cookie(session)}

    async def _session(
        self, call: Call, chosen: Chosen, evidence: Evidence, progress: Progress | None
    ) -> Session:
        realm = evidence.realm
        if chosen.target is None:
            if evidence.username is None or evidence.password is None:
                raise MoreNeeded((USERNAME_PROMPT, PASSWORD_PROMPT))
            return await self._sessions.login(
                realm, evidence.username, evidence.password, evidence.address
            )
        identity, told = await chosen.target.authenticate(evidence, progress)
        session = await self._sessions.admit(realm, identity, chosen.name)
        call.attempt.extra["vouched_by"] = told
        return session

    async def _more(
        self, call: Call, realm: str, chosen: Chosen, evidence: Evidence, more: MoreNeeded
    ) -> Reply:
        progress = more.progress or Progress()
        step = Step(realm, chosen.name, more.prompts, progress, evidence.username)
        auth_id = self._steps.seal(step, chosen.target, evidence.now)
        body = callbacks.asked(auth_id, _stage(chosen.target, progress), more.prompts)
        call.attempt.extra["asks_for"] = ", ".join(each.id for each in more.prompts)
        challenge = evidence.answer_headers.get(CHALLENGE)
        if challenge is not None:
            return await self._challenged(call, more, challenge, body)
        return Reply(body)

    async def _challenged(
        self, call: Call, refusal: AuthenticationFailed, challenge: str, body: Mapping[str, Any]
    ) -> Reply:
        """A 401 that says how to come back (RFC 9110, section 11.6.1), and what else would do."""
        await self._trail.ended(call.attempt, refusal)
        return Reply({**codec.error_body(refusal), **body}, 401, {CHALLENGE: challenge})

    # -- who is asked ----------------------------------------------------------------------------

    def _chosen(self, realm: str, named: AuthTarget | None) -> Chosen:
        """Whom the caller names, else whom the realm does, else the broker itself.

        Where a realm says who checks logins, a caller cannot choose less: modules alone and what
        is built in are not for the choosing then. Raises InvalidRequest and Unavailable.
        """
        default = self._directory.default(realm, USERNAME)
        target = self._directory.target(realm, USERNAME, named)
        if default is not None and named is not None and named != default:
            chains = self._directory.chains_of(realm)
            if named.index_type != SERVICE or named.index_value not in chains:
                raise InvalidRequest(
                    "this realm says who checks logins; name one of its chains (service), or none"
                )
        named = named or default
        if named is None or target is None:
            return Chosen("" if named is None else login_query.text(named), None)
        return Chosen(login_query.text(named), target)

    def _cookie(self, session: Session) -> str:
        secure = "; Secure" if self._http.tls != "off" else ""
        value = quote(session.id.reveal(), safe="")
        return f"{self._http.cookie_name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"


def _said(call: Call, header: str) -> str | None:
    """What AM's clients write in plain ASCII, in UTF-8, or as encoded words."""
    given = call.header(header)
    return None if given is None else decoded(given)


def _stage(target: Authentication | None, progress: Progress) -> str:
    """AM's word for a step: the module that asks, and its place."""
    links = () if target is None else links_of(target)
    place = len(progress.verdicts)
    name = links[place][0] if place < len(links) else LOCAL
    return f"{name}{place + 1}"
