"""``translate_batch`` over HTTP: many translations in one request, each with its own end."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters import codec
from adapters.http.places import BATCHES_AT_ONCE
from adapters.stores.memory import MemoryUsers, open_memory
from broker.batch import MAX_PARTS
from broker.batching import CHUNK
from broker.model import User
from tests.support import door as doors
from tests.support.door import (
    ASSERTION,
    ELEMENT,
    ID_TOKEN,
    Answer,
    Door,
    FrozenClock,
    an_instance,
    pair,
    session_input,
    user_input,
)
from tests.support.planted import MARK, Planted

PATH = f"/rest-sts/{ELEMENT}?_action=translate_batch"
SOME_SECONDS = 60


def _part(given: Any, wanted: Any = ID_TOKEN) -> dict[str, Any]:
    return {"input_token_state": given, "output_token_state": wanted}


def _numbered(given: Any, many: int) -> list[dict[str, Any]]:
    """ID tokens whose nonces count from 0."""
    return [_part(given, {**ID_TOKEN, "nonce": f"n-{number}"}) for number in range(many)]


async def _ask(door: Door, parts: Any, key: str | None = None, path: str = PATH) -> Answer:
    head = {"Idempotency-Key": key} if key else {}
    answer = await door.request("POST", path, body={"requests": parts}, headers=head)
    for result in answer.body.get("results", ()):
        if "issued_token" in result:
            door.planted.note(result["issued_token"])
    return answer


def _codes(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.text
    return [result.get("code", 200) for result in answer.body["results"]]


def _claims(result: Any) -> Any:
    part = result["issued_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_in_order(door: Door) -> None:
    """Each part is answered in its place, with the body that it would have had alone."""
    session = session_input(await door.login())
    wrong = user_input(f"wrong-{MARK}")
    parts: list[Any] = [
        _part(session, ASSERTION),
        _part(wrong),
        _part(user_input()),
        _part(session, {"token_type": "RIDDLE"}),
        {"input_token_state": session},
        7,
    ]
    answer = await _ask(door, parts)
    assert _codes(answer) == [200, 401, 200, 400, 400, 400]
    results = answer.body["results"]
    assert ":Assertion" in results[0]["issued_token"]
    assert _claims(results[2])["sub"] == "demo"
    for index in (1, 3):
        alone = await door.translate(
            parts[index]["input_token_state"], parts[index]["output_token_state"]
        )
        assert results[index] == alone.body
    assert "output_token_state" in results[4]["message"]
    assert set(results[5]) == {"code", "reason", "message"}


async def test_a_thousand(door: Door) -> None:
    """A batch of the largest size has as many tokens, in order, each valid and each once."""
    answer = await _ask(door, _numbered(session_input(await door.login()), MAX_PARTS), "k")
    assert _codes(answer) == [200] * MAX_PARTS
    claims = [_claims(result) for result in answer.body["results"]]
    assert [claim["nonce"] for claim in claims] == [f"n-{n}" for n in range(MAX_PARTS)]
    records = await door.tokens()
    assert {claim["jti"] for claim in claims} == {record.token_id for record in records}
    assert len(records) == MAX_PARTS
    last = answer.body["results"][-1]["issued_token"]
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": last}
    assert (await door.validate(state)).body == {"token_valid": True}


async def test_the_same_batch_again(door: Door) -> None:
    """The same batch under the same key gets the same bytes, and no new token."""
    session = session_input(await door.login())
    parts = [*_numbered(session, CHUNK + 1), _part(user_input(f"wrong-{MARK}")), 7]
    first = await _ask(door, parts, "k")
    assert _codes(first) == [200] * (CHUNK + 1) + [401, 400]
    again = await _ask(door, parts, "k")
    assert again.text == first.text
    assert len(await door.tokens()) == CHUNK + 1


async def test_at_once(door: Door) -> None:
    """The same batch several times at once has each of its tokens once."""
    parts = _numbered(session_input(await door.login()), 20)
    answers = await asyncio.gather(*(_ask(door, parts, "k") for _ in range(BATCHES_AT_ONCE)))
    assert len({answer.text for answer in answers}) == 1
    assert len(await door.tokens()) == 20


async def test_without_a_key(door: Door) -> None:
    """Without a key each batch gets tokens of its own."""
    parts = _numbered(session_input(await door.login()), 2)
    assert (await _ask(door, parts)).text != (await _ask(door, parts)).text
    assert len(await door.tokens()) == 4


async def test_another_batch_under_the_key(door: Door) -> None:
    """Another batch of the same session, or a single request, under a key that was used is a 409
    as a whole."""
    session = session_input(await door.login())
    first = await _ask(door, _numbered(session, 2), "k")
    assert _codes(first) == [200, 200]
    for parts in (_numbered(session, 3), _numbered(session, 2)[::-1], [_part(session, ASSERTION)]):
        assert (await _ask(door, parts, "k")).status == 409
    single = await door.translate(session, ID_TOKEN, headers={"Idempotency-Key": "k"})
    assert single.status == 409
    assert len(await door.tokens()) == 2


@pytest.mark.parametrize("parts", [None, [], {}, "x", 7, [7] * (MAX_PARTS + 1)], ids=str)
async def test_not_a_batch(door: Door, parts: Any) -> None:
    """What is no list of 1 to 1,000 requests is a 400 as a whole."""
    answer = await _ask(door, parts)
    assert (answer.status, answer.body["reason"]) == (400, "Bad Request")
    assert "1 to 1000" in answer.body["message"]
    (line,) = door.audit()
    assert (line["operation"], line["outcome"]) == ("translate.batch", "refused")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"requests": [[['])
async def test_no_json_object(door: Door, data: bytes) -> None:
    """A body that is no JSON object with requests is a 400."""
    assert (await door.request("POST", PATH, data=data)).status == 400


async def test_unknown_instance(door: Door) -> None:
    """A batch for an instance that is not there is a 404 as a whole."""
    path = "/rest-sts/nowhere?_action=translate_batch"
    assert (await _ask(door, _numbered(user_input(), 2), path=path)).status == 404


async def test_audit(door: Door) -> None:
    """A batch has one audit line for each part, with its index, and one for itself."""
    parts = [_part(session_input(await door.login())), _part(user_input(f"wrong-{MARK}"))]
    await _ask(door, parts, "k")
    first, second, whole = sorted(door.audit()[1:], key=lambda line: line.get("index", "9"))
    assert (first["operation"], first["outcome"], first["request_id"]) == ("translate", "ok", "k")
    assert (second["outcome"], second["error"]) == ("refused", "AuthenticationFailed")
    assert (whole["operation"], whole["parts"], whole["issued"]) == ("translate.batch", "2", "1")


async def test_a_session_that_the_transform_ends(door: Door) -> None:
    """A session serves every part of a batch, and ends with it where the transform says so."""
    ending = (pair("OPENAM", "OPENIDCONNECT", end_session=True),)
    await door.publish(an_instance("ending", transforms=ending))
    session = session_input(await door.login())
    path = "/rest-sts/ending?_action=translate_batch"
    first = await _ask(door, _numbered(session, CHUNK + 1), "k", path)
    assert _codes(first) == [200] * (CHUNK + 1)
    assert (await door.translate(session, ID_TOKEN)).status == 401
    assert (await _ask(door, _numbered(session, CHUNK + 1), "k", path)).text == first.text


# -- limits --------------------------------------------------------------------------------------


def _padded(parts: list[Any], size: int) -> bytes:
    text = json.dumps({"requests": parts}).encode()
    return text + b" " * (size - len(text))


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413), (codec.MAX_BATCH_BYTES, 413)])
async def test_largest_body(door: Door, more: int, status: int) -> None:
    """A batch may have 16 MiB; who sends more gets to read its 413."""
    sent = io.BytesIO(_padded([_part(user_input())], codec.MAX_BATCH_BYTES + more))
    async with door.http.post(door.url + PATH, data=sent) as answer:
        body = await answer.json()
        assert answer.status == status, body
    for result in body.get("results", ()):
        door.planted.note(result["issued_token"])


@pytest.mark.parametrize(
    "path", [f"/rest-sts/{ELEMENT}?_action=translate", "/json/authenticate?_action=translate_batch"]
)
async def test_nothing_else_may_be_as_large(door: Door, path: str) -> None:
    """The larger limit is that of batches alone."""
    sent = io.BytesIO(b" " * (codec.MAX_BODY_BYTES + 1))
    async with door.http.post(door.url + path, data=sent) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    "data",
    [
        b'{"requests": [' + b"[]," * codec.MAX_BATCH_CONTAINERS + b"1]}",
        b'{"requests": [' + b"1," * (codec.MAX_BATCH_COMMAS + 1) + b"1]}",
    ],
    ids=["brackets", "commas"],
)
async def test_too_much_to_parse(door: Door, data: bytes) -> None:
    """A body with more brackets or commas than a batch can need is a 400, and is not parsed."""
    answer = await door.request("POST", PATH, data=data)
    assert answer.status == 400
    assert "more than" in answer.body["message"]


class _GatedUsers(MemoryUsers):
    """Users that nobody gets while the gate is shut; ``waiting`` has an entry for who tries."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Queue[None]()

    async def get(self, realm: str, name: str) -> User | None:
        self.waiting.put_nowait(None)
        await self.gate.wait()
        return await super().get(realm, name)


