"""``GET /events``: server-sent events for administrators, over the real front door."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from adapters.http import events as stream
from tests.events.judging import check
from tests.support import door as doors
from tests.support.door import HEADER, ID_TOKEN, REALM, Door, an_instance, user_input
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended

WAIT_SECONDS = 30.0


@dataclass
class Block:
    """One block of the stream: its id and type, and its data where it has some."""

    id: str | None
    type: str | None
    data: dict[str, object] | None
    retry: str | None = None
    comment: bool = False


class Stream:
    """A client that reads block by block, as the standard says."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def block(self) -> Block:
        """The next block; raises EOFError at the end of the stream."""
        lines: list[str] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                raw = await self.response.content.readline()
                if not raw:
                    raise EOFError
                line = raw.decode().rstrip("\n")
                if not line:
                    break
                lines.append(line)
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        data = json.loads(fields["data"]) if "data" in fields else None
        comment = any(line.startswith(":") for line in lines)
        return Block(fields.get("id"), fields.get("event"), data, fields.get("retry"), comment)

    async def event(self) -> Block:
        """The next block with data, valid against its schemas."""
        while (block := await self.block()).data is None:
            continue
        check(block.data)
        assert block.type == block.data["type"]
        return block

    async def ends(self) -> None:
        """Reads to the end of the stream."""
        with contextlib.suppress(EOFError, aiohttp.ClientPayloadError):
            while True:
                await self.block()


@contextlib.asynccontextmanager
async def streaming(
    http: aiohttp.ClientSession, url: str, head: Mapping[str, str]
) -> AsyncIterator[Stream]:
    async with http.get(url + "/events", headers=head) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/event-stream"
        yield Stream(response)


async def _translated(door: Door, instance: str = doors.ELEMENT) -> None:
    assert (await door.translate(user_input(), ID_TOKEN, instance=instance)).status == 200


async def test_events_as_they_happen(door: Door) -> None:
    """An administrator sees what happens from now on, each event whole and on one line."""
    head = await door.admin()
    async with streaming(door.http, door.url, head) as listening:
        first = await listening.block()
        assert (first.retry, first.data) == ("2000", None)
        assert first.id is not None
        await _translated(door)
        while (block := await listening.event()).type != "remint.token.issued":
            continue
    [record] = await door.tokens()
    assert block.data is not None
    assert block.data["data"]["token_id"] == record.token_id  # type: ignore[index]


async def test_resuming(door: Door) -> None:
    """A client that comes again with the last id it saw misses nothing in between."""
    head = await door.admin()
    async with streaming(door.http, door.url, head) as listening:
        await _translated(door)
        while (seen := await listening.event()).type != "remint.token.issued":
            continue
    for _ in range(3):
        await _translated(door)
    assert seen.id is not None
    async with streaming(door.http, door.url, {**head, "Last-Event-ID": seen.id}) as listening:
        later = [await listening.event() for _ in range(3)]
    positions = [int(block.id or 0) for block in (seen, *later)]
    assert positions == sorted(set(positions))
    assert {block.type for block in later} == {"remint.token.issued"}
    assert seen.data not in [block.data for block in later]


async def test_administrator_of_a_sub_realm(door: Door) -> None:
    """An administrator of a realm sees that realm's events and no others."""
    head = await door.realm_admin()
    await door.publish(an_instance("sub", realm=REALM))
    async with streaming(door.http, door.url, head) as listening:
        await listening.block()
        await _translated(door)
        await _translated(door, f"{REALM.strip('/')}/sub")
        while (block := await listening.event()).type != "remint.token.issued":
            assert block.data is not None
            assert block.data["data"]["realm"] == REALM  # type: ignore[index]
    assert block.data is not None
    assert block.data["data"]["realm"] == REALM  # type: ignore[index]


async def test_who_may_not_listen(door: Door) -> None:
    """Without a session it is a 401, and with one of a user who administers nothing a 403."""
    assert (await door.request("GET", "/events")).status == 401
    head = {HEADER: await door.login()}
    assert (await door.request("GET", "/events", headers=head)).status == 403


async def test_audited(door: Door) -> None:
    """Who listens is in the audit, once, from the beginning of the stream; so is who may not."""
    head = await door.admin()
    await door.request("GET", "/events")
    async with streaming(door.http, door.url, head) as listening:
        await listening.block()
        lines = [line for line in door.audit() if line["operation"] == "events get"]
    assert [line["outcome"] for line in lines] == ["refused", "ok"]
    assert lines[-1]["requester"] == "admin"


@pytest.mark.parametrize("given", ["x" * 100, "a b", "é"])
async def test_malformed_position(door: Door, given: str) -> None:
    """A Last-Event-ID that never came from here is a 400."""
    head = {**await door.admin(), "Last-Event-ID": given}
    assert (await door.request("GET", "/events", headers=head)).status == 400


