"""OPENIDCONNECT in, at the front door: every output, every attack, and who it speaks for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from broker.instance import Instance
from broker.model import OPENIDCONNECT, SAML2
from tests.http import judges
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    ID_TOKEN,
    ISSUER,
    REALM,
    Door,
    FrozenClock,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.forged import AT, FORGED
from tests.support.issuers import (
    FOREIGN,
    IDP,
    PATH,
    claims,
    id_token,
    key,
    public,
    signed,
    token_input,
    trust,
)
from tests.support.planted import Planted

NOT_TRUSTED = "this is no ID token that is signed by an issuer whom this realm trusts"

OPAQUE = {"token_type": "OPAQUE"}
INSTANCE = "from-id-tokens"


def instance(**changes: Any) -> Instance:
    outputs = ("SAML2", "OPENIDCONNECT", "OPAQUE")
    pairs = tuple(pair(given, out) for given in ("OPENIDCONNECT", "OPAQUE") for out in outputs)
    return an_instance(INSTANCE, transforms=pairs, **changes)


@pytest.fixture
async def ready(door: Door) -> Door:
    """A realm that trusts one issuer, and an instance that takes its tokens."""
    await door.publish(instance(), instance(realm=REALM))
    await trust(door)
    return door


async def ask(door: Door, token: str, wanted: Any = ID_TOKEN, element: str = INSTANCE) -> Any:
    door.planted.note(token)
    return await door.translate(token_input(token), wanted, instance=element)


async def claims_of(door: Door, token: str) -> dict[str, Any]:
    """The claims of a token of ours, as a library reads them that the broker does not use."""
    return dict((await judges.id_token(door, token, "RS256")).claims)


# -- what comes out ------------------------------------------------------------------------------


async def test_to_id_token(ready: Door) -> None:
    """An ID token of the trusted issuer becomes one of ours, for issuer and subject, with the
    claims that the map takes from it and no longer life than it has left."""
    ends = claims()["iat"] + 30
    given = id_token(mail="alice@idp.example", exp=ends)
    answer = await ask(ready, given)
    assert answer.status == 200, answer.text
    found = await claims_of(ready, answer.body["issued_token"])
    assert (found["iss"], found["sub"], found["email"]) == (ISSUER, FOREIGN, "alice@idp.example")
    assert found["exp"] == ends


async def test_to_assertion(ready: Door) -> None:
    """The same as an assertion."""
    answer = await ask(ready, id_token(mail="alice@idp.example"), ASSERTION)
    assert answer.status == 200, answer.text
    written = answer.body["issued_token"]
    assert f">{FOREIGN}</saml:NameID>" in written
    assert ">alice@idp.example</saml:AttributeValue>" in written
    [record] = await ready.tokens()
    assert (record.principal, record.type) == (FOREIGN, SAML2)


async def test_to_reference_token_and_on(ready: Door) -> None:
    """A reference token for a foreign subject is still for that one, without claims, and only as
    long as its issuer is trusted."""
    first = (await ask(ready, id_token(mail="a@b"), OPAQUE)).body["issued_token"]
    second = (await ask(ready, id_token(sub="admin"), OPAQUE)).body["issued_token"]
    shown = {"token_type": "OPAQUE", "opaque_token": first}
    answer = await ready.translate(shown, ID_TOKEN, instance=INSTANCE)
    found = await claims_of(ready, answer.body["issued_token"])
    assert found["sub"] == FOREIGN
    assert "email" not in found
    await ready.broker.components.issuers.delete("/", "partner")
    shown = {"token_type": "OPAQUE", "opaque_token": second}
    answer = await ready.translate(shown, ASSERTION, instance=INSTANCE)
    assert answer.status == 401


async def test_batch(ready: Door) -> None:
    """Parts of a batch are taken and refused one by one."""
    parts = [
        {"input_token_state": token_input(token), "output_token_state": ID_TOKEN}
        for token in (id_token(), FORGED["unsigned"], id_token(sub="bob"))
    ]
    path = f"/rest-sts/{INSTANCE}?_action=translate_batch"
    answer = await ready.request("POST", path, body={"requests": parts})
    assert [("issued_token" in part, part.get("code")) for part in answer.body["results"]] == [
        (True, None),
        (False, 401),
        (True, None),
    ]


# -- who it speaks for ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["admin", "demo"])
@pytest.mark.parametrize("prefix", [None, "", "partner-"])
async def test_name_of_a_local_user_gains_nothing(
    ready: Door, name: str, prefix: str | None
) -> None:
    """A foreign admin has no profile, no session and no record of the local one, on any way."""
    await trust(ready, subject_prefix=prefix)
    for wanted in (ID_TOKEN, ASSERTION, OPAQUE):
        answer = await ask(ready, id_token(sub=name), wanted)
        assert answer.status == 200, answer.text
        assert "demo@example.com" not in answer.text
    shown = {"token_type": "OPAQUE", "opaque_token": answer.body["issued_token"]}
    for wanted in (ID_TOKEN, ASSERTION):
        again = await ready.translate(shown, wanted, instance=INSTANCE)
        assert "demo@example.com" not in again.text
    assert {record.principal for record in await ready.tokens()} == {f"{IDP}#{name}"}
    translated = [line for line in ready.audit() if line["operation"] == "translate"]
    assert {line.get("principal") for line in translated} == {f"{IDP}#{name}"}
    token = (await ask(ready, id_token(sub=name))).body["issued_token"]
    head = {"iPlanetDirectoryPro": token}
    assert (await ready.request("GET", PATH, headers=head)).status == 401
    assert (await ready.translate(session_input(token), ID_TOKEN)).status == 401


async def test_linked_local_user(ready: Door) -> None:
    """Where the issuer's rule links subjects to local users, the local profile is the source."""
    await trust(ready, link_local_users=True)
    answer = await ask(ready, id_token(sub="demo", mail="mallory@idp.example"))
    found = await claims_of(ready, answer.body["issued_token"])
    assert (found["sub"], found["email"]) == ("demo", "demo@example.com")
    assert (await ask(ready, id_token())).status == 401