async def test_places(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """So many batches are in work at once; one more is a 503, and single requests are served."""
    users = _GatedUsers()
    stores = replace(open_memory(), users=users)
    async with doors.opened(tmp_path / "state", planted, stores=stores) as door:
        users.waiting = asyncio.Queue()
        users.gate.clear()
        parts = [_part(user_input())]
        held = [asyncio.create_task(_ask(door, parts)) for _ in range(BATCHES_AT_ONCE)]
        for _ in held:
            await users.waiting.get()
        for size in (0, codec.MAX_BODY_BYTES + 1):
            sent = io.BytesIO(_padded(parts, size))
            async with door.http.post(door.url + PATH, data=sent) as over:
                assert (over.status, over.headers["Retry-After"]) == (503, "1")
        single = asyncio.create_task(door.translate(user_input(), ID_TOKEN))
        await users.waiting.get()
        users.gate.set()
        assert (await single).status == 200
        for answer in await asyncio.gather(*held):
            assert _codes(answer) == [200]
        assert _codes(await _ask(door, parts)) == [200]


async def test_quota(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """Each part of a stranger's batch counts against its subject's quota, however its token is
    spelt; those over it are 429s until the next hour."""
    clock = FrozenClock()
    answers = {"requests_per_hour_of_strangers": 3}
    async with doors.opened(tmp_path / "state", planted, clock=clock, answers=answers) as door:
        parts = [_part({**user_input(), "spelling": number}) for number in range(5)]
        first = await _ask(door, parts, "k")
        assert sorted(_codes(first)) == [200, 200, 200, 429, 429]
        clock.advance(3600)
        assert _codes(await _ask(door, parts, "k")) == [200] * 5
        said.extend(door.refusals)
