"""``saml2-config``: how the ForgeRock publish service writes options for assertions (3.6).

Keys of our own: ``saml2-signature-algorithm`` and ``saml2-digest-algorithm`` of the signature,
``saml2-key-transport-algorithm`` and ``saml2-key-transport-digest`` of encryption,
``saml2-encryption-certificate`` in place of an alias, a key store of its own for that alias
(``saml2-encryption-keystore-filename`` and ``…-password``), ``saml2-authn-context-map``,
``saml2-name-id-attribute``, ``saml2-name-id-is-label`` and ``saml2-authn-instant`` (``issue``, or
``login``).
"""

from __future__ import annotations

from typing import Any

from adapters.instances.forgerock_keys import (
    OWN_KEY_RING,
    by_type,
    location,
    plug_ins,
    revealed,
    signing_key,
    store,
    without_nothing,
)
from adapters.instances.members import Members
from adapters.instances.redaction import text
from adapters.instances.written_certificate import written_certificate
from broker.algorithms import (
    CIPHER_BITS,
    CIPHER_URIS,
    RSA_OAEP_MGF1P,
    XML_DIGESTS,
    XML_KEY_TRANSPORTS,
    XML_SIGNATURES,
    short,
    uri,
)
from broker.instance import (
    DEFAULT_LIFETIME_SECONDS,
    KeyStore,
    Recipient,
    Saml2Encryption,
    Saml2Options,
    Saml2PlugIns,
    SigningKey,
)

DEFAULT_SIGNATURE = "RS256"
ISSUE, LOGIN = "issue", "login"
PLUG_INS = {
    "conditions": "saml2-custom-conditions-provider-class-name",
    "subject": "saml2-custom-subject-provider-class-name",
    "authentication_statements": "saml2-custom-authentication-statements-provider-class-name",
    "attribute_statements": "saml2-custom-attribute-statements-provider-class-name",
    "authz_decision_statements": "saml2-custom-authz-decision-statements-provider-class-name",
    "attribute_mapper": "saml2-custom-attribute-mapper-class-name",
    "authn_context_mapper": "saml2-custom-authn-context-mapper-class-name",
}
KEYS = {
    "saml2": "saml2-config",
    "saml2.audience": "saml2-sp-entity-id",
    "saml2.issuer": "issuer-name",
    "saml2.lifetime_seconds": "saml2-token-lifetime-seconds",
    "saml2.attribute_map": "saml2-attribute-map",
    "saml2.signing_key": "saml2-signature-algorithm",
    "saml2.digest": "saml2-digest-algorithm",
    "saml2.name_id_attribute": "saml2-name-id-attribute",
    "saml2.key_alias": "saml2-signature-key-alias",
    "saml2.key_password": "saml2-signature-key-password",
    "saml2.key_store": "saml2-keystore-filename",
    "saml2.key_store.password": "saml2-keystore-password",
    "saml2.encryption.assertion": "saml2-encrypt-assertion",
    "saml2.encryption.algorithm": "saml2-encryption-algorithm",
    "saml2.encryption.key_transport": "saml2-key-transport-algorithm",
    "saml2.encryption.digest": "saml2-key-transport-digest",
    "saml2.encryption.alias": "saml2-encryption-key-alias",
    "saml2.encryption.certificate": "saml2-encryption-certificate",
    "saml2.encryption.key_store": "saml2-encryption-keystore-filename",
    "saml2.encryption.key_store.password": "saml2-encryption-keystore-password",
    **{f"saml2.plug_ins.{member}": key for member, key in PLUG_INS.items()},
}


def decode(members: Members) -> Saml2Options:
    """The options in the section. What is wrong goes to its problems."""
    own = store(
        members,
        "saml2-keystore-filename",
        "saml2-keystore-password",
        "saml2-signature-key-password",
    )
    digest = short(members.text("saml2-digest-algorithm"), XML_DIGESTS)
    return Saml2Options(
        issuer=members.text("issuer-name"),
        audience=members.text("saml2-sp-entity-id"),
        recipient=members.optional("saml2-sp-acs-url"),
        name_id_format=members.optional("saml2-name-id-format"),
        lifetime_seconds=members.whole("saml2-token-lifetime-seconds", DEFAULT_LIFETIME_SECONDS),
        attribute_map=members.text_map("saml2-attribute-map"),
        signing_key=_key(members, own) if members.flag("saml2-sign-assertion") else None,
        digest=digest or None,
        encryption=_encryption(members, own),
        authn_contexts=by_type(members, "saml2-authn-context-map"),
        plug_ins=Saml2PlugIns(**plug_ins(members, PLUG_INS)),
        name_id_attribute=members.optional("saml2-name-id-attribute"),
        name_id_is_label=members.flag("saml2-name-id-is-label"),
        authn_instant_is_login=authn_instant_is_login(members, "saml2-authn-instant", ISSUE),
    )


def authn_instant_is_login(members: Members, key: str, default: str) -> bool:
    """Whether ``AuthnInstant`` is the time of the login, not that of issue."""
    named = members.text(key, default)
    if named not in (ISSUE, LOGIN):
        members.wrong(key, f"write {ISSUE} or {LOGIN}")
    return named == LOGIN


