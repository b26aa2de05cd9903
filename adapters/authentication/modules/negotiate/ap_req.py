"""What makes a Kerberos token unlike every other: the authenticator that its client encrypted.

What is around it can be written in many ways, and by anybody; the authenticator cannot be changed
without the session key (RFC 4120, section 5.5.1). So that is what a replay is known by.
"""

from __future__ import annotations

from adapters.authentication.modules.ldap.ber import OCTETS, SEQUENCE, Malformed, Reader

SPNEGO = bytes.fromhex("2b0601050502")
KERBEROS = bytes.fromhex("2a864886f712010202")
NTLM = b"NTLMSSP\x00"

_TOKEN, _OID, _AP_REQ = 0x60, 0x06, 0x6E
_KERBEROS_START = bytes((_OID, len(KERBEROS))) + KERBEROS + b"\x01\x00"  # RFC 4121, section 4.1


def authenticator(token: bytes) -> bytes:
    """The encrypted authenticator in the first token of SPNEGO (RFC 4178, section 4.2) or of
    Kerberos itself. Raises ValueError with a sentence for the audit."""
    if token.startswith(NTLM):
        raise ValueError("NTLM came, which is not accepted")
    try:
        return _authenticator(token)
    except Malformed:
        raise ValueError("the token is no first step of Kerberos") from None


def _authenticator(token: bytes) -> bytes:
    whole = Reader(token)
    content = whole.next(_TOKEN)
    if whole.more:
        raise Malformed("more than one token")
    if Reader(content).next(_OID) == SPNEGO:
        return _authenticator(_inner(content))
    if not content.startswith(_KERBEROS_START):
        raise Malformed("a mechanism that is not Kerberos")
    return _cipher(content[len(_KERBEROS_START) :])


def _inner(content: bytes) -> bytes:
    """The token that goes with the client's first choice of mechanism."""
    outer = Reader(content)
    outer.next(_OID)
    init = outer.inside(0xA0).inside(SEQUENCE)
    init.next(0xA0)  # mechTypes
    if init.peek() == 0xA1:  # reqFlags
        init.next(0xA1)
    inner = init.inside(0xA2).next(OCTETS)
    if inner.startswith(NTLM):
        raise ValueError("NTLM came, which is not accepted")
    if (
        not inner.startswith(bytes((_TOKEN,)))
        or Reader(Reader(inner).next(_TOKEN)).next(_OID) == SPNEGO
    ):
        raise Malformed("SPNEGO in SPNEGO")
    return inner


def _cipher(request: bytes) -> bytes:
    """Of an AP-REQ (RFC 4120, section 5.5.1)."""
    outer = Reader(request)
    fields = outer.inside(_AP_REQ).inside(SEQUENCE)
    for tag in (0xA0, 0xA1, 0xA2, 0xA3):  # pvno, msg-type, ap-options, ticket
        fields.next(tag)
    encrypted = fields.inside(0xA4).inside(SEQUENCE)
    encrypted.next(0xA0)  # etype
    if encrypted.peek() == 0xA1:  # kvno
        encrypted.next(0xA1)
    cipher = encrypted.inside(0xA2).next(OCTETS)
    if outer.more or fields.more or encrypted.more or not cipher:
        raise Malformed("more than an AP-REQ has")
    return cipher
