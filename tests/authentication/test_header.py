"""Logins that a proxy in front of the broker has checked, and headers that others made up."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from broker.model import Secret
from tests.http import judges
from tests.http.test_tls_clients import over_tls as behind_tls
from tests.support import authentication
from tests.support import door as doors
from tests.support.authentication import authentication_file, parts
from tests.support.door import HEADER, ID_TOKEN, Door, an_instance, session_input
from tests.support.pki import Holder, client_context, root
from tests.support.planted import Planted

QUERY = "?authIndexType=module&authIndexValue="
MODULES = """
[[module]]
name = "near"
kind = "header"
proxies = ["127.0.0.0/8"]
attributes = { groups = "X-Remote-Groups", mail = "X-Remote-Mail" }
separators = { groups = ";" }

[[module]]
name = "far"
kind = "header"
proxies = ["192.0.2.1", "2001:db8::/32"]

[[module]]
name = "local"
kind = "header"
proxies = ["127.0.0.1"]
user_header = "X-User"
link_local_users = true

[[module]]
name = "shown"
kind = "header"
certificates = ["{thumbprint}"]

[[module]]
name = "signed"
kind = "header"
authority_file = "proxies.pem"
subjects = ["CN=proxy"]

[[module]]
name = "both"
kind = "header"
proxies = ["192.0.2.1"]
certificates = ["{thumbprint}"]
"""
USER = ("X-Remote-User", "alice")


@pytest.fixture(scope="module")
def anchor() -> Holder:
    return root()


@pytest.fixture(scope="module")
def proxy(anchor: Holder) -> Holder:
    return anchor.issue("proxy")


@pytest.fixture
async def front(
    tmp_path: Path, planted: Planted, said: list[str], anchor: Holder, proxy: Holder
) -> AsyncIterator[Door]:
    (tmp_path / "proxies.pem").write_text(anchor.pem)
    text = MODULES.replace("{thumbprint}", hashlib.sha256(proxy.der).hexdigest().upper())
    async with doors.opened(
        tmp_path / "state", planted, **authentication_file(tmp_path, text)
    ) as opened:
        yield opened
        said.extend(opened.refusals)


async def sent(door: Door, module: str, *head: tuple[str, str] | bytes) -> tuple[int, Any]:
    """Status and body of a login with these header lines, written as they are."""
    port = urlsplit(door.url).port
    lines = [line if isinstance(line, bytes) else f"{line[0]}: {line[1]}".encode() for line in head]
    start = f"POST /json/authenticate{QUERY}{module} HTTP/1.1\r\nHost: broker\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(start + b"".join(line + b"\r\n" for line in lines))
        writer.write(b"Content-Length: 0\r\n\r\n")
        status = int((await reader.readline()).split()[1])
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        text = await reader.readexactly(length)
        return status, json.loads(text) if text else None
    finally:
        writer.close()


async def test_a_proxy_is_believed(front: Door) -> None:
    """Who it names is logged in: an account of the module's, with the attributes it sent."""
    groups = ("X-Remote-Groups", "staff; vpn ;;")
    status, body = await sent(front, "near", USER, groups, ("X-Remote-Mail", "a@example.org"))
    assert status == 200
    session = await front.broker.components.sessions.find(Secret(body["tokenId"]))
    assert session is not None
    assert session.account == "auth://near#alice"
    assert session.origin is not None
    assert session.origin.attributes == {"groups": ("staff", "vpn"), "mail": ("a@example.org",)}


async def test_its_session_becomes_a_token(front: Door) -> None:
    """Such a session is translated like any other."""
    await front.publish(an_instance("corp"))
    _, body = await sent(front, "near", USER, ("X-Remote-Mail", "a@example.org"))
    told = await front.translate(session_input(body["tokenId"]), ID_TOKEN, instance="corp")
    claims = (await judges.id_token(front, told.body["issued_token"], "RS256")).claims
    assert (claims["sub"], claims["email"]) == ("alice", "a@example.org")


