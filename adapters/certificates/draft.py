"""What may be written of a certificate authority, over HTTP and in files; every problem at once.

::

    name = "partner"                 # what administrators call it
    anchors = "-----BEGIN CERTIFICATE-----…"
    subject = "email"                # which part of a certificate says who it is
    crl_urls = ["http://crl.example.com/root.crl"]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.certificates import pem
from adapters.certificates.crl import RevocationList, UnusableList
from adapters.certificates.pem import UnusablePem
from adapters.instances.members import Members
from adapters.nearness import NEARBY, leads_near
from broker.authorities import CLIENT_AUTH, HARD, OFF, REVOCATION_POLICIES, USAGES, ClientAuthority
from broker.errors import InvalidAuthority
from broker.model import ROOT_REALM

SUBJECTS = (
    *("dn", "cn", "uid", "dn_email", "serial_number", "o", "ou"),
    *("email", "upn", "uri", "certificate_serial"),
)
RULES = (
    *("name", "anchors", "intermediates", "usage"),
    *("subject", "subject_prefix", "link_local_users"),
)
SOURCES = ("crls", "crl_files", "crl_urls", "ocsp_url", "revocation_hosts")
CREST = ("_id", "_rev")
"""What a read shows besides; written back, it says nothing."""

MAX_PREFIX_LENGTH = 128
MAX_URL_LENGTH = 2048
MAX_PLACES = 16
MAX_CRL_TEXT = 512 * 1024  # characters; longer lists are fetched

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")


@dataclass(frozen=True, slots=True)
class Draft:
    """An authority that keeps the rules, and the document that says so in one spelling."""

    rules: ClientAuthority
    document: Mapping[str, Any] = field(repr=False)


def decoded(
    realm: str, state: Any, *, old: Mapping[str, Any] | None = None, any_file: bool = False
) -> Draft:
    """The authority in a document. A file, and outside the root realm an address of this machine,
    may be named by files alone (``any_file``): over HTTP only those that it had before (``old``).

    Raises InvalidAuthority with every problem, keyed by member.
    """
    problems: list[tuple[str, str]] = []
    members = Members(state, "document", problems)
    members.only(*RULES, "revocation", *SOURCES, *CREST)
    anchors = _certificates(members, "anchors")
    intermediates = _certificates(members, "intermediates")
    rules = ClientAuthority(
        realm=realm,
        name=members.text("name"),
        anchors=pem.der(anchors),
        intermediates=pem.der(intermediates),
        usage=members.text("usage", CLIENT_AUTH),
        subject=members.text("subject", "dn"),
        subject_prefix="" if members.value("subject_prefix") == "" else _prefix(members),
        link_local_users=members.flag("link_local_users"),
        revocation=members.text("revocation", HARD),
    )
    sources = _sources(members, (old or {}).get("crl_files", ()), any_file=any_file)
    if not any_file and realm != ROOT_REALM:
        _check_places(members, sources, old or {})
    _check(members, rules, sources)
    if problems:
        raise InvalidAuthority(problems)
    written = {
        "name": rules.name,
        "anchors": pem.written(anchors),
        "usage": rules.usage,
        "subject": rules.subject,
        "link_local_users": rules.link_local_users,
        "revocation": rules.revocation,
    }
    if intermediates:
        written["intermediates"] = pem.written(intermediates)
    if rules.subject_prefix is not None:
        written["subject_prefix"] = rules.subject_prefix
    return Draft(rules, {**written, **sources})


def anchors_of(document: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The anchors of an authority that was written down, as DER."""
    return pem.der(pem.certificates(document["anchors"]))


def may_fetch(url: str) -> bool:
    """What is fetched is signed, so plain http will do; no credentials, no fragment."""
    try:
        place = urlsplit(url)
        host, _ = place.hostname, place.port
    except ValueError:
        return False
    if not host or len(url) > MAX_URL_LENGTH or place.username is not None or place.fragment:
        return False
    return place.scheme in ("http", "https")


def _certificates(members: Members, name: str) -> list[Any]:
    text = _pem(members, name)
    if not text:
        return []
    try:
        return pem.certificates(text)
    except UnusablePem as error:
        members.wrong(name, str(error))
        return []


