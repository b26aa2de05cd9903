"""Attacks on ID tokens as input: by their holders, by issuers, and by a realm's administrators."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.issuers import draft
from tests.support.door import ID_TOKEN, ISSUER, REALM, Door, an_instance, pair
from tests.support.issuers import PATH, id_token, signed, token_input, trust, trusting

INSTANCE = "from-id-tokens"
NOT_TRUSTED = "this is no ID token that is signed by an issuer whom this realm trusts"
HERE = ["http://127.0.0.1:6379/", "http://[::1]/jwks", "http://localhost/", "https://127.0.0.1/"]


@pytest.fixture
async def ready(door: Door) -> Door:
    """A realm that trusts one issuer, and an instance that takes its tokens."""
    offered = pair("OPENIDCONNECT", "OPENIDCONNECT"), pair("OPENIDCONNECT", "OPAQUE")
    await door.publish(an_instance(INSTANCE, transforms=offered))
    await trust(door)
    return door


async def ask(door: Door, token: str) -> Any:
    return await door.translate(token_input(token), ID_TOKEN, instance=INSTANCE)


@pytest.mark.parametrize("depth", [300, 900, 5000])
async def test_deeply_nested_claims(ready: Door, depth: int) -> None:
    """Claims that are nested as deep as a parser lets them are one more token that is refused."""
    nested = b'{"iss": "https://idp.example.com", "a": ' + b"[" * depth + b"]" * depth + b"}"
    answer = await ask(ready, signed(nested))
    assert (answer.status, answer.body["message"]) == (401, NOT_TRUSTED)


async def test_foreign_subject_behind_a_token_of_ours(ready: Door) -> None:
    """A foreign admin who is called just that in a token of ours is not the local admin in the
    next, in a realm that links the subjects of its own tokens to local users."""
    await trust(ready, subject_prefix="")
    ours: dict[str, Any] = {"issuer": ISSUER, "audiences": ["client"], "link_local_users": True}
    await trust(ready, "ourselves", own_keys=True, jwks=None, **ours)
    foreign = await ask(ready, id_token(sub="admin"))
    assert foreign.status == 200, foreign.text
    answer = await ask(ready, foreign.body["issued_token"])
    assert (answer.status, "nobody who has an account" in answer.text) == (401, True)
    assert len(await ready.tokens()) == 1


async def test_foreign_subject_stays_foreign(ready: Door) -> None:
    """The same holds where such a token is kept under a foreign name and nobody is linked."""
    await trust(ready, subject_prefix="")
    await trust(ready, "ourselves", own_keys=True, jwks=None, issuer=ISSUER, audiences=["client"])
    foreign = await ask(ready, id_token(sub="admin"))
    assert (await ask(ready, foreign.body["issued_token"])).status == 200
    assert all("#" in record.principal for record in await ready.tokens())


@pytest.mark.parametrize("place", HERE)
async def test_administrator_of_a_realm_points_at_this_machine(door: Door, place: str) -> None:
    """Who administers an inner realm cannot have the broker ask what listens on its machine; the
    root realm's administrator can."""
    path = f"/json{REALM}/trusted-issuers/near"
    head = await door.realm_admin()
    for changes, key in (
        ({"jwks_url": place}, "jwks_url"),
        ({"issuer": place.rstrip("/"), "discovery": True}, "discovery"),
    ):
        body = trusting(jwks=None, **changes)
        answer = await door.request("PUT", path, body=body, headers=head)
        assert (answer.status, answer.body["detail"][0]["key"]) == (400, key), answer.text
    body = trusting(jwks=None, jwks_url=place)
    answer = await door.request("PUT", f"{PATH}/near", body=body, headers=await door.admin())
    assert answer.status == 201, answer.text


async def test_place_that_a_file_named_stays(door: Door) -> None:
    """An address of this machine that a file gave an inner realm survives a read and write by its
    administrator, and cannot be changed to another one."""
    said = trusting(name="near", jwks=None, jwks_url="http://127.0.0.1:9/jwks")
    await door.broker.components.issuers.load(
        REALM, draft.decoded(REALM, said, any_file=True).document
    )
    path, head = f"/json{REALM}/trusted-issuers/near", await door.realm_admin()
    read = (await door.request("GET", path, headers=head)).body
    changed = {**read, "leeway_seconds": 3}
    assert (await door.request("PUT", path, body=changed, headers=head)).status == 200
    moved = {**read, "jwks_url": "http://127.0.0.1:10/jwks"}
    assert (await door.request("PUT", path, body=moved, headers=head)).status == 400


async def test_set_of_keys_that_is_padded(door: Door) -> None:
    """A JWK set that says much beside its keys is over the size of a set, and is not kept."""
    body = trusting()
    body["jwks"]["note"] = "x" * (300 * 1024)
    answer = await door.request("PUT", f"{PATH}/big", body=body, headers=await door.admin())
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "jwks")


@pytest.mark.parametrize("mark", ["\u202e", "\u200b", "\u2028"])
async def test_issuer_that_looks_like_another(door: Door, mark: str) -> None:
    """No issuer has a character in its name that nobody sees or that turns others around."""
    body = trusting(issuer=f"https://idp.{mark}example.com")
    answer = await door.request("PUT", f"{PATH}/alike", body=body, headers=await door.admin())
    assert (answer.status, answer.body["detail"][0]["key"]) == (400, "issuer")


@pytest.mark.parametrize(
    "name", ["a\nb", "a\u202eb", "a\x00", "a\u2028b", "\x1b[2J", "", "x" * 256]
)
async def test_subject_that_no_record_should_have(ready: Door, name: str) -> None:
    """A subject that would break or disguise a line of the audit is refused after its signature."""
    answer = await ask(ready, id_token(sub=name))
    assert (answer.status, "printable" in answer.body["message"]) == (401, True)
    assert all(not name or name not in line.get("principal", "") for line in ready.audit())


async def test_subject_with_the_mark_of_accounts(ready: Door) -> None:
    """A subject that is written like somebody's account has that as its name behind its own
    issuer, and is found under nothing else."""
    await ask(ready, id_token(sub="https://other.example.com#alice"))
    [record] = await ready.tokens()
    assert record.principal == "https://idp.example.com#https://other.example.com#alice"


async def test_secret_of_an_issuer_is_in_no_repr(door: Door) -> None:
    """An issuer that is ready for use does not show its client secret when it is printed."""
    secret = "a-secret-of-thirty-two-bytes-at-least"
    await trust(door, jwks=None, client_secret=secret)
    found = door.broker.components.issuers.find("/", "https://idp.example.com")
    assert found is not None
    assert secret not in repr(found)
