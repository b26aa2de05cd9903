"""`/json/users` and `/json/keys`: administration from afar, with nothing secret in any answer."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from broker.model import Secret
from tests.http import judges
from tests.support.door import (
    HEADER,
    ID_TOKEN,
    REALM,
    Door,
    an_instance,
    user_input,
)
from tests.support.planted import MARK, USER_PASSWORD

USERS = "/json/users"
KEYS = "/json/keys"
NEW = {
    "username": "ann",
    "password": USER_PASSWORD,
    "attributes": {"mail": "a@b", "cn": ["A", "B"]},
}
NO_ATTRIBUTES: list[Any] = [[], "x", {"a": 1}, {"a": [1]}, {"a": "\x00"}]
ANN = {
    "_id": "ann",
    "username": "ann",
    "realm": "/",
    "active": True,
    "attributes": {"mail": ["a@b"], "cn": ["A", "B"]},
}


async def _as_admin(door: Door, method: str, path: str, body: Any = None) -> Any:
    return await door.request(method, path, body=body, headers=await door.admin())


async def test_create_user(door: Door) -> None:
    """A new user is shown without password or hash, and can log in at once."""
    answer = await _as_admin(door, "POST", f"{USERS}?_action=create", NEW)
    assert (answer.status, answer.body) == (201, ANN)
    assert await door.login("ann")


async def test_create_user_by_hash(door: Door) -> None:
    """A user may be created from a hash that was made elsewhere."""
    made = await door.broker.components.passwords.hashed(Secret(USER_PASSWORD))
    body = {"username": "ann", "password_hash": made.reveal()}
    answer = await _as_admin(door, "POST", USERS, body)
    assert answer.status == 201
    assert "argon2" not in answer.text
    assert await door.login("ann")


async def test_read_users(door: Door) -> None:
    """Users are read one by one or all together, never with a hash."""
    await _as_admin(door, "POST", USERS, NEW)
    listed = await _as_admin(door, "GET", USERS)
    assert {user["_id"] for user in listed.body["result"]} == {"admin", "demo", "ann"}
    assert listed.body["resultCount"] == 3
    one = await _as_admin(door, "GET", f"{USERS}/ann")
    assert (one.status, one.body) == (200, ANN)
    for answer in (listed, one):
        assert "argon2" not in answer.text
        assert "password" not in answer.text


async def test_change_user(door: Door) -> None:
    """A PUT changes what it names and leaves the rest as it was."""
    await _as_admin(door, "POST", USERS, NEW)
    answer = await _as_admin(door, "PUT", f"{USERS}/ann", {"attributes": {"mail": "new@b"}})
    assert (answer.status, answer.body["attributes"]) == (200, {"mail": ["new@b"]})
    assert await door.login("ann")
    answer = await _as_admin(door, "PUT", f"{USERS}/ann", {"password": f"other-{MARK}"})
    assert (answer.status, answer.body["attributes"]) == (200, {"mail": ["new@b"]})
    assert await door.login("ann", f"other-{MARK}")
    assert (await door.translate(user_input(name="ann"), ID_TOKEN)).status == 401


async def test_put_creates(door: Door) -> None:
    """A PUT on a name that is free creates the user, if it brings a password."""
    assert (await _as_admin(door, "PUT", f"{USERS}/ann", {})).status == 400
    answer = await _as_admin(door, "PUT", f"{USERS}/ann", {"password": USER_PASSWORD})
    assert (answer.status, answer.body["_id"]) == (201, "ann")


async def test_put_of_a_known_user(door: Door) -> None:
    """A PUT that is to change a user, and not to create one, is a 412 where there is none."""
    head = {**await door.admin(), "If-Match": "*"}
    answer = await door.request(
        "PUT", f"{USERS}/ann", body={"password": USER_PASSWORD}, headers=head
    )
    assert (answer.status, answer.body["reason"]) == (412, "Precondition Failed")
    assert (await door.request("PUT", f"{USERS}/demo", body={}, headers=head)).status == 200


async def test_deactivate_user(door: Door) -> None:
    """An inactive user gets neither session nor token, and comes back with the old password."""
    answer = await _as_admin(door, "PUT", f"{USERS}/demo", {"active": False})
    assert answer.body["active"] is False
    assert (await door.translate(user_input(), ID_TOKEN)).status == 401
    await _as_admin(door, "PUT", f"{USERS}/demo", {"active": True})
    assert (await door.translate(user_input(), ID_TOKEN)).status == 200


async def test_delete_user(door: Door) -> None:
    """A deleted user is answered once more, and gone."""
    answer = await _as_admin(door, "DELETE", f"{USERS}/demo")
    assert (answer.status, answer.body["_id"]) == (200, "demo")
    assert (await _as_admin(door, "GET", f"{USERS}/demo")).status == 404
    assert (await _as_admin(door, "DELETE", f"{USERS}/demo")).status == 404
    assert (await door.translate(user_input(), ID_TOKEN)).status == 401


async def test_name_is_taken(door: Door) -> None:
    """A second user of one name is a 409, and the first keeps the password."""
    body = {"username": "demo", "password": f"other-{MARK}"}
    assert (await _as_admin(door, "POST", USERS, body)).status == 409
    assert await door.login("demo")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"username": "ann"},
        {"password": USER_PASSWORD},
        *({**NEW, "username": name} for name in ("", " ann", "a/b", "a\nb", 7, "x" * 300)),
        *({**NEW, "password": password} for password in ("", 7, ["x"], "x" * 2000)),
        *({**NEW, "password_hash": made} for made in ("plain", "$2b$12$abc", 7, "$argon2i$v=19")),
        *({**NEW, "active": active} for active in ("true", 1, None)),
        *({**NEW, "attributes": value} for value in NO_ATTRIBUTES),
    ],
)
async def test_refused_user(door: Door, body: Any) -> None:
    """A user that cannot be is a 400, and is not created."""
    answer = await _as_admin(door, "POST", USERS, body)
    assert (answer.status, answer.body["reason"]) == (400, "Bad Request")
    assert await door.broker.components.users.get("/", "ann") is None


async def test_users_of_a_sub_realm(door: Door) -> None:
    """A sub realm has users of its own; its administrator reaches no other realm's."""
    head = await door.realm_admin()
    inside = f"/json{REALM}/users"
    for path in (inside, "/json/realms/root/realms/fred/realms/bobo/users"):
        answer = await door.request("GET", path, headers=head)
        assert {user["_id"] for user in answer.body["result"]} == {"ada", "demo"}
    answer = await door.request("POST", inside, body=NEW, headers=head)
    assert (answer.status, answer.body["realm"]) == (201, REALM)
    for method, path in (("GET", USERS), ("PUT", f"{USERS}/demo"), ("GET", KEYS)):
        assert (await door.request(method, path, body={}, headers=head)).status == 403
    assert (await _as_admin(door, "GET", f"{inside}/ann")).status == 200
    assert (await _as_admin(door, "GET", f"{USERS}/ann")).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", USERS),
        ("POST", f"{USERS}?_action=create"),
        ("GET", f"{USERS}/demo"),
        ("PUT", f"{USERS}/demo"),
        ("DELETE", f"{USERS}/demo"),
        ("GET", KEYS),
        ("POST", f"{KEYS}?_action=generate"),
        ("POST", f"{KEYS}?_action=import"),
    ],
)
async def test_who_may_not(door: Door, method: str, path: str) -> None:
    """Without a session it is a 401, for a user without the role a 403."""
    body = {**NEW, "algorithm": "ES256"}
    before = await judges.jwks(door)
    for head, status in (
        ({}, 401),
        ({HEADER: "unknown"}, 401),
        ({HEADER: await door.login()}, 403),
    ):
        assert (await door.request(method, path, body=body, headers=head)).status == status
    assert await door.broker.components.users.get("/", "demo") is not None
    assert await judges.jwks(door) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"{USERS}/demo"),
        ("PUT", USERS),
        ("DELETE", USERS),
        ("POST", f"{USERS}?_action=forge"),
        ("DELETE", KEYS),
        ("GET", f"{KEYS}/x"),
        ("POST", KEYS),
    ],
)
async def test_nothing_else(door: Door, method: str, path: str) -> None:
    """Other methods and actions are not offered."""
    assert (await _as_admin(door, method, path, {})).status == 405