def _pem(members: Members, name: str) -> str:
    """Text with line breaks, which no other member has."""
    value = members.value(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isascii():
        members.wrong(name, "write PEM, as one string")
        return ""
    return value.strip()


def _prefix(members: Members) -> str | None:
    return members.optional("subject_prefix")


def _sources(members: Members, files: Sequence[str], *, any_file: bool) -> dict[str, Any]:
    """Where revocations are learnt, those that were given."""
    urls = members.texts("crl_urls")
    named = members.texts("crl_files")
    hosts = tuple(host.lower() for host in members.texts("revocation_hosts"))
    ocsp = members.text("ocsp_url")
    lists = _pem(members, "crls")
    if not all(map(may_fetch, urls)):
        members.wrong("crl_urls", "write http or https URLs, without a user name")
    if ocsp and not may_fetch(ocsp):
        members.wrong("ocsp_url", "write an http or https URL, without a user name")
    if not all(map(_HOST.fullmatch, hosts)):
        members.wrong("revocation_hosts", "write names of hosts, with :port where it is another")
    if not any_file and not set(named) <= set(files):
        members.wrong("crl_files", "files are named in files alone; write the lists here, as crls")
    for name, given in (("crl_urls", urls), ("crl_files", named), ("revocation_hosts", hosts)):
        if len(given) > MAX_PLACES:
            members.wrong(name, f"write up to {MAX_PLACES}")
    if len(lists) > MAX_CRL_TEXT:
        members.wrong("crls", f"write up to {MAX_CRL_TEXT} characters; name longer ones by URL")
    elif lists:
        try:
            for each in pem.crls(lists):
                RevocationList(each)
        except (UnusablePem, UnusableList) as error:
            members.wrong("crls", str(error))
    given_sources = {
        "crls": lists,
        "crl_files": list(named),
        "crl_urls": list(urls),
        "ocsp_url": ocsp,
        "revocation_hosts": list(hosts),
    }
    return {name: value for name, value in given_sources.items() if value}


def _check_places(members: Members, sources: Mapping[str, Any], old: Mapping[str, Any]) -> None:
    """A realm's administrator must not have the broker ask what listens on this machine."""
    for name in ("crl_urls", "ocsp_url", "revocation_hosts"):
        named, before = _listed(sources.get(name, ())), _listed(old.get(name, ()))
        if any(each not in before and leads_near(_url(each)) for each in named):
            members.wrong(name, NEARBY)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _url(place: str) -> str:
    """A host of the list as the URLs have it; an IPv6 address may stand there without brackets."""
    if "://" in place:
        return place
    return f"http://[{place}]" if place.count(":") > 1 and "[" not in place else f"http://{place}"


def _check(members: Members, rules: ClientAuthority, sources: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(rules.name):
        members.wrong("name", "use 1 to 64 letters, digits, . _ and -")
    if not rules.anchors and not any(key == "anchors" for key, _ in members.problems):
        members.wrong("anchors", "write the certificates, in PEM, that all others hang from")
    if rules.usage not in USAGES:
        members.wrong("usage", f"use one of {', '.join(USAGES)}")
    if rules.subject not in SUBJECTS:
        members.wrong("subject", f"use one of {', '.join(SUBJECTS)}")
    if rules.subject_prefix is not None and rules.link_local_users:
        members.wrong("subject_prefix", "local users are known by their names: leave it out")
    if len(rules.subject_prefix or "") > MAX_PREFIX_LENGTH:
        members.wrong("subject_prefix", f"use up to {MAX_PREFIX_LENGTH} characters")
    if rules.revocation not in REVOCATION_POLICIES:
        members.wrong("revocation", f"use one of {', '.join(REVOCATION_POLICIES)}")
    elif rules.revocation != OFF and not sources:
        members.wrong(
            "revocation",
            f"say where revocations are learnt, by {', '.join(SOURCES)}; or write off here",
        )
    elif rules.revocation == OFF and sources:
        members.wrong("revocation", "with off nothing is looked up: leave the other members out")
