"""Servers that repeat what was sent to them: it does not come as far as the audit."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from adapters.authentication.modules.told import ECHO
from broker.errors import AuthenticationFailed, Unavailable
from broker.model import Secret
from tests.authentication import am_asking, radius_asking
from tests.authentication.am_server import Am, asked, name_callback, password_callback, refused
from tests.authentication.radius_server import REJECT, REPLY_MESSAGE, Asked, answer, serving
from tests.support.authentication import module, parts

PASSWORD = "correct & horse"


@pytest.mark.parametrize("status", [401, 500])
@pytest.mark.parametrize("shape", [str, html.escape, str.upper], ids=["plain", "html", "upper"])
async def test_an_am(am: Am, tmp_path: Path, shape: Callable[[str], str], status: int) -> None:
    """Of a message in which the password stands nothing is kept, in headers or as an answer to
    callbacks, escaped or not."""

    async def says(request: web.Request) -> web.Response:
        if await request.json() == {} and "X-OpenAM-Username" not in request.headers:
            return asked("who", name_callback("IDToken1"), password_callback("IDToken2"))
        return refused(status, f"wrong: {shape(PASSWORD)}")

    am.instead["/authenticate"] = says
    for name in ("alice", "José"):
        made = module(am_asking.document(am), parts(tmp_path))
        with pytest.raises((AuthenticationFailed, Unavailable)) as failed:
            await am_asking.asking(made, am_asking.evidence(name, PASSWORD))
        assert failed.value.detail == f"it answered {status} ({ECHO})"


async def test_an_am_and_a_session(am: Am, tmp_path: Path) -> None:
    """A session that the AM does not know and names is not kept either."""

    async def says(_: web.Request) -> web.Response:
        return refused(401, "no session AQIC5-of-somebody here")

    am.instead["idFromSession"] = says
    made = module(am_asking.document(am), parts(tmp_path))
    given = am_asking.evidence(None, session_id=Secret("AQIC5-of-somebody"))
    with pytest.raises(AuthenticationFailed) as failed:
        await am_asking.asking(made, given)
    assert failed.value.detail == f"it answered 401 ({ECHO})"


@pytest.mark.parametrize("said", ["you typed {}", "{}", "x" * 120 + " {}"])
async def test_a_radius_server(tmp_path: Path, said: str) -> None:
    """Nor is a Reply-Message with the password in it; any other is."""
    words = said.format(radius_asking.PASSWORD)

    def says(request: Asked) -> list[bytes]:
        return [answer(request, REJECT, [(REPLY_MESSAGE, words.encode())])]

    async with serving(says) as server:
        made = radius_asking.radius(tmp_path, server, timeout=30)
        with pytest.raises(AuthenticationFailed) as failed:
            await radius_asking.login(made)
        assert str(failed.value.detail).endswith(f"refused ({ECHO})")
        with pytest.raises(AuthenticationFailed) as other:
            await radius_asking.login(made, password="another one")
        assert str(other.value.detail).endswith(f"refused ({words[:128]})")