async def test_local_users(front: Door) -> None:
    """With link_local_users it is the user of that name, who must be there and active."""
    await front.add_user("ann")
    await front.add_user("off", active=False)
    status, body = await sent(front, "local", ("X-User", "ann"))
    assert status == 200
    session = await front.broker.components.sessions.find(Secret(body["tokenId"]))
    assert session is not None
    assert session.foreign is None
    for name in ("off", "nobody", "ANN"):
        assert (await sent(front, "local", ("X-User", name)))[0] == 401
    head = {HEADER: (await sent(front, "local", ("X-User", "admin")))[1]["tokenId"]}
    assert (await front.request("GET", "/json/users?_queryFilter=true", headers=head)).status == 200
    head = {HEADER: (await sent(front, "near", ("X-Remote-User", "admin")))[1]["tokenId"]}
    assert (await front.request("GET", "/json/users?_queryFilter=true", headers=head)).status == 403


async def test_a_stranger_is_refused_before_the_header_is_read(front: Door) -> None:
    """From any other address it is a 401, X-Forwarded-For or not, and the audit has the address."""
    forged = ("X-Forwarded-For", "192.0.2.1")
    for head in ((USER,), (USER, forged), (USER, ("Forwarded", "for=192.0.2.1")), ()):
        status, body = await sent(front, "far", *head)
        assert (status, body["message"]) == (401, "Authentication Failed")
        assert "127.0.0.1 is not the address" in front.audit()[-1]["reason"]
    assert "alice" not in json.dumps(front.audit())


@pytest.mark.parametrize(
    "head",
    [
        (),
        (USER, USER),
        (USER, ("X-Remote-User", "admin")),
        (USER, ("x-remote-user", "admin")),
        (USER, ("X_Remote_User", "admin")),
        (USER, ("X-Remote_User", "admin")),
        (("X_Remote_User", "alice"),),
        (USER, ("Connection", "X-Remote-User")),
        (USER, ("Connection", "keep-alive, x_remote-user")),
        (USER, ("Connection", "close"), ("Connection", "x-remote-user")),
        (("X-Remote-User", ""),),
        (("X-Remote-User", "   "),),
        (("X-Remote-User", "a" * 256),),
        (("X-Remote-User", "alice, admin"),),
        (("X-Remote-User", "al%69ce"),),
        (("X-Remote-User", "аlice"),),  # noqa: RUF001  # the first letter is Cyrillic
        (("X-Remote-User", "ａlice"),),  # noqa: RUF001  # and here of full width
        (("X-Remote-User", "al\u200bice"),),
        (("X-Remote-User", "al\tice"),),
        (b"X-Remote-User: al\xe9ice",),
        (USER, ("X-Remote-Groups", "staff"), ("X_Remote_Groups", "admins")),
        (USER, ("X-Remote-Groups", "staff"), ("X-Remote-Groups", "admins")),
        (USER, b"X-Remote-Groups: st\xffaff"),
        (USER, ("X-Remote-Groups", "g;" * 1001)),
    ],
    ids=lambda head: str(head)[:60],
)
async def test_spoofed_headers(head: tuple[Any, ...], front: Door) -> None:
    """A header that is missing, came twice, under a name like it, is to be dropped on the way, or
    holds what is no plain name is a 401."""
    assert (await sent(front, "near", *head))[0] == 401


@pytest.mark.parametrize(
    "head",
    [
        (b"X-Remote-User: ali\r\n ce",),
        (b"X-Remote-User : alice",),
        (b"X-Remote-User: ali\x00ce",),
        (b"X-Remote-User: ali\x7fce",),
        (b"X-Remote-User: " + b"a" * 20_000,),
    ],
    ids=["folded", "blank before the colon", "NUL", "DEL", "overlong line"],
)
async def test_lines_that_http_does_not_know(head: tuple[bytes, ...], front: Door) -> None:
    """Folded or overlong lines, a blank before the colon and control characters get nobody in."""
    assert (await sent(front, "near", *head))[0] in (400, 401)


