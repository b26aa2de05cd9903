"""`/sts-publish/rest`: instances are created, read, updated and deleted by administrators."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.http import judges
from tests.http.states import KEYSTORE_PASSWORD, body, state, transform
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    ELEMENT,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    user_input,
)
from tests.support.planted import CLIENT_SECRET, MARK, Planted

REST = "/sts-publish/rest"
CREATE = f"{REST}?_action=create"
HIDDEN = "(unchanged)"


async def _create(door: Door, instance_state: Any, head: dict[str, str] | None = None) -> Answer:
    head = head or await door.admin()
    return await door.request("POST", CREATE, body=body(instance_state), headers=head)


async def test_create(door: Door) -> None:
    """A new instance is answered with its sub path and revision, and where it can be read."""
    head = await door.admin()
    answer = await _create(door, state(), head)
    assert answer.status == 201, answer.text
    revision = answer.body["_rev"]
    assert answer.body == {
        "_id": "orders",
        "_rev": revision,
        "result": "success",
        "url_element": "orders",
    }
    assert -(2**31) <= int(revision) < 2**31
    assert answer.headers["ETag"] == f'"{revision}"'
    assert answer.headers["Location"] == f"{door.url}{REST}/orders"
    read = await door.request("GET", f"{REST}/orders", headers=head)
    assert (read.body["_id"], read.body["_rev"]) == ("orders", revision)


async def test_create_in_a_sub_realm(door: Door) -> None:
    """The sub path of an instance is its realm and its URL element, with one slash between."""
    answer = await _create(door, state(realm="/fred/bobo/"))
    assert (answer.status, answer.body["_id"]) == (201, "fred/bobo/orders")
    assert answer.headers["Location"].endswith(f"{REST}/fred/bobo/orders")
    translated = await door.translate(user_input(), ID_TOKEN, instance="fred/bobo/orders")
    assert translated.status == 200


async def test_location_is_a_url(door: Door) -> None:
    """What a URL cannot hold is written in percent signs, so that Location can be followed."""
    head = await door.admin()
    answer = await _create(door, state("ordres reçus?"), head)
    location = answer.headers["Location"]
    assert location == f"{door.url}{REST}/ordres%20re%C3%A7us%3F"
    read = await door.request("GET", location.removeprefix(door.url), headers=head)
    assert (read.status, read.body["_id"]) == (200, "ordres reçus?")


async def test_location_behind_a_proxy(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Where a proxy terminates TLS, Location is an https URL at the host that was asked for."""
    async with doors.opened(tmp_path / "state", planted, http={"tls": "offloaded"}) as door:
        head = await door.admin() | {"Host": "sts.example.com"}
        answer = await _create(door, state(), head)
        said.extend(door.refusals)
    assert answer.headers["Location"] == f"https://sts.example.com{REST}/orders"


async def test_pair_that_comes_twice(door: Door) -> None:
    """A pair that is named twice counts once, whatever the second flag, and is read so."""
    head = await door.admin()
    pairs = [transform("USERNAME", "SAML2"), transform("USERNAME", "OPENIDCONNECT")]
    again = transform("USERNAME", "SAML2", end_session=True)
    sent = state(top={"supported-token-transforms": [*pairs, again]})
    assert (await _create(door, sent, head)).status == 201
    read = (await door.request("GET", f"{REST}/orders", headers=head)).body["orders"]
    assert read["supported-token-transforms"] == pairs


@pytest.mark.parametrize("query", ["", "?", "?_prettyPrint=true", "?_action=create&_fields=_id"])
async def test_create_without_action(door: Door, query: str) -> None:
    """Under today's protocol a POST to the collection creates, with the action named or not."""
    head = await door.admin()
    answer = await door.request("POST", REST + query, body=body(state()), headers=head)
    assert answer.status == 201


async def test_usable_at_once(door: Door) -> None:
    """An instance serves as soon as it is published, changes at once, and ends when deleted."""
    head = await door.admin()
    await _create(door, state(), head)
    answer = await door.translate(user_input(), ID_TOKEN, instance="orders")
    token = await judges.id_token(door, answer.body["issued_token"], "HS256")
    assert token.claims["exp"] - token.claims["iat"] == 300
    answer = await door.translate(user_input(), ASSERTION, instance="orders")
    await judges.assertion(door, answer.body["issued_token"])
    changed = state(oidc={"oidc-token-lifetime-seconds": "60"})
    await door.request("PUT", f"{REST}/orders", body=body(changed), headers=head)
    answer = await door.translate(user_input(), ID_TOKEN, instance="orders")
    token = await judges.id_token(door, answer.body["issued_token"], "HS256")
    assert token.claims["exp"] - token.claims["iat"] == 60
    await door.request("DELETE", f"{REST}/orders", headers=head)
    assert (await door.translate(user_input(), ID_TOKEN, instance="orders")).status == 404


