"""Custom tokens through the front door: with the examples, and with plug-ins that misbehave."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest

from broker.instance import AuthTarget, Instance, OidcOptions, SigningKey
from broker.model import TokenType
from tests.support.door import (
    HEADER,
    ID_TOKEN,
    ISSUER,
    Answer,
    Door,
    pair,
    session_input,
    user_input,
)
from tests.support.plug_ins import API_KEY, SIGNING_SECRET

ELEMENT = "custom"
KEY = {"token_type": "API_KEY", "api_key": API_KEY}
STAMP = {"token_type": "STAMP", "scope": "orders"}
ODD_OUT = {"token_type": "ODD_OUT"}
HEADER_NAME = "X-Api-Key"


def instance(element: str = ELEMENT, **changes: Any) -> Instance:
    """Custom types in both directions: those of the examples, and odd ones."""
    made = Instance(
        realm="/",
        url_element=element,
        transforms=(
            pair("API_KEY", "OPENIDCONNECT"),
            pair("API_KEY", "STAMP"),
            pair("USERNAME", "STAMP"),
            pair("API_KEY", "ODD_OUT"),
            pair("ODD", "ODD_OUT"),
            pair("ODD", "OPENIDCONNECT"),
            pair("USERNAME", "ODD_OUT"),
            pair("OPENAM", "ODD_OUT", end_session=True),
        ),
        oidc=OidcOptions(ISSUER, ("client",), SigningKey("ES256"), claim_map={"role": "roles"}),
        persist_issued_tokens=True,
        custom_validators={TokenType("API_KEY"): "api-key-file", TokenType("ODD"): "odd"},
        custom_providers={TokenType("STAMP"): "signed-json", TokenType("ODD_OUT"): "odd"},
        auth_targets={
            TokenType("API_KEY"): AuthTarget("module", "keys", {"api_key_header_key": HEADER_NAME}),
            TokenType("ODD"): AuthTarget("module", "odd", {"odd_cookie_key": "k", "word": "w"}),
        },
    )
    return replace(made, **changes)


def odd(**members: Any) -> dict[str, Any]:
    return {"token_type": "ODD", **members}


async def ask(door: Door, given: Any, wanted: Any, **headers: str) -> Answer:
    head = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.translate(given, wanted, instance=ELEMENT, headers=head)


def claims(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    payload = answer.body["issued_token"].split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=="))
    return found


async def test_custom_to_standard(door: Door) -> None:
    """An API key becomes an ID token; the record names its holder as nobody of ours."""
    await door.publish(instance())
    found = claims(await ask(door, KEY, ID_TOKEN))
    assert found["sub"] == "robot-7"
    assert door.audit()[-1]["principal"] == "plug-in://API_KEY#robot-7"
    (record,) = await door.tokens()
    assert record.principal == "plug-in://API_KEY#robot-7"


async def test_custom_to_custom(door: Door) -> None:
    """The state that a validator adds reaches the provider, and the token verifies."""
    await door.publish(instance())
    answer = await ask(door, KEY, STAMP)
    assert answer.status == 200, answer.text
    text = answer.body["issued_token"]
    mac = hmac.digest(SIGNING_SECRET.encode(), text.encode(), "sha256").hex()
    assert answer.body == {"issued_token": text, "hmac_sha256": mac}
    said = json.loads(text)
    assert (said["subject"], said["from"], said["scope"]) == ("robot-7", "API_KEY", "orders")
    assert len(said["key"]) == 8


async def test_standard_to_custom(door: Door) -> None:
    """A custom provider sees the profile of the user whose password came in."""
    await door.publish(instance())
    answer = await ask(door, user_input(), ODD_OUT)
    assert answer.status == 200, answer.text
    assert answer.body["name"] == "demo"
    assert answer.body["attributes"]["mail"] == ["demo@example.com"]
    assert (answer.body["given"], answer.body["session"]) == ("USERNAME", False)


async def test_custom_tokens_are_not_kept(door: Door) -> None:
    """Nothing of a custom token is stored, so it can be neither validated nor cancelled."""
    await door.publish(instance())
    token = (await ask(door, KEY, STAMP)).body["issued_token"]
    state = {"token_type": "STAMP", "issued_token": token}
    assert await door.tokens() == []
    assert (await door.validate(state, instance=ELEMENT)).status == 400
    assert (await door.cancel(state, instance=ELEMENT)).status == 400


async def test_unknown_key(door: Door) -> None:
    """A plug-in's refusal is the caller's answer, in the plug-in's words."""
    await door.publish(instance())
    answer = await ask(door, {**KEY, "api_key": "guess"}, STAMP)
    assert (answer.status, answer.body["message"]) == (401, "this API key is not known here")
    assert "api-key-file" in door.audit()[-1]["reason"]


