"""``[saml2]``: options for assertions in TOML.

::

    [saml2]
    issuer = "https://sts.example.com"
    audience = "https://sp.example.com"
    signing_key = "RS256"            # leave out for unsigned; see toml_keys
    digest = "sha256"                # of the signature; that of the algorithm if left out
    authn_instant = "login"          # or issue
    authn_contexts = { USERNAME = "urn:…:Password" }

    [saml2.encryption]
    assertion = true                 # or attributes, or name_id, or both of these
    certificate = '''-----BEGIN CERTIFICATE-----…'''     # or an alias in the key store
    algorithm = "aes256-gcm"
    key_transport = "rsa-oaep-mgf1p"
    digest = "sha256"                # of rsa-oaep; its standard one if left out

    [saml2.plug_ins]
    attribute_mapper = "…"
"""

from __future__ import annotations

from adapters.instances import forgerock_saml2
from adapters.instances.members import Members
from adapters.instances.toml_keys import key_store, signing_key
from broker.algorithms import (
    CIPHER_URIS,
    DEFAULT_CIPHER,
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
from broker.model import TokenType

PLUG_INS = tuple(Saml2PlugIns.__slots__)


def decode(members: Members) -> Saml2Options:
    """The options in the section. What is wrong goes to its problems."""
    members.only(
        *("issuer", "audience", "recipient", "name_id_format", "lifetime_seconds"),
        *("attribute_map", "signing_key", "key_store", "digest", "encryption"),
        *("authn_contexts", "plug_ins", "name_id_attribute", "name_id_is_label"),
        "authn_instant",
    )
    own = key_store(members)
    digest = short(members.text("digest"), XML_DIGESTS)
    plug_ins = members.section("plug_ins")
    plug_ins.only(*PLUG_INS)
    return Saml2Options(
        issuer=members.text("issuer"),
        audience=members.text("audience"),
        recipient=members.optional("recipient"),
        name_id_format=members.optional("name_id_format"),
        lifetime_seconds=members.whole("lifetime_seconds", DEFAULT_LIFETIME_SECONDS),
        attribute_map=members.text_map("attribute_map"),
        signing_key=_key(members, own),
        digest=digest or None,
        encryption=_encryption(members, own),
        authn_contexts={
            TokenType(name): value.strip()
            for name, value in members.text_map("authn_contexts").items()
        },
        plug_ins=Saml2PlugIns(**{name: plug_ins.optional(name) for name in PLUG_INS}),
        name_id_attribute=members.optional("name_id_attribute"),
        name_id_is_label=members.flag("name_id_is_label"),
        authn_instant_is_login=forgerock_saml2.authn_instant_is_login(
            members, "authn_instant", forgerock_saml2.LOGIN
        ),
    )


def _key(members: Members, own: KeyStore | None) -> SigningKey | None:
    named, _, alias = members.text("signing_key").partition(" ")
    return signing_key(f"{short(named, XML_SIGNATURES)} {alias}", own) if named else None


def _encryption(members: Members, own: KeyStore | None) -> Saml2Encryption | None:
    if not members.given("encryption"):
        return None
    wanted = members.section("encryption")
    wanted.only(
        *("assertion", "attributes", "name_id", "certificate", "alias", "key_store"),
        *("algorithm", "key_transport", "digest"),
    )
    parts = {name: wanted.flag(name) for name in ("assertion", "attributes", "name_id")}
    if not any(parts.values()):
        wanted.wrong("assertion", f"encrypt something: set one of {', '.join(parts)}")
        return None
    transport = wanted.text("key_transport")
    digest = wanted.text("digest")
    return Saml2Encryption(
        recipient=_recipient(wanted, own),
        algorithm=uri(wanted.text("algorithm"), CIPHER_URIS) or DEFAULT_CIPHER,
        key_transport=uri(transport, XML_KEY_TRANSPORTS) or RSA_OAEP_MGF1P,
        digest=uri(digest, XML_DIGESTS) if digest else None,
        **parts,
    )


def _recipient(wanted: Members, own: KeyStore | None) -> Recipient:
    alias, certificate = wanted.text("alias"), wanted.certificate("certificate")
    if certificate is not None:
        if alias:
            wanted.wrong("certificate", "give the certificate or the alias of one, not both")
        return Recipient(certificate=certificate)
    other = key_store(wanted)
    if other is None and own is not None:
        other = KeyStore(own.location, own.password)
    return Recipient(alias, other)
