"""`/sts-tokengen`: administrators list, read and revoke issued tokens."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from broker.model import OPENIDCONNECT
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    ELEMENT,
    HEADER,
    ID_TOKEN,
    REALM,
    Answer,
    Door,
    FrozenClock,
    an_instance,
    session_input,
    user_input,
)
from tests.support.planted import Planted

INSIDE = "fred/bobo/inside"
NO_PAGES = {
    "pagedResultsCookie": None,
    "totalPagedResultsPolicy": "NONE",
    "totalPagedResults": -1,
    "remainingPagedResults": -1,
}


async def _issue(door: Door, name: str = "demo", instance: str = ELEMENT) -> str:
    answer = await door.translate(user_input(name=name), ID_TOKEN, instance=instance)
    assert answer.status == 200
    return str(answer.body["issued_token"])


async def _some_tokens(door: Door) -> None:
    """Two users' tokens at two instances of the root realm, and one in the sub realm."""
    await door.add_user("ann")
    await door.publish(an_instance("second"), an_instance("inside", realm=REALM))
    for name in ("demo", "ann"):
        for instance in (ELEMENT, "second"):
            await _issue(door, name, instance)
    await _issue(door, "demo", INSIDE)


async def _query(door: Door, head: dict[str, str], text: str) -> Answer:
    return await door.request("GET", f"/sts-tokengen?_queryFilter={quote(text)}", headers=head)


def _found(answer: Answer) -> set[tuple[str, str]]:
    assert answer.status == 200, answer.text
    assert answer.body["resultCount"] == len(answer.body["result"])
    return {(item["sts_id"], item["principal_name"]) for item in answer.body["result"]}


async def test_result_members(door: Door) -> None:
    """A listed token has the members of the contract, its record's ids and no token."""
    token = await _issue(door)
    (record,) = await door.tokens()
    answer = await _query(door, await door.admin(), f'/sts_id eq "{ELEMENT}"')
    item = {
        "_id": record.alias,
        "_rev": "",
        "token_id": record.alias,
        "sts_id": ELEMENT,
        "principal_name": "demo",
        "token_type": OPENIDCONNECT,
        "expiration_time": record.expires_at,
    }
    assert answer.body == {"result": [item], "resultCount": 1, **NO_PAGES}
    assert isinstance(answer.body["result"][0]["expiration_time"], int)
    assert token not in answer.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('/sts_id eq "second"', {("second", "demo"), ("second", "ann")}),
        ("/sts_id eq 'second'", {("second", "demo"), ("second", "ann")}),
        ('sts_id eq "second"', {("second", "demo"), ("second", "ann")}),
        (f'/sts_id eq "{INSIDE}"', {(INSIDE, "demo")}),
        ('/token_principal eq "ann"', {(ELEMENT, "ann"), ("second", "ann")}),
        ('/sts_id eq "second" and /token_principal eq "ann"', {("second", "ann")}),
        ("/token_principal eq 'ann' AND /sts_id EQ 'second'", {("second", "ann")}),
        ('(/sts_id eq "second" and (/token_principal eq "ann"))', {("second", "ann")}),
        ('/sts_id eq "second" and /sts_id eq "second"', {("second", "demo"), ("second", "ann")}),
        ('/sts_id eq "second" and /sts_id eq "other"', set()),
        (r'/sts_id eq "sec\ond"', {("second", "demo"), ("second", "ann")}),
        ('/sts_id eq "Second"', set()),
        ('/sts_id eq "nowhere"', set()),
        ('/token_principal eq "true"', set()),
    ],
)
async def test_query(door: Door, text: str, expected: set[tuple[str, str]]) -> None:
    """Equalities on instance and principal, joined by and, find exactly what they say."""
    await _some_tokens(door)
    assert _found(await _query(door, await door.admin(), text)) == expected


async def test_plus_is_a_blank(door: Door) -> None:
    """The guide's own curl line, with a plus for each blank and single quotes, is understood."""
    await _some_tokens(door)
    path = "/sts-tokengen?_queryFilter=/sts_id+eq+'second'+and+/token_principal+eq+'ann'"
    answer = await door.request("GET", path, headers=await door.admin())
    assert _found(answer) == {("second", "ann")}


