"""Translating through the front door: what comes out, in which order it is refused, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker.model import OPENAM, OPENIDCONNECT, SAML2, USERNAME
from tests.http import judges
from tests.support.door import (
    ASSERTION,
    ELEMENT,
    HEADER,
    ID_TOKEN,
    REALM,
    Door,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.planted import MARK

ENDING = tuple(
    pair(i, o, end_session=True) for i in (USERNAME, OPENAM) for o in (SAML2, OPENIDCONNECT)
)
CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"


async def _given(door: Door, kind: str, realm: str = "") -> dict[str, Any]:
    return session_input(await door.login(realm=realm)) if kind == OPENAM else user_input()


@pytest.mark.parametrize("kind", [USERNAME, OPENAM])
async def test_id_token(door: Door, kind: str) -> None:
    """A password and a session each give an ID token that joserfc accepts by the JWKS alone."""
    answer = await door.translate(await _given(door, kind), ID_TOKEN)
    assert answer.status == 200
    assert set(answer.body) == {"issued_token"}
    token = await judges.id_token(door, answer.body["issued_token"], "RS256")
    judges.check_claims(token)
    assert token.claims["sub"] == "demo"


@pytest.mark.parametrize("kind", [USERNAME, OPENAM])
async def test_assertion(door: Door, kind: str) -> None:
    """A password and a session each give an assertion that signxml verifies, naming the method."""
    answer = await door.translate(await _given(door, kind), ASSERTION)
    assert answer.status == 200
    assert set(answer.body) == {"issued_token"}
    assertion = await judges.assertion(door, answer.body["issued_token"])
    assert judges.texts(assertion, "saml:Subject/saml:NameID") == ["demo"]
    method = "PreviousSession" if kind == OPENAM else "PasswordProtectedTransport"
    path = "saml:AuthnStatement/saml:AuthnContext/saml:AuthnContextClassRef"
    assert judges.texts(assertion, path) == [CLASSES + method]


async def test_response_head(door: Door) -> None:
    """The head of an answer is the contract's, letter for letter."""
    answer = await door.translate(user_input(), ID_TOKEN)
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_sub_realm(door: Door) -> None:
    """An instance of a sub realm signs with that realm's key, for that realm's subjects."""
    await door.publish(an_instance("inside", realm=REALM))
    path = "fred/bobo/inside"
    for given in (user_input(), await _given(door, OPENAM, REALM)):
        answer = await door.translate(given, ID_TOKEN, instance=path)
        assert answer.status == 200
        await judges.id_token(door, answer.body["issued_token"], "RS256", REALM)
        answer = await door.translate(given, ASSERTION, instance=path)
        await judges.assertion(door, answer.body["issued_token"], REALM)
    kids = [{k["kid"] for k in (await judges.jwks(door, realm))["keys"]} for realm in ("", REALM)]
    assert kids[0].isdisjoint(kids[1])


@pytest.mark.parametrize("prefix", ["/openam", "/am"])
async def test_context_path(door: Door, prefix: str) -> None:
    """AM's context path may stay in front of the path."""
    path = f"{prefix}/rest-sts/{ELEMENT}?_action=translate"
    body = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    assert (await door.request("POST", path, body=body)).status == 200
    assert (await door.request("POST", "/elsewhere" + path, body=body)).status == 404


async def test_method_override(door: Door) -> None:
    """A POST may name the method it stands for; other methods may not."""
    head = {"X-HTTP-Method-Override": "GET"}
    path = f"/rest-sts/{ELEMENT}"
    assert (await door.request("POST", path, headers=head)).status == 501
    head = {"X-HTTP-Method-Override": "POST"}
    assert (await door.translate(user_input(), ID_TOKEN, headers=head)).status == 200
    assert (await door.request("GET", f"{path}?_action=translate", headers=head)).status == 501


async def test_pretty_print(door: Door) -> None:
    """_prettyPrint=true puts each member on a line of its own and changes nothing else."""
    path = f"/rest-sts/{ELEMENT}?_action=translate&_prettyPrint="
    body = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    pretty = await door.request("POST", path + "true", body=body)
    assert pretty.text == json.dumps(pretty.body, indent=2)
    plain = await door.request("POST", path + "false", body=body)
    assert plain.text == json.dumps(plain.body, separators=(",", ":"))


@pytest.mark.parametrize(
    "version",
    [
        "protocol=1.0",
        "protocol=2.0,resource=1.0",
        "Resource=1.0, Protocol=2.0",
        "resource=9.0, protocol=2.1",
        "resource=7",
    ],
)
async def test_protocol_versions(door: Door, version: str) -> None:
    """Every protocol version of CREST up to 2.1 is served; the resource's version is ignored."""
    head = {"Accept-API-Version": version}
    assert (await door.translate(user_input(), ID_TOKEN, headers=head)).status == 200


