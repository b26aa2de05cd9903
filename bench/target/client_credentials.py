"""Client credentials: RFC 6749, section 4.4. The client is all that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat

from bench.target.oauth import Client, TokenAnswers, form
from bench.target.options import Kind, TargetOptions

GRANT = "client_credentials"


class ClientCredentials:
    """One client at one token endpoint. All requests are the same, as those of a client are."""

    kind: str = Kind.CLIENT_CREDENTIALS
    subjects: int | None = None

    def __init__(self, url: str, options: TargetOptions) -> None:
        """Raises NotPrepared."""
        self.url = url
        self._options = options
        self._client = Client(options)
        self.head: Mapping[str, str] = self._client.head
        self._answers = TokenAnswers(url, options, self._client)

    def bodies(self, number: int) -> Iterator[bytes]:
        """So many times the same form."""
        options = self._options
        asked = form(
            {"grant_type": GRANT, **self._client.form},
            scope=options.scope,
            audience=options.audience,
            resource=options.resource,
        )
        yield from repeat(asked, number)

    def token(self, answer: bytes) -> str:
        return self._answers.token(answer)

    def check(self, body: bytes, answer: bytes) -> str:
        return self._answers.check(answer, audience=self._options.audience)

    async def check_kept(self, answers: list[bytes]) -> None:
        await self._answers.check_kept(answers)
