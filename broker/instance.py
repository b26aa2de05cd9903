"""One published STS: what it turns into what, for whom, and signed with which key.

A document (JSON over ``/sts-publish``, or TOML) is decoded to a draft: an :class:`Instance` that
nobody has checked. :func:`compiled` checks every rule and reports all problems at once, keyed by
the field names below; the adapter that knows the document puts its own key names in their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.errors import InvalidInstance
from broker.model import (
    OPENAM,
    OPENIDCONNECT,
    SAML2,
    USERNAME,
    X509,
    Secret,
    TokenType,
    instance_id,
)
from broker.output_options import (
    ACTIVE_KEY,
    DEFAULT_LIFETIME_SECONDS,
    AuthTarget,
    KeyStore,
    OidcEncryption,
    OidcOptions,
    OidcPlugIns,
    Recipient,
    Saml2Encryption,
    Saml2Options,
    Saml2PlugIns,
    SigningKey,
)

__all__ = [
    "ACTIVE_KEY",
    "DEFAULT_LIFETIME_SECONDS",
    "EC_ALGORITHMS",
    "HMAC_ALGORITHMS",
    "KEY_REFERENCES",
    "MAX_LIFETIME_SECONDS",
    "MAX_REQUESTERS",
    "MAX_REQUESTER_LENGTH",
    "MAX_TRANSFORMS",
    "MAX_URL_ELEMENT_LENGTH",
    "MIN_HMAC_SECRET_BYTES",
    "NOTHING",
    "OIDC_ALGORITHMS",
    "REQUESTER_TRANSPORTS",
    "RSA_ALGORITHMS",
    "SAML2_ALGORITHMS",
    "STANDARD_INPUTS",
    "STANDARD_OUTPUTS",
    "STANDARD_TYPES",
    "UNSIGNED",
    "AuthTarget",
    "Instance",
    "KeyStore",
    "OidcEncryption",
    "OidcOptions",
    "OidcPlugIns",
    "Problem",
    "Recipient",
    "Saml2Encryption",
    "Saml2Options",
    "Saml2PlugIns",
    "SigningKey",
    "Transform",
    "compiled",
]

MAX_LIFETIME_SECONDS = 366 * 24 * 3600
MIN_HMAC_SECRET_BYTES = 32  # RFC 7518 section 3.2: at least the hash's size
MAX_URL_ELEMENT_LENGTH = 128
MAX_TRANSFORMS = 256
MAX_REQUESTERS = 256
MAX_REQUESTER_LENGTH = 300  # a user name of a message server, or a kid with its prefix

REQUESTER_TRANSPORTS = ("amqp", "mqtt")
"""The transports whose requesters have names."""

STANDARD_INPUTS = frozenset({USERNAME, OPENAM, X509, OPENIDCONNECT})
STANDARD_OUTPUTS = frozenset({SAML2, OPENIDCONNECT})
STANDARD_TYPES = STANDARD_INPUTS | STANDARD_OUTPUTS

HMAC_ALGORITHMS = frozenset({"HS256"})
RSA_ALGORITHMS = frozenset({"RS256"})
EC_ALGORITHMS = frozenset({"ES256"})
OIDC_ALGORITHMS = HMAC_ALGORITHMS | RSA_ALGORITHMS | EC_ALGORITHMS
SAML2_ALGORITHMS = RSA_ALGORITHMS | EC_ALGORITHMS
UNSIGNED = "NONE"  # publishes, as in the reference, and is refused at issue
KEY_REFERENCES = frozenset({"NONE", "JKU", "JWK", "X5U", "X5C", "X5T", "X5TS256"})


NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Transform:
    """An offered pair; ``invalidate_session`` ends the session that stood behind it."""

    input: TokenType
    output: TokenType
    invalidate_session: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """A published STS, immutable. ``id`` joins realm and URL element: the deployment sub path.

    ``cancel_with_parent``: tokens that it issued from a token of ours are cancelled with that one.
    ``requesters``: by transport, the names of those who alone may ask there. ``auth_targets``: who
    checks each type of input. ``certificate_header``: where a TLS offloader among
    ``offload_hosts`` (addresses, networks, or ``any``) puts a client's certificate; None for the
    certificate of our own TLS connection. ``custom_validators`` and ``custom_providers``: plug-ins
    by the custom token type that they check or issue.
    """

    realm: str
    url_element: str
    transforms: tuple[Transform, ...]
    saml2: Saml2Options | None = None
    oidc: OidcOptions | None = None
    persist_issued_tokens: bool = False
    cancel_with_parent: bool = False
    requesters: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOTHING)
    auth_targets: Mapping[TokenType, AuthTarget] = field(default_factory=lambda: NOTHING)
    certificate_header: str | None = None
    offload_hosts: tuple[str, ...] = ()
    custom_validators: Mapping[TokenType, str] = field(default_factory=lambda: NOTHING)
    custom_providers: Mapping[TokenType, str] = field(default_factory=lambda: NOTHING)
    revision: str = "0"
    # Derived, once: every request asks for them.
    id: str = field(init=False, compare=False)
    offered: Mapping[tuple[TokenType, TokenType], Transform] = field(
        init=False, compare=False, repr=False
    )
    outputs: frozenset[TokenType] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        pairs = {(t.input, t.output): t for t in reversed(self.transforms)}
        object.__setattr__(self, "id", instance_id(self.realm, self.url_element))
        object.__setattr__(self, "offered", MappingProxyType(pairs))
        object.__setattr__(self, "outputs", frozenset(t.output for t in self.transforms))


def compiled(
    draft: Instance,
    *,
    known_inputs: frozenset[TokenType] = frozenset(),
    known_outputs: frozenset[TokenType] = frozenset(),
    allow_short_hmac: bool = False,
) -> Instance:
    """The draft itself, if every rule holds.

    ``known_inputs`` and ``known_outputs`` are the types that handlers were registered for.

    Raises InvalidInstance with every (field, sentence) that is wrong.
    """
    problems = [
        *_place_problems(draft),
        *_transform_problems(draft, known_inputs, known_outputs),
        *_record_problems(draft),
        *_requester_problems(draft),
        *_saml2_problems(draft.saml2),
        *_oidc_problems(draft.oidc, allow_short_hmac),
    ]
    if problems:
        raise InvalidInstance(problems)
    return draft


Problem = tuple[str, str]


def _place_problems(draft: Instance) -> Iterator[Problem]:
    element = draft.url_element
    if not element:
        yield "url_element", "name the instance"
    elif element.startswith("_") or element in (".", ".."):
        yield "url_element", "names that begin with _, and . and .., belong to the protocol"
    elif "/" in element or len(element) > MAX_URL_ELEMENT_LENGTH or not element.isprintable():
        yield (
            "url_element",
            (f"use up to {MAX_URL_ELEMENT_LENGTH} printable characters and no slash"),
        )


def _transform_problems(
    draft: Instance, known_inputs: frozenset[TokenType], known_outputs: frozenset[TokenType]
) -> Iterator[Problem]:
    if not draft.transforms:
        yield "transforms", "offer at least one transform"
    if len(draft.transforms) > MAX_TRANSFORMS:
        yield "transforms", f"offer at most {MAX_TRANSFORMS} transforms"
    for transform in draft.transforms:
        pair = f"{transform.input} to {transform.output}"
        if transform.input not in STANDARD_INPUTS | known_inputs:
            yield "transforms", f"nobody here validates the input of {pair}"
        if transform.output not in STANDARD_OUTPUTS | known_outputs:
            yield "transforms", f"nobody here issues the output of {pair}"
    if SAML2 in draft.outputs and draft.saml2 is None:
        yield "saml2", "a transform to SAML2 needs it"
    if OPENIDCONNECT in draft.outputs and draft.oidc is None:
        yield "oidc", "a transform to OPENIDCONNECT needs it"


def _record_problems(draft: Instance) -> Iterator[Problem]:
    if draft.cancel_with_parent and not draft.persist_issued_tokens:
        yield "cancel_with_parent", "only tokens that are kept can be cancelled; keep them as well"


def _requester_problems(draft: Instance) -> Iterator[Problem]:
    for transport, names in draft.requesters.items():
        if transport not in REQUESTER_TRANSPORTS:
            yield "requesters", f"name requesters for {', '.join(REQUESTER_TRANSPORTS)} alone"
        if len(names) > MAX_REQUESTERS:
            yield "requesters", f"name at most {MAX_REQUESTERS} requesters for a transport"
        if not all(0 < len(n) <= MAX_REQUESTER_LENGTH and n.isprintable() for n in names):
            yield "requesters", f"a name has 1 to {MAX_REQUESTER_LENGTH} printable characters"


def _saml2_problems(options: Saml2Options | None) -> Iterator[Problem]:
    if options is None:
        return
    if not options.audience:
        yield "saml2.audience", "name the service provider the assertions are for"
    if not options.issuer:
        yield "saml2.issuer", "name the issuer"
    yield from _lifetime_problems("saml2.lifetime_seconds", options.lifetime_seconds)
    key = options.signing_key
    if key is not None and key.algorithm not in SAML2_ALGORITHMS:
        yield "saml2.signing_key", f"sign with one of {', '.join(sorted(SAML2_ALGORITHMS))}"


def _oidc_problems(options: OidcOptions | None, allow_short_hmac: bool) -> Iterator[Problem]:
    if options is None:
        return
    if not options.issuer:
        yield "oidc.issuer", "name the issuer"
    if not options.audience or not all(options.audience):
        yield "oidc.audience", "name at least one audience"
    yield from _lifetime_problems("oidc.lifetime_seconds", options.lifetime_seconds)
    if options.public_key_reference not in KEY_REFERENCES:
        yield "oidc.public_key_reference", f"use one of {', '.join(sorted(KEY_REFERENCES))}"
    key = options.signing_key
    if key.algorithm not in OIDC_ALGORITHMS | {UNSIGNED}:
        yield "oidc.algorithm", f"sign with one of {', '.join(sorted(OIDC_ALGORITHMS))}"
    if key.algorithm in HMAC_ALGORITHMS:
        yield from _secret_problems(key.secret, allow_short_hmac)


def _secret_problems(secret: Secret | None, allow_short_hmac: bool) -> Iterator[Problem]:
    size = len(secret.reveal().encode()) if secret else 0
    if not size:
        yield "oidc.client_secret", "an HS algorithm needs a client secret"
    elif size < MIN_HMAC_SECRET_BYTES and not allow_short_hmac:
        yield (
            "oidc.client_secret",
            (
                f"use at least {MIN_HMAC_SECRET_BYTES} bytes (RFC 7518 section 3.2), or name "
                "short-hmac in security.allow_legacy_output"
            ),
        )


def _lifetime_problems(name: str, seconds: int) -> Iterator[Problem]:
    if not 1 <= seconds <= MAX_LIFETIME_SECONDS:
        yield name, f"choose 1 to {MAX_LIFETIME_SECONDS} seconds"
