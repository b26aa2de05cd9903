"""Plug-ins: what they are told, what they answer, and how the core reaches them.

A plug-in is an object with one method, which takes one of the frozen values below and may be a
coroutine or a plain function. It refuses by raising an error of ``broker.errors``; its sentence
goes to the caller and must hold no secret. Whatever else it raises is its own failure.

What it answers must depend on nothing but what it is told: a request that is tried again asks it
again, and must get the same token (docs/plug-ins.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, TypeVar

from broker.instance import AuthTarget, OidcOptions, Saml2Options
from broker.model import (
    Principal,
    ReceivedToken,
    RequestedToken,
    Secret,
    VerifiedClaims,
)
from broker.statements import (
    AttributeStatement,
    AuthnStatement,
    AuthzDecisionStatement,
    Conditions,
    Subject,
)

HEADER_SUFFIX = "header_key"
COOKIE_SUFFIX = "cookie_key"

T = TypeVar("T")
Answered: TypeAlias = T | Awaitable[T]

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CustomInput:
    """A custom token that nobody has checked yet, as a custom validator is told of it.

    ``token.unverified`` is the input state as the caller sent it. ``context`` is the mapping
    context of the instance's authentication target for the type; ``values`` are those of the
    header and the cookie that it names, by its key, where the request had them. ``now`` is in
    seconds since the epoch.
    """

    instance: str
    realm: str
    token: ReceivedToken
    now: int
    context: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    values: Mapping[str, Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Validated:
    """Who a custom token speaks for. One of three:

    - with ``session_id``: the user of that session, which must stand;
    - with ``local``: the user ``name`` of the instance's realm, who must exist and be active;
    - otherwise a subject that the plug-in alone knows. It is called ``name`` in what is issued, and
      is nobody of ours, whatever it is called.

    ``attributes`` take the place of the profile. ``not_after`` (seconds since the epoch) bounds
    what is issued; ``authenticated_at`` defaults to now. ``state`` is handed to custom providers as
    it is.
    """

    name: str | None = None
    session_id: Secret | None = None
    local: bool = False
    attributes: Mapping[str, Sequence[str]] | None = field(default=None, repr=False)
    not_after: int | None = None
    authenticated_at: int | None = None
    state: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Translation:
    """What a custom provider or a mapper is told: all of a translation but its key.

    ``principal.attributes`` are those of its profile; ``principal.state`` is what a custom
    validator added. ``input`` and ``output`` are the states as they were sent. ``options`` are
    those of the instance for this output, None for a custom one; ``claims`` what its map gives. The
    times are seconds since the epoch, fixed when the request was first taken up, as is
    ``token_id``: what is issued may use these, and neither clock nor random.
    """

    instance: str
    realm: str
    principal: Principal
    input: ReceivedToken
    output: RequestedToken
    token_id: str
    issued_at: int
    expires_at: int
    options: Saml2Options | OidcOptions | None = None
    claims: VerifiedClaims = field(default_factory=lambda: VerifiedClaims({}))


class TokenCheck(Protocol):
    """A custom validator: group ``remint.custom_validators``."""

    def validate(self, given: CustomInput) -> Answered[Validated | None]:
        """Who the token speaks for. None is refused with 409."""


class TokenIssue(Protocol):
    """A custom provider: group ``remint.custom_providers``."""

    def issue(self, order: Translation) -> Answered[Any]:
        """The answer to the caller: any JSON value, by convention with ``issued_token``."""


class AttributeMapper(Protocol):
    """Attributes of assertions: group ``remint.mappers``."""

    def attributes(self, order: Translation) -> Answered[Mapping[str, str | Sequence[str]]]:
        """Values by ``Name`` or ``NameFormat|Name``, in the place of the attribute map."""


class ClaimMapper(Protocol):
    """Claims of ID tokens: group ``remint.mappers``."""

    def claims(self, order: Translation) -> Answered[Mapping[str, str | Sequence[str]]]:
        """Values by claim, in the place of the claim map; registered claims are left out."""


class AuthnContextMapper(Protocol):
    """The AuthnContextClassRef of assertions, or ``acr``: group ``remint.mappers``."""

    def authn_context(self, order: Translation) -> Answered[str | None]:
        """None says nothing: no ``acr``, and the class ``unspecified``."""


class AuthnMethodsMapper(Protocol):
    """``amr`` of ID tokens: group ``remint.mappers``."""

    def authn_methods(self, order: Translation) -> Answered[Sequence[str]]:
        """Names of RFC 8176; empty for no ``amr``."""


class StatementWriter(Protocol):
    """Parts of assertions: group ``remint.statements``. A plug-in has those of these methods that
    instances name it for."""

    def conditions(self, order: Translation) -> Answered[Conditions]: ...

    def subject(self, order: Translation) -> Answered[Subject]: ...

    def authentication_statements(
        self, order: Translation
    ) -> Answered[Sequence[AuthnStatement]]: ...

    def attribute_statements(
        self, order: Translation
    ) -> Answered[Sequence[AttributeStatement]]: ...

    def authz_decision_statements(
        self, order: Translation
    ) -> Answered[Sequence[AuthzDecisionStatement]]: ...


@dataclass(frozen=True, slots=True)
class Role:
    """What a plug-in is named for: the group of its entry point, and the method it needs."""

    group: str
    method: str


VALIDATOR = "custom_validators"
PROVIDER = "custom_providers"

_STATEMENTS = (
    "conditions",
    "subject",
    "authentication_statements",
    "attribute_statements",
    "authz_decision_statements",
)

ROLES: Mapping[str, Role] = {
    VALIDATOR: Role("remint.custom_validators", "validate"),
    PROVIDER: Role("remint.custom_providers", "issue"),
    **{f"saml2.plug_ins.{each}": Role("remint.statements", each) for each in _STATEMENTS},
    "saml2.plug_ins.attribute_mapper": Role("remint.mappers", "attributes"),
    "saml2.plug_ins.authn_context_mapper": Role("remint.mappers", "authn_context"),
    "oidc.plug_ins.claim_mapper": Role("remint.mappers", "claims"),
    "oidc.plug_ins.authn_context_mapper": Role("remint.mappers", "authn_context"),
    "oidc.plug_ins.authn_methods_mapper": Role("remint.mappers", "authn_methods"),
}
"""By the field of an instance that names the plug-in (``instance_rules.PlugInCheck``)."""


class PlugIns(Protocol):
    """The plug-ins that are installed here."""

    def problem(self, field: str, name: str) -> str | None:
        """Why the plug-in that ``field`` (a key of ``ROLES``) names cannot be used; None if it
        can."""

    async def call(self, field: str, name: str, told: Any) -> Any:
        """What the plug-in answers, whatever that is.

        Raises PlugInUnavailable if it is not there, what it refuses with, and PlugInFailed for
        anything else that goes wrong in it, an answer that does not come included.
        """


class Profiles(Protocol):
    """Who looks up what is known of a principal."""

    async def profile(self, principal: Principal) -> Mapping[str, tuple[str, ...]]:
        """Its attributes; empty where there are none."""


def named_headers(target: AuthTarget | None) -> Mapping[str, str]:
    """The request headers that a mapping context names, by its key."""
    return _named(target, HEADER_SUFFIX)


def named_cookies(target: AuthTarget | None) -> Mapping[str, str]:
    """The cookies that a mapping context names, by its key."""
    return _named(target, COOKIE_SUFFIX)


def _named(target: AuthTarget | None, suffix: str) -> Mapping[str, str]:
    context = target.context if target is not None else NOTHING
    return {key: name for key, name in context.items() if key.endswith(suffix) and name}
