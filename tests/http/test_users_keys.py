"""`/json/users` and `/json/keys`: administration from afar, with nothing secret in any answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.stores.memory import open_memory
from broker.errors import InvalidInstance
from broker.instance import SigningKey
from broker.model import Secret
from tests.http import judges
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    REALM,
    Door,
    FrozenClock,
    an_instance,
    user_input,
)
from tests.support.key_rings import FailingStore, write_folder
from tests.support.planted import MARK, PASSPHRASE, USER_PASSWORD, Planted

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
        ("POST", f"{KEYS}?_action=rotate"),
        ("POST", f"{KEYS}?_action=revoke"),
        ("POST", f"{KEYS}?_action=import"),
    ],
)
async def test_who_may_not(door: Door, method: str, path: str) -> None:
    """Without a session it is a 401, for a user without the role a 403."""
    before = await judges.jwks(door)
    body = {**NEW, "algorithm": "ES256", "kid": before["keys"][0]["kid"]}
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
        ("PUT", f"{KEYS}/x"),
        ("POST", KEYS),
        ("POST", f"{KEYS}?_action=forge"),
    ],
)
async def test_nothing_else(door: Door, method: str, path: str) -> None:
    """Other methods and actions are not offered."""
    assert (await _as_admin(door, method, path, {})).status == 405


async def _key(door: Door, action: str, body: dict[str, Any]) -> Any:
    return await _as_admin(door, "POST", f"{KEYS}?_action={action}", body)


async def _states(door: Door) -> dict[str, str]:
    """State by kid, as administrators see it."""
    listed = await _as_admin(door, "GET", KEYS)
    return {key["kid"]: key["state"] for key in listed.body["result"]}


async def _signed(door: Door, algorithm: str) -> str:
    """The kid of a fresh token, which the present JWKS verifies."""
    issued = await door.translate(user_input(), ID_TOKEN, instance="other")
    token = await judges.id_token(door, issued.body["issued_token"], algorithm)
    return str(token.header["kid"])


async def test_list_keys(door: Door) -> None:
    """Keys are shown by name, algorithm, state and times, and the same names sign in the JWKS."""
    answer = await _as_admin(door, "GET", KEYS)
    assert answer.body["resultCount"] == 2
    assert {key["algorithm"] for key in answer.body["result"]} == {"RS256", "ES256"}
    assert all(
        set(key) == {"kid", "algorithm", "state", "created", "publishedAt", "signsFrom"}
        for key in answer.body["result"]
    )
    jwks = await judges.jwks(door)
    kids = {key["kid"] for key in jwks["keys"] if key["use"] == "sig"}
    assert {key["kid"] for key in answer.body["result"]} == kids


async def test_read_key(door: Door) -> None:
    """One key is shown with its certificate, which is that of the assertions it signs."""
    signed = await door.translate(user_input(), ASSERTION)
    key = next(
        key
        for key in (await _as_admin(door, "GET", KEYS)).body["result"]
        if key["algorithm"] == "RS256"
    )
    answer = await _as_admin(door, "GET", f"{KEYS}/{key['kid']}")
    certificate = answer.body.pop("certificate")
    assert (answer.status, answer.body) == (200, key)
    encoded = "".join(certificate.splitlines()[1:-1])
    assert encoded in "".join(signed.body["issued_token"].split())
    assert (await _as_admin(door, "GET", f"{KEYS}/nobody")).status == 404


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS384", "Ed25519"])
async def test_generate_key(door: Door, algorithm: str) -> None:
    """A generated key is published and waits; the one before it signs on."""
    await door.publish(an_instance("other", oidc=algorithm))
    before = await _signed(door, algorithm)
    answer = await _key(door, "generate", {"algorithm": algorithm})
    assert (answer.status, answer.body["state"]) == (201, "next")
    assert "signsFrom" not in answer.body
    assert await _signed(door, algorithm) == before != answer.body["kid"]
    assert answer.body["kid"] in str(await judges.jwks(door))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS384", "Ed25519"])
async def test_rotate_key(
    tmp_path: Path, planted: Planted, said: list[str], algorithm: str
) -> None:
    """A rotation is announced in the JWKS, happens at the time that was said, and the tokens of
    both keys verify; the front door tells every state of it."""
    clock = FrozenClock()
    async with doors.opened(tmp_path, planted, clock=clock) as door:
        await door.publish(an_instance("other", oidc=algorithm))
        old = await _signed(door, algorithm)
        answer = await _key(door, "rotate", {"algorithm": algorithm})
        assert (answer.status, answer.body["state"]) == (200, "next")
        assert answer.body["signsFrom"] == "2027-01-15T08:05:05Z"
        again = await _key(door, "rotate", {"algorithm": algorithm})
        assert (again.status, again.body) == (200, answer.body)
        assert await _signed(door, algorithm) == old
        token = (await door.translate(user_input(), ID_TOKEN, instance="other")).body
        clock.advance(305)
        assert await _signed(door, algorithm) == answer.body["kid"]
        await judges.id_token(door, token["issued_token"], algorithm)
        states = await _states(door)
        assert (states[old], states[answer.body["kid"]]) == ("retired", "active")
        ended = next(
            key for key in (await _as_admin(door, "GET", KEYS)).body["result"] if key["kid"] == old
        )
        assert ended["endsAt"] == "2027-01-15T09:10:05Z"
        said.extend(door.refusals)


@pytest.mark.parametrize("action", ["generate", "rotate"])
@pytest.mark.parametrize(
    "body", [{}, {"algorithm": "HS256"}, {"algorithm": 7}, {"algorithm": "none"}]
)
async def test_no_such_key(door: Door, action: str, body: dict[str, Any]) -> None:
    """Keys are made for the algorithms offered here, and for no other."""
    assert (await _key(door, action, body)).status == 400


async def test_revoke_key(door: Door) -> None:
    """A revoked key is out of the JWKS with the answer, its tokens are not valid any more, and
    another key signs."""
    await door.publish(an_instance("other", oidc="ES256"))
    issued = await door.translate(user_input(), ID_TOKEN, instance="other")
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": issued.body["issued_token"]}
    assert (await door.validate(state, instance="other")).body == {"token_valid": True}
    old = await _signed(door, "ES256")
    answer = await _key(door, "revoke", {"kid": old})
    assert (answer.status, answer.body["kid"], answer.body["state"]) == (200, old, "revoked")
    assert old not in str(await judges.jwks(door))
    assert (await door.validate(state, instance="other")).body == {"token_valid": False}
    assert await _signed(door, "ES256") == answer.body["active"]["kid"] != old
    again = await _key(door, "revoke", {"kid": old})
    assert (again.status, again.body) == (200, answer.body)


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"kid": ""}, 400), ({"kid": 7}, 400), ({"kid": "x"}, 404)]
)
async def test_revoke_no_key(door: Door, body: dict[str, Any], status: int) -> None:
    """What names no key, or one that is not here, changes nothing."""
    before = await judges.jwks(door)
    assert (await _key(door, "revoke", body)).status == status
    assert await judges.jwks(door) == before


async def test_import_key(door: Door) -> None:
    """An imported key that relying parties know signs from now on, and no answer holds it."""
    await door.publish(an_instance("other", oidc="ES256"))
    pem = _pem(ec.generate_private_key(ec.SECP256R1()))
    answer = await _key(door, "import", {"key": pem, "now": True})
    assert (answer.status, answer.body["state"]) == (201, "active")
    assert await _signed(door, "ES256") == answer.body["kid"]
    for path in (KEYS, "/oauth2/jwks"):
        shown = await _as_admin(door, "GET", path)
        assert "PRIVATE" not in shown.text
        assert '"d"' not in shown.text


async def test_import_key_for_later(door: Door) -> None:
    """An imported key that relying parties do not know yet is published first."""
    pem = _pem(ec.generate_private_key(ec.SECP256R1()))
    answer = await _key(door, "import", {"key": pem})
    assert (answer.status, answer.body["state"]) == (201, "next")
    assert answer.body["kid"] in str(await judges.jwks(door))
    assert (await _key(door, "import", {"key": pem, "now": "yes"})).status == 400


async def test_instance_that_names_a_key(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """An instance may name a key by its kid, once relying parties can know it; that key then signs
    for it whatever the realm is rotated to."""
    clock = FrozenClock()
    async with doors.opened(tmp_path, planted, clock=clock) as door:
        kid = (await _key(door, "generate", {"algorithm": "ES256"})).body["kid"]
        draft = an_instance("other")
        assert draft.oidc is not None
        oidc = replace(draft.oidc, signing_key=SigningKey("ES256", alias=kid))
        named = replace(draft, oidc=oidc)
        with pytest.raises(InvalidInstance, match="use it from 2027-01-15T08:05:05Z on"):
            await door.publish(named)
        clock.advance(305)
        await door.publish(named)
        for _ in range(3):
            assert await _signed(door, "ES256") == kid
            await _key(door, "rotate", {"algorithm": "ES256"})
            clock.advance(24 * 3600)
            await door.broker.components.keys.tend(
                await door.broker.components.instances.key_needs()
            )
        said.extend(door.refusals)


async def test_keys_of_an_earlier_version(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """A state folder of an earlier version, its keys under a passphrase, signs on with them."""
    key = ec.generate_private_key(ec.SECP256R1())
    (kid,) = write_folder(
        tmp_path / "state" / "keys", [(key, "active", 1_700_000_000)], passphrase=PASSPHRASE
    )
    (tmp_path / "state").chmod(0o700)
    for passphrase in (PASSPHRASE, None):  # it is needed once
        keys = {"passphrase": passphrase}
        async with doors.opened(tmp_path / "state", planted, keys=keys) as door:
            await door.publish(an_instance("other", oidc="ES256"))
            assert await _signed(door, "ES256") == kid
            said.extend(door.refusals)


@pytest.mark.parametrize("key", ["", "no PEM", 7, None])
async def test_import_no_key(door: Door, key: Any) -> None:
    """What is no private key in PEM is refused."""
    answer = await _as_admin(door, "POST", f"{KEYS}?_action=import", {"key": key})
    assert answer.status == 400


async def test_import_unfit_key(door: Door) -> None:
    """A key of another curve or too few bits is refused, and not repeated in the refusal."""
    for key in (
        ec.generate_private_key(ec.SECP224R1()),
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
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    members = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}}
    for key in answer.body["keys"]:
        assert set(key) == {"kty", "kid", "use", "alg"} | members[key["kty"]]
        assert key["use"] in {"sig", "enc"}


async def test_jwks_may_be_kept_as_long_as_the_setting_says(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """The JWKS says for how long it may be kept; while the store cannot be asked whether it has
    changed, it is served and not to be kept."""
    stores = open_memory()
    configuration = FailingStore(stores.configuration)
    shared = replace(stores, configuration=configuration)
    async with doors.opened(tmp_path, planted, stores=shared, keys={"jwks_max_age": 77}) as door:
        answer = await door.request("GET", "/oauth2/jwks")
        assert answer.headers["Cache-Control"] == "public, max-age=77"
        configuration.end_at(0)
        stale = await door.request("GET", "/oauth2/jwks")
        assert (stale.status, stale.headers["Cache-Control"]) == (200, "no-cache")
        assert stale.body == answer.body
        configuration.mend()
        again = await door.request("GET", "/oauth2/jwks")
        assert again.headers["Cache-Control"] == "public, max-age=77"
        said.extend(door.refusals)


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