async def test_read_one(door: Door) -> None:
    """A read answers the published document under its sub path, secrets hidden, strings kept."""
    head = await door.admin()
    await _create(door, state(), head)
    answer = await door.request("GET", f"{REST}/orders", headers=head)
    hidden = state(saml2={"saml2-keystore-password": HIDDEN}, oidc={"oidc-client-secret": HIDDEN})
    assert set(answer.body) == {"_id", "_rev", "orders"}
    assert answer.body["orders"] == hidden
    assert answer.headers["ETag"] == f'"{answer.body["_rev"]}"'
    assert CLIENT_SECRET not in answer.text
    assert KEYSTORE_PASSWORD not in answer.text


async def test_read_all(door: Door) -> None:
    """A read of the collection answers every instance of every realm, by sub path."""
    head = await door.admin()
    await _create(door, state(), head)
    await _create(door, state(realm=REALM), head)
    for path in (REST, f"{REST}/"):
        answer = await door.request("GET", path, headers=head)
        assert set(answer.body) == {"_id", "_rev", ELEMENT, "orders", "fred/bobo/orders"}
        assert (answer.body["_id"], answer.body["_rev"]) == ("published_instances", "")
        assert MARK not in answer.text


async def test_native_types(door: Door) -> None:
    """JSON booleans and numbers are read like their strings, and answered as strings; the flag of a
    transform is answered as a boolean, however it was written."""
    head = await door.admin()
    native = state(
        "native",
        top={"persist-issued-tokens-in-cts": True},
        saml2={
            "saml2-sign-assertion": True,
            "saml2-encrypt-nameid": False,
            "saml2-token-lifetime-seconds": 600,
            "saml2-encryption-algorithm-strength": 0,
        },
        oidc={"oidc-token-lifetime-seconds": 300},
    )
    first, second, third = native["supported-token-transforms"]
    first["invalidateInterimOpenAMSession"] = "TRUE"
    second["invalidateInterimOpenAMSession"] = "false"
    del third["invalidateInterimOpenAMSession"]
    assert (await _create(door, native, head)).status == 201
    answer = await door.request("GET", f"{REST}/native", headers=head)
    read = answer.body["native"]
    assert read["persist-issued-tokens-in-cts"] == "true"
    assert read["saml2-config"]["saml2-token-lifetime-seconds"] == "600"
    assert read["oidc-id-token-config"]["oidc-token-lifetime-seconds"] == "300"
    flags = [each["invalidateInterimOpenAMSession"] for each in read["supported-token-transforms"]]
    assert flags == [True, False, False]
    assert (await door.translate(user_input(), ASSERTION, instance="native")).status == 200


async def test_read_modify_write_keeps_secrets(door: Door) -> None:
    """What a read answered can be written back: the hidden secrets stay what they were."""
    head = await door.admin()
    await _create(door, state(), head)
    read = (await door.request("GET", f"{REST}/orders", headers=head)).body["orders"]
    read["oidc-id-token-config"]["oidc-token-lifetime-seconds"] = "60"
    answer = await door.request("PUT", f"{REST}/orders", body=body(read), headers=head)
    assert answer.status == 200
    issued = await door.translate(user_input(), ID_TOKEN, instance="orders")
    token = await judges.id_token(door, issued.body["issued_token"], "HS256")
    assert token.claims["exp"] - token.claims["iat"] == 60
    stored = await door.broker.stores.instances.get("orders")
    assert stored is not None
    assert stored.body["saml2-config"]["saml2-keystore-password"] == KEYSTORE_PASSWORD


async def test_hidden_secret_that_was_never_there(door: Door) -> None:
    """A create, or an update without an old secret, cannot keep a secret: 400 names the key."""
    head = await door.admin()
    hidden = state(oidc={"oidc-client-secret": HIDDEN})
    answer = await _create(door, hidden, head)
    assert answer.status == 400
    assert [problem["key"] for problem in answer.body["detail"]] == ["oidc-client-secret"]
    unsecret = {"oidc-client-secret": ..., "oidc-signature-algorithm": "ES256"}
    await _create(door, state(oidc=unsecret), head)
    answer = await door.request("PUT", f"{REST}/orders", body=body(hidden), headers=head)
    assert answer.status == 400
    assert [problem["key"] for problem in answer.body["detail"]] == ["oidc-client-secret"]