async def test_list_keys(door: Door) -> None:
    """Keys are shown by name, algorithm, state and age, and the same names are in the JWKS."""
    answer = await _as_admin(door, "GET", KEYS)
    assert answer.body["resultCount"] == 2
    assert {key["algorithm"] for key in answer.body["result"]} == {"RS256", "ES256"}
    assert all(
        set(key) == {"kid", "algorithm", "state", "created"} for key in answer.body["result"]
    )
    kids = {key["kid"] for key in (await judges.jwks(door))["keys"]}
    assert {key["kid"] for key in answer.body["result"]} == kids


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_generate_key(door: Door, algorithm: str) -> None:
    """A new key signs from now on; the one before it stays in the JWKS for what it signed."""
    await door.publish(an_instance("other", oidc=algorithm))
    before = (await door.translate(user_input(), ID_TOKEN, instance="other")).body["issued_token"]
    answer = await _as_admin(door, "POST", f"{KEYS}?_action=generate", {"algorithm": algorithm})
    assert (answer.status, set(answer.body)) == (201, {"kid"})
    after = (await door.translate(user_input(), ID_TOKEN, instance="other")).body["issued_token"]
    old = await judges.id_token(door, before, algorithm)
    new = await judges.id_token(door, after, algorithm)
    assert new.header["kid"] == answer.body["kid"] != old.header["kid"]
    states = {
        key["kid"]: key["state"] for key in (await _as_admin(door, "GET", KEYS)).body["result"]
    }
    assert (states[new.header["kid"]], states[old.header["kid"]]) == ("active", "retired")


