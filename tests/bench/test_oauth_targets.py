"""Token endpoints of OAuth: clients, exchanged tokens, and the tokens that they are shown."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc.jwk import ECKey, RSAKey

from bench.target import NotPrepared, Target, WrongAnswer
from bench.target.keys import MintKey
from bench.target.minting import ALONE, Plan, minted
from bench.verification import verified
from tests.bench.asking import NUMBER, made, samples
from tests.bench.oauth_stub import CLIENT, EXCHANGE, ISSUER, SECRET, Stub, running
from tests.support.certificates import loopback_certificate

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running(Stub()) as stub:
        yield stub


def token_url(stub: Stub) -> str:
    return f"{stub.url}/realm/protocol/token"


THE_CLIENT = {"client_id": CLIENT, "client_secret": SECRET}


@pytest.fixture
def mint_key(tmp_path: Path, stub: Stub) -> Path:
    """The file of a key that the stub trusts."""
    stub.trusted = MintKey.generated("RS256")
    path = tmp_path / "mint.pem"
    path.write_bytes(stub.trusted.pem)
    return path


async def exchange(stub: Stub, mint_key: Path, **more: Any) -> Target:
    options = {
        **THE_CLIENT,
        "mint_key": mint_key,
        "mint_issuer": "https://idp.example.com",
        "mint_audience": "as",
        "mint_subject": "user-{number}",
        **more,
    }
    return await made("token-exchange", token_url(stub), **options)


@pytest.mark.parametrize("way", ["basic", "post", "none"])
async def test_client_authentication(stub: Stub, way: str) -> None:
    """A client proves itself in each of the ways, and its secret stands where it belongs."""
    target = await made(
        "client-credentials",
        token_url(stub),
        client_authentication=way,
        scope="a b",
        resource="https://api.example.com",
        expect_issuer=ISSUER,
        **THE_CLIENT,
    )
    assert await verified(target, await samples(target)) == NUMBER
    form = stub.seen[0]
    assert (form["grant_type"], form["scope"]) == ("client_credentials", "a b")
    assert form["resource"] == "https://api.example.com"
    assert ("client_secret" in form, "client_id" in form) == (way == "post", way != "basic")
    assert ("Authorization" in target.head) == (way == "basic")


async def test_exchange(stub: Stub, mint_key: Path) -> None:
    """Each request shows a JWT of its own, and the token that comes names its subject."""
    target = await exchange(stub, mint_key, requested_token_type=JWT_TYPE, audience="api")
    found = await samples(target)
    assert await verified(target, found) == NUMBER
    forms = [parse_qs(body.decode()) for body, _ in found]
    assert len({form["subject_token"][0] for form in forms}) == NUMBER
    assert forms[0]["grant_type"] == [EXCHANGE]
    assert forms[0]["subject_token_type"] == [JWT_TYPE]
    assert forms[0]["audience"] == ["api"]
    assert vars(target)["subjects"] == NUMBER


async def test_exchanged_for_another(stub: Stub, mint_key: Path) -> None:
    """A token for another subject, audience or type than asked for fails the run."""
    target = await exchange(stub, mint_key, audience="api")
    one, two = await samples(target, 2)
    with pytest.raises(WrongAnswer, match="another subject"):
        await verified(target, [(one[0], two[1])])
    other = await exchange(stub, mint_key, expect_audience="elsewhere")
    with pytest.raises(WrongAnswer, match="another audience"):
        await verified(other, [one])
    typed = await exchange(stub, mint_key, requested_token_type="urn:example:else")
    with pytest.raises(WrongAnswer, match="not of the requested type"):
        await verified(typed, [one])


@pytest.mark.parametrize("member", ["token_type", "issued_token_type", "access_token"])
async def test_what_an_answer_must_have(stub: Stub, mint_key: Path, member: str) -> None:
    """An answer without what RFC 6749 and RFC 8693 require of it is wrong."""
    stub.extra = {member: None}
    target = await exchange(stub, mint_key)
    with pytest.raises(WrongAnswer, match=f"no {member}"):
        await verified(target, await samples(target, 1))


async def test_opaque_tokens(stub: Stub) -> None:
    """Tokens that are no JWTs are judged by introspection, and by nothing less."""
    stub.opaque = True
    url = f"{stub.url}/realm/protocol/introspect"
    target = await made("client-credentials", token_url(stub), kept_url=url, **THE_CLIENT)
    found = await samples(target)
    assert await verified(target, found) == NUMBER
    blind = await made("client-credentials", token_url(stub), **THE_CLIENT)
    with pytest.raises(WrongAnswer, match="--introspect"):
        await verified(blind, found)
    stub.active = False
    with pytest.raises(WrongAnswer, match="does not know a token that it issued"):
        await verified(target, found)
    with pytest.raises(WrongAnswer, match="two requests got the same token"):
        await verified(target, [found[0], found[0]])


async def test_keys_nowhere(stub: Stub, tmp_path: Path) -> None:
    """A JWT that nothing is known of to verify it with is wrong; the sentence names the options."""
    missing = f"{stub.url}/nowhere/token"
    target = await made("client-credentials", missing, **THE_CLIENT)
    good = await made("client-credentials", token_url(stub), **THE_CLIENT)
    with pytest.raises(WrongAnswer, match="--jwks or --certificate"):
        await verified(target, await samples(good, 1))


@pytest.mark.parametrize("named", [False, True])
async def test_keys_that_rotate(stub: Stub, named: bool) -> None:
    """A key that the server took up during the run is asked for once, and one after that not."""
    asked = {**THE_CLIENT, "jwks": f"{stub.url}/deep/keys" if named else ""}
    target = await made("client-credentials", token_url(stub), **asked)
    for good in (True, False):
        stub.key = MintKey.generated("ES256")
        found = await samples(target, 2)
        if good:
            assert await asyncio.to_thread(asyncio.run, verified(target, found)) == 2
        else:
            with pytest.raises(WrongAnswer, match="no known key"):
                await asyncio.to_thread(asyncio.run, verified(target, found))


async def test_over_tls(tmp_path: Path) -> None:
    """A server whose certificate an own authority vouches for is asked for keys and tokens."""
    certificate, key = loopback_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with running(Stub(opaque=True), tls) as stub:
        asked = {**THE_CLIENT, "kept_url": f"{stub.url}/realm/protocol/introspect"}
        target = await made("client-credentials", token_url(stub), ca=certificate, **asked)
        stub.known.add("a-token")
        sample = b"", b'{"access_token": "a-token", "token_type": "Bearer"}'
        assert await verified(target, [sample]) == 1
        stranger = await made("client-credentials", token_url(stub), **asked)
        with pytest.raises(WrongAnswer, match=r"could not be asked .*Certificate"):
            await verified(stranger, [sample])
        with pytest.raises(NotPrepared, match="holds no certificates"):
            await made("client-credentials", token_url(stub), ca=key, **asked)


async def test_no_client(stub: Stub) -> None:
    """A client without its secret is named as what is missing."""
    with pytest.raises(NotPrepared, match="--client-id with its secret"):
        await made("client-credentials", token_url(stub), client_id=CLIENT)


# -- subject tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("written", ["pem", "jwk"])
async def test_minted_for_the_server(
    stub: Stub, tmp_path: Path, algorithm: str, written: str
) -> None:
    """A key is read from a PEM or a JWK; a server that has its public half takes its tokens."""
    stub.trusted = MintKey.generated(algorithm)
    path = tmp_path / "key"
    path.write_bytes(stub.trusted.pem if written == "pem" else _jwk(stub.trusted))
    target = await exchange(stub, path)
    assert await verified(target, await samples(target)) == NUMBER


async def test_subjects_from_a_file(stub: Stub, mint_key: Path, tmp_path: Path) -> None:
    """Ready tokens are shown as they are, and go round."""
    bodies = (await exchange(stub, mint_key)).bodies(2)
    tokens = [parse_qs(body.decode())["subject_token"][0] for body in bodies]
    file = tmp_path / "tokens"
    file.write_text("\n".join(tokens))
    target = await made("token-exchange", token_url(stub), subjects=file, **THE_CLIENT)
    shown = [parse_qs(body.decode())["subject_token"][0] for body, _ in await samples(target)]
    assert shown == [*tokens, *tokens, tokens[0]]
    assert vars(target)["subjects"] == 2
    file.write_text("\n \n")
    with pytest.raises(NotPrepared, match="no line with a token"):
        list(target.bodies(1))


@pytest.mark.slow
def test_many_are_minted_on_several_processes() -> None:
    """Many tokens come in order, each with an id of its own, however many processes sign."""
    key = MintKey.generated("ES256")
    tokens = list(minted(key, Plan("https://idp", "as", "u-{number}"), ALONE + 1, processes=2))
    claims = [_decoded(token.split(".")[1]) for token in tokens]
    assert [one["sub"] for one in claims] == [f"u-{number}" for number in range(ALONE + 1)]
    assert len({one["jti"] for one in claims}) == ALONE + 1


@pytest.mark.parametrize("text", ["", "{}", "words", '{"kty": "oct", "k": "AAAA"}'])
async def test_no_mint_key(stub: Stub, tmp_path: Path, text: str) -> None:
    """A file without a private key that can sign is named."""
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(NotPrepared, match=r"private"):
        await exchange(stub, path)


def _jwk(key: MintKey) -> bytes:
    kind = RSAKey if key.algorithm == "RS256" else ECKey
    return json.dumps(kind.import_key(key.pem).as_dict(private=True)).encode()


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=="))
    return found