async def test_named_header(door: Door) -> None:
    """The header that the mapping context names reaches the validator, and no other."""
    await door.publish(instance())
    given = {"token_type": "API_KEY"}
    assert (await ask(door, given, STAMP, X_Api_Key=API_KEY)).status == 200
    assert (await ask(door, given, STAMP, X_Other_Key=API_KEY)).status == 400


async def test_header_belongs_to_the_request(door: Door) -> None:
    """Under one idempotency key another header value is another request."""
    await door.publish(instance())
    given = {"token_type": "API_KEY"}
    first = await ask(door, given, STAMP, X_Api_Key=API_KEY, Idempotency_Key="k")
    again = await ask(door, given, STAMP, X_Api_Key=API_KEY, Idempotency_Key="k")
    assert (first.status, again.text) == (200, first.text)
    other = await ask(door, given, STAMP, X_Api_Key="guess", Idempotency_Key="k")
    assert other.status == 409
    changed = await ask(door, given, ID_TOKEN, X_Api_Key=API_KEY, Idempotency_Key="k")
    assert changed.status == 409


async def test_header_twice(door: Door) -> None:
    """A header that came twice is refused, since nobody could say which one counts."""
    await door.publish(instance())
    body = {"input_token_state": {"token_type": "API_KEY"}, "output_token_state": STAMP}
    async with door.http.post(
        f"{door.url}/rest-sts/{ELEMENT}?_action=translate",
        data=json.dumps(body),
        headers=[(HEADER_NAME, API_KEY), (HEADER_NAME, "other")],
    ) as got:
        assert got.status == 400
        assert "once" in (await got.json())["message"]


async def test_types_do_not_share_accounts(door: Door) -> None:
    """The mark between type and name stands once: the subject of one type is never that of another
    whose name has the mark in it."""
    marked = TokenType("ODD#a")
    validators = {TokenType("ODD"): "odd", marked: "odd"}
    offered = pair("ODD", "OPENIDCONNECT"), pair(marked, "OPENIDCONNECT")
    await door.publish(instance(transforms=offered, custom_validators=validators, auth_targets={}))
    await ask(door, odd(name="a#b"), ID_TOKEN)
    await ask(door, {"token_type": marked, "name": "b"}, ID_TOKEN)
    found = {record.principal for record in await door.tokens()}
    assert found == {"plug-in://ODD#a#b", "plug-in://ODD%23a#b"}


async def test_cookie_twice(door: Door) -> None:
    """So is a cookie, which a neighbouring host may have slipped in."""
    await door.publish(instance())
    for sent in ("k=v; k=w", "k=v; a=b; k=v"):
        answer = await ask(door, odd(do="show"), ODD_OUT, Cookie=sent)
        assert (answer.status, "cookie k once" in answer.body["message"]) == (400, True)


async def test_cookie_of_another_site(door: Door) -> None:
    """The cookie that the context names is handed on, unless another site's page sent it along."""
    await door.publish(instance())
    own = await ask(door, odd(do="show"), ODD_OUT, Cookie="k=v; other=o")
    context = {"odd_cookie_key": "k", "word": "w"}
    assert own.body["state"] == {"values": {"odd_cookie_key": "v"}, "context": context}
    other = await ask(door, odd(do="show"), ODD_OUT, Cookie="k=v", Origin="https://evil.example")
    assert other.body["state"] == {"values": {}, "context": context}


async def test_session_of_a_user(door: Door) -> None:
    """A session that a plug-in names must stand, and then speaks for its user."""
    await door.publish(instance())
    session = await door.login()
    answer = await ask(door, odd(session=session), ODD_OUT)
    assert (answer.body["account"], answer.body["session"]) == ("demo", True)
    assert answer.body["attributes"]["mail"] == ["demo@example.com"]
    await door.request("POST", "/json/sessions?_action=logout", headers={HEADER: session})
    assert (await ask(door, odd(session=session), ODD_OUT)).status == 401


