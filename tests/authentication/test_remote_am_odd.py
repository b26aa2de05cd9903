"""An AM that lies, is not there, or is described wrongly: nobody gets in by it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from adapters.authentication.modules.remote_am.client import MAX_ANSWER_BYTES
from broker.errors import AuthenticationFailed, Unavailable
from tests.authentication.am_asking import asking, document, evidence
from tests.authentication.am_server import (
    Am,
    asked,
    name_callback,
    password_callback,
    refused,
    serving,
)
from tests.support.authentication import module, parts, tried
from tests.support.certificates import loopback_certificate

SESSION = {"tokenId": "s", "successUrl": "/", "realm": "/"}
DEEP = 600  # more than a step can be written again with, and less than it can be read with
ODD: dict[str, tuple[str, web.Response]] = {
    "no JSON": ("/authenticate", web.Response(text="<html>")),
    "no object": ("/authenticate", web.json_response([SESSION])),
    "nothing": ("/authenticate", web.Response()),
    "neither session nor callbacks": ("/authenticate", web.json_response({"realm": "/"})),
    "a session that is none": ("/authenticate", web.json_response({"tokenId": 7})),
    "a session with a line break": ("/authenticate", web.json_response({"tokenId": "a\r\nb: c"})),
    "an empty session": ("/authenticate", web.json_response({"tokenId": ""})),
    "a huge session": ("/authenticate", web.json_response({"tokenId": "x" * 5000})),
    "a huge answer": (
        "/authenticate",
        web.json_response({**SESSION, "x": "x" * MAX_ANSWER_BYTES}),
    ),
    "too many callbacks": ("/authenticate", asked("x", *[name_callback("a")] * 17)),
    "no callbacks": ("/authenticate", asked("x")),
    "a huge step": ("/authenticate", asked("x" * 20_000, name_callback("a"))),
    "a step that nests deep": (
        "/authenticate",
        web.Response(
            text='{"authId": "x", "callbacks": [{"type": "TextOutputCallback", "output": '
            + "[" * DEEP
            + "]" * DEEP
            + "}]}"
        ),
    ),
    "an answer that nests without end": (
        "/authenticate",
        web.Response(text='{"callbacks": ' + "[" * 100_000),
    ),
    "an answer that grows": (
        "/authenticate",
        web.Response(
            body=gzip.compress(orjson.dumps({**SESSION, "x": "x" * MAX_ANSWER_BYTES})),
            headers={"Content-Encoding": "gzip"},
        ),
    ),
    "callbacks that are none": (
        "/authenticate",
        web.json_response({"authId": "x", "callbacks": [7]}),
    ),
    "a callback without a field": (
        "/authenticate",
        asked("x", {**password_callback("a"), "input": []}),
    ),
    "a redirect": (
        "/authenticate",
        web.Response(status=307, headers={"Location": "/am/json/elsewhere"}),
    ),
    "trouble": ("/authenticate", refused(503, "down")),
    "not found": ("/authenticate", refused(404)),
    "slow down": ("/authenticate", refused(429)),
    "created": ("/authenticate", web.json_response(SESSION, status=201)),
    "no principal": ("idFromSession", web.json_response({"realm": "/"})),
    "an empty principal": ("idFromSession", web.json_response({"id": "", "realm": "/"})),
    "a principal of lines": ("idFromSession", web.json_response({"id": "a\nb", "realm": "/"})),
    "a principal that leads elsewhere": (
        "idFromSession",
        web.json_response({"id": "..", "realm": "/"}),
    ),
    "a principal of no realm": ("idFromSession", web.json_response({"id": "alice"})),
    "no profile": ("_fields", web.Response(text="-")),
}


@pytest.mark.parametrize("what", ODD)
async def test_an_answer_that_makes_no_sense(what: str, am: Am, tmp_path: Path) -> None:
    """What an AM never says lets nobody in: it is told as an AM that cannot be asked."""
    end, answer = ODD[what]

    async def says(_: web.Request) -> web.Response:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    am.instead[end] = says
    made = module(document(am, attributes=["mail"]), parts(tmp_path))
    with pytest.raises(Unavailable):
        await asking(made, evidence())
    assert "/am/json/elsewhere" not in str(am.calls)
    assert am.sessions == {}


async def test_odd_attributes_are_left_out(am: Am, tmp_path: Path) -> None:
    """Of a profile only texts of a sensible length and number are read."""

    async def says(_: web.Request) -> web.Response:
        values = ["a", 7, {"x": 1}, "", "x" * 5000]
        return web.json_response({"mail": values, "cn": {"a": 1}, "sn": "S", "uid": ["u"] * 500})

    am.instead["_fields"] = says
    made = module(document(am, attributes=["mail", "cn", "sn", "uid"]), parts(tmp_path))
    found = await asking(made, evidence())
    assert found.attributes == {"mail": ("a",), "sn": ("S",), "uid": ("u",) * 100}


async def test_its_words_are_made_printable(am: Am, tmp_path: Path) -> None:
    """What an AM says of a failure is cut and made printable before it is in the audit."""

    async def says(_: web.Request) -> web.Response:
        return refused(401, "\x1b[2J" + "x" * 1000)

    am.instead["/authenticate"] = says
    with pytest.raises(AuthenticationFailed) as failed:
        await asking(module(document(am), parts(tmp_path)), evidence())
    assert str(failed.value.detail).isprintable()
    assert len(str(failed.value.detail)) < 200


async def test_an_am_that_is_not_there(tmp_path: Path) -> None:
    """Where nobody listens it is 503, and never an acceptance."""
    async with serving() as am:
        pass
    with pytest.raises(Unavailable) as gone:
        await asking(module(document(am), parts(tmp_path)), evidence())
    assert gone.value.retry_after == 1


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("0x7f.1", "leads to this machine"),
        ("127.1", "InvalidUrlClientError"),
        ("2130706433", "InvalidUrlClientError"),
    ],
)
async def test_an_am_whose_name_leads_here(host: str, why: str, am: Am, tmp_path: Path) -> None:
    """Whatever a resolver would make this machine of, it is not connected to."""
    url = am.url.replace("http://127.0.0.1", f"https://{host}")
    with pytest.raises(Unavailable) as down:
        await asking(module(document(am, url=url), parts(tmp_path)), evidence())
    assert why in str(down.value.detail)


async def test_an_am_that_does_not_answer(am: Am, tmp_path: Path) -> None:
    """An AM that takes a request and never answers is 503 after the deadline."""
    forever = asyncio.Event()

    async def says(_: web.Request) -> web.Response:
        await forever.wait()
        return refused()

    am.instead["/authenticate"] = says
    with pytest.raises(Unavailable) as late:
        await asking(module(document(am, timeout=1), parts(tmp_path)), evidence())
    assert late.value.detail == "it did not answer in time"
    forever.set()


async def test_tls_is_verified(tmp_path: Path) -> None:
    """An AM whose certificate nobody vouches for is not asked; one of the file's authority is."""
    certificate, key = loopback_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serving(tls=context) as am:
        with pytest.raises(Unavailable):
            await asking(module(document(am), parts(tmp_path)), evidence())
        assert am.calls == []
        made = module(document(am, ca_file=certificate.name), parts(tmp_path))
        assert (await asking(made, evidence())).name == "alice"


