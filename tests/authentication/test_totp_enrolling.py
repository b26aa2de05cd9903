"""Authenticators enrolled, confirmed and removed by administrators, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.authentication.totp_asking import administer, ask, enrolled, opened
from tests.support.door import HEADER, Door, FrozenClock
from tests.support.planted import Planted
from tests.support.totp import App


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1_800_000_015.0)


@pytest.fixture
async def front(
    clock: FrozenClock, tmp_path: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    async with opened(tmp_path, planted, monkeypatch, clock) as door:
        yield door


async def test_enrolment_counts_once_confirmed(front: Door, clock: FrozenClock) -> None:
    """Until its first code came an authenticator lets nobody in and is asked of nobody; a wrong
    code does not confirm it."""
    made = await administer(front, "POST", "demo/totp", "enrol", {})
    app = App(made.body["uri"])
    assert len(app.secret) == 20
    assert (await ask(front, app.code(clock.at))).status == 401
    assert (await ask(front, None, instance="perhaps")).status == 200
    wrong = await administer(front, "POST", "demo/totp", "confirm", {"code": "000000"})
    assert wrong.status == 400
    assert (await administer(front, "GET", "demo/totp")).body["state"] == "pending"
    await administer(front, "POST", "demo/totp", "confirm", {"code": app.code(clock.at)})
    assert (await ask(front, None, instance="perhaps")).status == 401


async def test_enrolling_anew(front: Door, clock: FrozenClock) -> None:
    """One that waits is replaced by the next; one that is confirmed has to be removed first, and
    its codes end with it."""
    first = App((await administer(front, "POST", "demo/totp", "enrol", {})).body["uri"])
    second = await enrolled(front, clock)
    assert first.secret != second.secret
    assert (await administer(front, "POST", "demo/totp", "enrol", {})).status == 409
    body = {"code": second.code(clock.at)}
    assert (await administer(front, "POST", "demo/totp", "confirm", body)).status == 409
    assert (await administer(front, "DELETE", "demo/totp")).status == 200
    assert (await administer(front, "DELETE", "demo/totp")).status == 404
    assert (await ask(front, second.code(clock.at))).status == 401


async def test_late_confirmation(front: Door, clock: FrozenClock) -> None:
    """An enrolment that waited for more than an hour cannot be confirmed."""
    app = App((await administer(front, "POST", "demo/totp", "enrol", {})).body["uri"])
    clock.advance(3600)
    body = {"code": app.code(clock.at)}
    assert (await administer(front, "POST", "demo/totp", "confirm", body)).status == 409
    assert (await administer(front, "GET", "demo/totp")).body["state"] == "expired"


async def test_secret_is_shown_once(front: Door, clock: FrozenClock) -> None:
    """Neither a read nor a list, nor the audit, nor the store's file has the secret again."""
    made = await administer(front, "POST", "demo/totp", "enrol", {})
    assert made.headers["Cache-Control"] == "no-store"
    secret = App(made.body["uri"]).secret
    told = await administer(front, "GET", "demo/totp")
    rows = await administer(front, "GET", "?_queryId=factors")
    assert [row["account"] for row in rows.body["result"]] == ["demo"]
    state = front.broker.components.settings.state_dir
    for text in (told.text, rows.text, (state / "audit.log").read_text()):
        assert made.body["secret"] not in text
    for path in state.glob("remint.db*"):
        assert secret not in path.read_bytes()
        assert made.body["secret"].encode() not in path.read_bytes()


async def test_only_administrators(front: Door, clock: FrozenClock) -> None:
    """Who is no administrator of the realm neither reads, nor lists, nor changes any of it."""
    app = await enrolled(front, clock)
    for headers in ({}, {HEADER: await front.login()}, await front.realm_admin()):
        for method, path, body in (
            ("GET", "/demo/totp", None),
            ("GET", "?_queryId=factors", None),
            ("POST", "/demo/totp?_action=enrol", {}),
            ("POST", "/demo/totp?_action=confirm", {"code": "000000"}),
            ("DELETE", "/demo/totp", None),
            ("POST", "/demo/passcodes?_action=create", {}),
        ):
            answer = await front.request(method, f"/json/users{path}", body=body, headers=headers)
            assert answer.status in (401, 403), answer.text
    assert (await ask(front, app.code(clock.at))).status == 200


@pytest.mark.parametrize(
    ("method", "name", "action", "body", "status", "words"),
    [
        ("POST", "demo/totp", "enrol", {"algorithm": "MD5"}, 400, "SHA1, SHA256, SHA512"),
        ("POST", "demo/totp", "enrol", {"digits": 4}, 400, "6, 7, 8"),
        ("POST", "demo/totp", "enrol", {"digits": True}, 400, "6, 7, 8"),
        ("POST", "demo/totp", "enrol", {"period": 0}, 400, "15 to 120"),
        ("POST", "demo/totp", "enrol", {"issuer": "a:b"}, 400, "without a colon"),
        ("POST", "demo/totp", "confirm", {}, 400, "code"),
        ("POST", "demo/totp", "confirm", {"code": "000000"}, 404, "enrol one first"),
        ("POST", "demo/totp", "other", {}, 405, "enrol or confirm"),
        ("POST", "nobody/totp", "enrol", {}, 404, "no user nobody"),
        ("GET", "demo/totp", "", None, 404, "no authenticator"),
        ("GET", "demo/totp/1", "", None, 404, "one authenticator"),
        ("POST", "demo/totp?module=a/b", "enrol", {}, 400, "name of a module"),
    ],
)
async def test_mistakes(
    front: Door, method: str, name: str, action: str, body: Any, status: int, words: str
) -> None:
    """A mistake in administering is a 4xx that says what would be right."""
    answer = await administer(front, method, name, action, body)
    assert answer.status == status, answer.text
    assert words in answer.body["message"]


async def test_next_user_of_the_name_has_nothing(front: Door, clock: FrozenClock) -> None:
    """With a user go authenticator and passcodes."""
    await front.add_user("ann")
    await enrolled(front, clock, "ann/totp")
    assert (await administer(front, "POST", "ann/passcodes", "create", {})).status == 201
    assert (await administer(front, "DELETE", "ann")).status == 200
    assert (await administer(front, "GET", "?_queryId=factors")).body["result"] == []


async def test_realm_with_factors_stays(front: Door) -> None:
    """A realm is not deleted while an account of it has a second factor."""
    head = await front.admin()
    realms = "/json/realms"
    made = await front.request("POST", realms, body={"realm": "/x"}, headers=head)
    assert made.status == 201
    place = "bob/totp?module=corp"
    assert (await administer(front, "POST", place, "enrol", {}, realm="/x")).status == 201
    realm = f"{realms}/{made.body['_id']}"
    gone = await front.request("DELETE", realm, headers=head)
    assert (gone.status, "second factors" in gone.text) == (409, True)
    assert (await administer(front, "DELETE", place, realm="/x")).status == 200
    assert (await front.request("DELETE", realm, headers=head)).status == 200
