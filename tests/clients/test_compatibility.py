"""What docs/schema promised once it goes on promising, and a break of it is noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.http.openapi import document as openapi
from adapters.schema import asyncapi, bodies, files, states
from tests.clients.compatibility import broken, broken_document
from tests.clients.front_compatibility import broken_front

BASELINE = Path(__file__).parent / "baseline"
SCHEMAS = bodies.schemas()
ANSWERS = sorted(set(SCHEMAS) - set(bodies.ANSWERS))


@pytest.mark.parametrize("path", sorted(BASELINE.glob("*.json")), ids=lambda path: path.name)
def test_nothing_was_taken_away(path: Path) -> None:
    """No change breaks those who rely on the baseline: add, or raise the version."""
    before = json.loads(path.read_text())
    if path.name == files.ASYNCAPI:
        assert list(broken_document(before, asyncapi.document())) == []
    elif path.name == files.OPENAPI:
        assert list(broken_front(before, openapi.document())) == []
    else:
        name = path.name.removesuffix(".json")
        assert name in SCHEMAS
        assert list(broken(before, SCHEMAS[name], name, answer=name in ANSWERS)) == []


def test_the_baseline_is_whole() -> None:
    """Whatever is described today is held to the baseline from today on."""
    assert {path.name for path in BASELINE.glob("*.json")} == set(files.files())


REQUEST_CHANGES: dict[str, Callable[[Any], object]] = {
    "a member is removed": lambda s: s["properties"].pop("input_token_state"),
    "a member has another type": lambda s: s["$defs"]["instance"].update(type="object"),
    "a member is now required": lambda s: s["required"].append("nonce"),
    "a limit is lower": lambda s: s["$defs"]["instance"].update(maxLength=10),
    "a limit is new": lambda s: s["$defs"]["instance"].update(minLength=10),
    "a form is demanded": lambda s: s["$defs"]["instance"].update(pattern="^a"),
    "a value is not taken": lambda s: _confirmation(s).pop(),
    "a definition is gone": lambda s: s["$defs"].pop("instance"),
    "another identity": lambda s: s.update({"$id": "urn:remint:schema:message:translate:2"}),
}
ANSWER_CHANGES: dict[str, Callable[[Any], object]] = {
    "a member is removed": lambda s: s["properties"].pop("code"),
    "a member is not promised": lambda s: s["required"].remove("message"),
    "a member has another type": lambda s: s["properties"]["message"].update(type="integer"),
    "a value is new": lambda s: s["properties"]["code"]["enum"].append(418),
}
DOCUMENT_CHANGES: dict[str, Callable[[Any], object]] = {
    "a channel is removed": lambda d: d["channels"].pop("remint.control"),
    "a channel moves": lambda d: d["channels"]["remint.control"].update(address="elsewhere"),
    "a message leaves a channel": lambda d: d["channels"]["remint.control"]["messages"].pop(
        "amqp.cancel"
    ),
    "an operation is removed": lambda d: d["operations"].pop("mqtt.cancel"),
    "an operation moves": lambda d: d["operations"]["mqtt.cancel"].update(channel={"$ref": "#"}),
    "an answer is removed": lambda d: d["operations"]["mqtt.cancel"]["reply"]["messages"].pop(),
    "a message is removed": lambda d: d["components"]["messages"].pop("amqp.cancel"),
    "a header is removed": lambda d: _headers(d, "amqp.answer")["properties"].pop("status"),
    "a header is not promised": lambda d: _headers(d, "amqp.answer")["required"].remove("status"),
    "a header is required": lambda d: _headers(d, "mqtt.cancel")["required"].append("deadline"),
    "another content type": lambda d: d["components"]["messages"]["amqp.cancel"].update(
        contentType="text/plain"
    ),
}
FRONT_CHANGES: dict[str, Callable[[Any], object]] = {
    "a path is removed": lambda d: d["paths"].pop("/oauth2/jwks"),
    "a method is removed": lambda d: d["paths"]["/json/keys"].pop("get"),
    "an action is removed": lambda d: _front(d)["x-actions"].pop("cancel"),
    "an action gives another body": lambda d: _front(d)["x-actions"]["cancel"].update(
        responses={"200": {"$ref": "#/components/schemas/answer"}}
    ),
    "a parameter is removed": lambda d: _front(d)["parameters"].pop(0),
    "a parameter is required": lambda d: d["components"]["parameters"]["idempotencyKey"].update(
        required=True
    ),
    "success is another status": lambda d: d["paths"]["/livez"]["get"]["responses"].pop("200"),
    "a member of a request is required": lambda d: d["components"]["schemas"]["user.put"].update(
        required=["password"]
    ),
    "a member of an answer is removed": lambda d: d["components"]["schemas"]["user"][
        "properties"
    ].pop("realm"),
}
ADDITIONS: dict[str, Callable[[Any], object]] = {
    "a member": lambda s: s["properties"].update(more={"type": "string"}),
    "a higher limit": lambda s: s["$defs"]["instance"].update(maxLength=4096),
    "a description": lambda s: s.update(description="said in other words"),
    "less is required": lambda s: s["required"].remove("instance"),
}


@pytest.mark.parametrize("change", REQUEST_CHANGES.values(), ids=list(REQUEST_CHANGES))
def test_a_break_of_a_request_is_noticed(change: Callable[[Any], object]) -> None:
    """A change that would break those who ask does not pass."""
    changed = copy.deepcopy(SCHEMAS["translate"])
    change(changed)
    assert list(broken(SCHEMAS["translate"], changed, "translate", answer=False))


@pytest.mark.parametrize("change", ANSWER_CHANGES.values(), ids=list(ANSWER_CHANGES))
def test_a_break_of_an_answer_is_noticed(change: Callable[[Any], object]) -> None:
    """A change that would break those who read answers does not pass."""
    changed = copy.deepcopy(SCHEMAS[bodies.ERROR])
    change(changed)
    assert list(broken(SCHEMAS[bodies.ERROR], changed, "error", answer=True))


@pytest.mark.parametrize("change", DOCUMENT_CHANGES.values(), ids=list(DOCUMENT_CHANGES))
def test_a_break_of_the_document_is_noticed(change: Callable[[Any], object]) -> None:
    """A way or a message that is gone or leads elsewhere does not pass."""
    changed = asyncapi.document()
    change(changed)
    assert list(broken_document(asyncapi.document(), changed))


@pytest.mark.parametrize("change", FRONT_CHANGES.values(), ids=list(FRONT_CHANGES))
def test_a_break_of_the_front_door_is_noticed(change: Callable[[Any], object]) -> None:
    """Something that can no longer be asked over HTTP, or not so, does not pass."""
    changed = openapi.document()
    change(changed)
    assert list(broken_front(openapi.document(), changed))


@pytest.mark.parametrize("change", ADDITIONS.values(), ids=list(ADDITIONS))
def test_an_addition_passes(change: Callable[[Any], object]) -> None:
    """A change that breaks nobody passes."""
    changed = copy.deepcopy(SCHEMAS["translate"])
    change(changed)
    assert list(broken(SCHEMAS["translate"], changed, "translate", answer=False)) == []


def _confirmation(schema: Any) -> list[str]:
    [assertion] = [
        choice["then"]["properties"]["subject_confirmation"]["enum"]
        for choice in schema["$defs"][states.OUTPUT_STATE]["allOf"]
        if "subject_confirmation" in choice["then"]["properties"]
    ]
    found: list[str] = assertion
    return found


def _front(document: Any) -> Any:
    return document["paths"]["/rest-sts/{instance}"]["post"]


def _headers(document: Any, message: str) -> Any:
    return document["components"]["messages"][message]["headers"]
