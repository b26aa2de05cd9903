"""Reads what a proxy says in headers, after asking whether it is the proxy that says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.authentication.header_names import folded
from adapters.authentication.modules.header.peers import Peers
from adapters.authentication.modules.subjects import MAX_NAME_LENGTH, Subjects
from broker.authentication import FAILED, Evidence, Identity
from broker.errors import AuthenticationFailed
from broker.model import Secret

CONNECTION = "connection"
MAX_VALUE_LENGTH = 8192
MAX_VALUES = 1000
"""Of one attribute, such as groups."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Their names in lower case: who it is, and the attributes of the profile by its names.
    ``separators`` are between several values of an attribute; without one it has a single value.
    """

    user: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.user, *self.attributes.values()))


@dataclass(frozen=True, slots=True)
class HeaderModule:
    """Believes ``peers``, and them alone."""

    name: str
    peers: Peers
    read: Headers
    subjects: Subjects

    @property
    def headers(self) -> frozenset[str]:
        return self.read.names | {CONNECTION}

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed and Unavailable."""
        doubt = self.peers.doubt(evidence)
        if doubt is not None:
            raise AuthenticationFailed(FAILED, detail=doubt)
        user = _only(evidence.headers, self.read.user)
        if user is None:
            raise AuthenticationFailed(FAILED, detail=f"no header {self.read.user} came")
        attributes = {
            name: values
            for name, header in self.read.attributes.items()
            if (values := self._values(evidence, name, header))
        }
        return await self.subjects.identity(_name(self.read.user, user), attributes, ())

    async def close(self) -> None:
        return None

    def _values(self, evidence: Evidence, name: str, header: str) -> tuple[str, ...]:
        value = _only(evidence.headers, header)
        if value is None:
            return ()
        text = _text(header, value)
        separator = self.read.separators.get(name)
        parts = [text] if separator is None else text.split(separator)
        if len(parts) > MAX_VALUES:
            raise AuthenticationFailed(FAILED, detail=f"{header} has over {MAX_VALUES} values")
        return tuple(part.strip() for part in parts if part.strip())


def _only(headers: Mapping[str, tuple[Secret, ...]], name: str) -> Secret | None:
    """The one header of that name. Raises AuthenticationFailed where somebody may have slipped in
    another: twice, under a name that some servers take for the same, or to be dropped on the way.
    """
    wanted = folded(name)
    found = [(each, value) for each, values in headers.items() for value in values]
    alike = [(each, value) for each, value in found if folded(each) == wanted]
    if len(alike) > 1 or any(each != name for each, _ in alike):
        raise AuthenticationFailed(
            FAILED, detail=f"{name} came more than once, or under a name like it"
        )
    listed = ",".join(value.reveal() for value in headers.get(CONNECTION, ()))
    if any(folded(each.strip()) == wanted for each in listed.split(",")):
        raise AuthenticationFailed(FAILED, detail=f"Connection names {name}")
    return alike[0][1] if alike else None


def _name(header: str, value: Secret) -> str:
    """Who it is: plain ASCII, since proxies and servers differ in how they read other letters. A
    comma may be where a proxy joined two headers, and a percent sign where it encoded one."""
    text = value.reveal()
    if not 0 < len(text) <= MAX_NAME_LENGTH:
        raise AuthenticationFailed(FAILED, detail=f"{header} is empty or too long")
    if not text.isascii() or not text.isprintable() or "," in text or "%" in text:
        raise AuthenticationFailed(FAILED, detail=f"{header} has characters that are no name's")
    return text


def _text(header: str, value: Secret) -> str:
    """An attribute, in UTF-8."""
    text = value.reveal()
    if len(text) > MAX_VALUE_LENGTH or not text.isprintable():
        raise AuthenticationFailed(FAILED, detail=f"{header} is too long, or no printable UTF-8")
    return text