async def over_tls(
    front: Door, folder: Path, anchor: Holder, holder: Holder | None, module: str
) -> int:
    """The status of a login over a connection with that certificate."""
    async with behind_tls(front, anchor, folder) as secure:
        context = client_context(folder / "loopback.crt", holder, folder, [])
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as client:
            over = Door(secure.broker, secure.url, client, secure.planted)
            path = f"/json/authenticate{QUERY}{module}"
            return (await over.request("POST", path, headers=dict([USER]))).status


@pytest.mark.parametrize(
    ("module", "name", "status"),
    [
        ("shown", "proxy", 200),
        ("signed", "proxy", 200),
        ("shown", "other", 401),
        ("signed", "other", 401),
        ("shown", None, 401),
        ("signed", None, 401),
        ("both", "proxy", 401),
    ],
)
async def test_proxies_by_certificate(
    module: str,
    name: str | None,
    status: int,
    front: Door,
    anchor: Holder,
    proxy: Holder,
    tmp_path: Path,
) -> None:
    """A connection made with the certificate that is named is believed, any other is not; with an
    address named too, both must be right."""
    holder = {"proxy": proxy, "other": anchor.issue("other"), None: None}[name]
    assert await over_tls(front, tmp_path, anchor, holder, module) == status


async def test_a_subject_of_another_authority(front: Door, tmp_path: Path) -> None:
    """The right name in a certificate that TLS accepts, and that the authority did not sign."""
    other = root("Other")
    assert await over_tls(front, tmp_path, other, other.issue("proxy"), "signed") == 401


async def test_by_certificate_alone_without_tls(front: Door) -> None:
    """Without TLS there is no certificate, and a header with one does not help."""
    for module in ("shown", "signed", "both"):
        assert (await sent(front, module, USER, ("X-Client-Cert", "x")))[0] == 401


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({}, "proxies"),
        ({"proxies": []}, "proxies"),
        ({"proxies": ["0.0.0.0/0"]}, "proxies"),
        ({"proxies": ["::/0"]}, "proxies"),
        ({"proxies": ["proxy.example.com"]}, "proxies"),
        ({"proxies": ["10.0.0.1"] * 65}, "proxies"),
        ({"certificates": ["abc"]}, "certificates"),
        ({"subjects": ["CN=proxy"]}, "subjects"),
        ({"proxies": ["::1"], "authority_file": "proxies.pem"}, "subjects"),
        ({"subjects": ["proxy"], "authority_file": "proxies.pem"}, "subjects"),
        ({"subjects": ["CN=proxy"], "authority_file": "../x"}, "authority_file"),
        ({"subjects": ["CN=proxy"], "authority_file": "broken.pem"}, "authority_file"),
        ({"proxies": ["::1"], "user_header": "X_User"}, "user_header"),
        ({"proxies": ["::1"], "user_header": "Cookie"}, "user_header"),
        ({"proxies": ["::1"], "user_header": "X-Forwarded-For"}, "user_header"),
        ({"proxies": ["::1"], "user_header": "X User"}, "user_header"),
        ({"proxies": ["::1"], "attributes": {"mail": "X-Remote-User"}}, "attributes.mail"),
        ({"proxies": ["::1"], "attributes": {"": "X-Mail"}}, "attributes"),
        ({"proxies": ["::1"], "separators": {"groups": ";"}}, "separators.groups"),
        ({"proxies": ["::1"], "password": "x"}, "password"),
    ],
    ids=str,
)
def test_documents(document: dict[str, Any], key: str, tmp_path: Path, anchor: Holder) -> None:
    """A module that would believe everybody, or reads what is no header of its own, is refused,
    and the sentence names the key."""
    (tmp_path / "proxies.pem").write_text(anchor.pem)
    (tmp_path / "broken.pem").write_text("no certificate")
    _, problems = authentication.tried({"name": "x", "kind": "header", **document}, parts(tmp_path))
    assert [found for found, _ in problems] == [key]