@pytest.mark.parametrize(
    "query",
    [
        *(
            "_queryFilter=" + quote(text)
            for text in (
                *("", "true", "false", "/sts_id", "/sts_id pr", "/sts_id eq"),
                *(f'/sts_id {o} "x"' for o in ("co", "sw", "gt", "ge", "lt", "le", "ne", "regex")),
                '/sts_id eq "x" or /token_principal eq "y"',
                '!(/sts_id eq "x")',
                '/sts_id eq "x" and true',
                "/sts_id eq true",
                '/token_type eq "SAML2"',
                '/realm eq "/"',
                '/sts_id/deeper eq "x"',
                '/sts_id eq "x',
                '(/sts_id eq "x"',
                '/sts_id eq "x")',
                '/sts_id eq "x" "y"',
                '/sts_id eq "x" and',
                'and /sts_id eq "x"',
                '"sts_id" eq "x"',
                "(" * 300 + '/sts_id eq "x"' + ")" * 300,
                '/sts_id eq "' + "x" * 5000 + '"',
            )
        ),
        "_queryId=all",
        "_queryExpression=all",
        "_queryFilter=/sts_id+eq+'x'&_queryId=all",
        "_queryFilter=/sts_id+eq+'x'&_queryExpression=all",
        "",
        "_fields=token_id",
    ],
)
async def test_refused_query(door: Door, query: str) -> None:
    """Every other form of query is a 400."""
    answer = await door.request("GET", f"/sts-tokengen?{query}", headers=await door.admin())
    assert (answer.status, answer.body["code"]) == (400, 400)


