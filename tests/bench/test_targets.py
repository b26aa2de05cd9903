"""A REST STS is asked what its clients ask it, and judged by what comes back."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from bench.target import NotPrepared, WrongAnswer
from bench.target.keys import MintKey
from bench.verification import verified
from tests.bench.asking import NUMBER, made, samples
from tests.support.door import ELEMENT, REALM, Door, an_instance, pair
from tests.support.planted import USER_PASSWORD


def instance(door: Door, path: str = ELEMENT) -> str:
    return f"{door.url}/rest-sts/{path}"


USER = {"username": "demo", "password": USER_PASSWORD}


@pytest.mark.parametrize("output", ["oidc", "saml2"])
@pytest.mark.parametrize("given", ["username", "openam"])
async def test_translations(door: Door, given: str, output: str) -> None:
    """Sessions and passwords become tokens that hold, with keys found at the broker itself."""
    target = await made("rest-sts", instance(door), input=given, output=output, **USER)
    found = await samples(target)
    assert await verified(target, found) == NUMBER
    assert target.url == instance(door) + "?_action=translate"


async def test_each_request_has_its_own_session(door: Door) -> None:
    """As many sessions begin as requests are prepared, and each nonce comes once."""
    target = await made("rest-sts", instance(door), **USER)
    bodies = [json.loads(body) for body, _ in await samples(target)]
    assert len({body["input_token_state"]["session_id"] for body in bodies}) == NUMBER
    assert len({body["output_token_state"]["nonce"] for body in bodies}) == NUMBER
    assert vars(target)["subjects"] == NUMBER


async def test_fewer_sessions(door: Door) -> None:
    """With fewer sessions than requests they take turns, and the target tells how few there are."""
    target = await made("rest-sts", instance(door), sessions=2, **USER)
    found = await samples(target)
    assert vars(target)["subjects"] == 2
    assert await verified(target, found) == NUMBER
    again = [json.loads(body) for body, _ in [*found, *await samples(target)]]
    assert len({body["input_token_state"]["session_id"] for body in again}) == 2


async def test_users_take_turns(door: Door, tmp_path: Path) -> None:
    """Each user of a file logs in, and each token names its own."""
    await door.add_user("ada")
    users = tmp_path / "users"
    users.write_text(f"demo:{USER_PASSWORD}\n\nada:{USER_PASSWORD}\n")
    for given in ("username", "openam"):
        target = await made("rest-sts", instance(door), input=given, users=users)
        found = await samples(target, 4)
        assert await verified(target, found) == 4
        subjects = {json.loads(body)["input_token_state"].get("username") for body, _ in found}
        assert subjects == ({"demo", "ada"} if given == "username" else {None})


async def test_another_user_is_wrong(door: Door) -> None:
    """A token that names another user than logged in fails the run; --any-subject allows it."""
    await door.add_user("ada")
    of_ada = await made(
        "rest-sts", instance(door), input="username", username="ada", password=USER_PASSWORD
    )
    [(_, answer)] = await samples(of_ada, 1)
    for any_subject in (False, True):
        target = await made(
            "rest-sts", instance(door), input="username", any_subject=any_subject, **USER
        )
        body = json.loads(next(target.bodies(1)))
        claims = json.loads(answer)["issued_token"].split(".")[1]
        body["output_token_state"]["nonce"] = _decoded(claims)["nonce"]
        sample = json.dumps(body).encode(), answer
        if any_subject:
            assert await verified(target, [sample]) == 1
        else:
            with pytest.raises(WrongAnswer, match="another subject"):
                await verified(target, [sample])


async def test_realm(door: Door) -> None:
    """The login of a sub realm is found from the instance's path."""
    await door.publish(an_instance("inner", realm=REALM))
    target = await made(
        "rest-sts",
        instance(door, "fred/bobo/inner"),
        jwks=f"{door.url}/oauth2/realms{REALM}/jwks",
        **USER,
    )
    assert await verified(target, await samples(target)) == NUMBER


async def test_unknown_to_the_store(door: Door) -> None:
    """A good token that the broker no longer knows fails the run."""
    target = await made("rest-sts", instance(door), **USER)
    found = await samples(target)
    token = json.loads(found[2][1])["issued_token"]
    await door.cancel({"token_type": "OPENIDCONNECT", "oidc_id_token": token})
    with pytest.raises(WrongAnswer, match="does not know a token that it issued"):
        await verified(target, found)


