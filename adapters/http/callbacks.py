"""AM's callbacks: what a login still has to know, and the answers to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from broker.authentication import Prompt
from broker.errors import InvalidRequest
from broker.model import Secret

HEADER = "Sign in"
MAX_CALLBACKS = 16
MAX_ANSWER_LENGTH = 4096

FILL_IN = "send the callbacks back, each with a value of up to 4096 characters"


def asked(auth_id: str, stage: str, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """The body that asks back: a field for each prompt."""
    return {
        "authId": auth_id,
        "template": "",
        "stage": stage,
        "header": HEADER,
        "callbacks": [_callback(number, each) for number, each in enumerate(prompts, 1)],
    }


def answers(body: Mapping[str, Any], prompts: Sequence[Prompt]) -> dict[str, Secret]:
    """What was filled in, by the id of each prompt. Raises InvalidRequest."""
    values = dict(_fields(body.get("callbacks")))
    found: dict[str, Secret] = {}
    for number, prompt in enumerate(prompts, 1):
        value = values.get(_field(number))
        if not isinstance(value, str) or len(value) > MAX_ANSWER_LENGTH:
            raise InvalidRequest(FILL_IN)
        found[prompt.id] = Secret(value)
    return found


def _callback(number: int, prompt: Prompt) -> dict[str, Any]:
    return {
        "type": "PasswordCallback" if prompt.secret else "NameCallback",
        "output": [{"name": "prompt", "value": prompt.text}],
        "input": [{"name": _field(number), "value": ""}],
    }


def _field(number: int) -> str:
    return f"IDToken{number}"


def _fields(callbacks: Any) -> list[tuple[str, Any]]:
    """Names and values of all inputs. What says something and asks nothing has none."""
    if not isinstance(callbacks, list) or len(callbacks) > MAX_CALLBACKS:
        raise InvalidRequest(FILL_IN)
    found = []
    for callback in callbacks:
        inputs = callback.get("input", []) if isinstance(callback, Mapping) else None
        if not isinstance(inputs, list) or not all(isinstance(each, Mapping) for each in inputs):
            raise InvalidRequest(FILL_IN)
        found += [(str(each.get("name")), each.get("value")) for each in inputs]
    return found
