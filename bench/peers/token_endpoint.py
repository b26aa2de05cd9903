"""A token endpoint (RFC 6749 section 3.2) under load: forms in, JWT access tokens out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Protocol
from urllib.parse import parse_qs, urlencode

from bench.peers.subjects import SubjectTokens
from bench.target import WrongAnswer, judging
from bench.target.asking import members
from bench.target.judging import Judge, unverified_claims, unverified_header
from bench.target.keys import RSA_BITS
from bench.target.options import ACCESS_TOKEN
from bench.target.token_exchange import GRANT
from bench.target.trust import Trust, keys_of

SIGNATURES = {"RS256": f"RS256, {RSA_BITS} bit, SHA-256", "ES256": "ES256, P-256, SHA-256"}


def exchange_form(subject_token_type: str) -> dict[str, str]:
    """What all exchanges for an access token have in common (RFC 8693 section 2.1)."""
    return {
        "grant_type": GRANT,
        "subject_token_type": subject_token_type,
        "requested_token_type": ACCESS_TOKEN,
    }


class Given(Protocol):
    """What a request brings, besides what all requests have in common."""

    def forms(self, number: int) -> Iterator[Mapping[str, str]]:
        """So many, each different where the grant allows that."""

    def subject(self, form: Mapping[str, list[str]]) -> str | None:
        """Whom the token must be about; None if the form does not say."""


@dataclass(frozen=True, slots=True)
class ClientAlone:
    """The client itself is whom the token is about (RFC 6749 section 4.4)."""

    client: str | None
    """What the server calls it in ``sub``; None where that is the server's own choice."""

    def forms(self, number: int) -> Iterator[Mapping[str, str]]:
        return repeat({}, number)

    def subject(self, form: Mapping[str, list[str]]) -> str | None:
        return self.client


@dataclass(frozen=True, slots=True)
class GivenTokens:
    """A subject token (RFC 8693 section 2.1)."""

    tokens: SubjectTokens

    def forms(self, number: int) -> Iterator[Mapping[str, str]]:
        return ({"subject_token": token} for token in self.tokens.mint(number))

    def subject(self, form: Mapping[str, list[str]]) -> str | None:
        return str(unverified_claims(form["subject_token"][0])["sub"])


@dataclass(frozen=True, slots=True)
class GivenPasswords:
    """A user's name and password (RFC 6749 section 4.3)."""

    users: Mapping[str, str]
    """What the server calls each in ``sub``, by name."""
    password: str = field(repr=False)

    def forms(self, number: int) -> Iterator[Mapping[str, str]]:
        names = list(self.users)
        for count in range(number):
            yield {"username": names[count % len(names)], "password": self.password}

    def subject(self, form: Mapping[str, list[str]]) -> str | None:
        return self.users[form["username"][0]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good token says, and the keys that it may be signed with."""

    algorithm: str
    issuer: str
    audience: str
    jwks: str = field(repr=False)
    """The server's own JWK set, as JSON."""
    since: float = field(default_factory=time.time)
    """No token is older: seconds since the epoch."""

    @property
    def judge(self) -> Judge:
        return Judge(Trust(keys_of(members(self.jwks.encode()))), self.since)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """One grant at one token endpoint: a :class:`bench.target.Target`."""

    kind: str
    url: str
    head: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str]
    """What all requests have in common."""
    given: Given
    expected: Expected

    def bodies(self, number: int) -> Iterator[bytes]:
        common = urlencode(self.form)
        for form in self.given.forms(number):
            yield f"{common}&{urlencode(form)}".rstrip("&").encode()

    def token(self, answer: bytes) -> str:
        token = members(answer).get("access_token")
        if not isinstance(token, str) or not token:
            raise WrongAnswer("the answer has no access_token")
        return token

    def check(self, body: bytes, answer: bytes) -> str:
        token, wanted = self.token(answer), self.expected
        if unverified_header(token)["alg"] != wanted.algorithm:
            raise WrongAnswer(f"the token is not signed by {wanted.algorithm}")
        subject = self.given.subject(parse_qs(body.decode()))
        return wanted.judge.jwt(token, judging.Expected(wanted.issuer, wanted.audience, subject))

    async def check_kept(self, answers: list[bytes]) -> None:
        """These servers keep no access tokens: what is issued holds by its signature alone."""