@pytest.mark.parametrize("version", ["protocol=1.0", "protocol=2.0", "protocol=2.1", "resource=1"])
async def test_plain_update(door: Door, version: str) -> None:
    """A PUT without a condition updates, under every protocol version."""
    head = {**await door.admin(), "Accept-API-Version": version}
    created = await _create(door, state(), await door.admin())
    changed = state(oidc={"oidc-issuer": "https://other.example.com"})
    answer = await door.request("PUT", f"{REST}/orders", body=body(changed), headers=head)
    assert answer.status == 200
    revision = answer.body["_rev"]
    assert answer.body == {"_id": "orders", "_rev": revision, "result": "success"}
    assert revision != created.body["_rev"]
    read = await door.request("GET", f"{REST}/orders", headers=head)
    assert read.body["_rev"] == revision
    assert read.body["orders"]["oidc-id-token-config"]["oidc-issuer"] == "https://other.example.com"


async def test_conditional_update(door: Door) -> None:
    """An update under If-Match succeeds on the revision that was read, and else is a 412."""
    head = await door.admin()
    first = (await _create(door, state(), head)).headers["ETag"]
    changed = body(state(oidc={"oidc-issuer": "https://other.example.com"}))
    again = body(state(oidc={"oidc-issuer": "https://third.example.com"}))
    path = f"{REST}/orders"
    right = {**head, "If-Match": first}
    assert (await door.request("PUT", path, body=changed, headers=right)).status == 200
    answer = await door.request("PUT", path, body=again, headers=right)
    assert (answer.status, answer.body["reason"]) == (412, "Precondition Failed")
    anything = {**head, "If-Match": "*"}
    assert (await door.request("PUT", path, body=again, headers=anything)).status == 200


async def test_conditional_delete(door: Door) -> None:
    """A delete heeds If-Match as an update does, and refuses If-None-Match."""
    head = await door.admin()
    revision = (await _create(door, state(), head)).body["_rev"]
    path = f"{REST}/orders"
    for condition in ({"If-Match": '"1"'}, {"If-None-Match": "*"}):
        assert (await door.request("DELETE", path, headers={**head, **condition})).status == 412
    right = {**head, "If-Match": revision}
    assert (await door.request("DELETE", path, headers=right)).status == 200


async def test_concurrent_updates(door: Door) -> None:
    """Of updates that start from one revision exactly one succeeds."""
    head = await door.admin()
    revision = (await _create(door, state(), head)).body["_rev"]
    head = {**head, "If-Match": revision}
    bodies = [body(state(oidc={"oidc-issuer": f"https://{n}.example.com"})) for n in range(5)]
    answers = await asyncio.gather(
        *(door.request("PUT", f"{REST}/orders", body=b, headers=head) for b in bodies)
    )
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]


@pytest.mark.parametrize(("realm", "path"), [("/", "orders"), (REALM, "fred/bobo/orders")])
async def test_delete(door: Door, realm: str, path: str) -> None:
    """A delete says what it removed from which realm; then the instance is gone."""
    head = await door.admin()
    revision = (await _create(door, state(realm=realm), head)).body["_rev"]
    answer = await door.request("DELETE", f"{REST}/{path}", headers=head)
    text = f"rest sts instance {path} successfully removed from realm {realm}"
    assert (answer.status, answer.body) == (200, {"_id": path, "_rev": revision, "result": text})
    assert (await door.request("GET", f"{REST}/{path}", headers=head)).status == 404


async def test_sub_realm_administrator(door: Door) -> None:
    """A sub realm's administrator publishes, sees, changes and deletes there and nowhere else."""
    head = await door.realm_admin()
    assert (await _create(door, state(), head)).status == 403
    assert (await _create(door, state(realm=REALM), head)).status == 201
    answer = await door.request("GET", REST, headers=head)
    assert set(answer.body) == {"_id", "_rev", "fred/bobo/orders"}
    for method in ("GET", "PUT", "DELETE"):
        path = f"{REST}/{ELEMENT}"
        sent = body(state(ELEMENT)) if method == "PUT" else None
        assert (await door.request(method, path, body=sent, headers=head)).status == 403
    path = f"{REST}/fred/bobo/orders"
    sent = body(state(realm=REALM))
    assert (await door.request("PUT", path, body=sent, headers=head)).status == 200
    assert (await door.request("DELETE", path, headers=head)).status == 200


async def test_audit(door: Door) -> None:
    """Each change leaves one line with who changed what."""
    head = await door.admin()
    await _create(door, state(), head)
    await door.request("DELETE", f"{REST}/orders", headers=head)
    lines = door.audit()[-2:]
    assert {line["requester"] for line in lines} == {"admin"}
    assert {line["instance"] for line in lines} == {"orders"}
    assert {line["outcome"] for line in lines} == {"ok"}