async def test_nothing_is_kept(tmp_path: Path, planted: Planted) -> None:
    """With ``events.keep = 0`` there is nothing to see, and the answer says what to set."""
    async with doors.opened(tmp_path / "state", planted, events={"keep": 0}) as door:
        answer = await door.request("GET", "/events", headers=await door.admin())
        await _translated(door)
        assert await door.broker.stores.outbox.size() == 0
    assert answer.status == 404
    assert "events.keep" in answer.body["message"]


async def test_heartbeat_and_lost_session(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent stream says that it is there, and ends with the session it began with."""
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(stream, "POLL_SECONDS", 0.02)
    head = await door.admin()
    async with streaming(door.http, door.url, head) as listening:
        while not (await listening.block()).comment:
            continue
        path = "/json/sessions?_action=logout"
        assert (await door.request("POST", path, headers=head)).status == 200
        await listening.ends()


async def test_number_of_listeners(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """One listener too many gets a 503; once another has gone there is room again."""
    monkeypatch.setattr(stream, "MAX_LISTENERS", 2)
    monkeypatch.setattr(stream, "POLL_SECONDS", 0.02)
    head = await door.admin()
    async with streaming(door.http, door.url, head), streaming(door.http, door.url, head):
        assert (await door.request("GET", "/events", headers=head)).status == 503
    await _until_room(door, head)


async def _until_room(door: Door, head: Mapping[str, str]) -> None:
    """Asks until there is room for one more listener."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with door.http.get(door.url + "/events", headers=head) as again:
                if again.status == 200:
                    return
            await asyncio.sleep(0.05)


async def test_streams_take_no_place_of_requests(tmp_path: Path, planted: Planted) -> None:
    """However long streams last, all requests in work that there may be are left to others."""
    async with doors.opened(tmp_path / "state", planted, http={"max_concurrency": 1}) as door:
        head = await door.admin()
        async with streaming(door.http, door.url, head) as listening:
            await listening.block()
            await _translated(door)


async def test_slow_listener_is_let_go(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads nothing is let go, and nothing is gathered for it."""
    monkeypatch.setattr(stream, "WRITE_SECONDS", 0.2)
    monkeypatch.setattr(stream, "MAX_LISTENERS", 1)
    monkeypatch.setattr(stream, "POLL_SECONDS", 0.02)
    head = await door.admin()
    address = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address[0], int(address[1]), limit=1024)
    lines = f"GET /events HTTP/1.1\r\nHost: x\r\n{HEADER}: {head[HEADER]}\r\n\r\n"
    writer.write(lines.encode())
    await reader.readline()  # and then no more
    filler = json.dumps({"type": "remint.x", "data": {"realm": "/", "x": "x" * 100_000}}).encode()
    for _ in range(20):
        await door.broker.stores.journal.append([filler] * 10)
    await _until_room(door, head)
    writer.close()


async def test_streams_end_with_the_broker(tmp_path: Path, planted: Planted) -> None:
    """A broker that stops ends its streams at once, and waits for none of them."""
    async with contextlib.AsyncExitStack() as stack:
        async with doors.opened(tmp_path / "state", planted) as door:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            head = await door.admin()
            listening = await stack.enter_async_context(streaming(http, door.url, head))
            await listening.block()
        await listening.ends()


@pytest.mark.slow
async def test_every_worker_shows_all(tmp_path: Path, planted: Planted) -> None:
    """Whichever worker a listener is at, it hears of what any of them did; SIGTERM ends it."""
    broker = BrokerProcess(tmp_path, "serve", "--workers", "2")
    with ended(broker):
        broker.launch()
        await asyncio.to_thread(broker.wait_ready)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            door = Door(None, broker.url, http, planted)  # type: ignore[arg-type]
            head = await door.admin()
            async with contextlib.AsyncExitStack() as stack:
                listeners = []
                for _ in range(6):
                    session = await stack.enter_async_context(aiohttp.ClientSession())
                    listener = streaming(session, broker.url, head)
                    listeners.append(await stack.enter_async_context(listener))
                for listening in listeners:
                    await listening.block()
                kids = set()
                for _ in range(4):
                    kids.add(await _revoked(broker.url, head))
                for listening in listeners:
                    await _hears_of(listening, kids)
                assert await asyncio.to_thread(broker.terminate) == 0
                for listening in listeners:
                    await listening.ends()


async def _revoked(url: str, head: Mapping[str, str]) -> str:
    """The kid of a new key, revoked over a connection of its own, which may be to any worker."""
    async with aiohttp.ClientSession() as http:
        body = {"algorithm": "ES256"}
        async with http.post(
            url + "/json/keys?_action=rotate", json=body, headers=dict(head)
        ) as answer:
            kid = str((await answer.json())["kid"])
        async with http.post(
            url + "/json/keys?_action=revoke", json={"kid": kid}, headers=dict(head)
        ) as answer:
            assert answer.status == 200, await answer.text()
    return kid


async def _hears_of(listening: Stream, kids: set[str]) -> None:
    heard: set[object] = set()
    while not kids <= heard:
        block = await listening.event()
        assert block.data is not None
        if block.type == "remint.key.revoked":
            heard.add(block.data["subject"])
