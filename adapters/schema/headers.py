"""What stands around a body: AMQP's headers, MQTT's user properties, as JSON Schema."""

from __future__ import annotations

from adapters import codec
from adapters.schema.states import Schema
from adapters.trace import TRACEPARENT, TRACESTATE
from broker.idempotency import MAX_REQUEST_ID_LENGTH

MESSAGE_ID: Schema = {
    "description": "The idempotency key: the same in each retry.",
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_REQUEST_ID_LENGTH,
}
TRACE: dict[str, Schema] = {
    "traceparent": {"type": "string", "pattern": f"^{TRACEPARENT.pattern}$"},
    "tracestate": {"type": "string", "pattern": f"^{TRACESTATE.pattern}$"},
}


def request() -> Schema:
    """Headers of a request in AMQP; its id is the property ``message_id``."""
    deadline = {
        "description": "Milliseconds since the epoch after which nothing is to be signed.",
        "type": "number",
    }
    return {"type": "object", "properties": {"deadline": deadline, **TRACE}}


def request_properties() -> Schema:
    """User properties of a request in MQTT: all of them are text."""
    deadline = {
        "description": "Milliseconds since the epoch after which nothing is to be signed.",
        "type": "string",
        "pattern": "^[0-9]+$",
    }
    return {
        "type": "object",
        "properties": {"message-id": MESSAGE_ID, "deadline": deadline, **TRACE},
        "required": ["message-id"],
    }


def answer() -> Schema:
    """Headers of an answer in AMQP."""
    return _answer("integer")


def answer_properties() -> Schema:
    """User properties of an answer in MQTT: numbers are written as text."""
    return _answer("string")


def dead_letter() -> Schema:
    """Headers, or user properties, of a dead letter; what else the request had may stand there."""
    return {
        "type": "object",
        "properties": {
            "x-remint-reason": {"type": "string"},
            "x-remint-status": {"type": ["integer", "string"]},
            "x-remint-size": {"type": ["integer", "string"]},
            "x-remint-digest": {
                "description": "Keyed digest of the body.",
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
            },
        },
        "required": ["x-remint-reason", "x-remint-status", "x-remint-size", "x-remint-digest"],
    }


def _answer(number: str) -> Schema:
    properties: dict[str, Schema] = {
        "status": {"description": "The number that HTTP would have given.", "type": number},
        "retry": {
            "description": "What asking again can do.",
            "enum": sorted({codec.retry_advice(status) for status in (200, *codec.REASONS)}),
        },
        "token-id": {"type": "string"},
        "expires-at": {"description": "Seconds since the epoch.", "type": number},
        **TRACE,
    }
    return {"type": "object", "properties": properties, "required": ["status", "retry"]}
