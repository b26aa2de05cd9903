"""What the callers ask for: stories of one or more requests each, all of them from one seed."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.chaos.history import History, digest
from tests.chaos.world import ELEMENT
from tests.support.door import ASSERTION, ID_TOKEN, session_input
from tests.support.load import claims

TRANSLATE, VALIDATE, CANCEL = "translate", "validate", "cancel"
GOOD, WRONG, CONFLICTING = "good", "wrong", "conflicting"
MALFORMED, EXPIRED = "malformed", "expired"

EXPECTED = {
    GOOD: {200},
    WRONG: {401},
    CONFLICTING: {409},
    MALFORMED: {400},
    EXPIRED: {408},
    VALIDATE: {200},
    CANCEL: {200},
}
"""The definite answers that each kind of request may get."""

PLOTS = {
    "plain": 56,
    "twice": 8,
    "cancelled": 14,
    "conflicting": 6,
    "wrong": 6,
    "malformed": 5,
    "expired": 5,
}
PAST_SECONDS = 1.0
EXPIRATION_SECONDS = 0.05
GARBAGE = b'{"instance": "chaos", "input_token_state": {"token_type": '
_ASSERTION_ID = re.compile(r'<(?:\w+:)?Assertion[^>]*?\sID="([^"]+)"')


@dataclass(frozen=True)
class Ask:
    """One request. ``id`` is what a retry repeats, ``key`` names it in the history.

    ``deadline`` is in seconds since the epoch, ``expiration`` in seconds.
    """

    key: str
    id: str
    kind: str
    body: bytes = field(repr=False)
    operation: str = TRANSLATE
    reply: bool = True
    deadline: float | None = None
    expiration: float | None = None


@dataclass(frozen=True)
class Answered:
    """A definite answer."""

    status: int
    raw: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def token(self) -> str | None:
        return self.body.get("issued_token") if isinstance(self.body, dict) else None


class Caller(Protocol):
    """Who asks over one transport, as one requester, until there is a definite answer."""

    transport: str
    name: str

    async def ask(self, ask: Ask) -> Answered | None:
        """The answer; None where none was asked for, once the request was accepted."""


@dataclass
class Book:
    """What the callers hold in the end: tokens, and those that they cancelled, by key."""

    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    cancelled: set[str] = field(default_factory=set)
    asks: dict[str, Ask] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Story:
    """A number of a run and what happens in it."""

    number: int
    plot: str
    transport: str


def stories(count: int, transports: list[str], chance: random.Random) -> Iterator[Story]:
    for number in range(count):
        [plot] = chance.choices(list(PLOTS), list(PLOTS.values()))
        yield Story(number, plot, chance.choice(transports))


class Teller:
    """Plays stories."""

    def __init__(self, session: str, history: History, book: Book, chance: random.Random) -> None:
        self._given = session_input(session)
        self._history = history
        self._book = book
        self._chance = chance

    async def play(self, story: Story, caller: Caller) -> None:
        name = f"{story.transport}-{story.number}"
        if story.plot == "wrong":
            await self._ask(caller, self._translation(name, WRONG, session_input("nobody's")))
        elif story.plot == "malformed" and story.transport != "http":
            reply = self._chance.random() < 0.5 or story.transport != "amqp"
            await self._ask(caller, Ask(name, name, MALFORMED, GARBAGE, reply=reply))
        elif story.plot == "expired" and story.transport != "http":
            await self._ask(caller, self._expired(name, story.transport))
        else:
            await self._good(name, story.plot, caller)

    async def _good(self, name: str, plot: str, caller: Caller) -> None:
        wanted = ASSERTION if plot == "plain" and self._chance.random() < 0.25 else ID_TOKEN
        ask = self._translation(name, GOOD, self._given, wanted)
        answer = await self._ask(caller, ask)
        token = answer.token if answer is not None else None
        if token is None:
            return
        self._book.tokens[name] = token
        self._book.asks[name] = ask
        if plot == "twice":
            await caller.ask(ask)
        elif plot == "conflicting":
            wanted = {**ID_TOKEN, "nonce": "another"}
            other = self._translation(f"{name}!", CONFLICTING, self._given, wanted)
            await self._ask(caller, Ask(other.key, name, other.kind, other.body))
        elif plot == "cancelled":
            body = {"cancelled_token_state": presented(token)}
            ended = await self._ask(caller, _ask(f"{name}.cancel", CANCEL, body, CANCEL))
            if ended is not None and ended.status == 200:
                self._book.cancelled.add(name)
                held = digest(token.encode())
                self._history.note("cancelled", key=name, token=token_id(token), digest=held)

    async def _ask(self, caller: Caller, ask: Ask) -> Answered | None:
        note_asked(self._history, caller, ask)
        return await caller.ask(ask)

    def _translation(
        self, name: str, kind: str, given: dict[str, Any], wanted: dict[str, Any] = ID_TOKEN
    ) -> Ask:
        return translation(name, given, wanted, kind)

    def _expired(self, name: str, transport: str) -> Ask:
        """Too late from the start; half of those over AMQP are taken out of the queue by the
        server. Over MQTT what expired in the server's hands is gone, as the protocol says."""
        ask = self._translation(name, EXPIRED, self._given)
        soon = transport == "amqp" and self._chance.random() < 0.5
        seconds = EXPIRATION_SECONDS if soon else None
        late = time.time() - PAST_SECONDS
        return Ask(name, name, EXPIRED, ask.body, deadline=late, expiration=seconds)


def translation(
    name: str, given: dict[str, Any], wanted: dict[str, Any] = ID_TOKEN, kind: str = GOOD
) -> Ask:
    """A request for a token, under a name that is its id and key as well."""
    return _ask(name, kind, {"input_token_state": given, "output_token_state": wanted})


def note_asked(history: History, caller: Caller, ask: Ask) -> None:
    history.note("asked", key=ask.key, id=ask.id, kind=ask.kind, by=caller.name, reply=ask.reply)


def _ask(name: str, kind: str, body: dict[str, Any], operation: str = TRANSLATE) -> Ask:
    return Ask(name, name, kind, json.dumps({"instance": ELEMENT, **body}).encode(), operation)


def presented(token: str) -> dict[str, str]:
    if token.startswith("<"):
        return {"token_type": "SAML2", "saml2_token": token}
    return {"token_type": "OPENIDCONNECT", "oidc_id_token": token}


def token_id(token: str) -> str:
    """``jti`` (RFC 7519, section 4.1.7), or the ID of an assertion (SAML 2.0 core, 2.3.3)."""
    if token.startswith("<"):
        found = _ASSERTION_ID.search(token)
        return found[1] if found else ""
    return str(claims(token)["jti"])
