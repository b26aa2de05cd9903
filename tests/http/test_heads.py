"""The head of an answer, whatever way a request takes through the front door."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime

import pytest

from tests.support.door import ELEMENT, ID_TOKEN, Door, user_input

BODY = json.dumps({"input_token_state": user_input(), "output_token_state": ID_TOKEN}).encode()
SAME = {
    "content-type": "application/json;charset=UTF-8",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "server": "remint",
}


async def _spoken(
    door: Door, *lines: str, path: str = f"/rest-sts/{ELEMENT}", version: str = "1.1"
) -> tuple[str, dict[str, str], bytes, bool]:
    """Status line, head, body, and whether the connection stays open for another request."""
    port = int(door.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (f"POST {path}?_action=translate HTTP/{version}", "Host: x", *lines)
    length = f"Content-Length: {len(BODY)}"
    request = "\r\n".join((*head, length, "", "")).encode() + BODY
    writer.write(request)
    status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    found = {name.lower(): value for name, _, value in (each.partition(": ") for each in fields)}
    assert len(found) == len(fields)
    body = await reader.readexactly(int(found["content-length"]))
    door.planted.note(json.loads(body)["issued_token"])
    writer.write(request)
    stays = (await reader.read(12)).startswith(b"HTTP/1.1 200")
    writer.close()
    return status, found, body, stays


@pytest.mark.parametrize(
    "path", [f"/rest-sts/{ELEMENT}", f"/rest-sts/%{ord(ELEMENT[0]):x}{ELEMENT[1:]}"]
)
@pytest.mark.parametrize("more", [(), ("traceparent: 00-" + "1" * 32 + "-" + "2" * 16 + "-01",)])
async def test_kept_connection(door: Door, path: str, more: tuple[str, ...]) -> None:
    """However a path is spelt and whatever came along, the head is the same, each field once."""
    status, head, body, stays = await _spoken(door, *more, path=path)
    assert status == "HTTP/1.1 200 OK"
    assert SAME.items() <= head.items()
    assert parsedate_to_datetime(head["date"]).tzinfo is not None
    traced = {"traceparent"} if more else set()
    assert head.keys() == SAME.keys() | {"date", "content-length"} | traced
    assert list(json.loads(body)) == ["issued_token"]
    assert stays


async def test_last_request(door: Door) -> None:
    """A client that says so gets its connection closed, and is told."""
    status, head, _, stays = await _spoken(door, "Connection: close")
    assert (status, head["connection"], stays) == ("HTTP/1.1 200 OK", "close", False)
    assert SAME.items() <= head.items()


async def test_old_client(door: Door) -> None:
    """HTTP/1.0 is answered as such, and its connection closed."""
    status, head, _, stays = await _spoken(door, version="1.0")
    assert (status, stays) == ("HTTP/1.0 200 OK", False)
    assert SAME.items() <= head.items()
