"""A wrong answer of any kind fails a run, and is told without the token."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from bench.target import NotPrepared, WrongAnswer
from bench.target.keys import MintKey
from bench.target.rest_sts import RestSts
from bench.verification import verified
from tests.bench.judging_helpers import (
    ISSUER,
    Server,
    Signer,
    assertion,
    at,
    good_claims,
    server,
    shown,
    signed,
    signer,
    target,
)


@pytest.fixture
def issuer(tmp_path: Path) -> Server:
    return server(tmp_path)


@pytest.fixture
def asked(tmp_path: Path, issuer: Server) -> RestSts:
    return target(tmp_path, issuer.jwks)


def refused(asked: RestSts, body: bytes, answer: bytes, sentence: str) -> None:
    """The answer fails the run with this sentence, which holds no part of the token."""
    with pytest.raises(WrongAnswer, match=sentence) as told:
        asyncio.run(verified(asked, [(body, answer)]))
    for part in json.loads(answer).get("issued_token", "").split("."):
        assert len(part) < 20 or part not in str(told.value)


# -- ID tokens -----------------------------------------------------------------------------------


async def test_good_answers(asked: RestSts, issuer: Server) -> None:
    """Answers that are right in everything are counted as judged."""
    samples = [(body, issuer.answer(body)) for body in asked.bodies(5)]
    assert await verified(asked, samples) == 5
    assert await verified(asked, []) == 0


Claims = Callable[[], dict[str, Any]]

WRONG_CLAIMS: dict[str, tuple[Claims, str]] = {
    "nonce": (lambda: {"nonce": "another"}, "another nonce"),
    "no nonce": (lambda: {"nonce": None}, "another nonce"),
    "issuer": (lambda: {"iss": "https://else.example.com"}, "another issuer"),
    "audience": (lambda: {"aud": "https://else.example.com"}, "another audience"),
    "no audience": (lambda: {"aud": None}, "another audience"),
    "subject": (lambda: {"sub": "admin"}, "another subject"),
    "expired": (lambda: {"iat": None, "exp": int(time.time()) - 100}, "has expired"),
    "expired early": (lambda: {"exp": int(time.time()) - 1}, "expired before it was issued"),
    "old": (
        lambda: {"iat": int(time.time()) - 900, "exp": int(time.time()) + 9},
        "before the run began",
    ),
    "from the future": (lambda: {"iat": int(time.time()) + 900}, "in the future"),
    "not yet": (lambda: {"nbf": int(time.time()) + 900}, "not valid yet"),
    "no end": (lambda: {"exp": None}, "never expires"),
    "end in words": (lambda: {"exp": "tomorrow"}, "no number"),
}


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_wrong_claims(asked: RestSts, issuer: Server, name: str) -> None:
    """A claim that is not what was asked for fails the run, whoever signed it."""
    replaced, sentence = WRONG_CLAIMS[name]
    [body] = asked.bodies(1)
    refused(asked, body, issuer.answer(body, **replaced()), sentence)


def test_forged_claims(asked: RestSts, issuer: Server) -> None:
    """A payload that was changed after it was signed is noticed."""
    [body] = asked.bodies(1)
    token = json.loads(issuer.answer(body))["issued_token"]
    head, payload, signature = token.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    forged = urlsafe_b64encode(json.dumps({**claims, "role": "admin"}).encode()).decode()
    answer = json.dumps({"issued_token": f"{head}.{forged.rstrip('=')}.{signature}"}).encode()
    refused(asked, body, answer, "signature of a token does not hold")


def test_forged_signature(asked: RestSts, issuer: Server) -> None:
    """A signature of another key under a known ``kid`` is noticed."""
    [body] = asked.bodies(1)
    stranger = MintKey.generated("ES256")
    answer = signed(stranger, good_claims(body), kid=issuer.key.kid)
    refused(asked, body, answer, "signature of a token does not hold")


def test_unknown_key(asked: RestSts) -> None:
    """A key that the server does not publish signs nothing."""
    [body] = asked.bodies(1)
    answer = signed(MintKey.generated("ES256"), good_claims(body))
    refused(asked, body, answer, "no known key could have signed")


def test_another_algorithm(asked: RestSts, issuer: Server) -> None:
    """A public key is no HMAC secret, and ``none`` is no signature."""
    [body] = asked.bodies(1)
    claims, head = good_claims(body), {"kid": issuer.key.kid}
    confused = jwt.encode(claims, "p" * 64, algorithm="HS256", headers=head)
    unsigned = jwt.encode(claims, None, algorithm="none", headers=head)
    for token in (confused, unsigned):
        answer = json.dumps({"issued_token": token}).encode()
        refused(asked, body, answer, "no known key could have signed")


async def test_repeated_id(asked: RestSts, issuer: Server) -> None:
    """Two answers with one ``jti`` fail the run, each of them being good alone."""
    bodies = list(asked.bodies(2))
    samples = [(body, issuer.answer(body, jti="the-same")) for body in bodies]
    with pytest.raises(WrongAnswer, match="two requests got the same token"):
        await verified(asked, samples)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"issued_token": 7}'])
def test_no_token(asked: RestSts, answer: bytes) -> None:
    """An answer without a token is none."""
    [body] = asked.bodies(1)
    with pytest.raises(WrongAnswer, match="no issued_token"):
        asyncio.run(verified(asked, [(body, answer)]))


def test_no_jwt(asked: RestSts) -> None:
    """Words in the place of a token are no token."""
    [body] = asked.bodies(1)
    refused(asked, body, b'{"issued_token": "words"}', "no signed JWT")


async def test_hmac(tmp_path: Path) -> None:
    """An instance that signs with a client secret is judged by that secret alone."""
    secret = "s" * 64
    asked = target(tmp_path, server(tmp_path).jwks, client_secret=secret)
    [body] = asked.bodies(1)
    for used, good in ((secret, True), ("t" * 64, False)):
        token = jwt.encode(good_claims(body), used, algorithm="HS256")
        sample = body, json.dumps({"issued_token": token}).encode()
        if good:
            assert await verified(asked, [sample]) == 1
        else:
            with pytest.raises(WrongAnswer, match="does not hold"):
                await verified(asked, [sample])


async def test_a_long_run(asked: RestSts, issuer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was good when it came does not turn wrong by the run being long."""
    [body] = asked.bodies(1)
    answer = issuer.answer(body)
    later = time.time() + 3600
    monkeypatch.setattr("bench.target.judging.time.time", lambda: later)
    assert await verified(asked, [(body, answer)]) == 1


