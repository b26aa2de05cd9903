"""The answers that are errors: one for each code of the CREST body."""

from __future__ import annotations

from adapters import codec
from adapters.http.openapi.row import JSON
from adapters.http.openapi.shapes import TEXT, Schema, ref
from adapters.schema.bodies import ERROR

RETRY_AFTER = (429, 503)
UNFORESEEN = "Refusal"
"""Whatever else is wrong: every error has the same body."""


def name_of(status: int) -> str:
    """``NotFound`` for 404."""
    return codec.REASONS[status].replace(" ", "")


def responses() -> dict[str, Schema]:
    """Every refusal by its name."""
    found = {name_of(status): _response(status) for status in codec.REASONS}
    return {**found, UNFORESEEN: _refusal("A refusal, with the code in it.")}


def _response(status: int) -> Schema:
    heads: dict[str, Schema] = {}
    if status in RETRY_AFTER:
        heads["Retry-After"] = {"description": "Seconds.", "schema": {"type": "string"}}
    if status == 401:
        heads["WWW-Authenticate"] = {
            "description": "What a module of the realm asks for (RFC 9110, section 11.6.1).",
            "schema": dict(TEXT),
        }
    if status == 405:
        heads["Allow"] = {"description": "RFC 9110, section 15.5.6.", "schema": dict(TEXT)}
    return {
        **_refusal(codec.REASONS[status]),
        **({"headers": heads} if heads else {}),
    }


def _refusal(description: str) -> Schema:
    return {"description": description, "content": {JSON: {"schema": ref(ERROR)}}}
