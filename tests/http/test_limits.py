"""Bodies too large, too deep or coded; too many at once; whose address it is; a broken audit."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.codec import MAX_BODY_BYTES
from adapters.stores.memory import MemoryUsers, open_memory
from broker.errors import Unavailable
from broker.model import OPENIDCONNECT, Answer, Claim, TokenRecord, User
from tests.http.states import body, state
from tests.support import door as doors
from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input
from tests.support.planted import MARK, USER_PASSWORD, Planted

TRANSLATE = f"/rest-sts/{ELEMENT}?_action=translate"
FAR_MORE = 40 * MAX_BODY_BYTES
GOOD = {"input_token_state": user_input(), "output_token_state": ID_TOKEN}


async def _in_chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, MAX_BODY_BYTES):
        yield b" " * min(MAX_BODY_BYTES, size - start)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "size"),
    [
        (TRANSLATE, MAX_BODY_BYTES + 1),
        (TRANSLATE, FAR_MORE),
        ("/json/authenticate", MAX_BODY_BYTES + 1),
    ],
)
async def test_body_too_large(door: Door, path: str, chunked: bool, size: int) -> None:
    """A client that sends too much, however it sends it, gets to read its 413."""
    data: Any = _in_chunks(size) if chunked else io.BytesIO(b" " * size)
    async with door.http.post(door.url + path, data=data) as answer:
        assert answer.status == 413
        assert (await answer.json())["reason"] == "Request Entity Too Large"
    (line,) = door.audit()
    assert (line["outcome"], line["error"]) == ("refused", "PayloadTooLarge")


@pytest.mark.parametrize("chunked", [False, True])
async def test_body_of_the_largest_size(door: Door, chunked: bool) -> None:
    """A body of exactly the limit is read."""
    text = json.dumps(GOOD).encode()
    data = text + b" " * (MAX_BODY_BYTES - len(text))

    async def pieces() -> AsyncIterator[bytes]:
        yield data[:1000]
        yield data[1000:]

    sent: Any = pieces() if chunked else data
    async with door.http.post(door.url + TRANSLATE, data=sent) as answer:
        assert answer.status == 200
        door.planted.note((await answer.json())["issued_token"])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "unheard-of", "gzip, br"])
async def test_content_coding(door: Door, coding: str) -> None:
    """A body in a content coding is a 415, whether or not it is really coded so."""
    head = {"Content-Encoding": coding}
    for data in (json.dumps(GOOD).encode(), b"\x1f\x8b\x08\x00"):
        answer = await door.request("POST", TRANSLATE, data=data, headers=head)
        assert (answer.status, answer.body["reason"]) == (415, "Unsupported Media Type")


async def test_identity_is_no_coding(door: Door) -> None:
    """The coding that changes nothing is accepted."""
    head = {"Content-Encoding": "Identity"}
    assert (await door.request("POST", TRANSLATE, body=GOOD, headers=head)).status == 200


@pytest.mark.parametrize("at", ["top", "input_token_state", "output_token_state"])
async def test_deep_nesting(door: Door, at: str) -> None:
    """Nesting beyond the limit is a 400, wherever it is."""
    deep: Any = 1
    for _ in range(40):
        deep = {"deeper": [deep]}
    sent: dict[str, Any] = json.loads(json.dumps(GOOD))
    (sent if at == "top" else sent[at])["extra"] = deep
    answer = await door.request("POST", TRANSLATE, body=sent)
    assert answer.status == 400
    assert "nested" in answer.body["message"]


class _Raw:
    """One request written by hand."""

    def __init__(self, door: Door) -> None:
        self._port = int(door.url.rpartition(":")[2])

    async def open(self, *lines: str, path: str = TRANSLATE) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = (f"POST {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", "")
        self.writer.write("\r\n".join(head).encode())

    async def continued(self) -> None:
        """Wait until the broker asks for the body: the request is in work."""
        assert (await self.reader.readline()).startswith(b"HTTP/1.1 100 ")
        await self.reader.readline()

    async def status(self) -> int:
        answer = await self.reader.read()
        self.writer.close()
        return int(answer.split(b" ", 2)[1])


class _GatedUsers(MemoryUsers):
    """Users that nobody gets while the gate is shut; ``waiting`` counts who tries."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Queue[None]()

    async def get(self, realm: str, name: str) -> User | None:
        self.waiting.put_nowait(None)
        await self.gate.wait()
        return await super().get(realm, name)