def _key(members: Members, own: KeyStore | None) -> SigningKey:
    named = members.text("saml2-signature-algorithm", DEFAULT_SIGNATURE)
    return signing_key(members, short(named, XML_SIGNATURES), "saml2-signature-key-alias", own)


def _encryption(members: Members, own: KeyStore | None) -> Saml2Encryption | None:
    assertion = members.flag("saml2-encrypt-assertion")
    attributes = members.flag("saml2-encrypt-attributes")
    name_id = members.flag("saml2-encrypt-nameid")
    strength = members.whole("saml2-encryption-algorithm-strength", 0)
    if not (assertion or attributes or name_id):
        return None
    algorithm = uri(members.text("saml2-encryption-algorithm"), CIPHER_URIS)
    if strength and strength != CIPHER_BITS.get(algorithm, strength):
        said = f"the algorithm has keys of {CIPHER_BITS[algorithm]} bits; write that, or 0"
        members.wrong("saml2-encryption-algorithm-strength", said)
    transport = members.text("saml2-key-transport-algorithm", RSA_OAEP_MGF1P)
    digest = members.text("saml2-key-transport-digest")
    return Saml2Encryption(
        recipient=_recipient(members, own),
        algorithm=algorithm,
        key_transport=uri(transport, XML_KEY_TRANSPORTS),
        digest=uri(digest, XML_DIGESTS) if digest else None,
        assertion=assertion,
        attributes=attributes,
        name_id=name_id,
    )


def _recipient(members: Members, own: KeyStore | None) -> Recipient:
    alias = members.text("saml2-encryption-key-alias")
    certificate = members.certificate("saml2-encryption-certificate")
    if certificate is not None:
        if alias:
            said = "give the certificate or the alias of one, not both"
            members.wrong("saml2-encryption-certificate", said)
        return Recipient(certificate=certificate)
    other = store(
        members, "saml2-encryption-keystore-filename", "saml2-encryption-keystore-password"
    )
    if other is None and own is not None:
        other = KeyStore(own.location, own.password)
    return Recipient(alias, other)


def encode(options: Saml2Options) -> dict[str, Any]:
    """The options as the section."""
    key, wanted = options.signing_key, options.encryption
    return {
        "issuer-name": options.issuer,
        "saml2-sp-entity-id": options.audience,
        "saml2-sp-acs-url": options.recipient,
        "saml2-name-id-format": options.name_id_format,
        "saml2-token-lifetime-seconds": str(options.lifetime_seconds),
        "saml2-attribute-map": dict(options.attribute_map),
        "saml2-sign-assertion": text(key is not None),
        "saml2-signature-algorithm": key.algorithm if key else None,
        "saml2-keystore-filename": location(key) if key else None,
        "saml2-signature-key-alias": key.alias if key else None,
        "saml2-encrypt-assertion": text(wanted is not None and wanted.assertion),
        "saml2-encrypt-attributes": text(wanted is not None and wanted.attributes),
        "saml2-encrypt-nameid": text(wanted is not None and wanted.name_id),
        "saml2-encryption-algorithm-strength": "0",
        **without_nothing(
            {
                **(_encoded_store(key.store) if key and key.store else {}),
                "saml2-digest-algorithm": options.digest,
                "saml2-name-id-attribute": options.name_id_attribute,
                "saml2-name-id-is-label": "true" if options.name_id_is_label else None,
                "saml2-authn-instant": LOGIN if options.authn_instant_is_login else None,
                "saml2-authn-context-map": dict(options.authn_contexts),
                **{key: getattr(options.plug_ins, member) for member, key in PLUG_INS.items()},
            }
        ),
        **(_encoded_encryption(wanted, key) if wanted is not None else {}),
    }


def _encoded_store(own: KeyStore) -> dict[str, Any]:
    return {
        "saml2-keystore-filename": own.location,
        "saml2-keystore-password": revealed(own.password),
        "saml2-signature-key-password": revealed(own.key_password),
    }


def _encoded_encryption(wanted: Saml2Encryption, key: SigningKey | None) -> dict[str, Any]:
    recipient = wanted.recipient
    state = {
        "saml2-encryption-algorithm": wanted.algorithm,
        "saml2-encryption-algorithm-strength": str(CIPHER_BITS.get(wanted.algorithm, 0)),
        "saml2-key-transport-algorithm": wanted.key_transport,
        "saml2-key-transport-digest": wanted.digest,
        "saml2-encryption-key-alias": recipient.alias,
        **_encoded_recipient_store(recipient, key),
    }
    if recipient.certificate is not None:
        state["saml2-encryption-certificate"] = written_certificate(recipient.certificate)
    return without_nothing(state)


def _encoded_recipient_store(recipient: Recipient, key: SigningKey | None) -> dict[str, Any]:
    """The section's own key store where that is the same, or nothing signs; else one beside it."""
    own, other = key.store if key else None, recipient.store
    if other is None or (own is not None and own.location == other.location):
        return {}
    if key is None:
        return _encoded_store(other)
    return {
        "saml2-encryption-keystore-filename": other.location,
        "saml2-encryption-keystore-password": revealed(other.password),
    }


__all__ = ["KEYS", "OWN_KEY_RING", "PLUG_INS", "decode", "encode"]
