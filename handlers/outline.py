"""An assertion as plain values, for commands that show or compare assertions.

Not for servers: unlike ``reader.name`` it reads in the thread of its caller, where libxml2 keeps
every name that it ever saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from broker.errors import InvalidRequest
from handlers.saml2 import reader


@dataclass(frozen=True, slots=True)
class Element:
    """An element, its ``tag`` and the names of its attributes as ``{namespace}local``."""

    tag: str
    attributes: Mapping[str, str]
    text: str
    children: tuple[Element, ...]


def outline(document: str) -> Element:
    """The root element, nothing of which is verified; raises InvalidRequest."""
    if len(document) > reader.MAX_ASSERTION_LENGTH:
        raise InvalidRequest(
            f"the assertion is longer than {reader.MAX_ASSERTION_LENGTH} characters"
        )
    return _element(reader.parsed(document.encode()))


def _element(found: etree._Element) -> Element:
    attributes = {str(name): str(value) for name, value in found.attrib.items()}
    children = tuple(map(_element, found))
    return Element(str(found.tag), attributes, (found.text or "").strip(), children)
