"""``/json/realms``: realms made and removed through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.http.realms import realm_key
from tests.support.door import HEADER, ID_TOKEN, REALM, Door, an_instance, user_input

REALMS = "/json/realms"
SALES = f"{REALMS}/{realm_key('/sales')}"


async def _as_admin(door: Door, method: str, path: str, body: Any = None) -> Any:
    return await door.request(method, path, body=body, headers=await door.admin())


async def test_list(door: Door) -> None:
    """The root realm comes first, with AM's members."""
    answer = await _as_admin(door, "GET", f"{REALMS}?_queryFilter=true")
    assert answer.status == 200
    assert [item["path"] for item in answer.body["result"]][:1] == ["/"]
    assert answer.body["result"][0] == {
        "_id": "Lw",
        "_rev": "0",
        "name": "/",
        "parentPath": None,
        "path": "/",
        "active": True,
        "aliases": [],
    }


async def test_where_newer_ams_have_it(door: Door) -> None:
    """AM's path under its global configuration is the same resource."""
    path = "/json/global-config/realms"
    made = await _as_admin(door, "POST", path, {"name": "sales", "parentPath": "/"})
    assert (made.status, made.body["path"]) == (201, "/sales")
    listed = await _as_admin(door, "GET", f"{path}?_queryFilter=true")
    assert listed.body == (await _as_admin(door, "GET", REALMS)).body
    gone = await _as_admin(door, "DELETE", f"{path}/{made.body['_id']}")
    assert gone.status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"name": "sales", "parentPath": "/", "active": True, "aliases": []},
        {"name": "sales"},
        {"realm": "/sales"},
    ],
)
async def test_create_as_any_am_does(door: Door, body: Any) -> None:
    """The body of older and of newer AMs makes the realm, and it can be read."""
    answer = await _as_admin(door, "POST", f"{REALMS}?_action=create", body)
    assert (answer.status, answer.body["path"], answer.body["parentPath"]) == (201, "/sales", "/")
    assert (await _as_admin(door, "GET", SALES)).body == answer.body


async def test_a_new_realm_translates(door: Door) -> None:
    """Users, keys and instances live in a realm that was just made; its JWKS is its own."""
    await _as_admin(door, "POST", REALMS, {"realm": "/sales"})
    await door.add_user("demo", "/sales")
    await door.publish(an_instance(realm="/sales"))
    name = "sales/username-transformer"
    answer = await door.translate(user_input(), ID_TOKEN, instance=name)
    assert answer.status == 200, answer.text
    ours = await door.request("GET", "/oauth2/realms/sales/jwks")
    as_am_has_it = await door.request("GET", "/am/oauth2/realms/root/realms/sales/jwks")
    assert as_am_has_it.body == ours.body
    theirs = await door.request("GET", "/oauth2/jwks")
    assert (await door.request("GET", "/oauth2/realms/root/jwks")).body == theirs.body
    assert (await door.request("GET", "/oauth2/realms/root/sales/jwks")).status == 404
    assert len(ours.body["keys"]) == len(theirs.body["keys"]) > 0
    assert {key["kid"] for key in ours.body["keys"]}.isdisjoint(
        key["kid"] for key in theirs.body["keys"]
    )


async def test_delete(door: Door) -> None:
    """A realm is refused while it is in use, removed when empty, and then gone from every path."""
    await _as_admin(door, "POST", REALMS, {"realm": "/sales"})
    await door.add_user("demo", "/sales")
    refused = await _as_admin(door, "DELETE", SALES)
    assert (refused.status, "users" in refused.body["message"]) == (409, True)
    await _as_admin(door, "DELETE", "/json/sales/users/demo")
    assert (await _as_admin(door, "DELETE", SALES)).status == 200
    for path in (SALES, "/json/sales/keys", "/json/sales/users"):
        assert (await _as_admin(door, "GET", path)).status == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"name": 1}, {"name": "a/b"}, {"realm": "/users"}, {"name": "x", "active": False}],
)
async def test_bad_bodies(door: Door, body: Any) -> None:
    """A body that names no good realm is a 400 with a sentence."""
    answer = await _as_admin(door, "POST", REALMS, body)
    assert answer.status == 400
    assert answer.body["message"]


async def test_only_the_root_realm_s_administrators(door: Door) -> None:
    """Nobody else lists, makes or removes realms, a realm's own administrator included."""
    for head in ({}, {HEADER: await door.login()}, await door.realm_admin(REALM)):
        for method, path in (("GET", REALMS), ("POST", REALMS), ("DELETE", SALES)):
            answer = await door.request(method, path, body={"name": "x"}, headers=head)
            assert answer.status in (401, 403)


@pytest.mark.parametrize("name", ["x", "Lw/more", "root", "_w", "L3NhbGVz"])
async def test_unknown_names(door: Door, name: str) -> None:
    """An id of no realm is a 404, whatever it is made of."""
    assert (await _as_admin(door, "GET", f"{REALMS}/{name}")).status == 404


async def test_other_methods(door: Door) -> None:
    """What cannot be done to a realm is a 405."""
    assert (await _as_admin(door, "PUT", f"{REALMS}/Lw", {})).status == 405
