"""CREST's general parameters, on every resource: `_fields`, `_prettyPrint`, and one of each."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.http import states
from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input

TRANSLATION = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}
V1 = {"Accept-API-Version": "protocol=1.0"}
OLD = "?_queryFilter=" + quote(f"/sts_id eq '{ELEMENT}'")


async def test_fields_of_query_results(door: Door) -> None:
    """Of each result of a query only the fields that were asked for come, and its id."""
    await door.translate(user_input(), ID_TOKEN)
    (record,) = await door.tokens()
    head = await door.admin()
    path = f"/sts-tokengen{OLD}&_fields=principal_name,/sts_id,nothing"
    answer = await door.request("GET", path, headers=head)
    assert answer.body["result"] == [
        {"_id": record.alias, "_rev": "", "principal_name": "demo", "sts_id": ELEMENT}
    ]
    assert answer.body["resultCount"] == 1
    old = await door.request("GET", path, headers={**head, **V1})
    assert old.body["result"] == [{"principal_name": "demo", "sts_id": ELEMENT}]
    one = await door.request("GET", f"/sts-tokengen/{record.alias}?_fields=sts_id", headers=head)
    assert one.body == {"_id": record.alias, "_rev": "", "sts_id": ELEMENT}


async def test_fields_of_instances(door: Door) -> None:
    """A pointer into a published instance gives that member, in its place."""
    head = await door.admin()
    path = "/sts-publish/rest"
    created = await door.request("POST", path, body=states.body(states.state("one")), headers=head)
    assert created.status == 201
    pointers = (
        "one/oidc-id-token-config/oidc-issuer",
        "/one/deployment-config/deployment-realm",
        "one/oidc-id-token-config/oidc-audience",
        "one/oidc-id-token-config/missing/deeper",
        "one/oidc-id-token-config/oidc-issuer/deeper",
    )
    fields = ",".join(pointers)
    answer = await door.request("GET", f"{path}/one?_fields={fields}", headers={**head, **V1})
    assert answer.body == {
        "one": {
            "oidc-id-token-config": {
                "oidc-issuer": "https://sts.example.com",
                "oidc-audience": ["client"],
            },
            "deployment-config": {"deployment-realm": "/"},
        }
    }


async def test_fields_within_a_field(door: Door) -> None:
    """A member and a part of it are the member; repeated parameters add up."""
    head = {**await door.admin(), **V1}
    for query in (
        "_fields=attributes,attributes/mail",
        "_fields=attributes/mail,attributes",
        "_fields=attributes&_fields=attributes/mail",
    ):
        answer = await door.request("GET", f"/json/users/demo?{query}", headers=head)
        assert answer.body == {"attributes": {"mail": ["demo@example.com"], "cn": ["Démo <1>"]}}


@pytest.mark.parametrize("fields", ["", ",", "/", "%20", "username,/"])
async def test_all_fields(door: Door, fields: str) -> None:
    """An empty list, and the pointer to the whole, leave the answer as it is."""
    head = await door.admin()
    whole = await door.request("GET", "/json/users/demo", headers=head)
    answer = await door.request("GET", f"/json/users/demo?_fields={fields}", headers=head)
    assert answer.body == whole.body


async def test_fields_of_escaped_names(door: Door) -> None:
    """A slash in a name is written ~1, and a tilde ~0 (RFC 6901)."""
    await door.add_user("ann", attributes={"a/b~c": ("x",), "a": ("y",)})
    path = "/json/users/ann?_fields=attributes/a~1b~0c"
    answer = await door.request("GET", path, headers={**await door.admin(), **V1})
    assert answer.body == {"attributes": {"a/b~c": ["x"]}}


async def test_fields_of_an_action(door: Door) -> None:
    """The answer to an action is filtered like any other, and an error never is."""
    path = f"/rest-sts/{ELEMENT}?_action=translate&_fields="
    answer = await door.request("POST", path + "issued_token,x", body=TRANSLATION)
    assert set(answer.body) == {"issued_token"}
    refused = await door.request("POST", path + "issued_token", body={})
    assert set(refused.body) == {"code", "reason", "message"}


@pytest.mark.parametrize(
    "query",
    [
        "_fields=" + ",".join(["a"] * 101),
        "_fields=" + "a" * 4097,
        "_fields=a~2",
        "_fields=a~",
        "_fields=a&_fields=b~",
        "_action=translate",
        "_prettyPrint=true&_prettyPrint=true",
    ],
)
async def test_refused_before_anything_is_done(door: Door, query: str) -> None:
    """Pointers that are none, too many of them, and a parameter that came twice are a 400, and no
    token is issued."""
    path = f"/rest-sts/{ELEMENT}?_action=translate&{query}"
    answer = await door.request("POST", path, body=TRANSLATION)
    assert answer.status == 400, answer.text
    assert await door.tokens() == []


@pytest.mark.parametrize(
    "path",
    [
        f"/sts-tokengen{OLD}&",
        "/sts-publish/rest?",
        f"/sts-publish/rest/{ELEMENT}?",
        "/json/users?",
        "/json/serverinfo/*?",
        "/json/realms?",
    ],
)
async def test_pretty_print(door: Door, path: str) -> None:
    """Every resource is printed for people where they ask for it, and says the same."""
    head = await door.admin()
    plain = await door.request("GET", f"{path}_prettyPrint=false", headers=head)
    assert (plain.status, plain.text.count("\n")) == (200, 0)
    for word in ("true", "TRUE", "True"):
        pretty = await door.request("GET", f"{path}_prettyPrint={word}", headers=head)
        assert (pretty.status, pretty.body) == (200, plain.body)
        assert pretty.text.count("\n") > 2


async def test_pretty_translation(door: Door) -> None:
    """A translation can be printed for people too."""
    path = f"/rest-sts/{ELEMENT}?_action=translate&_prettyPrint=true"
    answer = await door.request("POST", path, body=TRANSLATION)
    assert answer.status == 200
    assert answer.text == json.dumps(answer.body, indent=2)


@pytest.mark.parametrize(
    ("query", "status"),
    [("_action=translate", 400), ("_action=nothing", 401), ("_action=translate&_action=x", 400)],
)
async def test_pretty_error(door: Door, query: str, status: int) -> None:
    """An error can be printed for people as well."""
    path = f"/rest-sts/{ELEMENT}?{query}&_prettyPrint=true"
    answer = await door.request("POST", path, body={})
    assert answer.status == status
    assert answer.text == json.dumps(answer.body, indent=2)


async def test_method_override(door: Door) -> None:
    """A POST that says another method in its head is that method; other methods stay."""
    await door.translate(user_input(), ID_TOKEN)
    (record,) = await door.tokens()
    head = await door.admin()
    path = f"/sts-tokengen/{record.alias}"

    async def ask(method: str, said: str) -> Any:
        override = {**head, "X-HTTP-Method-Override": said}
        return await door.request(method, path, headers=override)

    assert (await ask("POST", "GET")).body["_id"] == record.alias
    assert (await ask("GET", "DELETE")).body["sts_id"] == ELEMENT
    assert len(await door.tokens()) == 1
    assert (await ask("POST", "delete")).status == 200
    assert await door.tokens() == []


async def test_a_token_is_no_collection(door: Door) -> None:
    """A query below the collection is a 400."""
    head = await door.admin()
    for query in ("_queryFilter=true", "_queryId=all", "_queryExpression=x"):
        answer = await door.request("GET", f"/sts-tokengen/x?{query}", headers=head)
        assert answer.status == 400
