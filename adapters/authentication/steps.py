"""A login between two steps: kept by the client, sealed, so that no broker has to remember it."""

from __future__ import annotations

import binascii
import hashlib
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.authentication.trial import links_of
from adapters.keys.root_secret import SealBroken, Sealer
from broker.authentication import (
    FAILED,
    PASSWORD_PROMPT,
    USERNAME_PROMPT,
    Authentication,
    Identity,
    Progress,
    Prompt,
    Verdict,
)
from broker.errors import AuthenticationFailed
from broker.model import Login, Secret
from broker.ports import ReplayCache

LIFE_SECONDS = 300
"""How long somebody may think about an answer."""

MAX_LENGTH = 128 * 1024
"""Characters of a sealed step; what a directory says of somebody is in it."""

NONCE_BYTES = 16
_CREDENTIALS = frozenset({USERNAME_PROMPT.id, PASSWORD_PROMPT.id})
_CONTEXT = b"login-step"


@dataclass(frozen=True, slots=True)
class Step:
    """What the next step of a login needs. ``target`` is ``service|NAME``, ``module|NAME``, or
    empty where the broker checks local passwords itself. ``username`` is as it was typed; passwords
    are not kept."""

    realm: str
    target: str
    prompts: tuple[Prompt, ...]
    progress: Progress = field(default_factory=Progress, repr=False)
    username: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether nobody was let through yet, and only name and password are asked for."""
        begun = self.progress.identity is not None or bool(self.progress.state)
        return not begun and {each.id for each in self.prompts} <= _CREDENTIALS


class Steps:
    """Seals steps and opens them again. ``key`` is the same in all brokers of a store."""

    def __init__(self, key: bytes, replays: ReplayCache) -> None:
        self._sealer = Sealer(key)
        self._replays = replays

    def seal(self, step: Step, target: Authentication | None, now: float) -> str:
        """The text that the client sends back. Raises AuthenticationFailed if it gets too long."""
        document = {
            "realm": step.realm,
            "target": step.target,
            "shape": _shape(target),
            "until": int(now) + LIFE_SECONDS,
            "nonce": secrets.token_urlsafe(NONCE_BYTES),
            "prompts": [[each.id, each.text, each.secret] for each in step.prompts],
            "progress": _written(step.progress),
            "username": step.username,
        }
        sealed = urlsafe_b64encode(self._sealer.seal(orjson.dumps(document), _CONTEXT)).decode()
        if len(sealed) > MAX_LENGTH:
            raise AuthenticationFailed(
                FAILED, detail=f"what is known of the login is over {MAX_LENGTH} characters"
            )
        return sealed

    def open(self, text: str, realm: str, now: float) -> Opened:
        """Raises AuthenticationFailed for what was changed, has ended or is of another realm."""
        if len(text) > MAX_LENGTH:
            raise AuthenticationFailed(FAILED, detail="the authId is too long")
        try:
            sealed = b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            document = orjson.loads(self._sealer.open(sealed, _CONTEXT))
        except (UnicodeEncodeError, binascii.Error, SealBroken):
            raise AuthenticationFailed(FAILED, detail="the authId is none of ours") from None
        if now >= document["until"]:
            raise AuthenticationFailed(FAILED, detail="the authId has ended")
        if document["realm"] != realm:
            raise AuthenticationFailed(FAILED, detail="the authId is of another realm")
        prompts = tuple(Prompt(*each) for each in document["prompts"])
        progress, username = _read(document["progress"]), document["username"]
        step = Step(realm, document["target"], prompts, progress, username)
        return Opened(step, document["shape"], document["nonce"], document["until"])

    async def spend(self, opened: Opened) -> None:
        """A step is answered once: one password is worth one guess at a code, and one code one
        session. Raises AuthenticationFailed and Unavailable."""
        if opened.step.is_first:
            return  # it holds nothing to gain, and no stranger is to fill the store
        mark, owner = f"login-step/{opened.nonce}", secrets.token_hex(NONCE_BYTES)
        if not await self._replays.spend(mark, owner, opened.until):
            raise AuthenticationFailed(FAILED, detail="the authId was answered before")


@dataclass(frozen=True, slots=True)
class Opened:
    """A step that came back. ``until`` is in seconds since the epoch."""

    step: Step
    shape: str
    nonce: str
    until: int

    def check(self, target: Authentication | None) -> None:
        """That the chain still is what it was: verdicts count by their place in it.

        Raises AuthenticationFailed.
        """
        if _shape(target) != self.shape:
            raise AuthenticationFailed(FAILED, detail="the chain has changed since the last step")


def _shape(target: Authentication | None) -> str:
    """A digest of the modules of a chain, in order, with their flags."""
    links = () if target is None else links_of(target)
    return hashlib.sha256(orjson.dumps(links)).hexdigest()


# -- as JSON -------------------------------------------------------------------------------------


def _written(progress: Progress) -> dict[str, Any]:
    return {
        "verdicts": [each.value for each in progress.verdicts],
        "identity": _identity(progress.identity),
        "state": dict(progress.state),
        "told": list(progress.told),
        "login": progress.login,
    }


def _read(document: Mapping[str, Any]) -> Progress:
    return Progress(
        verdicts=tuple(map(Verdict, document["verdicts"])),
        identity=_identity_of(document["identity"]),
        state=document["state"],
        told=tuple(document["told"]),
        login=document["login"],
    )


def _identity(identity: Identity | None) -> dict[str, Any] | None:
    if identity is None:
        return None
    login, session = identity.login, identity.session_id
    return {
        "name": identity.name,
        "attributes": {name: list(values) for name, values in identity.attributes.items()},
        "foreign": identity.foreign,
        "methods": list(identity.methods),
        "one_time": identity.one_time,
        "not_after": identity.not_after,
        "authenticated_at": identity.authenticated_at,
        "login": None if login is None else [login.at, login.context, list(login.methods)],
        "session": None if session is None else session.reveal(),
        "parent": identity.parent,
        "one_time_until": identity.one_time_until,
        "note": identity.note,
    }


def _identity_of(document: Mapping[str, Any] | None) -> Identity | None:
    if document is None:
        return None
    login, session = document["login"], document["session"]
    return Identity(
        name=document["name"],
        attributes={name: tuple(values) for name, values in document["attributes"].items()},
        foreign=document["foreign"],
        methods=tuple(document["methods"]),
        one_time=document["one_time"],
        not_after=document["not_after"],
        authenticated_at=document["authenticated_at"],
        login=None if login is None else Login(login[0], login[1], tuple(login[2])),
        session_id=None if session is None else Secret(session),
        parent=document["parent"],
        one_time_until=document["one_time_until"],
        note=document["note"],
    )
