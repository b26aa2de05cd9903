"""How the bench judges what a token endpoint answers: by signature, claims and the request."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt as judge
import pytest

from bench.peers import keycloak, oidc_provider
from bench.peers.subjects import SubjectTokens, new_rsa_key
from bench.peers.token_endpoint import TokenEndpoint
from bench.target import WrongAnswer

URL = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def tokens() -> SubjectTokens:
    return oidc_provider.subject_tokens()


@pytest.fixture(scope="module")
def node_targets(tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    """Of a server that signs with the issuer's key, since there is none in these tests."""
    return oidc_provider.targets_at(URL, json.dumps(tokens.public_jwks()), tokens)


@pytest.fixture(scope="module")
def keycloak_targets(tokens: SubjectTokens) -> dict[str, TokenEndpoint]:
    users = {"user-0": "id-0", "user-1": "id-1"}
    return keycloak.targets_at(URL, json.dumps(tokens.public_jwks()), tokens, users)


def _answer(key: str, key_id: str, **changed: Any) -> bytes:
    claims = {
        "iss": URL, "aud": "https://api.example.com/rs256", "sub": "user-0",
        "iat": int(time.time()), "exp": 4_000_000_000, "jti": "id", **changed,
    }  # fmt: skip
    token = judge.encode(claims, key, algorithm="RS256", headers={"kid": key_id})
    return json.dumps({"access_token": token}).encode()


def test_a_good_answer_gives_its_id(
    node_targets: dict[str, TokenEndpoint], tokens: SubjectTokens
) -> None:
    """An answer whose signature and claims hold is judged good, and its jti is handed back."""
    target = node_targets["jwt-to-rs256"]
    body = next(target.bodies(1))
    assert target.check(body, _answer(tokens.key, tokens.key_id)) == "id"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example.com"},
        {"aud": "https://other.example.com"},
        {"sub": "user-1"},
        {"exp": 1_000_000_001},
        {"iat": 1_000_000_000},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_wrong_claim_is_a_wrong_answer(
    changed: dict[str, Any], node_targets: dict[str, TokenEndpoint], tokens: SubjectTokens
) -> None:
    """A token that says something else than the request asked for fails the run."""
    target = node_targets["jwt-to-rs256"]
    with pytest.raises(WrongAnswer):
        target.check(next(target.bodies(1)), _answer(tokens.key, tokens.key_id, **changed))


def test_a_forged_token_is_a_wrong_answer(
    node_targets: dict[str, TokenEndpoint], tokens: SubjectTokens
) -> None:
    """A token under a stranger's key, or under an algorithm not asked for, fails the run."""
    rs256, es256 = node_targets["jwt-to-rs256"], node_targets["jwt-to-es256"]
    body = next(rs256.bodies(1))
    with pytest.raises(WrongAnswer):
        rs256.check(body, _answer(new_rsa_key(), tokens.key_id))
    good = _answer(tokens.key, tokens.key_id, aud="https://api.example.com/es256")
    with pytest.raises(WrongAnswer):
        es256.check(next(es256.bodies(1)), good)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"access_token": 1}', b'"text"'])
def test_an_answer_without_token_is_wrong(
    answer: bytes, node_targets: dict[str, TokenEndpoint]
) -> None:
    """A 200 whose body has no token fails the run like any other wrong answer."""
    target = node_targets["client-to-rs256"]
    with pytest.raises(WrongAnswer, match="no access_token"):
        target.check(b"", answer)


def test_secrets_stay_out_of_repr(
    node_targets: dict[str, TokenEndpoint], keycloak_targets: dict[str, TokenEndpoint]
) -> None:
    """A target that is printed shows neither a key, a password nor a client's secret."""
    shown = repr(node_targets) + repr(keycloak_targets)
    assert "PRIVATE KEY" not in shown
    assert "Basic " not in shown
    assert "bench-password" not in shown
    assert oidc_provider.SECRET not in shown
