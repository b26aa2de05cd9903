"""The parts of an assertion as values: what a plug-in may put in the place of our own.

Instants are whole seconds since the epoch. The standard is SAML 2.0 core, sections 2.3 to 2.7. None
and empty mean that the attribute or element is left out. What an instance fixes cannot be changed
here: the issuer, the audience, the method by which the subject is confirmed, and the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PERMIT = "Permit"
DENY = "Deny"
INDETERMINATE = "Indeterminate"
DECISIONS = (PERMIT, DENY, INDETERMINATE)
"""SAML 2.0 core, section 2.7.4.1."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """When an assertion holds, and how often (section 2.5).

    Both ends default to those of the assertion and lie within them. ``proxy_count`` is how many
    further assertions may be issued on the basis of this one.
    """

    not_before: int | None = None
    not_on_or_after: int | None = None
    one_time_use: bool = False
    proxy_count: int | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who the assertion speaks of (section 2.4), in a NameID that holds ``name_id``.

    The last three are those of the SubjectConfirmationData; ``recipient`` defaults to the
    instance's for a bearer.
    """

    name_id: str
    format: str | None = None
    name_qualifier: str | None = None
    sp_name_qualifier: str | None = None
    sp_provided_id: str | None = None
    recipient: str | None = None
    in_response_to: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class AuthnStatement:
    """How and when the subject logged in (section 2.7.2); ``context`` is the class reference."""

    instant: int
    context: str
    session_index: str | None = None
    session_not_on_or_after: int | None = None
    address: str | None = None
    dns_name: str | None = None
    authorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute with its values in order (section 2.7.3.1)."""

    name: str
    values: tuple[str, ...]
    name_format: str | None = None
    friendly_name: str | None = None


@dataclass(frozen=True, slots=True)
class AttributeStatement:
    """Attributes of the subject (section 2.7.3); at least one."""

    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """Something to be done to a resource (section 2.7.4.2), in a namespace of such names."""

    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class AuthzDecisionStatement:
    """Whether the subject may do that to the resource (section 2.7.4); ``decision`` is one of
    ``DECISIONS``, and there is at least one action."""

    resource: str
    decision: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What plug-ins say in the place of our own words; None where no plug-in is named.

    ``authn_context`` is an AuthnContextClassRef or an ``acr``, ``authn_methods`` is ``amr``; empty
    means that the plug-in says nothing.
    """

    conditions: Conditions | None = None
    subject: Subject | None = None
    authentication_statements: Sequence[AuthnStatement] | None = None
    attribute_statements: Sequence[AttributeStatement] | None = None
    authz_decision_statements: Sequence[AuthzDecisionStatement] | None = None
    authn_context: str | None = None
    authn_methods: tuple[str, ...] | None = None


NOTHING_MAPPED = Mapped()
