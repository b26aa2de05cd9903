"""What may be written of a module, a chain or a default; every problem in one answer.

::

    name = "staff"                          # a module: its kind says what else
    kind = "files"

    name = "twoFactor"                      # a chain
    modules = [
        { module = "staff", flag = "requisite" },
        { module = "codes", flag = "required" },
    ]

    [principal]                             # in both: for whom a login stands
    directory = "module|people"

    name = "USERNAME"                       # a default
    target = "service|twoFactor"            # or "module|staff"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.authentication.kinds import Kind, Parts
from adapters.authentication.principals import reading
from adapters.instances.members import Members
from adapters.nearness import NEARBY, leads_near
from broker.authentication import AuthModule, Flag
from broker.chains import Link
from broker.errors import InvalidModule
from broker.model import OPENAM, OPENIDCONNECT, ROOT_REALM, USERNAME, X509, TokenType
from broker.output_options import AuthTarget
from broker.policy import shown

REDACTED = "(unchanged)"
"""Stands in the place of a secret that is read, and keeps it when it is written."""

CREST = ("_id", "_rev")
"""What a read shows besides; written back, it says nothing."""

SHARED = ("name", "kind", reading.KEY)
"""What modules of every kind may say."""

TYPES = (USERNAME, OPENAM, OPENIDCONNECT, X509)
"""The types of input that modules check."""

SERVICE, MODULE = "service", "module"
FLAGS = tuple(flag.value for flag in Flag)
DESTINATIONS = ("servers", "url", "starttls", "allow_plaintext", "ca_file")
"""Who hears a module's secrets, and how well that is known."""

MAX_LINKS = 20
MAX_MODULE_BYTES = 64 * 1024  # as JSON

WIDE_DOT = "\u3002"  # a dot of host names too: RFC 3490, section 3.1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drafts:
    """Reads documents; ``kinds`` are those that are installed."""

    kinds: Mapping[str, Kind]
    parts: Parts

    def module(
        self,
        realm: str,
        state: Any,
        old: Document | None = None,
        *,
        from_file: bool = False,
    ) -> Document:
        """As it is kept, with its secrets. An address of this machine may be named outside the root
        realm by files alone. Raises InvalidModule with every problem."""
        problems: list[tuple[str, str]] = []
        members = Members(state, "document", problems)
        name = _name(members)
        kind = self.kinds.get(members.text("kind"))
        if kind is None:
            known = ", ".join(sorted(self.kinds))
            members.wrong("kind", f"choose one of the kinds that are installed: {known}")
            raise InvalidModule(problems)
        kept = {
            key: _unhidden(members, key, kind, old)
            for key in members.names()
            if key not in CREST and members.value(key) is not None
        }
        _check_size(members, kept)
        _check_secrets(members, kept, kind, old)
        if realm != ROOT_REALM and not from_file:
            _check_places(members, kept, old or {})
        self._made(realm, name, kind, kept, problems)
        if problems:
            raise InvalidModule(problems)
        return {**kept, "name": name, "kind": kind.name}

    def compiled(self, realm: str, document: Document) -> AuthModule:
        """The module of a document that is kept. Raises InvalidModule if it cannot be made here."""
        kind = self.kinds.get(document["kind"])
        if kind is None:
            raise InvalidModule([("kind", f"{shown(str(document['kind']))} is not installed here")])
        problems: list[tuple[str, str]] = []
        made = self._made(realm, document["name"], kind, document, problems)
        if problems:
            raise InvalidModule(problems)
        return made

    def shown(self, document: Document) -> dict[str, Any]:
        """A module's document as it is read, its secrets hidden. Of a kind that is not installed
        nobody knows which they are."""
        kind = self.kinds.get(document["kind"])
        if kind is None:
            return {key: document[key] for key in ("name", "kind")}
        hidden = {key: REDACTED for key in kind.secrets if key in document}
        return {**document, **hidden}

    def _made(
        self,
        realm: str,
        name: str,
        kind: Kind,
        document: Document,
        problems: list[tuple[str, str]],
    ) -> AuthModule:
        reading.rule(document, problems)
        own = {key: value for key, value in document.items() if key not in SHARED}
        return kind.module(name, realm, Members(own, "document", problems), self.parts.of(realm))