# -- assertions ----------------------------------------------------------------------------------


@pytest.fixture
def by() -> Signer:
    return signer()


@pytest.fixture
def saml2(tmp_path: Path, by: Signer) -> RestSts:
    path = tmp_path / "signer.pem"
    path.write_bytes(by.pem)
    return target(tmp_path, None, certificate=path, output="saml2")


async def test_good_assertions(saml2: RestSts, by: Signer) -> None:
    """Assertions that are right in everything are counted as judged."""
    bodies = saml2.bodies(2)
    samples = [(body, shown(assertion(by, f"s2{at}"))) for at, body in enumerate(bodies)]
    assert await verified(saml2, samples) == 2
    with pytest.raises(WrongAnswer, match="two requests got the same token"):
        await verified(saml2, [samples[0], samples[0]])


WRONG_ASSERTIONS: dict[str, tuple[Callable[[], dict[str, str]], str]] = {
    "issuer": (lambda: {"issuer": "https://else.example.com"}, "another issuer"),
    "audience": (lambda: {"audience": "https://else.example.com"}, "another audience"),
    "subject": (lambda: {"subject": "admin"}, "another subject"),
    "expired": (lambda: {"ends": at(-5)}, "expired before it was issued"),
    "old": (lambda: {"issued": at(-900)}, "before the run began"),
    "from the future": (lambda: {"issued": at(900), "ends": at(1800)}, "in the future"),
    "no end": (lambda: {"ends": ""}, "never expires"),
    "no beginning": (lambda: {"issued": "now"}, "no IssueInstant"),
}


@pytest.mark.parametrize("name", WRONG_ASSERTIONS)
def test_wrong_assertion(saml2: RestSts, by: Signer, name: str) -> None:
    """An assertion that is not what was asked for fails the run, whoever signed it."""
    replaced, sentence = WRONG_ASSERTIONS[name]
    [body] = saml2.bodies(1)
    refused(saml2, body, shown(assertion(by, "s21", **replaced())), sentence)


