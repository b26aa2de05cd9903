"""The bodies of requests and answers as JSON Schema (draft 2020-12), each complete in itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from adapters import codec
from adapters.messages import asked
from adapters.schema import states
from adapters.schema.states import Schema
from broker.batch import MAX_PARTS
from broker.idempotency import MAX_REQUEST_ID_LENGTH

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
VERSION: Final = 1
"""Part of each ``$id``; raised by an incompatible change."""

ANSWER: Final = "answer"
BATCH_ANSWER: Final = "translate.batch.answer"
VALIDATE_ANSWER: Final = "validate.answer"
CANCEL_ANSWER: Final = "cancel.answer"
ERROR: Final = "error"

ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        asked.TRANSLATE: (ANSWER, ERROR),
        asked.TRANSLATE_BATCH: (BATCH_ANSWER, ERROR),
        asked.VALIDATE: (VALIDATE_ANSWER, ERROR),
        asked.CANCEL: (CANCEL_ANSWER, ERROR),
        asked.RESULT: (ANSWER, BATCH_ANSWER, ERROR),
    }
)
"""Each request by its ``type``, and what it can be answered with."""

_DEFINITIONS = "#/$defs/"


def schemas() -> dict[str, Schema]:
    """Every body by its name; each holds the definitions that it refers to."""
    return {name: _document(name, body) for name, body in bodies().items()}


def bodies() -> dict[str, Schema]:
    """Every body by its name, with references to :func:`definitions`."""
    return {**_requests(), **_answers()}


def definitions() -> dict[str, Schema]:
    """What bodies refer to."""
    return {
        **states.definitions(),
        "instance": {
            "description": "The instance asked: realm/element, or the element in the root realm.",
            "type": "string",
            "pattern": "[^/]",
            "maxLength": asked.MAX_INSTANCE_LENGTH,
        },
        "reply_jwk": {
            "description": "Public key for the answer (RFC 7517), in encrypted requests.",
            "type": "object",
            "properties": {"kty": {"enum": ["EC", "RSA"]}},
            "required": ["kty"],
        },
        "issued": {
            "description": "A token was issued.",
            "type": "object",
            "properties": {"issued_token": {"type": "string"}},
            "required": ["issued_token"],
        },
        "refusal": {
            "description": "Why not, as docs/errors.md says.",
            "type": "object",
            "properties": {
                "code": {"enum": sorted(codec.REASONS)},
                "reason": {"enum": sorted(codec.REASONS.values())},
                "message": {"type": "string"},
                "detail": {"description": "More of it, where there is more to say."},
            },
            "required": ["code", "reason", "message"],
        },
    }


def _requests() -> dict[str, Schema]:
    pair = {
        "input_token_state": _ref(states.INPUT_STATE),
        "output_token_state": _ref(states.OUTPUT_STATE),
    }
    item = {"type": "object", "properties": pair, "required": list(pair)}
    presented = _ref(states.PRESENTED_STATE)
    return {
        asked.TRANSLATE: _request("Asks for one token in exchange for another.", pair),
        asked.TRANSLATE_BATCH: _request(
            "Asks for many tokens under one id; each succeeds or fails by itself.",
            {
                "requests": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_PARTS,
                    "items": item,
                }
            },
        ),
        asked.VALIDATE: _request(
            "Asks whether a token still stands.",
            {asked.STATE_MEMBER[asked.VALIDATE]: presented},
        ),
        asked.CANCEL: _request(
            "Takes a token back.", {asked.STATE_MEMBER[asked.CANCEL]: presented}
        ),
        asked.RESULT: {
            "description": "Asks for the answer to an earlier request of the same requester.",
            "type": "object",
            "properties": {
                "request_id": {
                    "description": "The message_id of that request.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_REQUEST_ID_LENGTH,
                },
                "reply_jwk": _ref("reply_jwk"),
            },
            "required": ["request_id"],
        },
    }


def _answers() -> dict[str, Schema]:
    return {
        ANSWER: definitions()["issued"],
        BATCH_ANSWER: {
            "description": "What became of each request of a batch, in their order.",
            "type": "object",
            "properties": {
                "results": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_PARTS,
                    "items": {"anyOf": [_ref("issued"), _ref("refusal")]},
                }
            },
            "required": ["results"],
        },
        VALIDATE_ANSWER: {
            "description": "Whether the token stands.",
            "type": "object",
            "properties": {"token_valid": {"type": "boolean"}},
            "required": ["token_valid"],
        },
        CANCEL_ANSWER: {
            "description": "The token does not stand any more, whether or not it ever did.",
            "type": "object",
            "properties": {"result": {"type": "string"}},
            "required": ["result"],
        },
        ERROR: definitions()["refusal"],
    }


def _request(description: str, members: Mapping[str, Schema]) -> Schema:
    return {
        "description": description,
        "type": "object",
        "properties": {
            "instance": _ref("instance"),
            **members,
            "reply_jwk": _ref("reply_jwk"),
        },
        "required": ["instance", *members],
    }


def _ref(name: str) -> Schema:
    return {"$ref": _DEFINITIONS + name}


def _document(name: str, body: Schema) -> Schema:
    head = {
        "$schema": DIALECT,
        "$id": f"urn:remint:schema:message:{name}:{VERSION}",
        "title": name,
    }
    everything, used = definitions(), list(_references(body))
    for reference in used:  # grows while it is read: a definition may refer to another
        used += [r for r in _references(everything[reference]) if r not in used]
    defined = {reference: everything[reference] for reference in sorted(set(used))}
    return {**head, **body, **({"$defs": defined} if defined else {})}


def _references(value: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_DEFINITIONS)
        for child in value.values():
            yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)
