"""How an instance writes what it issues, and with which keys: the parts of an ``Instance``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.model import Secret, TokenType

DEFAULT_LIFETIME_SECONDS = 600
ACTIVE_KEY = "active"


@dataclass(frozen=True, slots=True)
class KeyStore:
    """A file with keys of an instance's own, below the folder that settings name.

    ``password`` opens the file, ``key_password`` the key in it; None where there is none.
    """

    location: str
    password: Secret | None = None
    key_password: Secret | None = None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Which key signs: the realm's active one of that kind, one by ``kid``, a secret, or the one
    called ``alias`` in a key store."""

    algorithm: str
    alias: str = ACTIVE_KEY
    secret: Secret | None = None
    store: KeyStore | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose key opens what is encrypted: the certificate called ``alias`` in a key store, or the
    certificate itself (DER)."""

    alias: str = ""
    store: KeyStore | None = None
    certificate: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Saml2Encryption:
    """What of an assertion is encrypted, and how (SAML 2.0 core, section 6).

    The whole assertion excludes the parts. ``algorithm``, ``key_transport`` and ``digest`` (of
    RSA-OAEP; None for its standard one) are the URIs of XML Encryption 1.1, section 5.
    """

    recipient: Recipient
    algorithm: str
    key_transport: str
    digest: str | None = None
    assertion: bool = False
    attributes: bool = False
    name_id: bool = False


@dataclass(frozen=True, slots=True)
class Saml2PlugIns:
    """The names of plug-ins that write a part of an assertion; None where our own does."""

    conditions: str | None = None
    subject: str | None = None
    authentication_statements: str | None = None
    attribute_statements: str | None = None
    authz_decision_statements: str | None = None
    attribute_mapper: str | None = None
    authn_context_mapper: str | None = None


@dataclass(frozen=True, slots=True)
class Saml2Options:
    """How this instance writes assertions. ``signing_key`` None means unsigned.

    ``digest`` is the hash of the signature's reference; None for that of the signing algorithm.
    ``authn_contexts`` names the AuthnContextClassRef by input type, where the standard one is not
    wanted. ``name_id_attribute`` is the local attribute that the NameID comes from; None for the
    principal's name. ``name_id_is_label`` says that a persistent or transient format is but a label
    on it. ``authn_instant_is_login`` gives the time of the login, and not that of issue, as
    AuthnInstant.
    """

    issuer: str
    audience: str
    recipient: str | None = None
    name_id_format: str | None = None
    lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS
    attribute_map: Mapping[str, str] = field(default_factory=dict)
    signing_key: SigningKey | None = None
    digest: str | None = None
    encryption: Saml2Encryption | None = None
    authn_contexts: Mapping[TokenType, str] = field(default_factory=dict)
    plug_ins: Saml2PlugIns = Saml2PlugIns()
    name_id_attribute: str | None = None
    name_id_is_label: bool = False
    authn_instant_is_login: bool = False


@dataclass(frozen=True, slots=True)
class OidcEncryption:
    """How ID tokens are encrypted (JWE, RFC 7516): to one public key, after being signed.

    ``key`` is a public JWK; ``algorithm`` and ``content`` are JWE's ``alg`` and ``enc``.
    """

    key: Mapping[str, str]
    algorithm: str
    content: str


@dataclass(frozen=True, slots=True)
class OidcPlugIns:
    """The names of plug-ins that give claims; None where our own do."""

    claim_mapper: str | None = None
    authn_context_mapper: str | None = None
    authn_methods_mapper: str | None = None


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """How this instance writes ID tokens.

    ``authn_contexts`` and ``authn_methods`` name ``acr`` and ``amr`` by input type.
    """

    issuer: str
    audience: tuple[str, ...]
    signing_key: SigningKey
    authorized_party: str | None = None
    lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS
    claim_map: Mapping[str, str] = field(default_factory=dict)
    public_key_reference: str = "NONE"
    multi_valued_as_array: bool = False
    encryption: OidcEncryption | None = None
    authn_contexts: Mapping[TokenType, str] = field(default_factory=dict)
    authn_methods: Mapping[TokenType, tuple[str, ...]] = field(default_factory=dict)
    plug_ins: OidcPlugIns = OidcPlugIns()


@dataclass(frozen=True, slots=True)
class AuthTarget:
    """Who checks input of a type: a chain (``service``) or a module, with words for it.

    ``context`` is the mapping context: what the module or a custom validator is told, such as
    the name of the header that carries the token.
    """

    index_type: str
    index_value: str
    context: Mapping[str, str] = field(default_factory=dict)