async def test_at_the_limit(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """While all places are taken a request is a 503 that says when to ask again, then served."""
    users = _GatedUsers()
    stores, http = replace(open_memory(), users=users), {"max_concurrency": 2}
    async with doors.opened(tmp_path / "state", planted, stores=stores, http=http) as door:
        users.waiting = asyncio.Queue()
        users.gate.clear()
        held = [asyncio.create_task(door.translate(user_input(), ID_TOKEN)) for _ in range(2)]
        for _ in held:
            await users.waiting.get()
        for _ in range(5):
            answer = await door.translate(user_input(), ID_TOKEN)
            assert (answer.status, answer.body["reason"]) == (503, "Service Unavailable")
            assert answer.headers["Retry-After"] == "1"
        assert (await door.request("GET", "/livez")).status == 200
        users.gate.set()
        assert [answer.status for answer in await asyncio.gather(*held)] == [200, 200]
        assert (await door.translate(user_input(), ID_TOKEN)).status == 200
        assert len(await door.tokens()) == 3
        said.extend(door.refusals)


async def test_slow_bodies_take_no_place(narrow: Door) -> None:
    """Clients that send their bodies slowly, however many, keep nobody else from being served."""
    data = json.dumps(GOOD).encode()
    slow = [_Raw(narrow) for _ in range(5)]
    for request in slow:
        await request.open("Expect: 100-continue", f"Content-Length: {len(data)}")
        await request.continued()
    assert (await narrow.translate(user_input(), ID_TOKEN)).status == 200
    for request in slow:
        request.writer.write(data)
        assert await request.status() == 200


@pytest.fixture
async def narrow(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A broker that takes two requests at once."""
    http = {"max_concurrency": 2}
    async with doors.opened(tmp_path / "state", planted, http=http) as door:
        yield door
        said.extend(door.refusals)


async def test_many_at_once(narrow: Door) -> None:
    """Of many requests at once each gets a token or a 503, and each token given has its record."""
    answers = await asyncio.gather(*(narrow.translate(user_input(), ID_TOKEN) for _ in range(60)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) == len(await narrow.tokens()) >= 2


async def test_client_that_hangs_up(door: Door) -> None:
    """A body that breaks off is a refusal of that one request, and no failure of the broker's."""
    request = _Raw(door)
    await request.open("Expect: 100-continue", "Content-Length: 1000")
    await request.continued()
    request.writer.write(b'{"input_token_state": {')
    await request.writer.drain()
    request.writer.close()
    await request.writer.wait_closed()
    for _ in range(500):
        if door.audit():
            break
        await asyncio.sleep(0.01)
    (line,) = door.audit()
    assert (line["outcome"], line["error"]) == ("refused", "InvalidRequest")
    assert (await door.translate(user_input(), ID_TOKEN)).status == 200


@pytest.mark.parametrize(
    "line",
    [
        f"X-OpenAM-Password: {MARK}{'x' * 9000}",
        f"Cookie: iPlanetDirectoryPro={MARK}{'x' * 9000}",
        f"no colon {MARK}",
        f"Content-Length: {MARK}",
    ],
)
async def test_unreadable_request_is_not_quoted(
    door: Door, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    """A request that is no HTTP is a 400 that repeats nothing of it, and neither does the log."""
    request = _Raw(door)
    await request.open(line)
    answer = await request.reader.read()
    request.writer.close()
    assert answer.startswith(b"HTTP/1.0 400 ")
    head, _, text = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json;charset=UTF-8" in head
    assert json.loads(text)["reason"] == "Bad Request"
    assert MARK not in caplog.text + answer.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/rest-sts/%zz%ff%ed%a0%80?_action=%ed%a0%80%zz",
        "/rest-sts/a%00b?_action=%00%0a",
        "/rest-sts/" + "x" * 6000,
        "/rest-sts/../../etc/passwd?_action=translate",
        "/json/%00/%ff/authenticate?realm=%ff",
        "/json//authenticate//",
        "/sts-tokengen/%ff?_queryFilter=%ff",
        "/?=&=&&",
    ],
)
async def test_odd_paths(door: Door, path: str) -> None:
    """No path and no query, however odd, is a failure of the broker's."""
    for line in ("Idempotency-Key: ÿ", "Accept-API-Version: ÿ", "Cookie: iPlanetDirectoryPro=ÿ"):
        request = _Raw(door)
        await request.open(line, "Content-Length: 2", path=path)
        request.writer.write(b"{}")
        assert 200 <= await request.status() < 500


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ([], ["192.0.2.1"], "127.0.0.1"),
        (["10.0.0.0/8"], ["192.0.2.1"], "127.0.0.1"),
        (["127.0.0.1"], [], "127.0.0.1"),
        (["127.0.0.1"], ["192.0.2.1"], "192.0.2.1"),
        (["127.0.0.0/8"], ["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
        (["127.0.0.0/8"], ["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
        (["127.0.0.0/8", "192.0.2.0/24"], ["203.0.113.9, 192.0.2.1"], "203.0.113.9"),
        (["127.0.0.0/8", "192.0.2.0/24"], ["192.0.2.7, 192.0.2.1"], "192.0.2.7"),
        (["127.0.0.0/8"], ["2001:db8::7"], "2001:db8::7"),
        (["127.0.0.0/8"], ["unknown"], "127.0.0.1"),
        (["127.0.0.0/8"], ["192.0.2.1, <script>"], "127.0.0.1"),
    ],
)
async def test_address(
    tmp_path: Path,
    planted: Planted,
    said: list[str],
    trusted: list[str],
    forwarded: list[str],
    address: str,
) -> None:
    """X-Forwarded-For is believed hop by hop, as far as the hops are proxies of ours."""
    http = {"trusted_proxies": trusted}
    async with doors.opened(tmp_path / "state", planted, http=http) as door:
        request = _Raw(door)
        lines = [f"X-Forwarded-For: {value}" for value in forwarded]
        await request.open(*lines, "Content-Length: 0")
        assert await request.status() == 400
        (line,) = door.audit()
        assert line["address"] == address


@pytest.fixture
async def unaudited(tmp_path: Path, planted: Planted, said: list[str]) -> AsyncIterator[Door]:
    """A broker whose audit is on a disk that is always full."""
    audit = {"file": "/dev/full"}
    async with doors.opened(tmp_path / "state", planted, audit=audit) as door:
        yield door
        said.extend(door.refusals)


async def test_no_token_without_audit(unaudited: Door) -> None:
    """Where the audit cannot be written, nobody gets a token, a session or an answer."""
    parts = unaudited.broker.components
    user = await parts.users.get("/", "admin")
    assert user is not None
    session = await parts.sessions.open(user)
    unaudited.planted.note(session.id.reveal())
    head = {doors.HEADER: session.id.reveal()}
    login = {"X-OpenAM-Username": "demo", "X-OpenAM-Password": USER_PASSWORD}
    answers = [
        await unaudited.translate(user_input(), ID_TOKEN),
        await unaudited.translate(user_input(), ID_TOKEN, headers={"Idempotency-Key": "k"}),
        await unaudited.translate(user_input(f"wrong-{MARK}"), ID_TOKEN),
        await unaudited.validate({"token_type": OPENIDCONNECT, "oidc_id_token": "x"}),
        await unaudited.request("POST", "/json/authenticate", headers=login),
        await unaudited.request("GET", "/sts-publish/rest", headers=head),
        await unaudited.request(
            "POST", "/sts-publish/rest?_action=create", body=body(state()), headers=head
        ),
    ]
    for answer in answers:
        assert (answer.status, answer.body["reason"]) == (503, "Service Unavailable")
        assert set(answer.body) == {"code", "reason", "message"}
        assert int(answer.headers["Retry-After"]) >= 1
        assert "Set-Cookie" not in answer.headers


class _FullLedger:
    """A ledger that can claim and cannot commit."""

    async def claim(self, proposal: Claim, now: float, lease_seconds: float, *_: object) -> Claim:
        return proposal

    async def commit(
        self,
        claim: Claim,
        record: TokenRecord | None,
        answer: Answer,
        answer_until: float,
        *_: object,
    ) -> None:
        raise Unavailable("the store cannot be written", detail=f"disk full {MARK}")

    async def release(self, claim: Claim) -> None:
        return None

    async def fetch(self, *_: object) -> None:
        return None

    async def reap(self, now: float) -> int:
        return 0


async def test_no_token_without_its_record(
    tmp_path: Path, planted: Planted, said: list[str]
) -> None:
    """Where a token's record cannot be stored the token is not handed out, and why is not told."""
    stores = replace(open_memory(), ledger=_FullLedger())
    async with doors.opened(tmp_path / "state", planted, stores=stores) as door:
        for head in ({}, {"Idempotency-Key": "k"}):
            answer = await door.translate(user_input(), ID_TOKEN, headers=head)
            assert (answer.status, answer.body["reason"]) == (503, "Service Unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        assert await door.tokens() == []
        assert [line["outcome"] for line in door.audit()] == ["failed", "failed"]
        said.extend(door.refusals)
