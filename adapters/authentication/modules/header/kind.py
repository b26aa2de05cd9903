"""What may be written of a module of the kind ``header``; every problem in one answer."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from cryptography import x509

from adapters.authentication.header_names import folded, is_header
from adapters.authentication.kinds import Parts
from adapters.authentication.modules.common import file_inside
from adapters.authentication.modules.header.module import HeaderModule, Headers
from adapters.authentication.modules.header.peers import Network, Peers, ProvedBy
from adapters.authentication.modules.subjects import LINK, Subjects
from adapters.instances.members import Members
from broker.authentication import AuthModule

KEYS = (
    *("proxies", "certificates", "authority_file", "subjects"),
    *("user_header", "attributes", "separators", LINK),
)
USER_HEADER = "X-Remote-User"
MAX_PEERS = 64
"""Of each sort: addresses, certificates, subjects."""
MAX_ATTRIBUTES = 50
MAX_AUTHORITY_BYTES = 64 * 1024
MAX_SEPARATOR_LENGTH = 8

OF_HTTP = frozenset(
    [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-openam-username",
        "x-openam-password",
    ]
)
"""Headers that mean something else already."""

_THUMBPRINT = re.compile(r"[0-9a-f]{64}")


class HeaderKind:
    """The kind, as ``adapters.authentication.kinds`` lists it."""

    name = "header"
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        """A module out of its document."""
        members.only(*KEYS)
        peers = _peers(members, parts.folder)
        read = _headers(members)
        return HeaderModule(
            name, peers, read, Subjects(name, realm, members.flag(LINK), parts.users)
        )


def _peers(members: Members, folder: Path) -> Peers:
    if not any(map(members.given, ("proxies", "certificates", "subjects"))):
        members.wrong(
            "proxies",
            "name the proxies by address (proxies), or by what they connect with (certificates, "
            "or subjects and authority_file); headers of anybody else are not believed",
        )
    return Peers(
        networks=_networks(members),
        proof=ProvedBy(
            thumbprints=_thumbprints(members),
            authority=_authority(members, folder),
            subjects=_subjects(members),
        ),
    )


def _networks(members: Members) -> tuple[Network, ...]:
    texts = members.texts("proxies")
    try:
        found = tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError:
        found = None
    if found is None or len(found) > MAX_PEERS or any(not each.prefixlen for each in found):
        members.wrong(
            "proxies",
            f"write up to {MAX_PEERS} addresses or CIDR blocks, and none that is everybody's",
        )
        return ()
    return found


def _thumbprints(members: Members) -> frozenset[str]:
    texts = members.texts("certificates")
    found = frozenset(text.replace(":", "").lower() for text in texts)
    if len(texts) > MAX_PEERS or not all(map(_THUMBPRINT.fullmatch, found)):
        members.wrong(
            "certificates",
            f"write the SHA-256 digests of up to {MAX_PEERS} certificates, 64 hexadecimal digits "
            "each: openssl x509 -noout -fingerprint -sha256",
        )
        return frozenset()
    return found


def _authority(members: Members, folder: Path) -> x509.Certificate | None:
    if members.given("authority_file") != members.given("subjects"):
        members.wrong("subjects", "write subjects and authority_file together, or neither")
    path = file_inside(members, "authority_file", folder)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificate(file.read(MAX_AUTHORITY_BYTES))
    except (OSError, ValueError):
        members.wrong("authority_file", "this file cannot be read as a certificate in PEM")
        return None


def _subjects(members: Members) -> tuple[x509.Name, ...]:
    texts = members.texts("subjects")
    try:
        found = tuple(map(x509.Name.from_rfc4514_string, texts))
    except ValueError:
        found = None
    if found is None or len(found) > MAX_PEERS or any(not each.rdns for each in found):
        members.wrong(
            "subjects",
            f"write up to {MAX_PEERS} subjects as RFC 4514 does, such as CN=proxy,O=Example",
        )
        return ()
    return found


def _headers(members: Members) -> Headers:
    user = members.text("user_header", USER_HEADER)
    named = members.text_map("attributes")
    separators = members.text_map("separators")
    if len(named) > MAX_ATTRIBUTES or not all(named):
        members.wrong("attributes", f"name up to {MAX_ATTRIBUTES}")
    taken: set[str] = set()
    for key, header in (("user_header", user), *((f"attributes.{k}", v) for k, v in named.items())):
        if not is_header(header) or folded(header) in OF_HTTP | taken:
            members.wrong(
                key,
                "name a header of its own, without underscores, that HTTP has no other use for",
            )
        taken.add(folded(header))
    for name, separator in separators.items():
        if name not in named or not 0 < len(separator) <= MAX_SEPARATOR_LENGTH:
            members.wrong(
                f"separators.{name}",
                f"write 1 to {MAX_SEPARATOR_LENGTH} characters for one of the attributes",
            )
    return Headers(
        user.lower(), {name: header.lower() for name, header in named.items()}, separators
    )