async def test_realms_trust_for_themselves(ready: Door) -> None:
    """What one realm trusts means nothing in another, nor in the realms inside it."""
    inside = f"{REALM[1:]}/{INSTANCE}"
    assert (await ask(ready, id_token(), element=inside)).status == 400
    await trust(ready, realm=REALM, issuer="https://other.example.com")
    assert (await ask(ready, id_token(), element=inside)).status == 401
    other = id_token(iss="https://other.example.com")
    assert (await ask(ready, other, element=inside)).status == 200
    assert (await ask(ready, other)).status == 401


# -- what is refused -----------------------------------------------------------------------------


async def test_forged_tokens(planted: Planted, tmp_path: Path) -> None:
    """No forged token gets a token, at the time for which it was forged; all hear the same."""
    state, clock = tmp_path / "state", FrozenClock(AT)
    async with doors.opened(state, planted, clock=clock) as door:
        await door.publish(instance())
        await trust(door, jwks=public(key(), key("P-256", "k2")))
        heard = {}
        for title, token in FORGED.items():
            answer = await door.translate(token_input(token), ID_TOKEN, instance=INSTANCE)
            heard[title] = (answer.status, answer.body["message"])
        assert heard == dict.fromkeys(FORGED, (401, NOT_TRUSTED))
        assert await door.tokens() == []
        good = await door.translate(token_input(id_token(AT)), ID_TOKEN, instance=INSTANCE)
        assert good.status == 200


async def test_without_trusted_issuer(door: Door) -> None:
    """Where the realm trusts nobody the request is wrong, not the token: 400."""
    await door.publish(instance())
    answer = await ask(door, id_token())
    assert answer.status == 400
    assert "trusts no issuer" in answer.body["message"]


async def test_huge_tokens(ready: Door) -> None:
    """A token over the limit is refused before it is looked into."""
    answer = await ask(ready, "e" * 70_000)
    assert (answer.status, "longer than" in answer.body["message"]) == (400, True)


async def test_nothing_is_fetched_that_a_token_names(ready: Door) -> None:
    """A token that names places of keys makes the broker connect to none of them."""
    met: list[Any] = []
    server = await asyncio.start_server(lambda *ends: met.append(ends), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mallory, place = key("RSA", "k1", 1), f"http://127.0.0.1:{port}/jwks"
    for header in ({"jku": place}, {"x5u": place}, {"jku": place, "x5u": place, "kid": "k7"}):
        assert (await ask(ready, signed(claims(), mallory, **header))).status == 401
    assert (await ask(ready, signed(claims(iss=place), mallory))).status == 401
    server.close()
    assert met == []


# -- ourselves -----------------------------------------------------------------------------------


async def test_own_token_is_nobodys_unless_listed(ready: Door) -> None:
    """A token of ours is refused in a realm that does not list itself."""
    token = (await ready.translate(user_input(), ID_TOKEN)).body["issued_token"]
    assert (await ask(ready, token)).status == 401


@pytest.mark.parametrize("source", ["own_keys", "jwks"])
async def test_own_token_where_the_realm_lists_itself(ready: Door, source: str) -> None:
    """A listed token of ours counts while it is kept, and not once it was cancelled, whichever way
    our own keys are named."""
    jwks = (await ready.request("GET", "/oauth2/jwks")).body
    signing = {"keys": [each for each in jwks["keys"] if each["use"] == "sig"]}
    where = {"own_keys": True, "jwks": None} if source == "own_keys" else {"jwks": signing}
    rules = {"issuer": ISSUER, "audiences": ["client"], "link_local_users": True}
    await trust(ready, "ourselves", **rules, **where)
    token = (await ready.translate(user_input(), ID_TOKEN)).body["issued_token"]
    answer = await ask(ready, token)
    assert answer.status == 200, answer.text
    child = await claims_of(ready, answer.body["issued_token"])
    assert child["sub"] == "demo"
    assert [r.parent for r in await ready.tokens() if r.token_id == child["jti"]] != [None]
    await ready.cancel({"token_type": OPENIDCONNECT, "oidc_id_token": token})
    assert (await ask(ready, token)).status == 401


async def test_own_key_under_another_name(ready: Door) -> None:
    """Our own key makes a token ours whatever it says of its issuer: not kept, not good."""
    await ready.publish(an_instance("unkept", persist=False))
    jwks = (await ready.request("GET", "/oauth2/jwks")).body
    signing = {"keys": [each for each in jwks["keys"] if each["use"] == "sig"]}
    await trust(ready, "ourselves", issuer=ISSUER, audiences=["client"], jwks=signing)
    token = (await ready.translate(user_input(), ID_TOKEN, instance="unkept")).body["issued_token"]
    answer = await ask(ready, token)
    assert (answer.status, "of ours" in answer.body["message"]) == (401, True)


async def test_idempotent(ready: Door) -> None:
    """A request with an id gets its token once; another token under the id is a conflict."""
    head, given = {"Idempotency-Key": "i-1"}, token_input(id_token())
    one = await ready.translate(given, ID_TOKEN, instance=INSTANCE, headers=head)
    two = await ready.translate(given, ID_TOKEN, instance=INSTANCE, headers=head)
    assert (one.status, one.body) == (two.status, two.body) == (200, one.body)
