"""The AsyncAPI 3.0 document: what travels by message, on which ways, and what comes back."""

from __future__ import annotations

from typing import Any, Final

from adapters.events import schemas as events
from adapters.events.channels import CONTENT_TYPE as CLOUD_EVENT
from adapters.messages.opening import JSON
from adapters.schema import bodies, headers
from adapters.schema.channels import (
    DEAD_LETTER,
    EVENT,
    MQTT,
    RABBITMQ,
    Document,
    Way,
    channels,
    ways,
)
from adapters.schema.states import Schema

VERSION: Final = "3.0.0"
API_VERSION: Final = "1.0.0"
"""Of what is described; its first number is raised by an incompatible change."""

_DEFINITIONS = "#/$defs/"
_COMPONENTS = "#/components/schemas/"
_DESCRIPTION = (
    "Remint takes a security token of one kind and returns one of another. A request carries an id "
    "of the requester's choice; the same id brings the same answer, and never a second token. "
    "Bodies may be encrypted to the broker: a compact JWE (RFC 7516), content type "
    "application/jose, to a key of use enc in /oauth2/jwks; the answer is then encrypted to "
    "reply_jwk."
)


def document() -> Document:
    """The whole document."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Remint",
            "version": API_VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "servers": _servers(),
        "channels": channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _servers() -> Document:
    return {
        RABBITMQ: {
            "host": "{host}",
            "protocol": "amqp",
            "protocolVersion": "0-9-1",
            "description": "RabbitMQ, as amqp.url says.",
            "variables": {"host": {"default": "localhost:5672"}},
        },
        MQTT: {
            "host": "{host}",
            "protocol": "mqtt",
            "protocolVersion": "5.0",
            "description": "Mosquitto or another MQTT 5 server, as mqtt.url says.",
            "variables": {"host": {"default": "localhost:1883"}},
        },
    }


def _operations() -> Document:
    """As the broker sees it: it receives requests, and sends answers, events and dead letters."""
    found = {f"{way.prefix}{way.request}": _operation(way) for way in ways()}
    for name, channel, message in (
        ("amqp.announce", "remint.events", f"amqp.{EVENT}"),
        ("amqp.setAside", "remint.dead", f"amqp.{DEAD_LETTER}"),
        ("mqtt.announce", "mqtt.events", f"mqtt.{EVENT}"),
        ("mqtt.setAside", "mqtt.dead", f"mqtt.{DEAD_LETTER}"),
    ):
        found[name] = {"action": "send", **_at(channel, [message])}
    return found


def _operation(way: Way) -> Document:
    return {
        "action": "receive",
        "summary": bodies.schemas()[way.request]["description"],
        **_at(way.channel, [way.prefix + way.request]),
        "reply": _at(way.replies, [way.prefix + name for name in bodies.ANSWERS[way.request]]),
    }


def _at(channel: str, messages: list[str]) -> Document:
    return {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _messages() -> Document:
    amqp = {
        name: _message(
            name,
            f"amqp.{name}",
            headers.request() if name in bodies.ANSWERS else headers.answer(),
            _reference(name),
        )
        for name in bodies.schemas()
    }
    mqtt = {
        name: _message(
            name,
            f"mqtt.{name}",
            headers.request_properties() if name in bodies.ANSWERS else headers.answer_properties(),
            _reference(f"mqtt.{name}" if name in bodies.ANSWERS else name),
        )
        for name in bodies.schemas()
    }
    return {
        **{f"amqp.{name}": message for name, message in amqp.items()},
        **{f"mqtt.{name}": message for name, message in mqtt.items()},
        **{f"{prefix}.{EVENT}": _event(prefix) for prefix in ("amqp", "mqtt")},
        **{f"{prefix}.{DEAD_LETTER}": _dead_letter(prefix) for prefix in ("amqp", "mqtt")},
    }


def _message(title: str, name: str, around: Schema, payload: Schema) -> Document:
    return {
        "name": name,
        "title": title,
        "contentType": JSON,
        "headers": around,
        "payload": payload,
    }


def _event(prefix: str) -> Document:
    return {
        "name": f"{prefix}.{EVENT}",
        "title": "An event",
        "description": "CloudEvents 1.0 in the JSON format; data by dataschema.",
        "contentType": CLOUD_EVENT,
        "payload": _reference(events.ENVELOPE),
    }


def _dead_letter(prefix: str) -> Document:
    return {
        "name": f"{prefix}.{DEAD_LETTER}",
        "title": "A dead letter",
        "description": "Why a message could not be handled; its body only the operator can read.",
        "headers": headers.dead_letter(),
    }


def _schemas() -> Document:
    """Bodies, what they refer to, and events, each under its name."""
    own = {**bodies.bodies(), **bodies.definitions()}
    by_topic = {
        # The topic names the instance, so the body need not.
        f"mqtt.{request}": _without_instance(bodies.bodies()[request])
        for request in bodies.ANSWERS
    }
    told = {
        name if name == events.ENVELOPE else f"event.{name}": _plain(schema)
        for name, schema in events.schemas().items()
    }
    return {**_renamed({**own, **by_topic}), **told}


def _without_instance(body: Schema) -> Schema:
    properties = {name: value for name, value in body["properties"].items() if name != "instance"}
    required = [name for name in body["required"] if name != "instance"]
    return {**body, "properties": properties, "required": required}


def _plain(schema: Schema) -> Schema:
    """Without the marks of a document of its own."""
    return {name: value for name, value in schema.items() if name not in ("$schema", "$id")}


def _reference(name: str) -> Schema:
    return {"$ref": _COMPONENTS + name}


def _renamed(value: Any) -> Any:
    """The same schema with its references led to where definitions stand in this document."""
    if isinstance(value, dict):
        return {
            name: _COMPONENTS + child.removeprefix(_DEFINITIONS)
            if name == "$ref" and isinstance(child, str)
            else _renamed(child)
            for name, child in value.items()
        }
    return [_renamed(child) for child in value] if isinstance(value, list) else value
