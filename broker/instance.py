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

from broker.algorithms import (
    DEFAULT_LEGACY,
    EC_ALGORITHMS,
    HMAC_ALGORITHMS,
    OIDC_ALGORITHMS,
    RSA_ALGORITHMS,
    SAML2_ALGORITHMS,
    UNSIGNED,
)
from broker.errors import InvalidInstance
from broker.instance_rules import (
    MAX_REQUESTER_LENGTH,
    MAX_REQUESTERS,
    MAX_TRANSFORMS,
    MAX_URL_ELEMENT_LENGTH,
    REQUESTER_TRANSPORTS,
    STANDARD_INPUTS,
    STANDARD_OUTPUTS,
    STANDARD_TYPES,
    Known,
    PlugInCheck,
    no_plug_ins,
    problems_of,
)
from broker.model import OPENIDCONNECT, SAML2, TokenType, instance_id
from broker.option_rules import KEY_REFERENCES, MAX_LIFETIME_SECONDS
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
    "PlugInCheck",
    "Recipient",
    "Saml2Encryption",
    "Saml2Options",
    "Saml2PlugIns",
    "SigningKey",
    "Transform",
    "compiled",
    "no_plug_ins",
]

NOTHING: Mapping[Any, Any] = MappingProxyType({})
NO_SAML2_PLUG_INS = Saml2PlugIns()
NO_OIDC_PLUG_INS = OidcPlugIns()


@dataclass(frozen=True, slots=True)
class Transform:
    """An offered pair; ``invalidate_session`` ends the session that stood behind it."""

    input: TokenType
    output: TokenType
    invalidate_session: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """A published STS, immutable. ``id`` joins realm and URL element: the deployment sub path.

    ``keep_issued_tokens``: their records hold the tokens themselves, sealed.
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
    keep_issued_tokens: bool = False
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
    plugged: frozenset[TokenType] = field(init=False, compare=False, repr=False)
    """The outputs that a plug-in has a say in."""
    prepared: dict[Any, Any] = field(init=False, compare=False, repr=False)
    """What others worked out of it once (``broker.route``); it goes with the instance."""

    def __post_init__(self) -> None:
        pairs = {(t.input, t.output): t for t in reversed(self.transforms)}
        object.__setattr__(self, "id", instance_id(self.realm, self.url_element))
        object.__setattr__(self, "offered", MappingProxyType(pairs))
        object.__setattr__(self, "outputs", frozenset(t.output for t in self.transforms))
        object.__setattr__(self, "plugged", frozenset(self._plugged()))
        object.__setattr__(self, "prepared", {})

    def _plugged(self) -> Iterator[TokenType]:
        yield from self.custom_providers
        if self.saml2 is not None and self.saml2.plug_ins != NO_SAML2_PLUG_INS:
            yield SAML2
        if self.oidc is not None and self.oidc.plug_ins != NO_OIDC_PLUG_INS:
            yield OPENIDCONNECT


def compiled(
    draft: Instance,
    *,
    known_inputs: frozenset[TokenType] = frozenset(),
    known_outputs: frozenset[TokenType] = frozenset(),
    allow_legacy: frozenset[str] = DEFAULT_LEGACY,
    plug_in_problem: PlugInCheck = no_plug_ins,
) -> Instance:
    """The draft itself, if every rule holds.

    ``known_inputs`` and ``known_outputs`` are the types that handlers were registered for,
    ``allow_legacy`` the weak outputs that settings allow by name (``algorithms.LEGACY``).
    ``plug_in_problem`` says what is wrong with a plug-in that the draft names.

    Raises InvalidInstance with every (field, sentence) that is wrong.
    """
    known = Known(known_inputs, known_outputs, allow_legacy, plug_in_problem)
    problems = list(problems_of(draft, known))
    if problems:
        raise InvalidInstance(problems)
    return draft
