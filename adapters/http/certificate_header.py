"""A certificate as the text of a header: every form in which TLS offloaders write one.

- base64 of the DER, blanks allowed;
- PEM, its line breaks as blanks or tabs, or URL-encoded (nginx: ``$ssl_client_escaped_cert``),
  blanks as ``%20`` or, as forms have them, ``+``; further certificates after the client's are
  its chain;
- RFC 9440: ``:base64:``, with the chain in ``Client-Cert-Chain``.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from urllib.parse import unquote, unquote_plus

from broker.errors import InvalidRequest
from broker.model import PresentedCertificate

MAX_CHAIN = 8
"""Certificates besides the client's own."""

RFC_9440_HEADER = "client-cert"
RFC_9440_CHAIN = "Client-Cert-Chain"

_BEGIN = "-----BEGIN"
_FORM_BEGIN = _BEGIN + "+"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_ITEM = re.compile(r":([A-Za-z0-9+/=]+):")


def read(value: str, chain: str | None = None) -> PresentedCertificate:
    """The certificates in a header's value; ``chain`` is that of ``Client-Cert-Chain``.

    Raises InvalidRequest; nothing of the value is said again.
    """
    text = value.strip()
    if text.startswith(":"):
        leaf = [_item(text)]
        rest = [_item(item.strip()) for item in chain.split(",")] if chain else []
    else:
        leaf, rest = _plain(text), []
    found = [*leaf, *rest]
    if len(found) > 1 + MAX_CHAIN:
        raise InvalidRequest(f"a client's chain has up to {MAX_CHAIN} certificates here")
    return PresentedCertificate(found[0], tuple(found[1:]))


def _plain(text: str) -> list[bytes]:
    if text.startswith(_FORM_BEGIN):  # then a plus sign of the base64 is %2B
        text = unquote_plus(text)
    elif "%" in text:
        text = unquote(text)
    if not text.startswith(_BEGIN):
        return [_decoded("".join(text.split()))]
    blocks = _PEM.findall(text)
    if not blocks or _PEM.sub("", text).strip():
        raise InvalidRequest("the client certificate header is no PEM certificate")
    return [_decoded("".join(block.split())) for block in blocks]


def _item(text: str) -> bytes:
    """A byte sequence (RFC 8941, section 3.3.5)."""
    match = _ITEM.fullmatch(text)
    if match is None:
        raise InvalidRequest("write the client certificate header as RFC 9440 does, :base64:")
    return _decoded(match[1])


def _decoded(text: str) -> bytes:
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise InvalidRequest("the client certificate header is not base64")
    return found
