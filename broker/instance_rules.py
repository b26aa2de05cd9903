"""What an instance must keep to: its place, its transforms, who may ask, and what surrounds it.

The rules of its options for assertions and ID tokens are in ``option_rules``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME, X509, TokenType
from broker.option_rules import oidc_problems, saml2_problems

if TYPE_CHECKING:
    from broker.instance import Instance, Transform

MAX_URL_ELEMENT_LENGTH = 128
MAX_TRANSFORMS = 256
MAX_REQUESTERS = 256
MAX_REQUESTER_LENGTH = 300  # a user name of a message server, or a kid with its prefix
MAX_OFFLOAD_HOSTS = 256
MAX_HEADER_LENGTH = 128
MAX_AUTH_TARGETS = 64
MAX_TOKEN_TYPE_LENGTH = 128

REQUESTER_TRANSPORTS = ("amqp", "mqtt")
"""The transports whose requesters have names."""

ANY_HOST = "any"
AUTH_INDEX_TYPES = ("service", "module", "user", "role", "level")

STANDARD_INPUTS = frozenset({USERNAME, OPENAM, X509, OPENIDCONNECT})
STANDARD_OUTPUTS = frozenset({SAML2, OPENIDCONNECT})
STANDARD_TYPES = STANDARD_INPUTS | STANDARD_OUTPUTS

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110, section 5.6.2)

Problem = tuple[str, str]
PlugInCheck = Callable[[str, str], str | None]
"""From the field that names a plug-in and its name to what is wrong with it; None if nothing is.

