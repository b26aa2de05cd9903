"""WS-Trust 1.4 under load: requests for a JWT or an assertion, by REST or SOAP."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import repeat

from bench.peers.subjects import SubjectTokens
from bench.target import WrongAnswer
from bench.target.assertions import assertion_id
from bench.target.judging import Expected, Judge

TRUST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
SECURITY = f"{WSS}-wssecurity-secext-1.0.xsd"
PASSWORD_TEXT = f"{WSS}-username-token-profile-1.0#PasswordText"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SAML2 = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"
MAX_ANSWER_BYTES = 256 * 1024

_REQUEST = (
    '<t:RequestSecurityToken xmlns:t="{trust}" Context="{context}">'
    "<t:TokenType>{token_type}</t:TokenType>"
    "<t:RequestType>{trust}/{action}</t:RequestType>"
    "<t:KeyType>{trust}/Bearer</t:KeyType>"
    '<p:AppliesTo xmlns:p="http://www.w3.org/ns/ws-policy">'
    '<a:EndpointReference xmlns:a="http://www.w3.org/2005/08/addressing">'
    "<a:Address>{audience}</a:Address></a:EndpointReference></p:AppliesTo>"
    "{target}</t:RequestSecurityToken>"
)
_TARGET = "<t:ValidateTarget><TokenWrapper>{token}</TokenWrapper></t:ValidateTarget>"
_ENVELOPE = (
    '<s:Envelope xmlns:s="{soap}"><s:Header><w:Security xmlns:w="{security}"'
    ' s:mustUnderstand="1"><w:UsernameToken><w:Username>{user}</w:Username>'
    '<w:Password Type="{password_text}">{password}</w:Password></w:UsernameToken>'
    "</w:Security></s:Header><s:Body>{request}</s:Body></s:Envelope>"
)

# Enough of XML to find what an answer holds: whether that is sound is then judged by its signature.
_MESSAGE = re.compile(r"<(?:[\w.-]+:)?RequestSecurityToken(?:Response)?(?P<attributes>\s[^>]*)?>")
_CONTEXT = re.compile(r"""\sContext=(?P<quote>["'])(?P<value>.*?)(?P=quote)""")
_ISSUED = re.compile(
    r"<(?P<name>(?:[\w.-]+:)?RequestedSecurityToken)(?:\s[^>]*)?>(?P<token>.*?)</(?P=name)\s*>",
    re.DOTALL,
)
_WRAPPER = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is named in the header of each SOAP message (WSS UsernameToken profile 1.1)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WsTrust:
    """One kind of request to one endpoint: a :class:`bench.target.Target`.

    Without ``tokens`` the caller's own token is issued (WS-Trust 1.4, section 4); with them each is
    validated and another of the type ``token_type`` issued for it (section 7).
    """

    url: str
    head: Mapping[str, str] = field(repr=False)
    token_type: str
    expected: Expected
    """With the audience that is asked for."""
    judge: Judge
    tokens: SubjectTokens | None = None
    soap: Caller | None = None
    """None where HTTP names the caller."""
    kind: str = "ws-trust"

    def bodies(self, number: int) -> Iterator[bytes]:
        series = secrets.token_hex(8)
        targets = self.tokens.mint(number) if self.tokens else repeat("", number)
        for count, token in enumerate(targets):
            yield self._body(f"{series}-{count}", token).encode()

    def token(self, answer: bytes) -> str:
        """What stands in the answer's RequestedSecurityToken, as it is written there."""
        found = _ISSUED.search(_text(answer))
        issued = found["token"].strip() if found else ""
        if not issued:
            raise WrongAnswer("an answer without a token")
        return _WRAPPER.sub("", issued).strip() if self.token_type == JWT else issued

    def check(self, body: bytes, answer: bytes) -> str:
        if _context(answer) != _context(body):
            raise WrongAnswer("the answer carries another Context than its request")
        token = self.token(answer)
        if self.token_type == JWT:
            return self.judge.jwt(token, self.expected)
        return assertion_id(self.judge, token, self.expected)

    async def check_kept(self, answers: list[bytes]) -> None:
        """The store is a cache that forgets the oldest: it promises nothing that could be asked."""

    def _body(self, context: str, token: str) -> str:
        request = _REQUEST.format(
            trust=TRUST,
            context=context,
            token_type=self.token_type,
            action="Validate" if token else "Issue",
            audience=escape(self.expected.audience or ""),
            target=_TARGET.format(token=token) if token else "",
        )
        if self.soap is None:
            return request
        return _ENVELOPE.format(
            soap=SOAP,
            security=SECURITY,
            password_text=PASSWORD_TEXT,
            user=escape(self.soap.user),
            password=escape(self.soap.password),
            request=request,
        )


def _text(document: bytes) -> str:
    if len(document) > MAX_ANSWER_BYTES or b"<!DOCTYPE" in document:
        raise WrongAnswer("an answer that is too long or holds a DOCTYPE")
    return document.decode(errors="replace")


def _context(document: bytes) -> str:
    found = _MESSAGE.search(_text(document))
    if found is None:
        raise WrongAnswer("an answer without a response")
    context = _CONTEXT.search(found["attributes"])
    return context["value"] if context else ""
