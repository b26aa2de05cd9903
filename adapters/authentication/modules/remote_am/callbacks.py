"""The steps of an AM login: what it asks (``callbacks``), and our answers to that.

Name and password callbacks are answered out of what came with the request, and shown to the caller
where that does not do. What says something and asks nothing goes back as it came, and so do choices
that have a default. Anything else cannot be relayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from adapters.authentication.modules.remote_am.client import down
from adapters.printable import printable
from broker.authentication import FAILED, Prompt
from broker.errors import AuthenticationFailed
from broker.model import Secret

MAX_CALLBACKS = 16
MAX_STEP_LENGTH = 16 * 1024
"""Characters of a step that is kept while the caller answers."""
MAX_PROMPT_LENGTH = 256
NAME, PASSWORD = "NameCallback", "PasswordCallback"  # types of callback
ASKS_NOTHING = ("TextOutputCallback", "ConfirmationCallback", "ChoiceCallback")


@dataclass(frozen=True, slots=True)
class Step:
    """``authId`` and ``callbacks`` as AM sent them."""

    document: Mapping[str, Any] = field(repr=False)

    @property
    def text(self) -> str:
        """As it is kept until the caller has answered."""
        return orjson.dumps(self.document).decode()

    def prompts(self) -> tuple[Prompt, ...]:
        """What a person has to be asked, in order."""
        return tuple(
            Prompt(_id(each), _text(each), secret=each["type"] == PASSWORD)
            for each in self.document["callbacks"]
            if each["type"] in (NAME, PASSWORD)
        )

    def answered(self, answers: Mapping[str, str]) -> dict[str, Any]:
        """The body that answers it: by the id of each prompt."""
        return {
            "authId": self.document["authId"],
            "callbacks": [_filled(each, answers) for each in self.document["callbacks"]],
        }


@dataclass(frozen=True, slots=True)
class Given:
    """What came with the request and was not used yet."""

    username: str | None = None
    password: Secret | None = field(default=None, repr=False)
    otp: Secret | None = field(default=None, repr=False)

    def answers(self, step: Step) -> tuple[dict[str, str], Given] | None:
        """Answers to all that the step asks, and what is then left; None if that does not do.

        A code answers a single question, whatever kind of field AM has for it.
        """
        ids = [each.id for each in step.prompts()]
        secret = [each.secret for each in step.prompts()]
        username, password, otp = self.username, self.password, self.otp
        if not ids:
            return {}, self
        if username and password and secret == [False, True]:
            return {ids[0]: username, ids[1]: password.reveal()}, Given(otp=otp)
        if username and secret == [False]:
            return {ids[0]: username}, replace(self, username=None)
        if password and secret == [True]:
            return {ids[0]: password.reveal()}, Given(otp=otp)
        if otp and not password and len(ids) == 1:
            return {ids[0]: otp.reveal()}, Given()
        return None


def step(document: Mapping[str, Any]) -> Step:
    """Out of AM's answer. Raises Unavailable if that is none, and AuthenticationFailed if it asks
    in a way that cannot be relayed."""
    auth_id, callbacks = document.get("authId"), document.get("callbacks")
    if not isinstance(auth_id, str) or not isinstance(callbacks, list):
        raise down("its answer holds neither a session nor callbacks")
    if not 0 < len(callbacks) <= MAX_CALLBACKS:
        raise down("it asks nothing, or too much at once")
    for each in callbacks:
        _check(each)
    found = Step({"authId": auth_id, "callbacks": callbacks})
    try:
        length = len(found.text)
    except orjson.JSONEncodeError:  # it nests deeper than can be written again
        raise down("its step cannot be kept") from None
    if length > MAX_STEP_LENGTH:
        raise down(f"its step is over {MAX_STEP_LENGTH} characters")
    return found


def kept(text: str) -> Step:
    """A step that was kept. Raises AuthenticationFailed."""
    try:
        document = orjson.loads(text)
        return step(document)
    except (orjson.JSONDecodeError, AttributeError):
        raise AuthenticationFailed(FAILED, detail="the state of the login is broken") from None


def _check(callback: Any) -> None:
    if not isinstance(callback, dict) or not isinstance(callback.get("type"), str):
        raise down("a callback of its answer cannot be read")
    kind = callback["type"]
    if kind in ASKS_NOTHING:
        return
    if kind not in (NAME, PASSWORD):
        raise AuthenticationFailed(
            FAILED, detail=f"it asks by a {printable(kind)[:64]}, which cannot be relayed"
        )
    inputs = callback.get("input")
    if (
        not isinstance(inputs, list)
        or len(inputs) != 1
        or not isinstance(inputs[0], dict)
        or not isinstance(inputs[0].get("name"), str)
    ):
        raise down("a callback of its answer cannot be read")


def _id(callback: Mapping[str, Any]) -> str:
    return str(callback["input"][0]["name"])


def _text(callback: Mapping[str, Any]) -> str:
    """What AM would show beside the field."""
    outputs = callback.get("output")
    for each in outputs if isinstance(outputs, list) else ():
        if isinstance(each, dict) and isinstance(each.get("value"), str):
            return printable(each["value"])[:MAX_PROMPT_LENGTH]
    return ""


def _filled(callback: Mapping[str, Any], answers: Mapping[str, str]) -> Mapping[str, Any]:
    if callback["type"] not in (NAME, PASSWORD):
        return callback
    field = callback["input"][0]
    return {**callback, "input": [{**field, "value": answers[_id(callback)]}]}