Fields are ``custom_validators``, ``custom_providers``, and ``saml2.plug_ins.X`` and
``oidc.plug_ins.X`` for each member X of those."""


def no_plug_ins(_field: str, _name: str) -> str | None:
    """The check of a broker that has none."""
    return "this broker has no plug-ins"


@dataclass(frozen=True, slots=True)
class Known:
    """What a broker has besides what is built in, and which weak outputs it allows by name."""

    inputs: frozenset[TokenType]
    outputs: frozenset[TokenType]
    legacy: frozenset[str]
    plug_in_problem: PlugInCheck


def problems_of(draft: Instance, known: Known) -> Iterator[Problem]:
    """Every (field, sentence) that is wrong."""
    yield from _place_problems(draft)
    yield from _transform_problems(draft, known)
    yield from _record_problems(draft)
    yield from _requester_problems(draft)
    yield from _auth_target_problems(draft)
    yield from _offload_problems(draft)
    yield from saml2_problems(draft.saml2, known.legacy)
    yield from oidc_problems(draft.oidc, known.legacy)
    yield from _custom_type_problems(draft, known)
    yield from _plug_in_problems(draft, known.plug_in_problem)


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


def _transform_problems(draft: Instance, known: Known) -> Iterator[Problem]:
    if not draft.transforms:
        yield "transforms", "offer at least one transform"
    if len(draft.transforms) > MAX_TRANSFORMS:
        yield "transforms", f"offer at most {MAX_TRANSFORMS} transforms"
    inputs = STANDARD_INPUTS | known.inputs | draft.custom_validators.keys()
    outputs = STANDARD_OUTPUTS | known.outputs | draft.custom_providers.keys()
    for transform in draft.transforms:
        pair, key = f"{transform.input} to {transform.output}", _list_of(transform)
        if transform.input not in inputs:
            yield key, f"nobody here validates the input of {pair}"
        if transform.output not in outputs:
            yield key, f"nobody here issues the output of {pair}"
    if SAML2 in draft.outputs and draft.saml2 is None:
        yield "saml2", "a transform to SAML2 needs it"
    if OPENIDCONNECT in draft.outputs and draft.oidc is None:
        yield "oidc", "a transform to OPENIDCONNECT needs it"


def _list_of(transform: Transform) -> str:
    standard = {transform.input, transform.output} <= STANDARD_TYPES
    return "transforms" if standard else "custom_transforms"


def _record_problems(draft: Instance) -> Iterator[Problem]:
    if draft.cancel_with_parent and not draft.persist_issued_tokens:
        yield "cancel_with_parent", "only tokens that are kept can be cancelled; keep them as well"
    if draft.keep_issued_tokens and not draft.persist_issued_tokens:
        yield "keep_issued_tokens", "a token is kept with its record: persist issued tokens, too"


def _requester_problems(draft: Instance) -> Iterator[Problem]:
    for transport, names in draft.requesters.items():
        if transport not in REQUESTER_TRANSPORTS:
            yield "requesters", f"name requesters for {', '.join(REQUESTER_TRANSPORTS)} alone"
        if len(names) > MAX_REQUESTERS:
            yield "requesters", f"name at most {MAX_REQUESTERS} requesters for a transport"
        if not all(0 < len(n) <= MAX_REQUESTER_LENGTH and n.isprintable() for n in names):
            yield "requesters", f"a name has 1 to {MAX_REQUESTER_LENGTH} printable characters"


def _auth_target_problems(draft: Instance) -> Iterator[Problem]:
    if len(draft.auth_targets) > MAX_AUTH_TARGETS:
        yield "auth_targets", f"name at most {MAX_AUTH_TARGETS} authentication targets"
    for token_type, target in draft.auth_targets.items():
        if not token_type:
            yield "auth_targets", "name the token type of each target"
        if target.index_type not in AUTH_INDEX_TYPES:
            said = f"the index type of {token_type} is one of {', '.join(AUTH_INDEX_TYPES)}"
            yield "auth_targets.type", said
        if not target.index_value:
            yield "auth_targets.value", f"say which {target.index_type} checks {token_type}"


def _offload_problems(draft: Instance) -> Iterator[Problem]:
    header, hosts = draft.certificate_header, draft.offload_hosts
    if header is not None and not hosts:
        yield "offload_hosts", "name the hosts whose certificate header is believed, or any"
    if hosts and header is None:
        yield "certificate_header", "name the header in which these hosts send certificates"
    if header is not None and not (len(header) <= MAX_HEADER_LENGTH and _HEADER.fullmatch(header)):
        yield "certificate_header", f"write the name of a header, up to {MAX_HEADER_LENGTH} letters"
    if len(hosts) > MAX_OFFLOAD_HOSTS:
        yield "offload_hosts", f"name at most {MAX_OFFLOAD_HOSTS} hosts"
    if not all(map(_is_host, hosts)):
        yield "offload_hosts", f"write IP addresses, networks such as 10.0.0.0/8, or {ANY_HOST}"


def _is_host(text: str) -> bool:
    if text == ANY_HOST:
        return True
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _custom_type_problems(draft: Instance, known: Known) -> Iterator[Problem]:
    named = {
        "custom_validators": (draft.custom_validators, known.inputs),
        "custom_providers": (draft.custom_providers, known.outputs),
    }
    for field, (operations, built_in) in named.items():
        for name in operations:
            if name in STANDARD_TYPES | built_in:
                yield field, f"{name} is built in: give the custom token a name of its own"
            elif not 0 < len(name) <= MAX_TOKEN_TYPE_LENGTH:
                yield field, f"a token type has 1 to {MAX_TOKEN_TYPE_LENGTH} characters"


def _plug_in_problems(draft: Instance, check: PlugInCheck) -> Iterator[Problem]:
    for field, names in _plug_ins(draft):
        for name in names:
            said = check(field, name)
            if said is not None:
                yield field, said


def _plug_ins(draft: Instance) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field that names plug-ins, and their names."""
    yield "custom_validators", tuple(draft.custom_validators.values())
    yield "custom_providers", tuple(draft.custom_providers.values())
    sections = {"saml2": draft.saml2, "oidc": draft.oidc}
    for section, options in sections.items():
        for member, name in _named(options.plug_ins if options else None).items():
            yield f"{section}.plug_ins.{member}", (name,)


def _named(plug_ins: object) -> Mapping[str, str]:
    """The plug-ins that are named, by member."""
    members = getattr(plug_ins, "__slots__", ())
    found = {member: getattr(plug_ins, member) for member in members}
    return {member: name for member, name in found.items() if name is not None}
