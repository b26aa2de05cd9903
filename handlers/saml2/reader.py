"""Names an assertion that is shown to us: the one place where XML is parsed.

Nothing in the document is believed. Its ``ID`` says which record to look at, and its SHA-256 in
exclusive C14N is compared with that record's, so that only what was issued here can match.
"""

from __future__ import annotations

import hashlib
import threading

from lxml import etree

from broker.errors import InvalidRequest, RemintError
from broker.policy import shown
from broker.ports import TokenName
from handlers.saml2.names import SAML, XENC

MAX_ASSERTION_LENGTH = 256 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 10_000
MAX_ATTRIBUTES = 64  # of one element; the canonicaliser sorts them in quadratic time
MAX_NAME_LENGTH = 512  # with its namespace, which exclusive C14N may repeat at every element

ASSERTION = f"{{{SAML}}}Assertion"
ENCRYPTED_ASSERTION = f"{{{SAML}}}EncryptedAssertion"
CIPHER_VALUE = f"{{{XENC}}}EncryptedData/{{{XENC}}}CipherData/{{{XENC}}}CipherValue"

_XML_SPACE = str.maketrans("", "", " \t\r\n")


def name(document: str) -> TokenName:
    """The name of an ``Assertion`` or ``EncryptedAssertion``; raises InvalidRequest.

    libxml2 keeps each element and attribute name it ever saw, for as long as the thread lives that
    saw it: strangers could fill the memory with new ones. So each document gets a thread of its
    own, which costs about a tenth of a millisecond.
    """
    if len(document) > MAX_ASSERTION_LENGTH:
        raise InvalidRequest(f"the assertion is longer than {MAX_ASSERTION_LENGTH} characters")
    reading = _Reading(document)
    reading.start()
    reading.join()
    return reading.result()


class _Reading(threading.Thread):
    """Reads one document; no object of lxml leaves the thread."""

    def __init__(self, document: str) -> None:
        super().__init__(name="saml2-reader", daemon=True)
        self._document = document
        self._name: TokenName | None = None
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            self._name = _name(parsed(self._document.encode()))
        except RemintError as refusal:
            # Without its traceback, which would hold on to the document.
            self._failure = refusal.with_traceback(None)
        except Exception as failure:
            self._failure = failure

    def result(self) -> TokenName:
        if self._name is None:
            raise self._failure or InvalidRequest("the assertion cannot be read")
        return self._name


def parsed(document: bytes) -> etree._Element:
    """The root element. A DTD is refused unread: entities and external files come from there."""
    if b"<!DOCTYPE" in document:
        raise InvalidRequest("the assertion holds a DOCTYPE, which is not read here")
    parser = etree.XMLParser(
        encoding="utf-8",  # the document came as text, so its own word on that counts for nothing
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=False,
        remove_pis=False,
        collect_ids=False,
        recover=False,
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        raise InvalidRequest("the assertion is not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidRequest("the assertion holds a DOCTYPE, which is not read here")
    _within_limits(root)
    return root


def _within_limits(root: etree._Element) -> None:
    if root.getprevious() is not None or root.getnext() is not None:
        raise InvalidRequest("the assertion has something beside its root element")
    depth = elements = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event == "end":
            depth -= 1
            continue
        if event != "start":
            raise InvalidRequest("the assertion holds a comment or a processing instruction")
        depth += 1
        elements += 1
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"the assertion is nested deeper than {MAX_DEPTH} elements")
        if elements > MAX_ELEMENTS:
            raise InvalidRequest(f"the assertion has more than {MAX_ELEMENTS} elements")
        if len(node.attrib) > MAX_ATTRIBUTES:
            raise InvalidRequest(
                f"an element of the assertion has more than {MAX_ATTRIBUTES} attributes"
            )
        if any(len(name) > MAX_NAME_LENGTH for name in (node.tag, *node.attrib)):
            raise InvalidRequest(
                f"a name in the assertion is longer than {MAX_NAME_LENGTH} characters"
            )


def _name(root: etree._Element) -> TokenName:
    if root.tag == ASSERTION:
        return _plain(root)
    if root.tag == ENCRYPTED_ASSERTION:
        return _encrypted(root)
    found = etree.QName(root)
    if found.namespace != SAML:
        raise InvalidRequest(f"element {shown(found.localname)} is not in SAML 2.0's namespace")
    raise InvalidRequest(
        f"element {shown(found.localname)} is neither an Assertion nor an EncryptedAssertion"
    )


def _plain(root: etree._Element) -> TokenName:
    assertion_id = root.get("ID")
    if not assertion_id:
        raise InvalidRequest("the assertion has no ID")
    try:
        canonical = etree.tostring(root, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError:
        canonical = b""
    # A canonicaliser that fails and says nothing would give every document the same digest.
    if not canonical:
        raise InvalidRequest("the assertion has no canonical form")
    return TokenName(alias=assertion_id, digest=hashlib.sha256(canonical).digest())


def _encrypted(root: etree._Element) -> TokenName:
    """An encrypted assertion shows no ID; its cipher text names it, white space left out."""
    values = root.findall(CIPHER_VALUE)
    if len(values) != 1 or len(values[0]):
        raise InvalidRequest("the EncryptedAssertion needs one EncryptedData with a CipherValue")
    cipher = (values[0].text or "").translate(_XML_SPACE).encode()
    if not cipher:
        raise InvalidRequest("the CipherValue of the EncryptedAssertion is empty")
    return encrypted_name(cipher)


def encrypted_name(cipher: bytes) -> TokenName:
    """The name of an encrypted assertion, from the text of its CipherValue without white space."""
    # SHA-1 only gives the record its public name; the SHA-256 beside it is what gets compared.
    alias = hashlib.sha1(cipher, usedforsecurity=False).hexdigest().upper()
    return TokenName(alias=alias, digest=hashlib.sha256(cipher).digest())
