"""`/json/trusted-issuers`: whose ID tokens a realm accepts, written and read from afar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.issuers.document import MAX_ISSUERS
from adapters.issuers.files import import_file
from broker.errors import InvalidRequest
from tests.support import door as doors
from tests.support.door import HEADER, REALM, Answer, Door, an_instance, pair
from tests.support.issuers import (
    IDP,
    NAME,
    PATH,
    by_secret,
    claims,
    id_token,
    key,
    public,
    token_input,
    trusting,
)
from tests.support.planted import CLIENT_SECRET, Planted

OPAQUE = {"token_type": "OPAQUE"}
HIDDEN = "(unchanged)"
SHOWN = {
    "name": NAME,
    "issuer": IDP,
    "audiences": ["https://sts.example.com"],
    "authorized_parties": [],
    "algorithms": ["ES256", "EdDSA", "PS256", "RS256"],
    "subject_claim": "sub",
    "link_local_users": False,
    "leeway_seconds": 60,
    "jwks": public(key()),
}


async def admin(door: Door, method: str, path: str = "", body: Any = None, **head: str) -> Answer:
    headers = {**await door.admin(), **{k.replace("_", "-"): v for k, v in head.items()}}
    return await door.request(method, PATH + path, body=body, headers=headers)


async def test_life_of_an_issuer(door: Door) -> None:
    """An issuer is created, read, listed, replaced and deleted, and shown with its defaults."""
    made = await admin(door, "POST", "?_action=create", {"name": NAME, **trusting()})
    assert made.status == 201, made.text
    assert made.body == {"_id": NAME, "_rev": made.body["_rev"], **SHOWN}
    read = await admin(door, "GET", f"/{NAME}")
    assert (read.status, read.body) == (200, made.body)
    listed = await admin(door, "GET")
    assert listed.body == {"result": [made.body], "resultCount": 1}
    changed = await admin(door, "PUT", f"/{NAME}", {**read.body, "leeway_seconds": 5})
    assert (changed.status, changed.body["leeway_seconds"]) == (200, 5)
    assert changed.body["_rev"] != read.body["_rev"]
    gone = await admin(door, "DELETE", f"/{NAME}")
    assert (gone.status, gone.body) == (200, changed.body)
    assert (await admin(door, "GET", f"/{NAME}")).status == 404
    assert (await admin(door, "DELETE", f"/{NAME}")).status == 404


async def test_create_by_put_and_twice(door: Door) -> None:
    """PUT creates too; a name or an iss that is taken is a conflict."""
    assert (await admin(door, "PUT", f"/{NAME}", trusting())).status == 201
    again = {"name": NAME, **trusting()}
    assert (await admin(door, "POST", "?_action=create", again)).status == 409
    other = await admin(door, "PUT", "/other", trusting())
    assert (other.status, NAME in other.body["message"]) == (409, True)


async def test_revision_tells_no_secret(tmp_path: Path, planted: Planted) -> None:
    """The revision of one and the same issuer is another at each deployment, so that nobody who
    reads it can try out what the client secret may be; at one it stays what it is."""
    found = []
    issuer = trusting(jwks=None, client_secret=CLIENT_SECRET)
    for state in ("one", "two"):
        async with doors.opened(tmp_path / state, planted) as door:
            found.append((await admin(door, "PUT", f"/{NAME}", issuer)).body["_rev"])
        async with doors.opened(tmp_path / state, planted) as door:
            assert (await admin(door, "GET", f"/{NAME}")).body["_rev"] == found[-1]
    assert found[0] != found[1]


async def test_change_is_in_force_at_once(door: Door) -> None:
    """The next request sees what was trusted, and what is trusted no more."""
    await door.publish(an_instance("ids", transforms=(pair("OPENIDCONNECT", "OPAQUE"),)))
    statuses = []
    for method, body in (("PUT", trusting()), ("PUT", trusting(audiences=["x"])), ("DELETE", None)):
        await admin(door, method, f"/{NAME}", body)
        answer = await door.translate(token_input(id_token()), OPAQUE, instance="ids")
        statuses.append(answer.status)
    assert statuses == [200, 401, 400]


async def test_revisions(door: Door) -> None:
    """If-Match guards a change: that of another revision, or of nothing, is refused."""
    made = (await admin(door, "PUT", f"/{NAME}", trusting())).body
    for revision, status in (("other", 412), ("*", 200), (made["_rev"], 200)):
        answer = await admin(door, "PUT", f"/{NAME}", made, If_Match=revision)
        assert answer.status == status, revision
    assert (await admin(door, "PUT", "/none", trusting(), If_Match="*")).status == 412
    assert (await admin(door, "DELETE", f"/{NAME}", If_Match="other")).status == 412
    assert (await admin(door, "DELETE", f"/{NAME}", If_Match=made["_rev"])).status == 200


async def test_secret_is_never_shown(door: Door) -> None:
    """A client secret is hidden in every answer, survives a read and write, and verifies on."""
    await door.publish(an_instance("ids", transforms=(pair("OPENIDCONNECT", "OPAQUE"),)))
    written = trusting(jwks=None, client_secret=CLIENT_SECRET)
    made = await admin(door, "PUT", f"/{NAME}", written)
    assert made.body["client_secret"] == HIDDEN
    changed = await admin(door, "PUT", f"/{NAME}", {**made.body, "leeway_seconds": 9})
    assert (changed.status, changed.body["client_secret"]) == (200, HIDDEN)
    texts = [made.text, changed.text, (await admin(door, "GET")).text]
    assert not door.planted.found_in(texts)
    token = by_secret(claims(), CLIENT_SECRET.encode())
    assert (await door.translate(token_input(token), OPAQUE, instance="ids")).status == 200
    fresh = await admin(
        door, "PUT", "/new", trusting(jwks=None, issuer=IDP + "/2", client_secret=HIDDEN)
    )
    assert (fresh.status, fresh.body["detail"][0]["key"]) == (400, "client_secret")


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"issuer": None}, ["issuer"]),
        ({"issuer": "idp"}, ["issuer"]),
        ({"issuer": "https://idp.example.com/#a"}, ["issuer"]),
        ({"issuer": "https://idp.example.com/?a"}, ["issuer"]),
        ({"issuer": "https://[::1"}, ["issuer"]),
        ({"issuer": 1}, ["issuer", "issuer"]),
        ({"audiences": None}, ["audiences"]),
        ({"audiences": []}, ["audiences"]),
        ({"audiences": [""]}, ["audiences"]),
        ({"audiences": "https://sts.example.com"}, ["audiences", "audiences"]),
        ({"authorized_parties": [""]}, ["authorized_parties"]),
        ({"algorithms": ["none"]}, ["algorithms"]),
        ({"algorithms": ["HS256"]}, ["algorithms"]),
        ({"algorithms": ["rs256"]}, ["algorithms"]),
        ({"jwks": None}, ["jwks"]),
        ({"jwks_url": "https://idp.example.com/jwks"}, ["jwks"]),
        ({"jwks": None, "jwks_url": "http://idp.example.com/jwks"}, ["jwks_url"]),
        ({"jwks": None, "jwks_url": "file:///etc/passwd"}, ["jwks_url"]),
        ({"jwks": None, "jwks_file": "/etc/passwd"}, ["jwks_file"]),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, ["jwks"]),
        ({"jwks": {"keys": []}}, ["jwks"]),
        ({"jwks": [1]}, ["jwks"]),
        ({"jwks": None, "discovery": "maybe"}, ["discovery", "jwks"]),
        ({"jwks": None, "discovery": True, "issuer": "http://idp.example.com"}, ["discovery"]),
        ({"jwks": None, "client_secret": "x" * 31}, ["client_secret"]),
        ({"jwks": None, "client_secret": "x" * 33, "algorithms": ["HS512"]}, ["client_secret"]),
        ({"jwks": None, "client_secret": "x" * 64, "algorithms": ["RS256"]}, ["algorithms"]),
        ({"subject_claim": "c" * 129}, ["subject_claim"]),
        ({"subject_prefix": "x", "link_local_users": True}, ["subject_prefix"]),
        ({"subject_prefix": "x" * 129}, ["subject_prefix"]),
        ({"link_local_users": "perhaps"}, ["link_local_users"]),
        ({"leeway_seconds": 301}, ["leeway_seconds"]),
        ({"leeway_seconds": -1}, ["leeway_seconds"]),
        ({"leeway_seconds": 1.5}, ["leeway_seconds"]),
        ({"audience": "x"}, ["audience"]),
        (
            {"audiences": [], "leeway_seconds": 999, "subject": 1},
            ["audiences", "leeway_seconds", "subject"],
        ),
    ],
    ids=str,
)
async def test_every_problem_is_named(door: Door, changes: dict[str, Any], keys: list[str]) -> None:
    """A document that breaks rules is answered 400 with each of them by its key, and not kept."""
    answer = await admin(door, "PUT", f"/{NAME}", trusting(**changes))
    assert answer.status == 400, answer.text
    assert sorted(problem["key"] for problem in answer.body["detail"]) == sorted(keys)
    assert (await admin(door, "GET")).body["result"] == []


@pytest.mark.parametrize("name", ["a b", "..", "ä", "x" * 65])
async def test_names(door: Door, name: str) -> None:
    """A name stands in paths and commands, and is plain."""
    answer = await admin(door, "POST", "?_action=create", trusting(name=name))
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "name")


async def test_name_in_path_and_body(door: Door) -> None:
    """A body that names another issuer than its path is refused."""
    answer = await admin(door, "PUT", f"/{NAME}", trusting(name="other"))
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "name")


@pytest.mark.parametrize("body", [[], "x", None, 1])
async def test_body_that_is_no_object(door: Door, body: Any) -> None:
    """Whatever is no object is a document in which everything is missing."""
    assert (await admin(door, "PUT", f"/{NAME}", body)).status == 400


async def test_administrators_alone(door: Door) -> None:
    """Nobody else reads or writes whom a realm trusts, and those of a sub realm only its own."""
    calls = [("GET", PATH), ("GET", f"{PATH}/x"), ("PUT", f"{PATH}/x"), ("DELETE", f"{PATH}/x")]
    mine, ours = f"/json{REALM}/trusted-issuers", await door.realm_admin()
    for method, path in [*calls, ("POST", PATH)]:
        body = trusting() if method in ("PUT", "POST") else None
        assert (await door.request(method, path, body=body)).status == 401
        head = {HEADER: await door.login()}
        assert (await door.request(method, path, body=body, headers=head)).status == 403
        assert (await door.request(method, path, body=body, headers=ours)).status == 403
    assert (await door.request("PUT", f"{mine}/x", body=trusting(), headers=ours)).status == 201
    assert (await admin(door, "GET")).body["result"] == []
    assert (await admin(door, "PATCH", "/x", {})).status in (405, 501)


async def test_realm_that_trusts_somebody_is_not_empty(door: Door) -> None:
    """A realm is deleted only once it trusts nobody, so that none of the same name inherits it."""
    head = await door.admin()
    made = await door.request("POST", "/json/realms", body={"realm": "/sales"}, headers=head)
    path = f"/json/sales/trusted-issuers/{NAME}"
    assert (await door.request("PUT", path, body=trusting(), headers=head)).status == 201
    gone = await door.request("DELETE", f"/json/realms/{made.body['_id']}", headers=head)
    assert (gone.status, "trusts" in gone.body["message"]) == (409, True)
    await door.request("DELETE", path, headers=head)
    gone = await door.request("DELETE", f"/json/realms/{made.body['_id']}", headers=head)
    assert gone.status == 200


async def test_only_so_many(door: Door) -> None:
    """A realm trusts ``MAX_ISSUERS`` issuers at most."""
    issuers = door.broker.components.issuers
    for number in range(MAX_ISSUERS):
        await issuers.put("/", f"i{number}", trusting(issuer=f"{IDP}/{number}"))
    answer = await admin(door, "PUT", "/more", trusting())
    assert (answer.status, str(MAX_ISSUERS) in answer.body["message"]) == (409, True)


# -- from a file ---------------------------------------------------------------------------------


FILE = """
[[issuer]]
name = "partner"
issuer = "https://idp.example.com"
audiences = ["https://sts.example.com"]
jwks_file = "partner.json"
"""


async def test_settings_name_a_file(tmp_path: Path, planted: Planted) -> None:
    """Issuers of the file that settings name are trusted from the start; a document with a file
    can be read and written back over HTTP, but not with another file."""
    (tmp_path / "issuers.toml").write_text(FILE)
    (tmp_path / "partner.json").write_text(json.dumps(public(key())))
    issuers = {"file": tmp_path / "issuers.toml"}
    async with doors.opened(tmp_path / "state", planted, issuers=issuers) as door:
        await door.publish(an_instance("ids", transforms=(pair("OPENIDCONNECT", "OPAQUE"),)))
        answer = await door.translate(token_input(id_token()), OPAQUE, instance="ids")
        assert answer.status == 200, answer.text
        row = (await admin(door, "GET", f"/{NAME}")).body
        assert row["jwks_file"] == str(tmp_path / "partner.json")
        assert (await admin(door, "PUT", f"/{NAME}", {**row, "leeway_seconds": 1})).status == 200
        other = {**row, "jwks_file": "/etc/passwd"}
        assert (await admin(door, "PUT", f"/{NAME}", other)).status == 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[issuer]]\nname = 1\n", "issuer 1: "),
        ("issuer = 1", "under [[issuer]]"),
        ("[[user]]\n", "under [[issuer]]"),
        ("[", "("),
        ("issuer = [1]", "issuer 1: write each issuer under"),
        (FILE + "realm = 7\n", "realm is a string"),
        (FILE.replace("jwks_file", "x"), "there is no such key"),
        (
            FILE.replace('jwks_file = "partner.json"', 'client_secret = "(unchanged)"'),
            "secret itself",
        ),
    ],
    ids=lambda given: repr(given)[:40],
)
async def test_file_that_says_something_else(
    door: Door, tmp_path: Path, text: str, words: str
) -> None:
    """A file with a mistake is refused as a whole, naming file, entry and mistake."""
    path = tmp_path / "issuers.toml"
    path.write_text(text)
    with pytest.raises(InvalidRequest) as refusal:
        await import_file(path, door.broker.components.issuers)
    assert str(path) in refusal.value.sentence
    assert words in refusal.value.sentence
    with pytest.raises(InvalidRequest, match="No such file"):
        await import_file(tmp_path / "none.toml", door.broker.components.issuers)