def chain(_realm: str, state: Any, _old: Document | None = None) -> Document:
    """Raises InvalidModule with every problem."""
    problems: list[tuple[str, str]] = []
    members = Members(state, "document", problems)
    members.only("name", "modules", reading.KEY, *CREST)
    reading.rule(state if isinstance(state, Mapping) else {}, problems)
    name, links = _name(members), [_link(each) for each in members.objects("modules")]
    names = [each["module"] for each in links]
    if not 0 < len(links) <= MAX_LINKS:
        members.wrong("modules", f"name 1 to {MAX_LINKS} modules, each with its flag")
    _check_size(members, {reading.KEY: members.value(reading.KEY)})
    if len(set(names)) < len(names):
        members.wrong("modules", "name each module once")
    if problems:
        raise InvalidModule(problems)
    resolved = {reading.KEY: members.value(reading.KEY)} if members.given(reading.KEY) else {}
    return {"name": name, "modules": links, **resolved}


def _link(members: Members) -> dict[str, str]:
    members.only("module", "flag")
    name, flag = members.text("module"), members.text("flag").lower()
    if not name:
        members.wrong("module", "say which module")
    if flag not in FLAGS:
        members.wrong("flag", f"choose one of {', '.join(FLAGS)}")
    return {"module": name, "flag": flag}


def links(document: Document, modules: Mapping[str, AuthModule]) -> tuple[Link, ...]:
    """The links of a chain that is kept; KeyError for a module that is not there."""
    return tuple(Link(modules[each["module"]], Flag(each["flag"])) for each in document["modules"])


def default(_realm: str, state: Any, _old: Document | None = None) -> Document:
    """Raises InvalidModule with every problem."""
    problems: list[tuple[str, str]] = []
    members = Members(state, "document", problems)
    members.only("name", "target", *CREST)
    name, target = members.text("name"), members.text("target")
    if name not in TYPES:
        members.wrong("name", f"modules check input of the types {', '.join(TYPES)}")
    if target_of(target) is None:
        members.wrong("target", "write service|NAME for a chain, or module|NAME")
    if problems:
        raise InvalidModule(problems)
    return {"name": name, "target": target}


def target_of(text: str) -> AuthTarget | None:
    """What ``service|NAME`` or ``module|NAME`` says; None for anything else."""
    kind, _, name = (part.strip() for part in text.partition("|"))
    return AuthTarget(kind, name) if kind in (SERVICE, MODULE) and name else None


def defaults(documents: Mapping[str, Document]) -> dict[TokenType, AuthTarget]:
    """The defaults that are kept."""
    found = {TokenType(name): target_of(each["target"]) for name, each in documents.items()}
    return {name: target for name, target in found.items() if target is not None}


def _name(members: Members) -> str:
    name = members.text("name")
    if not _NAME.fullmatch(name):
        members.wrong("name", "use 1 to 64 letters, digits, . _ and -")
    return name


def _check_size(members: Members, state: Document) -> None:
    try:
        size = len(orjson.dumps(state))
    except TypeError:  # half of a surrogate pair, or a number beyond 64 bits
        members.wrong("document", "write text, numbers, lists and objects as JSON has them")
        return
    if size > MAX_MODULE_BYTES:
        members.wrong("document", f"a module or chain takes {MAX_MODULE_BYTES} bytes at most")


def _check_places(members: Members, state: Document, old: Document) -> None:
    """A realm's administrator must not have the broker ask what listens on this machine."""
    for key, value in state.items():
        before = set(_texts(old.get(key)))
        if any(text not in before and _is_here(text) for text in _texts(value)):
            members.wrong(key, NEARBY)


def _texts(value: Any) -> Iterator[str]:
    """The strings in a value, at whatever depth."""
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, Mapping):
            left.extend(found.values())
        elif isinstance(found, list):
            left.extend(found)


def _is_here(text: str) -> bool:
    """A URL, or a host with or without its port; a Unix socket is always here.

    Read as generously as whoever connects: in any case, in wide letters (as IDNA reads them), with
    blanks around it.
    """
    plain = unicodedata.normalize("NFKC", text).replace(WIDE_DOT, ".").strip().lower()
    return plain.startswith("ldapi:") or leads_near(plain) or leads_near(f"//{plain}")


def _check_secrets(members: Members, state: Document, kind: Kind, old: Document | None) -> None:
    """Whoever may not read a secret must not have it sent to a place of his choice either."""
    moved = old is not None and any(state.get(key) != old.get(key) for key in DESTINATIONS)
    for key in kind.secrets:
        if moved and members.value(key) == REDACTED:
            members.wrong(key, "where it goes has changed: write the secret again")


def _unhidden(members: Members, key: str, kind: Kind, old: Document | None) -> Any:
    """The value, or the one before where a hidden secret was written back."""
    value = members.value(key)
    if key not in kind.secrets or value != REDACTED:
        return value
    if old is None or old.get("kind") != kind.name or key not in old:
        members.wrong(key, "there is no secret to keep; write one")
        return None
    return old[key]
