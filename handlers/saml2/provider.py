"""Issues assertions, signed if the instance names a key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from broker.errors import CannotIssue
from broker.instance import Instance, Saml2Options, SigningKey
from broker.model import SAML2, Confirmation, IssuedToken, RequestedToken
from broker.ports import IssueOrder, TokenName
from handlers.members import text_member
from handlers.saml2 import reader, writer
from handlers.saml2.confirmation import parse_confirmation
from handlers.saml2.names import BEARER, SIGNATURE_METHODS, authn_context

ID_PREFIX = "s2"  # an ID is an NCName, which no digit may begin
ID_BYTES = 20


class Saml2Provider:
    """Assertions of SAML 2.0 with one authentication statement."""

    token_type = SAML2

    def parse(self, requested: RequestedToken, instance: Instance) -> Confirmation:
        """Raises InvalidRequest for the caller's mistakes, CannotIssue for the instance's."""
        confirmation = parse_confirmation(requested.options)
        options = _options(instance)
        if confirmation.method == BEARER and not options.audience:
            raise CannotIssue("this instance names no audience, which a bearer assertion needs")
        key = options.signing_key
        if key is not None and key.algorithm not in SIGNATURE_METHODS:
            raise CannotIssue(
                "this instance names no algorithm that assertions are signed with here"
            )
        return confirmation

    def token_id(self, entropy: bytes) -> str:
        """The assertion's ``ID``: 160 random bits (SAML 2.0 core, section 1.3.4)."""
        return ID_PREFIX + entropy[:ID_BYTES].hex()

    def lifetime_seconds(self, instance: Instance) -> int:
        return _options(instance).lifetime_seconds

    def signing_key(self, instance: Instance) -> SigningKey | None:
        return _options(instance).signing_key

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        return _options(instance).attribute_map

    def persists(self, instance: Instance) -> bool:
        return instance.persist_issued_tokens

    async def issue(self, order: IssueOrder) -> IssuedToken:
        """Raises InvalidRequest for a value that XML cannot hold, CannotIssue for one too long."""
        options = _options(order.instance)
        if order.signer is None and options.signing_key is not None:
            raise CannotIssue("this instance has no key to sign assertions with")
        content = writer.Content(
            id=order.claim.token_id,
            issued_at=order.claim.issued_at,
            expires_at=order.expires_at,
            subject=order.principal.name,
            confirmation=order.options,
            authn_context=authn_context(order.principal.method),
            attributes=order.claims.values,
        )
        written = await writer.assertion(options, content, order.signer)
        if len(written) > reader.MAX_ASSERTION_LENGTH:
            raise CannotIssue(
                f"the assertion would be longer than {reader.MAX_ASSERTION_LENGTH} bytes"
            )
        return IssuedToken(
            type=SAML2,
            token_id=content.id,
            alias=content.id,
            digest=hashlib.sha256(written).digest(),
            body={"issued_token": written.decode()},
        )

    def name(self, state: Mapping[str, Any]) -> TokenName:
        return reader.name(
            text_member(state, "saml2_token", reader.MAX_ASSERTION_LENGTH, may_be_empty=True)
        )


def _options(instance: Instance) -> Saml2Options:
    if instance.saml2 is None:
        raise CannotIssue("this instance is not set up to issue assertions")
    return instance.saml2