async def test_session_of_somebody_else(door: Door) -> None:
    """A plug-in that names a user and the session of another has failed."""
    await door.publish(instance())
    answer = await ask(door, odd(session=await door.login(), name="admin"), ODD_OUT)
    assert answer.status == 500


@pytest.mark.parametrize("members", [{"do": "nothing"}, {"session": ""}, {}, {"name": ""}])
async def test_nobody_named(door: Door, members: dict[str, Any]) -> None:
    """A validator that names nobody, or an empty session, is a conflict."""
    await door.publish(instance())
    assert (await ask(door, odd(**members), ODD_OUT)).status == 409


async def test_local_user(door: Door) -> None:
    """A user of ours has the profile; one who is unknown or inactive gets nothing."""
    await door.publish(instance())
    await door.add_user("gone", active=False)
    answer = await ask(door, odd(name="demo", local=True), ODD_OUT)
    assert answer.body["attributes"]["mail"] == ["demo@example.com"]
    for name in ("gone", "nobody"):
        assert (await ask(door, odd(name=name, local=True), ODD_OUT)).status == 401


async def test_own_subject_called_admin(door: Door) -> None:
    """A plug-in's subject that bears an administrator's name has none of its attributes."""
    await door.publish(instance())
    answer = await ask(door, odd(name="admin"), ODD_OUT)
    assert (answer.body["account"], answer.body["attributes"]) == ("plug-in://ODD#admin", {})
    assert "role" not in claims(await ask(door, odd(name="admin"), ID_TOKEN))


async def test_end_of_a_custom_token(door: Door) -> None:
    """What is issued ends with the custom token; from one that has ended nothing is issued."""
    await door.publish(instance())
    now = int(door.broker.components.clock.now())
    assert claims(await ask(door, odd(name="r", not_after=now + 60), ID_TOKEN))["exp"] == now + 60
    assert (await ask(door, odd(name="r", not_after=now - 60), ID_TOKEN)).status == 401


async def test_interim_session_ends(door: Door) -> None:
    """The flag of a transform ends the session for a custom output as for any other."""
    await door.publish(instance())
    session = await door.login()
    assert (await ask(door, session_input(session), ODD_OUT)).status == 200
    assert (await ask(door, session_input(session), ODD_OUT)).status == 401


@pytest.mark.parametrize(
    "value",
    [None, True, 7, "text", [1, {"code": "x"}], {"results": [{"code": "x"}]}, {"batch": [1]}],
)
async def test_any_json_value(door: Door, value: Any) -> None:
    """Whatever JSON a provider answers is the body, and the body of a replay."""
    await door.publish(instance())
    wanted = {**ODD_OUT, "value": value}
    first = await ask(door, KEY, wanted, Idempotency_Key="k")
    assert (first.status, json.loads(first.text)) == (200, value)
    again = await ask(door, KEY, wanted, Idempotency_Key="k")
    assert (again.status, json.loads(again.text)) == (200, value)


async def test_custom_tokens_in_a_batch(door: Door) -> None:
    """Parts of a batch may ask for custom tokens; the batch's answer is restored as it was."""
    await door.publish(instance())
    wanted = [{**ODD_OUT, "value": value} for value in ("text", {"code": "x"}, {"batch": []})]
    parts = [{"input_token_state": KEY, "output_token_state": each} for each in wanted]
    path = f"/rest-sts/{ELEMENT}?_action=translate_batch"
    for _ in range(2):
        answer = await door.request(
            "POST", path, body={"requests": parts}, headers={"Idempotency-Key": "b"}
        )
        assert answer.body == {"results": ["text", {"code": "x"}, {"batch": []}]}


async def test_retry_gives_the_same_token(door: Door) -> None:
    """A provider that uses what it is told gives a retry the same token."""
    await door.publish(instance())
    first = await ask(door, KEY, ODD_OUT, Idempotency_Key="k")
    again = await ask(door, KEY, ODD_OUT, Idempotency_Key="k")
    assert first.body["id"] == again.body["id"]
    assert (await ask(door, KEY, ODD_OUT)).body["id"] != first.body["id"]
