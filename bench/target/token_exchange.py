"""Token exchange: RFC 8693. A subject token in, another token out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs

from bench.target import WrongAnswer
from bench.target.asking import members
from bench.target.oauth import Client, TokenAnswers, form
from bench.target.options import Kind, TargetOptions
from bench.target.subjects import Tokens

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


class TokenExchange:
    """One client at one token endpoint, with a subject token of its own in each request."""

    kind: str = Kind.TOKEN_EXCHANGE

    def __init__(self, url: str, options: TargetOptions) -> None:
        """Raises NotPrepared."""
        self.url = url
        self._options = options
        self._client = Client(options)
        self.head: Mapping[str, str] = self._client.head
        self._tokens = Tokens(options)
        self._answers = TokenAnswers(url, options, self._client)
        self.subjects: int | None = None

    def bodies(self, number: int) -> Iterator[bytes]:
        """Section 2.1. Raises NotPrepared."""
        options = self._options
        shared = {
            "grant_type": GRANT,
            "subject_token_type": options.subject_token_type,
            "requested_token_type": options.requested_token_type,
            "audience": options.audience,
            "scope": options.scope,
            "resource": options.resource,
            **self._client.form,
        }
        for token in self._tokens.take(number):
            yield form(shared, subject_token=token)
        self.subjects = self._tokens.different

    def token(self, answer: bytes) -> str:
        return self._answers.token(answer)

    def check(self, body: bytes, answer: bytes) -> str:
        """Section 2.2.1."""
        issued = members(answer).get("issued_token_type")
        if not isinstance(issued, str):
            raise WrongAnswer("the answer has no issued_token_type (RFC 8693, section 2.2.1)")
        wanted = self._options.requested_token_type
        if wanted and issued != wanted:
            raise WrongAnswer("the issued token is not of the requested type")
        [shown] = parse_qs(body.decode())["subject_token"]
        subject = self._tokens.holder(shown)
        return self._answers.check(answer, subject, self._options.audience)

    async def check_kept(self, answers: list[bytes]) -> None:
        await self._answers.check_kept(answers)
