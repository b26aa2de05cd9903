"""What the requests to an OAuth 2.0 token endpoint share: the client, the form, the answer."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode

from bench.target import NotPrepared, WrongAnswer
from bench.target.asking import members
from bench.target.judging import Expected, Judge, digest, expired, looks_like_jwt
from bench.target.keeping import Question, all_kept
from bench.target.options import ClientAuthentication, TargetOptions
from bench.target.trust import trust_from

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    """An OAuth client: RFC 6749, section 2.3.1. Its secret stands in no ``repr``."""

    def __init__(self, options: TargetOptions) -> None:
        """Raises NotPrepared."""
        self._id, self._secret = options.client_id, options.client_secret
        self._way = options.client_authentication
        if self._way not in tuple(ClientAuthentication):
            raise NotPrepared(f"a client does not authenticate by {self._way} here")
        if self._way != ClientAuthentication.NONE and not (self._id and self._secret):
            raise NotPrepared(
                "say which client asks: --client-id with its secret, or --client-auth none"
            )

    @property
    def head(self) -> dict[str, str]:
        if self._way != ClientAuthentication.BASIC:
            return dict(FORM)
        pair = f"{quote_plus(self._id)}:{quote_plus(self._secret)}".encode()
        return {**FORM, "Authorization": f"Basic {b64encode(pair).decode()}"}

    @property
    def form(self) -> dict[str, str]:
        if self._way == ClientAuthentication.POST:
            return {"client_id": self._id, "client_secret": self._secret}
        if self._way == ClientAuthentication.NONE and self._id:
            return {"client_id": self._id}
        return {}


class TokenAnswers:
    """Judges the answers of a token endpoint: RFC 6749, section 5.1.

    A token that is no JWT has nothing to verify; what is known of it comes from introspection.
    """

    def __init__(self, url: str, options: TargetOptions, client: Client) -> None:
        """Raises NotPrepared."""
        self._options = options
        self._client = client
        self._judge = Judge(trust_from(options, url), since=time.time())

    def token(self, answer: bytes) -> str:
        found = members(answer).get("access_token")
        if not isinstance(found, str) or not found:
            raise WrongAnswer("the answer has no access_token")
        return found

    def check(self, answer: bytes, subject: str | None = None, audience: str = "") -> str:
        """The token's id. Raises WrongAnswer."""
        token = self.token(answer)
        if not isinstance(members(answer).get("token_type"), str):
            raise WrongAnswer("the answer has no token_type (RFC 6749, section 5.1)")
        if not looks_like_jwt(token):
            return digest(token)
        expected = Expected(
            issuer=self._options.expect_issuer or None,
            audience=self._options.expect_audience or audience or None,
            subject=None if self._options.any_subject else subject,
        )
        return self._judge.jwt(token, expected)

    async def check_kept(self, answers: list[bytes]) -> None:
        """RFC 7662: every token is active. Raises WrongAnswer."""
        options = self._options
        tokens = [self.token(answer) for answer in answers]
        if not options.kept_url or not options.kept:
            if any(not looks_like_jwt(token) for token in tokens):
                raise WrongAnswer(
                    "the tokens are opaque and nothing tells whether they are good: name the"
                    " server's --introspect endpoint"
                )
            return
        shown = [token for token in tokens if not expired(token)]
        if tokens and not shown:
            raise WrongAnswer("all tokens have expired before the server was asked for them")
        questions = [
            Question(options.kept_url, self._client.head, form(self._client.form, token=token))
            for token in shown
        ]
        await all_kept(questions, "active", options.ca)


def form(shared: Mapping[str, str], **more: str) -> bytes:
    """``application/x-www-form-urlencoded``; what is empty is left out."""
    given = {name: value for name, value in {**shared, **more}.items() if value}
    return urlencode(given).encode()
