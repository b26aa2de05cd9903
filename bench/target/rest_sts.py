"""The REST STS of ForgeRock and Ping Access Management, and ours: ``_action=translate``.

What is sent is what AM's own clients send; each request has a nonce of its own where it may have
one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from bench.target import NotPrepared, WrongAnswer
from bench.target.asking import members
from bench.target.assertions import assertion_id, conditions_end
from bench.target.judging import Expected, Judge, expired
from bench.target.keeping import Question, all_kept
from bench.target.options import Input, Kind, Output, TargetOptions
from bench.target.sessions import credentials, login_url
from bench.target.subjects import Sessions, Tokens
from bench.target.trust import trust_from

JSON = {"Content-Type": "application/json"}
TRANSLATE = "translate"
VALIDATE = "validate"
BEARER = {"token_type": "SAML2", "subject_confirmation": "BEARER"}


class RestSts:
    """One instance. ``subjects`` is how many different sessions or JWTs the last bodies showed;
    None for passwords, which are no tokens."""

    kind: str = Kind.REST_STS

    def __init__(self, url: str, options: TargetOptions) -> None:
        """Raises NotPrepared."""
        if options.output not in tuple(Output) or options.input not in tuple(Input):
            raise NotPrepared(f"a REST STS does not make {options.output} of {options.input} here")
        over_http = "://" in url
        self._instance = "" if over_http else url.strip("/")
        self.url = _with_action(url, TRANSLATE) if over_http else url
        self.head: Mapping[str, str] = JSON
        self.subjects: int | None = None
        self._options = options
        self._kept_at = options.kept_url or (url if over_http else "")
        if options.kept and not self._kept_at:
            raise NotPrepared(
                "say which URL tells whether a token is known (--introspect), or --not-kept"
            )
        self._source: Tokens | Sessions | None = None
        if options.input == Input.OIDC:
            self._source = Tokens(options)
        elif options.input == Input.OPENAM:
            known = options.subjects is not None
            self._source = Sessions(options, "" if known else login_url(url, options))
        else:
            self._users = credentials(options)
        self._judge = Judge(
            trust_from(options, self._kept_at), since=time.time(), sha1=options.sha1
        )
        if not self._judge.trust and not self._judge.trust.secret:
            raise NotPrepared(
                "the server publishes no keys where they were looked for: name them by --jwks or"
                " --certificate"
            )

    def bodies(self, number: int) -> Iterator[bytes]:
        """One translation each. Raises NotPrepared."""
        series = secrets.token_hex(6)
        instance = {"instance": self._instance} if self._instance else {}
        for at, given in enumerate(self._states(number)):
            wanted = self._wanted(f"{series}-{at}")
            yield orjson.dumps(
                {**instance, "input_token_state": given, "output_token_state": wanted}
            )

    def token(self, answer: bytes) -> str:
        found = members(answer).get("issued_token")
        if not isinstance(found, str) or not found:
            raise WrongAnswer("the answer has no issued_token")
        return found

    def check(self, body: bytes, answer: bytes) -> str:
        request = members(body)
        options = self._options
        expected = Expected(
            issuer=options.expect_issuer or None,
            audience=options.expect_audience or None,
            subject=None if options.any_subject else self._holder(request["input_token_state"]),
            nonce=request["output_token_state"].get("nonce"),
        )
        if options.output == Output.SAML2:
            return assertion_id(self._judge, self.token(answer), expected)
        return self._judge.jwt(self.token(answer), expected)

    async def check_kept(self, answers: list[bytes]) -> None:
        if not self._options.kept:
            return
        shown = [token for token in map(self.token, answers) if not self._ended(token)]
        if answers and not shown:
            raise WrongAnswer("all tokens have expired before the server was asked for them")
        url = _with_action(self._kept_at, VALIDATE)
        questions = [Question(url, JSON, self._question(token)) for token in shown]
        await all_kept(questions, "token_valid", self._options.ca)

    def _states(self, number: int) -> Iterator[dict[str, Any]]:
        """The input token states of so many requests."""
        if self._source is None:
            for name, password in islice(cycle(self._users), number):
                yield {"token_type": "USERNAME", "username": name, "password": password}
            return
        kind, member = (
            ("OPENIDCONNECT", "oidc_id_token")
            if self._options.input == Input.OIDC
            else ("OPENAM", "session_id")
        )
        for token in self._source.take(number):
            yield {"token_type": kind, member: token}
        self.subjects = self._source.different

    def _wanted(self, nonce: str) -> dict[str, Any]:
        if self._options.output == Output.SAML2:
            return BEARER
        return {"token_type": "OPENIDCONNECT", "nonce": nonce, "allow_access": True}

    def _holder(self, given: Mapping[str, Any]) -> str | None:
        """Whom the issued token must name, where that is known."""
        if self._source is None:
            return str(given["username"])
        return self._source.holder(str(given.get("oidc_id_token") or given.get("session_id")))

    def _question(self, token: str) -> bytes:
        state = (
            {"token_type": "SAML2", "saml2_token": token}
            if self._options.output == Output.SAML2
            else {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
        )
        return orjson.dumps({"validated_token_state": state})

    def _ended(self, token: str) -> bool:
        if self._options.output == Output.SAML2:
            end = conditions_end(token)
            return end is not None and end <= time.time()
        return expired(token)


def _with_action(url: str, action: str) -> str:
    """``_action`` replaced; other parameters stay."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "_action"]
    words = urlencode([*query, ("_action", action)])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, words, ""))
