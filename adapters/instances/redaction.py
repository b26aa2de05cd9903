"""Secrets in an ``instance_state``: hidden in what is read, kept in what is written back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from broker.errors import InvalidInstance

REDACTED = "(unchanged)"
TRANSFORM_LISTS = ("supported-token-transforms", "custom-token-transforms")
FLAG = "invalidateInterimOpenAMSession"
SECRET_KEYS = frozenset(
    {
        "saml2-keystore-password",
        "saml2-signature-key-password",
        "saml2-encryption-keystore-password",
        "oidc-keystore-password",
        "oidc-signature-key-password",
        "oidc-client-secret",
    }
)


def shown(state: Mapping[str, Any]) -> dict[str, Any]:
    """The document as a read answers it: scalars as strings, secrets hidden."""
    result: dict[str, Any] = {}
    for key, value in state.items():
        if key in SECRET_KEYS and value:
            result[key] = REDACTED
        elif key in TRANSFORM_LISTS and isinstance(value, list):
            result[key] = _transforms(value)
        elif isinstance(value, Mapping):
            result[key] = shown(value)
        elif isinstance(value, list):
            result[key] = [shown(v) if isinstance(v, Mapping) else v for v in value]
        elif value is None:
            result[key] = value
        else:
            result[key] = text(value)
    return result


def _transforms(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each pair once, the first of equal ones, with the only real boolean of this wire (3.4)."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        pair = text(entry.get("inputTokenType")), text(entry.get("outputTokenType"))
        flag = text(entry.get(FLAG)).strip().lower() == "true"
        found.setdefault(pair, {**entry, FLAG: flag})
    return list(found.values())


def with_kept_secrets(state: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document with each hidden secret put back from ``old``.

    Raises InvalidInstance naming a hidden secret that was never there.
    """
    problems: list[tuple[str, str]] = []
    result = _restored(state, old or {}, problems)
    if problems:
        raise InvalidInstance(problems)
    return result


def _restored(
    state: Mapping[str, Any], old: Mapping[str, Any], problems: list[tuple[str, str]]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in state.items():
        before = old.get(key)
        if isinstance(value, Mapping):
            inner = before if isinstance(before, Mapping) else {}
            result[key] = _restored(value, inner, problems)
        elif key in SECRET_KEYS and value == REDACTED:
            if not before:
                problems.append((key, "there is no secret to keep; write one"))
            result[key] = before
        else:
            result[key] = value
    return result


def text(value: Any) -> str:
    """A scalar as this wire writes it: always a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)