async def test_nothing_is_kept(door: Door) -> None:
    """An instance that keeps nothing is judged by signatures alone, if that is said."""
    await door.publish(an_instance("fleeting", persist=False))
    strict = await made("rest-sts", instance(door, "fleeting"), **USER)
    found = await samples(strict)
    with pytest.raises(WrongAnswer, match="--not-kept"):
        await verified(strict, found)
    target = await made("rest-sts", instance(door, "fleeting"), kept=False, **USER)
    assert await verified(target, await samples(target)) == NUMBER


async def test_sessions_from_a_file(door: Door, tmp_path: Path) -> None:
    """Ready sessions are read one a line and go round; whose they are is not known."""
    file = tmp_path / "sessions"
    file.write_text(f"{await door.login()}\n{await door.login()}\n")
    target = await made("rest-sts", instance(door), subjects=file)
    assert await verified(target, await samples(target)) == NUMBER
    assert vars(target)["subjects"] == 2


async def test_no_login(door: Door) -> None:
    """A login that is refused ends the preparation with a sentence without the password."""
    target = await made("rest-sts", instance(door), username="demo", password="wrong password")
    with pytest.raises(NotPrepared, match="login of demo was answered with 401") as told:
        await samples(target)
    assert "wrong password" not in f"{told.value!r} {target!r}"


async def test_messages(door: Door) -> None:
    """For messages each body names its instance; what is kept is asked over HTTP."""
    target = await made(
        "rest-sts",
        ELEMENT,
        login_url=f"{door.url}/json/authenticate",
        kept_url=instance(door),
        **USER,
    )
    body = json.loads((await asyncio.to_thread(list, target.bodies(1)))[0])
    assert body["instance"] == ELEMENT
    assert target.url == ELEMENT
    with pytest.raises(NotPrepared, match="--login-url"):
        await made("rest-sts", ELEMENT, kept_url="http://127.0.0.1:9/", **USER)
    with pytest.raises(NotPrepared, match="--not-kept"):
        await made("rest-sts", ELEMENT, **USER)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "--username with its password, or --users"),
        ({"username": "demo"}, "--password-file"),
        ({"input": "oidc"}, "--subjects FILE, or --mint-key"),
        ({"input": "oidc", "mint_key": "key.pem"}, "--mint-issuer and --mint-audience"),
        ({"input": "x509"}, "does not make"),
        ({"users": "users"}, "line 2 of .*users is not name:password"),
    ],
)
async def test_what_is_missing(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    """What a target lacks is said before anything is asked, with the option that gives it."""
    (tmp_path / "users").write_text("demo:password\nada\n")
    (tmp_path / "key.pem").write_bytes(MintKey.generated("ES256").pem)
    given = {
        name: tmp_path / value if name in ("users", "mint_key") else value
        for name, value in options.items()
    }
    with pytest.raises(NotPrepared, match=sentence):
        await made("rest-sts", "http://127.0.0.1:9/rest-sts/bench", **given)


async def test_unknown_kind() -> None:
    """A protocol that is not known is refused with those that are."""
    with pytest.raises(NotPrepared, match="rest-sts, token-exchange, client-credentials"):
        await made("ws-trust", "http://127.0.0.1:9/")


# -- JWTs of a trusted issuer --------------------------------------------------------------------

IDP = "https://idp.example.com"


@pytest.mark.parametrize("output", ["oidc", "saml2"])
@pytest.mark.parametrize("prefix", ["", "idp:"])
async def test_tokens_of_another_issuer(
    door: Door, tmp_path: Path, output: str, prefix: str
) -> None:
    """Minted JWTs become tokens about the same subject, or about one renamed where that is said."""
    key = MintKey.generated("RS256")
    (tmp_path / "mint.pem").write_bytes(key.pem)
    trusted = {
        "issuer": IDP,
        "audiences": ["sts"],
        "jwks": {"keys": [key.public_jwk()]},
        "subject_prefix": prefix,
    }
    await door.broker.components.issuers.put("/", "bench", trusted)
    transforms = tuple(pair("OPENIDCONNECT", wanted) for wanted in ("OPENIDCONNECT", "SAML2"))
    await door.publish(an_instance("outer", transforms=transforms))
    options = {
        "input": "oidc",
        "output": output,
        "mint_key": tmp_path / "mint.pem",
        "mint_issuer": IDP,
        "mint_audience": "sts",
        "mint_subject": "user-{number}",
    }
    target = await made("rest-sts", instance(door, "outer"), any_subject=bool(prefix), **options)
    found = await samples(target)
    assert await verified(target, found) == NUMBER
    assert vars(target)["subjects"] == NUMBER
    if prefix:
        strict = await made("rest-sts", instance(door, "outer"), **options)
        with pytest.raises(WrongAnswer, match=r"another subject .*--any-subject"):
            await verified(strict, found)


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=="))
    return found
