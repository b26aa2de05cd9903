"""What may be written of a trusted issuer, over HTTP and in files; every problem in one answer.

::

    name = "partner"                       # what administrators call it
    issuer = "https://idp.example.com"     # the token's iss, to the letter
    audiences = ["https://sts.example.com"]
    discovery = true                       # or one of the other sources of keys
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.instances.members import Members
from adapters.issuers import fetching, jwk_set
from adapters.issuers.jwk_set import UnusableSet
from adapters.issuers.verification import ASYMMETRIC_ALGORITHMS, SECRET_ALGORITHMS
from adapters.nearness import NEARBY, leads_near
from broker.errors import InvalidIssuer
from broker.model import ROOT_REALM
from broker.trust import (
    DEFAULT_ALGORITHMS,
    DEFAULT_LEEWAY_SECONDS,
    DEFAULT_SECRET_ALGORITHMS,
    MAX_LEEWAY_SECONDS,
    TrustedIssuer,
)

REDACTED = "(unchanged)"
"""Stands in the place of a secret that is read, and keeps it when it is written."""

SOURCES = ("jwks", "jwks_url", "jwks_file", "discovery", "own_keys", "client_secret")
RULES = (
    *("name", "issuer", "audiences", "authorized_parties", "algorithms"),
    *("subject_claim", "subject_prefix", "link_local_users", "leeway_seconds"),
)
CREST = ("_id", "_rev")
"""What a read shows besides; written back, it says nothing."""

MAX_ISSUER_LENGTH = 1024
MAX_CLAIM_LENGTH = 128
MAX_PREFIX_LENGTH = 128

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A trusted issuer that keeps the rules, and the document that says so in one spelling."""

    rules: TrustedIssuer
    document: Mapping[str, Any] = field(repr=False)

    @property
    def source(self) -> Mapping[str, Any]:
        """Where its keys are: one member."""
        return {name: self.document[name] for name in SOURCES if name in self.document}


def decoded(
    realm: str, state: Any, *, old: Mapping[str, Any] | None = None, any_file: bool = False
) -> Draft:
    """The issuer in a document. A file, and outside the root realm an address of this machine, may
    be named by files alone (``any_file``): over HTTP only that which the document had (``old``).

    Raises InvalidIssuer with every problem, keyed by member.
    """
    problems: list[tuple[str, str]] = []
    members = Members(state, "document", problems)
    members.only(*RULES, *SOURCES, *CREST)
    source = _source(members, old or {}, any_file=any_file)
    secret = "client_secret" in source
    rules = TrustedIssuer(
        realm=realm,
        name=members.text("name"),
        issuer=members.text("issuer"),
        audiences=frozenset(members.texts("audiences")),
        authorized_parties=frozenset(members.texts("authorized_parties")),
        algorithms=frozenset(members.texts("algorithms"))
        or frozenset(DEFAULT_SECRET_ALGORITHMS if secret else DEFAULT_ALGORITHMS),
        subject_claim=members.text("subject_claim", "sub"),
        subject_prefix=_prefix(members),
        link_local_users=members.flag("link_local_users"),
        leeway_seconds=members.whole("leeway_seconds", DEFAULT_LEEWAY_SECONDS),
    )
    _check(members, rules, source)
    if not any_file and realm != ROOT_REALM:
        _check_place(members, rules.issuer, source, old or {})
    if problems:
        raise InvalidIssuer(problems)
    return Draft(rules, {**_written(rules), **source})


def shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it is read, its secret hidden."""
    hidden = {"client_secret": REDACTED} if "client_secret" in document else {}
    return {**document, **hidden}


def with_kept_secret(state: Any, old: Mapping[str, Any] | None) -> Any:
    """The document with a hidden secret put back. Raises InvalidIssuer if there was none."""
    if not isinstance(state, Mapping) or state.get("client_secret") != REDACTED:
        return state
    if old is None or "client_secret" not in old:
        raise InvalidIssuer([("client_secret", "there is no secret to keep; write one")])
    return {**state, "client_secret": old["client_secret"]}


def _source(members: Members, old: Mapping[str, Any], *, any_file: bool) -> dict[str, Any]:
    flags = ("discovery", "own_keys")
    given = [
        name for name in SOURCES if (members.flag(name) if name in flags else members.given(name))
    ]
    if len(given) != 1:
        members.wrong("jwks", f"say where its keys are, by exactly one of {', '.join(SOURCES)}")
        return {}
    name = given[0]
    if name in flags:
        return {name: True}
    if name == "jwks":
        try:
            jwk_set.read_written(members.value(name))
        except UnusableSet as error:
            members.wrong(name, error.sentence)
        return {name: members.value(name)}
    text = members.text(name)
    if name == "jwks_url" and not fetching.may_fetch(text):
        members.wrong(name, fetching.NOT_FETCHED)
    if name == "jwks_file" and not any_file and text != old.get(name):
        members.wrong(name, "files are named in files alone; write the keys here, as jwks")
    return {name: text}


def _check_place(
    members: Members, issuer: str, source: Mapping[str, Any], old: Mapping[str, Any]
) -> None:
    """A realm's administrator must not have the broker ask what listens on this machine."""
    if "jwks_url" in source:
        named, before = source["jwks_url"], old.get("jwks_url")
    else:
        named, before = issuer, old.get("issuer") if "discovery" in old else None
    found = next(iter(source.keys() & {"jwks_url", "discovery"}), None)
    if found is not None and named != before and leads_near(named):
        members.wrong(found, NEARBY)


def _prefix(members: Members) -> str | None:
    """An empty one is one: the issuer's names are taken as they are."""
    value = members.value("subject_prefix")
    if value == "":
        return ""
    return members.optional("subject_prefix")


def _check(members: Members, rules: TrustedIssuer, source: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(rules.name):
        members.wrong("name", "use 1 to 64 letters, digits, . _ and -")
    if not _is_issuer(rules.issuer):
        members.wrong("issuer", "write the URL that stands in its tokens as iss, no ? and # in it")
    elif "discovery" in source and not fetching.may_fetch(rules.issuer):
        members.wrong("discovery", fetching.NOT_FETCHED)
    if not rules.audiences or not all(rules.audiences):
        members.wrong("audiences", "name whom its tokens must be for, such as this broker's URL")
    if not all(rules.authorized_parties):
        members.wrong("authorized_parties", "leave out empty names")
    _check_algorithms(members, rules, source.get("client_secret"))
    if len(rules.subject_claim) > MAX_CLAIM_LENGTH:
        members.wrong("subject_claim", f"use up to {MAX_CLAIM_LENGTH} characters")
    if rules.subject_prefix is not None and rules.link_local_users:
        members.wrong("subject_prefix", "local users are known by their names: leave it out")
    if len(rules.subject_prefix or "") > MAX_PREFIX_LENGTH:
        members.wrong("subject_prefix", f"use up to {MAX_PREFIX_LENGTH} characters")
    if not 0 <= rules.leeway_seconds <= MAX_LEEWAY_SECONDS:
        members.wrong("leeway_seconds", f"choose 0 to {MAX_LEEWAY_SECONDS} seconds")


def _check_algorithms(members: Members, rules: TrustedIssuer, secret: Any) -> None:
    """HMAC with a secret, everything else with public keys, and never both."""
    offered: Iterable[str] = ASYMMETRIC_ALGORITHMS if secret is None else SECRET_ALGORITHMS
    if not rules.algorithms.issubset(offered):
        kind = "public keys" if secret is None else "a client secret"
        members.wrong("algorithms", f"with {kind} use {', '.join(sorted(offered))}")
    elif isinstance(secret, str):
        least = max(SECRET_ALGORITHMS[name] for name in rules.algorithms)
        if len(secret.encode()) < least:
            members.wrong(
                "client_secret", f"use {least} bytes at least (RFC 7518 section 3.2), random ones"
            )


def _is_issuer(text: str) -> bool:
    """OpenID Connect Core 1.0, section 2; plain http is an identifier like any other."""
    try:
        place = urlsplit(text)
    except ValueError:
        return False
    if not 0 < len(text) <= MAX_ISSUER_LENGTH or not text.isprintable():
        return False
    if not {"#", "?", " "}.isdisjoint(text):
        return False
    return place.scheme in ("https", "http") and bool(place.hostname)


def _written(rules: TrustedIssuer) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": rules.name,
        "issuer": rules.issuer,
        "audiences": sorted(rules.audiences),
        "authorized_parties": sorted(rules.authorized_parties),
        "algorithms": sorted(rules.algorithms),
        "subject_claim": rules.subject_claim,
        "link_local_users": rules.link_local_users,
        "leeway_seconds": rules.leeway_seconds,
    }
    if rules.subject_prefix is not None:
        written["subject_prefix"] = rules.subject_prefix
    return written