def test_tampered_assertion(saml2: RestSts, by: Signer) -> None:
    """One that was changed after it was signed is noticed."""
    [body] = saml2.bodies(1)
    changed = assertion(by, "s21", subject="someone").replace("someone", "bench-7")
    refused(saml2, body, shown(changed), "signature of an assertion does not hold")


def test_a_certificate_with_character_references(saml2: RestSts, by: Signer) -> None:
    """Line ends of a certificate that Java wrote as ``&#13;`` are none of its letters."""
    [body] = saml2.bodies(1)
    head, mark, rest = assertion(by, "s21").partition("X509Certificate>")
    certificate = rest.lstrip()
    written = f"{certificate[:20]}&#13;\n{certificate[20:]}"
    assert saml2.check(body, shown(head + mark + written)) == "s21"


async def test_an_old_certificate(tmp_path: Path) -> None:
    """A key is trusted because it is named, however long ago its certificate ended."""
    by = signer(days_old=400)
    path = tmp_path / "signer.pem"
    path.write_bytes(by.pem)
    asked = target(tmp_path, None, certificate=path, output="saml2")
    [body] = asked.bodies(1)
    assert await verified(asked, [(body, shown(assertion(by, "s21")))]) == 1


def test_sha1(tmp_path: Path, saml2: RestSts, by: Signer) -> None:
    """Signatures with SHA-1 count only where that is said, as for AM with its defaults."""
    [body] = saml2.bodies(1)
    answer = shown(assertion(by, "s21", sha1=True))
    refused(saml2, body, answer, r"'ecdsa-sha1'; SHA-1 needs --sha1")
    lenient = target(tmp_path, None, certificate=tmp_path / "signer.pem", output="saml2", sha1=True)
    sound = shown(assertion(by, "s22"))
    assert asyncio.run(verified(lenient, [(body, answer), (body, sound)])) == 2


def test_strange_certificate(saml2: RestSts) -> None:
    """A good signature by somebody else's key is none."""
    [body] = saml2.bodies(1)
    refused(saml2, body, shown(assertion(signer(), "s21")), "certificate .* is not trusted")


def test_unsigned_assertion(saml2: RestSts, by: Signer) -> None:
    """An assertion whose signature was cut out counts for nothing, certificate or not."""
    [body] = saml2.bodies(1)
    document = assertion(by, "s21")
    start, end = document.index("<ds:SignedInfo"), document.index("<ds:KeyInfo")
    refused(saml2, body, shown(document[:start] + document[end:]), "does not hold")
    refused(saml2, body, shown("<a/>"), "no certificate")
    refused(saml2, body, shown("<!DOCTYPE a>" + document), "DOCTYPE")


# -- keys ----------------------------------------------------------------------------------------


def test_no_keys(tmp_path: Path) -> None:
    """Without any key the run is not begun, and the sentence says how to name one."""
    with pytest.raises(NotPrepared, match="--jwks or --certificate"):
        target(tmp_path, None)


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct"}]}'])
def test_no_jwks(tmp_path: Path, text: str) -> None:
    """A file that holds no signature key is named."""
    path = tmp_path / "empty.json"
    path.write_text(text)
    with pytest.raises(NotPrepared, match=r"empty.json is no JWK set"):
        target(tmp_path, path)


def test_no_certificate(tmp_path: Path) -> None:
    """So is one that holds no certificate, and one that is not there."""
    path = tmp_path / "words.pem"
    path.write_text("words")
    for file, sentence in ((path, "neither a PEM"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(NotPrepared, match=sentence):
            target(tmp_path, None, certificate=file)


async def test_public_key_for_tokens(tmp_path: Path) -> None:
    """A certificate verifies JWTs too, where a server publishes no JWKS."""
    by = signer()
    path = tmp_path / "signer.pem"
    path.write_bytes(by.pem)
    asked = target(tmp_path, None, certificate=path)
    [body] = asked.bodies(1)
    token = jwt.encode(good_claims(body), by.key, algorithm="ES256")
    assert good_claims(body)["iss"] == ISSUER
    assert await verified(asked, [(body, json.dumps({"issued_token": token}).encode())]) == 1