# -- what may be written ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"url": ""}, "url"),
        ({"url": "http://am.example.com/am"}, "url"),
        ({"url": "https://user:password@am.example.com/am"}, "url"),
        ({"url": "https://am.example.com/am?x=y"}, "url"),
        ({"url": "ftp://am.example.com"}, "url"),
        ({"remote_realm": "/a/../b"}, "remote_realm"),
        ({"auth_index_type": "service"}, "auth_index_type"),
        ({"auth_index_type": "tree", "auth_index_value": "x"}, "auth_index_type"),
        ({"cookie_name": "a=b"}, "cookie_name"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 61}, "timeout"),
        ({"attributes": ["a"] * 51 + [""]}, "attributes"),
        ({"attributes": {"a": ""}}, "attributes"),
        ({"ca_file": "../ca.pem"}, "ca_file"),
        ({"ca_file": "none.pem"}, "ca_file"),
        ({"ca_file": "empty.pem"}, "ca_file"),
        ({"password": "x"}, "password"),
    ],
)
def test_what_is_wrong_is_named(keys: dict[str, Any], wrong: str, tmp_path: Path) -> None:
    """A document that breaks a rule names the key."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "empty.pem").touch()
    (tmp_path / "ca.pem").touch()
    written = {"name": "am", "kind": "remote_am", "url": "https://am.example.com/am", **keys}
    _, problems = tried(written, parts(folder))
    assert [key for key, _ in problems] == [wrong]
