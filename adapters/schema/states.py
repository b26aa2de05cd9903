"""Token states as JSON Schema: members by token type, and what a plug-in's type may bring.

A schema says what a request must look like; whether a password is right, or an instance offers the
pair, no schema knows. Members that are unknown are ignored by the broker, and so they are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from adapters.codec import MAX_TOKEN_TYPE_LENGTH
from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME

Schema = dict[str, Any]

CONFIRMATION_METHODS = ("BEARER", "HOLDER_OF_KEY", "SENDER_VOUCHES")
_TEXT: Mapping[str, Any] = MappingProxyType({"type": "string", "minLength": 1})

INPUT_STATE = "input_token_state"
OUTPUT_STATE = "output_token_state"
PRESENTED_STATE = "presented_token_state"


def definitions() -> dict[str, Schema]:
    """Each state by its name."""
    return {
        INPUT_STATE: _state(
            "The token that is given. Its members depend on token_type.",
            {
                USERNAME: {"username": dict(_TEXT), "password": dict(_TEXT)},
                OPENAM: {"session_id": dict(_TEXT)},
                OPENIDCONNECT: {"oidc_id_token": dict(_TEXT)},
            },
            optional={USERNAME: {"otp": {"type": ["string", "null"]}}},
        ),
        OUTPUT_STATE: _state(
            "The token that is wanted. Its members depend on token_type.",
            {
                OPENIDCONNECT: {"allow_access": {"const": True}},
                SAML2: {"subject_confirmation": {"enum": list(CONFIRMATION_METHODS)}},
            },
            optional={
                OPENIDCONNECT: {"nonce": {"type": ["string", "null"]}},
                SAML2: {"proof_token_state": _proof()},
            },
        ),
        PRESENTED_STATE: _state(
            "A token that this instance issued. Its members depend on token_type.",
            {
                OPENIDCONNECT: {"oidc_id_token": {"type": "string"}},
                SAML2: {"saml2_token": {"type": "string"}},
            },
        ),
    }


def _state(
    description: str,
    required: Mapping[str, Mapping[str, Schema]],
    optional: Mapping[str, Mapping[str, Schema]] = MappingProxyType({}),
) -> Schema:
    return {
        "description": description,
        "type": "object",
        "properties": {
            "token_type": {"type": "string", "minLength": 1, "maxLength": MAX_TOKEN_TYPE_LENGTH}
        },
        "required": ["token_type"],
        "allOf": [
            {
                "if": {"properties": {"token_type": {"const": kind}}, "required": ["token_type"]},
                "then": {
                    "properties": {**members, **optional.get(kind, {})},
                    "required": list(members),
                },
            }
            for kind, members in required.items()
        ],
    }


def _proof() -> Schema:
    return {
        "type": ["object", "null"],
        "properties": {
            "base64EncodedCertificate": {
                "type": "string",
                "description": "The holder's X.509 certificate: base64 of DER or of PEM.",
            }
        },
        "required": ["base64EncodedCertificate"],
    }