@pytest.mark.parametrize(
    "body", [{}, {"algorithm": "HS256"}, {"algorithm": 7}, {"algorithm": "none"}]
)
async def test_generate_no_key(door: Door, body: dict[str, Any]) -> None:
    """Keys are made for the algorithms offered here, and for no other."""
    answer = await _as_admin(door, "POST", f"{KEYS}?_action=generate", body)
    assert answer.status == 400


async def test_import_key(door: Door) -> None:
    """An imported key signs from now on, and no answer holds it."""
    await door.publish(an_instance("other", oidc="ES256"))
    pem = _pem(ec.generate_private_key(ec.SECP256R1()))
    answer = await _as_admin(door, "POST", f"{KEYS}?_action=import", {"key": pem})
    assert (answer.status, set(answer.body)) == (201, {"kid"})
    issued = await door.translate(user_input(), ID_TOKEN, instance="other")
    token = await judges.id_token(door, issued.body["issued_token"], "ES256")
    assert token.header["kid"] == answer.body["kid"]
    for path in (KEYS, "/oauth2/jwks"):
        shown = await _as_admin(door, "GET", path)
        assert "PRIVATE" not in shown.text
        assert '"d"' not in shown.text


@pytest.mark.parametrize("key", ["", "no PEM", 7, None])
async def test_import_no_key(door: Door, key: Any) -> None:
    """What is no private key in PEM is refused."""
    answer = await _as_admin(door, "POST", f"{KEYS}?_action=import", {"key": key})
    assert answer.status == 400


async def test_import_unfit_key(door: Door) -> None:
    """A key of another curve or too few bits is refused, and not repeated in the refusal."""
    for key in (
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505  # unfit
    ):
        answer = await _as_admin(door, "POST", f"{KEYS}?_action=import", {"key": _pem(key)})
        assert answer.status == 400
        assert "PRIVATE" not in answer.text


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("path", ["/oauth2/jwks", f"/oauth2/realms{REALM}/jwks"])
async def test_jwks(door: Door, path: str) -> None:
    """A realm's JWKS is public, may be cached, and holds public members alone (RFC 7517)."""
    answer = await door.request("GET", path)
    assert answer.status == 200
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    members = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}}
    for key in answer.body["keys"]:
        assert set(key) == {"kty", "kid", "use", "alg"} | members[key["kty"]]
        assert key["use"] == "sig"


async def test_jwks_of_no_realm(door: Door) -> None:
    """A realm that does not exist has no JWKS."""
    assert (await door.request("GET", "/oauth2/realms/nowhere/jwks")).status == 404


async def test_audit(door: Door) -> None:
    """Each act of administration leaves one line with who did it where."""
    head = await door.realm_admin()
    await door.request("POST", f"/json{REALM}/users", body=NEW, headers=head)
    await door.request("GET", f"/json{REALM}/keys", headers=head)
    lines = door.audit()[-2:]
    assert [(line["requester"], line["realm"]) for line in lines] == [("ada", REALM)] * 2
    assert [line["operation"] for line in lines] == ["users post", "keys get"]