@pytest.mark.parametrize("path", ["", "/x", "?_queryFilter=/sts_id+eq+'x'"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH"])
async def test_who_may_not_ask(door: Door, method: str, path: str) -> None:
    """Without a session it is a 401; without the role, or in an interim session, a 403."""
    path = "/sts-tokengen" + path
    assert (await door.request(method, path)).status == 401
    ended = {HEADER: "unknown"}
    assert (await door.request(method, path, headers=ended)).status == 401
    ordinary = {HEADER: await door.login()}
    assert (await door.request(method, path, headers=ordinary)).status == 403
    parts = door.broker.components
    administrator = await parts.users.get("/", "admin")
    assert administrator is not None
    interim = await parts.sessions.open(administrator, interim=True)
    door.planted.note(interim.id.reveal())
    head = {HEADER: interim.id.reveal()}
    assert (await door.request(method, path, headers=head)).status == 403


async def test_sub_realm_administrator(door: Door) -> None:
    """A sub realm's administrator sees, reads and revokes that realm's tokens and no other's."""
    await _some_tokens(door)
    head = await door.realm_admin()
    assert _found(await _query(door, head, '/token_principal eq "demo"')) == {(INSIDE, "demo")}
    assert _found(await _query(door, head, f'/sts_id eq "{ELEMENT}"')) == set()
    for record in await door.tokens():
        path = f"/sts-tokengen/{record.alias}"
        mine = record.realm == REALM
        assert (await door.request("GET", path, headers=head)).status == (200 if mine else 404)
        answer = await door.request("DELETE", path, headers=head)
        assert answer.status == 200
    assert {record.realm for record in await door.tokens()} == {"/"}
    assert len(await door.tokens()) == 4


async def test_read(door: Door) -> None:
    """A token's record is read by the id that the query shows; an unknown id is a 404."""
    await _issue(door)
    (record,) = await door.tokens()
    head = await door.admin()
    answer = await door.request("GET", f"/sts-tokengen/{record.alias}", headers=head)
    assert (answer.status, answer.body["_id"]) == (200, record.alias)
    assert (answer.body["sts_id"], answer.body["principal_name"]) == (ELEMENT, "demo")
    assert "issued_token" not in answer.body
    assert (await door.request("GET", "/sts-tokengen/unknown", headers=head)).status == 404


@pytest.mark.parametrize("wanted", [ID_TOKEN, ASSERTION], ids=["ID token", "assertion"])
async def test_read_a_kept_token(door: Door, wanted: dict[str, Any]) -> None:
    """An instance that keeps its tokens lets its realm's administrators read them, one by one; the
    store has them sealed, and no list and no validate shows them."""
    await door.publish(replace(an_instance("keeping"), keep_issued_tokens=True))
    issued = await door.translate(user_input(), wanted, instance="keeping")
    token = issued.body["issued_token"]
    (record,) = await door.tokens()
    assert record.kept is not None
    assert token.encode() not in record.kept
    assert repr(record.kept) not in repr(record)
    head, path = await door.admin(), f"/sts-tokengen/{record.alias}"
    answer = await door.request("GET", path, headers=head)
    assert (answer.status, answer.body["issued_token"]) == (200, token)
    line = door.audit()[-1]
    assert (line["requester"], line["token_alias"]) == ("admin", record.alias)
    listed = await _query(door, head, "/sts_id eq 'keeping'")
    assert "issued_token" not in listed.text
    assert (await door.request("GET", path, headers=await door.realm_admin())).status == 404
    await door.request("DELETE", path, headers=head)
    assert (await door.request("GET", path, headers=head)).status == 404


async def test_a_kept_token_that_was_moved(door: Door) -> None:
    """A kept token that somebody put into another record is not read out: a 503, with no trace of
    the token."""
    await door.publish(replace(an_instance("keeping"), keep_issued_tokens=True))
    for _ in range(2):
        await _issue(door, instance="keeping")
    first, second = await door.tokens()
    database = door.broker.components.settings.state_dir / "remint.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE tokens SET kept = ? WHERE alias = ?", (first.kept, second.alias))
        connection.commit()
    head = await door.admin()
    answer = await door.request("GET", f"/sts-tokengen/{second.alias}", headers=head)
    assert answer.status == 503


async def test_expired_but_not_reaped(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """A token that has expired is listed until it is reaped, and is not valid meanwhile."""
    clock = FrozenClock()
    async with doors.opened(tmp_path / "state", planted, clock=clock) as door:
        state = {"token_type": OPENIDCONNECT, "oidc_id_token": await _issue(door)}
        (record,) = await door.tokens()
        clock.advance(record.expires_at - clock.now() + 1)
        listed = await _query(door, await door.admin(), f"/sts_id eq '{ELEMENT}'")
        assert [item["_id"] for item in listed.body["result"]] == [record.alias]
        assert (await door.validate(state)).body == {"token_valid": False}
        await door.broker.components.lifecycle.reap()
        assert _found(await _query(door, await door.admin(), f"/sts_id eq '{ELEMENT}'")) == set()
        said.extend(door.refusals)


async def test_delete(door: Door) -> None:
    """Deleting a token cancels it; deleting it again is answered with the same words."""
    state = {"token_type": OPENIDCONNECT, "oidc_id_token": await _issue(door)}
    (record,) = await door.tokens()
    head, path = await door.admin(), f"/sts-tokengen/{record.alias}"
    expected = {
        "_id": record.alias,
        "_rev": record.alias,
        "result": f"token with id {record.alias} successfully removed.",
    }
    for _ in range(2):
        answer = await door.request("DELETE", path, headers=head)
        assert (answer.status, answer.body) == (200, expected)
        assert (await door.validate(state)).body == {"token_valid": False}
    assert await door.tokens() == []


async def test_assertion_is_listed_by_its_id(door: Door) -> None:
    """An assertion is listed under the ID that it carries."""
    answer = await door.translate(session_input(await door.login()), ASSERTION)
    found = await _query(door, await door.admin(), f"/sts_id eq '{ELEMENT}'")
    (item,) = found.body["result"]
    assert item["token_type"] == "SAML2"
    assert f'ID="{item["token_id"]}"' in answer.body["issued_token"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "?_action=create", 403),
        ("POST", "?_action=other", 403),
        ("POST", "", 403),
        ("PUT", "/x", 403),
        ("PATCH", "/x", 403),
        ("DELETE", "", 400),
        ("OPTIONS", "", 405),
    ],
)
async def test_nothing_else(door: Door, method: str, path: str, status: int) -> None:
    """No other call is open to anybody, creating tokens included."""
    body: Any = {"tokenType": "SAML2", "stsInstanceId": ELEMENT}
    answer = await door.request(
        method, f"/sts-tokengen{path}", body=body, headers=await door.admin()
    )
    assert answer.status == status
    assert await door.tokens() == []
