"""A token as flat facts, so that two of them can be compared one by one.

What differs between any two tokens of one issuer is taken out: identifiers, signature values and
cipher text are ``(present)``, and times are seconds after the token was issued. Signatures are not
verified; nothing here is believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from broker.errors import InvalidRequest

MAX_TOKEN_LENGTH = 1024 * 1024
PRESENT = "(present)"

Facts = Mapping[str, tuple[str, ...]]


class Element(Protocol):
    """An element of an assertion, names as ``{namespace}local``."""

    @property
    def tag(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...
    @property
    def children(self) -> Sequence[Element]: ...


Outline = Callable[[str], Element]
"""Reads an assertion; raises InvalidRequest."""

_PREFIXES = {
    "urn:oasis:names:tc:SAML:2.0:assertion": "",
    "http://www.w3.org/2000/09/xmldsig#": "ds:",
    "http://www.w3.org/2001/04/xmlenc#": "xenc:",
    "http://www.w3.org/2009/xmlenc11#": "xenc11:",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi:",
}
_RANDOM = frozenset({"ds:DigestValue", "ds:SignatureValue", "xenc:CipherValue"})
_RANDOM_ATTRIBUTES = frozenset({"ID", "Id", "URI"})
_TIMES = frozenset({"IssueInstant", "NotBefore", "NotOnOrAfter", "AuthnInstant"})
_CLAIM_TIMES = frozenset({"iat", "exp", "auth_time", "nbf"})


def of(token: Any, outline: Outline) -> Facts:
    """The facts of an ``issued_token``; of anything else, that it is none."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH:
        return {"(token)": (_text(token)[:200],)}
    if token.lstrip().startswith("<"):
        return _assertion(token, outline)
    return _jwt(token)


def _assertion(token: str, outline: Outline) -> Facts:
    try:
        root = outline(token)
    except InvalidRequest as refusal:
        return {"(token)": (str(refusal),)}
    return _gathered(_element(root, _name(root.tag), _time(root.attributes.get("IssueInstant"))))


def _element(element: Element, path: str, issued: float | None) -> Iterator[tuple[str, str]]:
    name = _name(element.tag)
    yield path, ""
    for attribute, value in element.attributes.items():
        short = _name(attribute)
        yield f"{path}/@{short}", _attribute(short, value, issued)
    if element.text:
        words = PRESENT if name in _RANDOM else _words(name, element.text)
        yield f"{path}/text()", words
    for child in element.children:
        yield from _element(child, f"{path}/{_step(child)}", issued)


def _step(element: Element) -> str:
    """An attribute of the subject is told by its name: their order means nothing."""
    name = _name(element.tag)
    return f"{name}[{element.attributes.get('Name')}]" if name == "Attribute" else name


def _attribute(name: str, value: str, issued: float | None) -> str:
    if name in _RANDOM_ATTRIBUTES:
        return PRESENT
    at = _time(value) if name in _TIMES else None
    return value if at is None or issued is None else _after(at - issued)


def _words(name: str, text: str) -> str:
    if name != "ds:X509Certificate":
        return text
    try:
        der = base64.b64decode(text)
    except binascii.Error:
        return "no certificate"
    return f"SHA-256 {hashlib.sha256(der).hexdigest()}"


def _name(tag: str) -> str:
    namespace, _, local = tag.rpartition("}")
    namespace = namespace.lstrip("{")
    return _PREFIXES.get(namespace, f"{{{namespace}}}" if namespace else "") + local


def _time(text: str | None) -> float | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _jwt(token: str) -> Facts:
    parts = token.split(".")
    header = _decoded(parts[0])
    if header is None or len(parts) not in (3, 5):
        return {"(token)": ("no JWT",)}
    facts = [(f"header.{name}", _header(name, value)) for name, value in header.items()]
    claims = _decoded(parts[1]) if len(parts) == 3 else None
    if claims is None:
        return _gathered(iter([*facts, ("(claims)", "encrypted")]))
    issued = claims.get("iat")
    for name, value in claims.items():
        facts += [(name, text) for text in _claim(name, value, issued)]
    return _gathered(iter(facts))


def _header(name: str, value: Any) -> str:
    """An RSA key is told by its numbers: the reference writes a sign byte before them, and members
    of its own beside them, which say nothing of the key."""
    if name != "jwk" or not isinstance(value, dict) or value.get("kty") != "RSA":
        return _text(value)
    numbers = [_number(value.get(member)) for member in ("n", "e")]
    if None in numbers:
        return _text(value)
    return f"RSA, SHA-256 of n and e {hashlib.sha256(repr(numbers).encode()).hexdigest()}"


def _number(text: Any) -> int | None:
    """What a Base64urlUInt says, however many zeros stand before it (RFC 7518, section 2)."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError):
        return None
    return int.from_bytes(data, "big")


def _claim(name: str, value: Any, issued: Any) -> list[str]:
    if name == "jti":
        return [PRESENT]
    if name in _CLAIM_TIMES and isinstance(value, int) and isinstance(issued, int):
        return [_after(value - issued)]
    if name == "aud" and isinstance(value, list):
        return [f"[{', '.join(sorted(map(_text, value)))}]"]  # the reference does not keep order
    return [_text(value)]


def _decoded(part: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def plain(value: Any) -> str:
    """A value of JSON as text."""
    return _text(value)


def seconds(text: str) -> float | None:
    """What ``+600 s`` says; None for any other text."""
    number, _, unit = text.partition(" ")
    if unit != "s" or not number.startswith(("+", "-")):
        return None
    try:
        return float(number)
    except ValueError:
        return None


def _after(difference: float) -> str:
    return f"{difference:+.0f} s"


def _gathered(facts: Iterator[tuple[str, str]]) -> Facts:
    found: dict[str, list[str]] = {}
    for name, value in facts:
        found.setdefault(name, []).append(value)
    return {name: tuple(sorted(values)) for name, values in found.items()}
