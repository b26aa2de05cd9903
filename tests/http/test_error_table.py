"""What `/rest-sts` answers to every mistake it knows, one row each, in the words of CREST."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.codec import REASONS
from adapters.instances import forgerock
from broker.instance import Instance, SigningKey
from broker.model import OPENIDCONNECT, SAML2, USERNAME, X509, InstanceDocument
from tests.http import rows_envelope, rows_presented, rows_translate
from tests.http.rows import BOBO, ENDED, EXPIRED_ASSERTION, EXPIRED_JWT, IDLE, LIVE, Row
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    HEADER,
    ID_TOKEN,
    REALM,
    Door,
    FrozenClock,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.planted import MARK, Planted

REFUSALS = [
    *rows_translate.STATES,
    *rows_translate.MISSING_STATES,
    *rows_translate.TOKEN_TYPES,
    *rows_translate.INPUTS,
    *rows_translate.OUTPUTS,
    *rows_envelope.ENVELOPE,
    *rows_envelope.BODIES,
    *rows_presented.PRESENTED,
]
NO_ERRORS = rows_presented.NO_ERRORS
NOT_IMPLEMENTED = {
    "unknown action in a session",
    "action in upper case",
    "GET",
    "GET in a session",
    "PUT",
    "PUT in a session",
    "PATCH",
    "PATCH by override",
}


def _titled(rows: list[Row]) -> list[Any]:
    return [pytest.param(row, id=row.title) for row in rows]


@pytest.fixture
async def table(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A door whose broker publishes what the rows ask for. In memory, since rows are many."""
    store = {"url": "memory://"}
    async with doors.opened(tmp_path / "state", planted, clock=FrozenClock(), store=store) as door:
        await door.publish(
            an_instance("assertions-only", transforms=(pair(USERNAME, SAML2),)),
            an_instance("keeps-nothing", persist=False),
            an_instance(rows_translate.ID_TOKENS, transforms=(pair(OPENIDCONNECT, "OPAQUE"),)),
            an_instance("not-yet", transforms=(pair(X509, SAML2),)),
            an_instance("unsigned", oidc="NONE"),
            an_instance("inside", realm=REALM),
        )
        await _store_keyless(door, an_instance("keyless"))
        await door.add_user("dormant", active=False)
        await door.add_user("rooted")
        yield door
        said.extend(door.refusals)
    said.append((tmp_path / "state" / "audit.log").read_text())


async def _store_keyless(door: Door, draft: Instance) -> None:
    """Published when its key was there: the publish service itself would refuse it now."""
    assert draft.oidc is not None
    lost = replace(draft.oidc, signing_key=SigningKey("RS256", "a-key-that-is-gone"))
    state = forgerock.encode(replace(draft, oidc=lost))
    document = InstanceDocument(draft.id, draft.realm, "1", "forgerock", state)
    await door.broker.stores.instances.create(document)


@pytest.mark.parametrize("row", _titled(REFUSALS))
async def test_refusal(table: Door, row: Row) -> None:
    """A mistake gets its status in CREST's words, one audit line, and leaves nothing behind."""
    ready = await _prepared(table, row)
    lines, tokens = table.audit(), await table.tokens()
    answer = await table.request(
        ready.method,
        f"/rest-sts/{ready.instance}?{ready.query}",
        body=ready.body,
        data=ready.data,
        headers=ready.headers,
    )
    assert answer.status == row.status, answer.text
    detail = {"detail"} if row.detail else set()
    assert set(answer.body) == {"code", "reason", "message"} | detail
    assert answer.body["code"] == row.status
    assert answer.body["reason"] == REASONS[row.status]
    assert answer.body["message"]
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    added = table.audit()[len(lines) :]
    assert [line["outcome"] for line in added] == ["refused"]
    assert await table.tokens() == tokens


@pytest.mark.parametrize("row", _titled(NO_ERRORS))
async def test_no_error(table: Door, row: Row) -> None:
    """A token that cannot be good is no mistake of the caller's: the answer just says so."""
    ready = await _prepared(table, row)
    lines = table.audit()
    path = f"/rest-sts/{ready.instance}?{ready.query}"
    answer = await table.request(ready.method, path, body=ready.body)
    assert (answer.status, answer.body) == (row.status, row.answer)
    assert len(table.audit()) == len(lines) + 1


def test_only_the_contract_s_rows_are_not_implemented() -> None:
    """No mistake of a client gives a 5xx, but for the requests the contract answers with 501."""
    assert {row.title for row in REFUSALS if row.status >= 500} == NOT_IMPLEMENTED
    assert {row.status for row in REFUSALS if row.status >= 500} == {501}


def test_rows_are_told_apart() -> None:
    """No two rows have the same title, so that none hides behind another."""
    titles = [row.title for row in (*REFUSALS, *NO_ERRORS)]
    assert len(titles) == len(set(titles))


async def test_malformed_certificate_that_is_not_used(door: Door) -> None:
    """A proof certificate that the method does not use may be malformed."""
    for method in ("BEARER", "SENDER_VOUCHES"):
        proof = {"base64EncodedCertificate": rows_translate.NOT_ENCODED}
        wanted = {**ASSERTION, "subject_confirmation": method, "proof_token_state": proof}
        answer = await door.translate(user_input(), wanted)
        assert answer.status == 200


async def test_refusal_echoes_nothing(door: Door) -> None:
    """A refusal names the member that is wrong and shows nothing of what the state held."""
    for given in (
        {"token_type": USERNAME, "password": f"only-{MARK}"},
        {"username": "demo", "password": f"untyped-{MARK}"},
        user_input(password=f"wrong-{MARK}"),
        session_input(f"guess-{MARK}"),
    ):
        answer = await door.translate(given, ID_TOKEN)
        assert answer.status in (400, 401)
        assert MARK not in answer.text


async def _prepared(door: Door, row: Row) -> Row:
    """The row with what its stand-ins stand for, made in the order of the clock."""
    text = repr(row)
    clock = door.broker.components.clock
    assert isinstance(clock, FrozenClock)
    made: dict[str, str] = {}
    if EXPIRED_JWT in text:
        answer = await door.translate(user_input(), ID_TOKEN)
        made[EXPIRED_JWT] = answer.body["issued_token"]
    if EXPIRED_ASSERTION in text:
        answer = await door.translate(user_input(), ASSERTION)
        made[EXPIRED_ASSERTION] = answer.body["issued_token"]
    if IDLE in text:
        made[IDLE] = await door.login()
    clock.advance(door.broker.components.settings.sessions.max_idle_seconds)
    if LIVE in text:
        made[LIVE] = await door.login()
    if BOBO in text:
        made[BOBO] = await door.login(realm=REALM)
    if ENDED in text:
        made[ENDED] = await door.login()
        await door.request("POST", "/json/sessions?_action=logout", headers={HEADER: made[ENDED]})
    return replace(row, body=_filled(row.body, made), headers=_filled(dict(row.headers), made))


def _filled(value: Any, made: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for stand_in, real in made.items():
            value = value.replace(stand_in, real)
        return value
    if isinstance(value, dict):
        return {name: _filled(member, made) for name, member in value.items()}
    return value
