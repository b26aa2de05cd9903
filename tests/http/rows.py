"""One row of the error table: a request to `/rest-sts`, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.model import OPENIDCONNECT, SAML2
from tests.support.door import ELEMENT, user_input

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
XENC = "http://www.w3.org/2001/04/xmlenc#"

# Stand-ins for what exists only once the broker runs; each is replaced where it stands.
LIVE = "<a session of the root realm>"
BOBO = "<a session of the sub realm>"
ENDED = "<a session that was logged out>"
IDLE = "<a session that idled out>"
EXPIRED_JWT = "<an ID token that has expired>"
EXPIRED_ASSERTION = "<an assertion that has expired>"


@dataclass(frozen=True)
class Row:
    """A request to an instance, with ``body`` as JSON or ``data`` as it is, and its status."""

    title: str
    status: int
    body: Any = None
    data: bytes | None = None
    method: str = "POST"
    query: str = "_action=translate"
    instance: str = ELEMENT
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: bool = False
    answer: Mapping[str, Any] | None = None


def translate(title: str, status: int, given: Any = None, wanted: Any = None, **more: Any) -> Row:
    body = {"input_token_state": given, "output_token_state": wanted}
    return Row(title, status, {k: v for k, v in body.items() if v is not None}, **more)


def saml2(title: str, status: int, **options: Any) -> Row:
    return translate(title, status, user_input(), {"token_type": SAML2, **options})


def oidc(title: str, status: int, **options: Any) -> Row:
    return translate(title, status, user_input(), {"token_type": OPENIDCONNECT, **options})


def validate(title: str, status: int, state: Any, **more: Any) -> Row:
    return Row(title, status, {"validated_token_state": state}, query="_action=validate", **more)


def cancel(title: str, status: int, state: Any, **more: Any) -> Row:
    return Row(title, status, {"cancelled_token_state": state}, query="_action=cancel", **more)


def without(state: Mapping[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != member}


def shown_assertion(document: Any) -> dict[str, Any]:
    return {"token_type": SAML2, "saml2_token": document}


def shown_id_token(token: Any) -> dict[str, Any]:
    return {"token_type": OPENIDCONNECT, "oidc_id_token": token}


def encrypted(inside: str) -> str:
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}" xmlns:xenc="{XENC}">{inside}'
        "</saml:EncryptedAssertion>"
    )