async def test_byte_order_mark(door: Door) -> None:
    """A mark of UTF-8 in front of the body is ignored, and one alone is an empty body."""
    path = f"/rest-sts/{ELEMENT}?_action=translate"
    body = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
    marked = await door.request("POST", path, data=json.dumps(body).encode("utf-8-sig"))
    assert list(marked.body) == ["issued_token"]
    alone = await door.request("POST", path, data="".encode("utf-8-sig"))
    assert alone.status == 400
    assert "input_token_state" in alone.body["message"]


async def test_what_is_ignored(door: Door) -> None:
    """Unknown members and parameters, the content type, and a session are no concern of ours."""
    given = {**user_input(), "realm": "/elsewhere", "extra": {"deep": [1]}}
    body = {"input_token_state": given, "output_token_state": {**ID_TOKEN, "x": 1}, "more": 2}
    for head in ({"Content-Type": "text/plain"}, {HEADER: "no session"}, await door.admin()):
        path = f"/rest-sts/{ELEMENT}?_action=translate&_fields=issued_token&colour=blue"
        assert (await door.request("POST", path, body=body, headers=head)).status == 200


@pytest.mark.parametrize(
    ("given", "wanted", "status", "sentence"),
    [
        (None, None, 400, "input_token_state must"),
        ({"username": "demo"}, None, 400, "output_token_state must"),
        ({}, {}, 400, "input_token_state needs"),
        ({"token_type": "RIDDLE"}, {}, 400, "output_token_state needs"),
        ({"token_type": "RIDDLE"}, {"token_type": OPENIDCONNECT}, 400, "does not transform"),
        ({"token_type": USERNAME}, {"token_type": "RIDDLE"}, 400, "does not transform"),
        ({"token_type": USERNAME}, {"token_type": OPENIDCONNECT}, 400, "username"),
        (user_input(f"wrong-{MARK}"), {"token_type": OPENIDCONNECT}, 400, "allow_access"),
        (user_input(f"wrong-{MARK}"), {"token_type": SAML2}, 400, "subject_confirmation"),
        (user_input(f"wrong-{MARK}"), ID_TOKEN, 401, "Authentication Failed"),
    ],
)
async def test_order_of_evaluation(
    door: Door, given: Any, wanted: Any, status: int, sentence: str
) -> None:
    """Of two mistakes the earlier step's is answered: states, types, pair, input, output, token."""
    answer = await door.translate(given, wanted)
    assert answer.status == status
    assert sentence in answer.body["message"]


async def test_session_is_ended_after_success(door: Door) -> None:
    """A transform that ends sessions ends the one it used; any other leaves it standing."""
    await door.publish(an_instance("ending", transforms=ENDING))
    session = session_input(await door.login())
    assert (await door.translate(session, ID_TOKEN)).status == 200
    assert (await door.translate(session, ID_TOKEN, instance="ending")).status == 200
    assert (await door.translate(session, ID_TOKEN, instance="ending")).status == 401
    assert (await door.translate(session, ID_TOKEN)).status == 401


async def test_session_is_ended_after_failure(door: Door) -> None:
    """A transform that ends sessions ends the one it used even if no token could be issued."""
    await door.publish(
        an_instance("ending", transforms=ENDING, attribute_map={"bulk": "bulk"}),
        an_instance("leaving", attribute_map={"bulk": "bulk"}),
    )
    await door.add_user("bulky", attributes={"bulk": tuple(f"{n}" * 4000 for n in range(90))})
    session = session_input(await door.login("bulky"))
    assert (await door.translate(session, ASSERTION, instance="leaving")).status == 400
    assert (await door.translate(session, ASSERTION, instance="leaving")).status == 400
    assert (await door.translate(session, ASSERTION, instance="ending")).status == 400
    assert (await door.translate(session, ASSERTION, instance="leaving")).status == 401
    assert await door.tokens() == []


async def test_records(door: Door) -> None:
    """A persisting instance keeps one record of each token, any other keeps none."""
    await door.publish(an_instance("forgetful", persist=False))
    for wanted in (ID_TOKEN, ASSERTION):
        assert (await door.translate(user_input(), wanted, instance="forgetful")).status == 200
    assert await door.tokens() == []
    for wanted in (ID_TOKEN, ASSERTION):
        assert (await door.translate(user_input(), wanted)).status == 200
    assert sorted(record.type for record in await door.tokens()) == [OPENIDCONNECT, SAML2]


async def test_audit_of_a_translation(door: Door) -> None:
    """One line says who got which token from which instance, by digest and never by value."""
    await door.translate(user_input(), ID_TOKEN)
    (line,) = door.audit()
    (record,) = await door.tokens()
    assert line["outcome"] == "ok"
    assert (line["operation"], line["instance"]) == ("translate", ELEMENT)
    assert (line["principal"], line["address"]) == ("demo", "127.0.0.1")
    assert (line["token_id"], line["token_alias"]) == (record.token_id, record.alias)
    assert (line["digest"], line["key_id"]) == (record.digest.hex(), record.key_id)
