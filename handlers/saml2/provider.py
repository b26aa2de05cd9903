"""Issues assertions: signed if the instance names a key, encrypted if it names a recipient."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from broker.algorithms import XML_SIGNATURES
from broker.errors import CannotIssue
from broker.instance import Instance, Saml2Options, SigningKey
from broker.model import SAML2, Confirmation, IssuedToken, RequestedToken
from broker.ports import IssueOrder, TokenName
from handlers.members import text_member
from handlers.saml2 import reader, writer
from handlers.saml2.confirmation import parse_confirmation
from handlers.saml2.encryption import encryptor
from handlers.saml2.name_id import NAME_ID_CLAIM, name_id
from handlers.saml2.names import BEARER, UNSPECIFIED, authn_context

ID_PREFIX = "s2"  # an ID is an NCName, which no digit may begin
ID_BYTES = 20


class Saml2Provider:
    """Assertions of SAML 2.0 with one authentication statement.

    ``pseudonym_key`` makes persistent identifiers; without it none are issued.
    """

    token_type = SAML2

    def __init__(self, pseudonym_key: bytes = b"") -> None:
        self._pseudonym_key = pseudonym_key

    def parse(self, requested: RequestedToken, instance: Instance) -> Confirmation:
        """Raises InvalidRequest for the caller's mistakes, CannotIssue for the instance's."""
        confirmation = parse_confirmation(requested.options)
        options = _options(instance)
        if confirmation.method == BEARER and not options.audience:
            raise CannotIssue("this instance names no audience, which a bearer assertion needs")
        key = options.signing_key
        if key is not None and key.algorithm not in XML_SIGNATURES:
            raise CannotIssue(
                "this instance names no algorithm that assertions are signed with here"
            )
        if options.encryption is not None:
            encryptor(options.encryption)
        return confirmation

    def token_id(self, entropy: bytes) -> str:
        """The assertion's ``ID``: 160 random bits (SAML 2.0 core, section 1.3.4)."""
        return ID_PREFIX + entropy[:ID_BYTES].hex()

    def lifetime_seconds(self, instance: Instance) -> int:
        return _options(instance).lifetime_seconds

    def signing_key(self, instance: Instance) -> SigningKey | None:
        return _options(instance).signing_key

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        """What the attributes say and, where that is an attribute too, the NameID."""
        options = _options(instance)
        if options.name_id_attribute is None:
            return options.attribute_map
        return {**options.attribute_map, NAME_ID_CLAIM: options.name_id_attribute}

    def persists(self, instance: Instance) -> bool:
        return instance.persist_issued_tokens

    async def issue(self, order: IssueOrder) -> IssuedToken:
        """Raises InvalidRequest for a value that XML cannot hold, CannotIssue for one too long."""
        options = _options(order.instance)
        if order.signer is None and options.signing_key is not None:
            raise CannotIssue("this instance has no key to sign assertions with")
        subject = self._subject(options, order)
        written = await writer.assertion(options, _content(options, order, subject), order.signer)
        document = written.text.encode()
        if len(document) > reader.MAX_ASSERTION_LENGTH:
            raise CannotIssue(
                f"the assertion would be longer than {reader.MAX_ASSERTION_LENGTH} bytes"
            )
        token_id = order.claim.token_id
        if written.cipher_value is None:
            named = TokenName(token_id, hashlib.sha256(document).digest())
        else:
            named = reader.encrypted_name(written.cipher_value.encode())
        return IssuedToken(
            type=SAML2,
            token_id=token_id,
            alias=named.alias,
            digest=named.digest,
            body={"issued_token": written.text},
        )

    def _subject(self, options: Saml2Options, order: IssueOrder) -> str:
        if order.mapped.subject is not None:
            return order.mapped.subject.name_id
        return name_id(options, order.principal, order.claim, order.claims, self._pseudonym_key)

    def name(self, state: Mapping[str, Any]) -> TokenName:
        return reader.name(
            text_member(state, "saml2_token", reader.MAX_ASSERTION_LENGTH, may_be_empty=True)
        )


def _content(options: Saml2Options, order: IssueOrder, subject: str) -> writer.Content:
    attributes = order.claims.values
    if options.name_id_attribute is not None:
        attributes = {key: found for key, found in attributes.items() if key != NAME_ID_CLAIM}
    if order.principal.session_properties and options.plug_ins.attribute_mapper is None:
        attributes = _with_session(options, order.principal.session_properties, attributes)
    return writer.Content(
        id=order.claim.token_id,
        issued_at=order.claim.issued_at,
        expires_at=order.expires_at,
        authenticated_at=_authenticated_at(options, order),
        subject=subject,
        confirmation=order.options,
        authn_context=_authn_context(options, order),
        attributes=attributes,
        mapped=order.mapped,
    )


def _with_session(
    options: Saml2Options, properties: Mapping[str, str], found: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    """As in the reference a property of the session stands in for an attribute that the profile
    lacks. What the map marks, as fixed text or binary, is never the name of one."""
    return {
        key: found.get(key) or (properties[source],)
        for key, source in options.attribute_map.items()
        if key in found or source in properties
    }


def _authn_context(options: Saml2Options, order: IssueOrder) -> str:
    """The word of a plug-in counts, even if it is that nothing can be said."""
    if order.mapped.authn_context is not None:
        return order.mapped.authn_context or UNSPECIFIED
    return authn_context(order.principal.method, options.authn_contexts)


def _authenticated_at(options: Saml2Options, order: IssueOrder) -> int:
    """As in the reference the time of issue, unless the instance wants that of the login."""
    if not options.authn_instant_is_login:
        return order.claim.issued_at
    return order.principal.authenticated_at


def _options(instance: Instance) -> Saml2Options:
    if instance.saml2 is None:
        raise CannotIssue("this instance is not set up to issue assertions")
    return instance.saml2
