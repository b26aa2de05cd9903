"""TLS, the broker's own account, and what is on the wire."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from cryptography import x509

from broker.errors import Unavailable
from tests.authentication.ldap.conftest import Making
from tests.authentication.ldap.logins import login, refused
from tests.authentication.ldap.servers import serving
from tests.support.pki import root
from tests.support.slapd import ADA_PASSWORD, SERVICE_DN, Slapd, running_slapd, server_certificate

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slapd")]


async def _unavailable(module: object) -> str:
    with pytest.raises(Unavailable) as down:
        await login(module)  # type: ignore[arg-type]
    assert down.value.retry_after >= 1
    return down.value.detail or ""


@pytest.mark.parametrize("scheme", ["ldap", "starttls", "ldaps", "ldapi"])
async def test_each_transport(slapd: Slapd, ldap: Making, scheme: str) -> None:
    """Plain, StartTLS, LDAPS and a Unix socket: a login and a wrong password, many at a time."""
    urls = {"ldaps": slapd.tls_url, "ldapi": slapd.socket_url}
    module = ldap(slapd, urls.get(scheme, slapd.url), starttls=scheme == "starttls")
    found = await asyncio.gather(*(login(module) for _ in range(100)))
    assert {each.name for each in found} == {"ada"}
    assert await refused(module, password="wrong") == "wrong password"


def _sockets() -> int:
    """How many this process has open."""
    links = []
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            links.append(str(file.readlink()))
    return sum(link.startswith("socket:") for link in links)


@pytest.mark.parametrize("scheme", ["ldap", "starttls", "ldaps", "ldapi"])
async def test_a_closed_module_leaves_no_socket(slapd: Slapd, ldap: Making, scheme: str) -> None:
    """After ``close`` nothing is open to the directory, also where TLS says goodbye first."""
    urls = {"ldaps": slapd.tls_url, "ldapi": slapd.socket_url}
    before = _sockets()
    module = ldap(slapd, urls.get(scheme, slapd.url), starttls=scheme == "starttls")
    await asyncio.gather(*(login(module) for _ in range(20)))
    assert _sockets() > before
    await module.close()
    assert _sockets() == before


@pytest.mark.parametrize("scheme", ["ldaps", "starttls"])
async def test_a_silent_server_does_not_hold_a_close_up(
    own_slapd: Slapd, ldap: Making, scheme: str
) -> None:
    """A server that hangs and says no goodbye is left."""
    before = _sockets()
    url = own_slapd.tls_url if scheme == "ldaps" else own_slapd.url
    module = ldap(own_slapd, url, starttls=scheme == "starttls")
    await login(module)
    own_slapd.freeze()
    try:
        await module.close()
        assert _sockets() == before
    finally:
        own_slapd.thaw()


@pytest.mark.parametrize("scheme", ["starttls", "ldaps"])
@pytest.mark.parametrize("fault", ["stranger", "other name", "expired"])
async def test_a_wrong_certificate_is_refused(ldap: Making, scheme: str, fault: str) -> None:
    """A server whose certificate is a stranger's, another host's or expired is never asked."""
    authority = root("Directory Root")
    shown = {
        "stranger": lambda: server_certificate(root("Stranger")),
        "other name": lambda: server_certificate(authority, x509.DNSName("ldap.example.com")),
        "expired": lambda: server_certificate(authority, ends=-60),
    }[fault]()
    with running_slapd(authority=authority, server=shown) as slapd:
        url = slapd.tls_url if scheme == "ldaps" else slapd.url
        module = ldap(slapd, url, starttls=scheme == "starttls")
        assert "its certificate is not accepted" in await _unavailable(module)


async def test_without_an_authority_of_its_own_the_systems_count(
    slapd: Slapd, ldap: Making
) -> None:
    """No setting turns the check off: without ca_file a private authority is nobody."""
    assert "certificate" in await _unavailable(ldap(slapd, slapd.tls_url, ca_file=None))


async def test_a_wrong_account_is_no_wrong_login(slapd: Slapd, ldap: Making) -> None:
    """If the directory refuses the broker's own account nobody can be asked: no accept, and no
    word that the login was wrong."""
    module = ldap(slapd, bind_password="outdated")
    assert "refuses the broker's own account" in await _unavailable(module)


async def test_a_client_certificate_logs_the_broker_in(ldap: Making) -> None:
    """SASL EXTERNAL: the account is that of the client certificate."""
    authority = root("Directory Root")
    with running_slapd(authority=authority, verify="demand") as slapd:
        authority.issue("remint").files(slapd.folder, "client")
        module = ldap(
            slapd,
            slapd.tls_url,
            bind="external",
            bind_dn=None,
            bind_password=None,
            client_certificate_file="client.pem",
            client_key_file="client.key",
        )
        assert (await login(module)).name == "ada"
        assert await refused(module, password="wrong") == "wrong password"


async def test_an_anonymous_search_where_the_directory_allows_it(ldap: Making) -> None:
    """Without an account the broker searches as anybody, where both sides say so."""
    anybody = {"bind": "anonymous", "bind_dn": None, "bind_password": None}
    with running_slapd(others="by anonymous read") as slapd:
        assert (await login(ldap(slapd, **anybody))).name == "ada"
    with running_slapd() as slapd:
        assert "nobody in the directory" in await refused(ldap(slapd, **anybody))


async def test_logins_side_by_side_stay_apart(slapd: Slapd, ldap: Making) -> None:
    """Right and wrong logins of several people on pooled connections: each gets its own answer."""
    module = ldap(slapd)
    people = [("ada", ADA_PASSWORD), ("bob", "bobs directory password")]

    async def tried(number: int) -> bool:
        name, password = people[number % 2]
        if number % 3:
            return (await login(module, name, password)).name == name
        return await refused(module, name, people[(number + 1) % 2][1]) == "wrong password"

    assert all(await asyncio.gather(*map(tried, range(300))))


async def test_a_search_never_runs_as_a_user(ldap: Making) -> None:
    """Users may read nothing here: what is found is found as the broker's account, before and
    after their logins."""
    with running_slapd(others="by users none") as slapd:
        module = ldap(slapd)
        for _ in range(3):
            found = await login(module)
            assert found.attributes["cn"] == ("Ada Lovelace",)
            assert await refused(module, "bob") == "wrong password"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x84\xff\xff\xff\xff" + b"x" * 100,
        b"\x30\x80\x02\x01\x01\x00\x00",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x05",
        b"\x30\x0c\x02\x01\x63\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00",
        b"",
    ],
)
async def test_what_is_no_directory(slapd: Slapd, ldap: Making, answer: bytes) -> None:
    """A server that answers nonsense, too much, for another question or nothing is down: no
    accept, and no word that the login was wrong."""
    async with _saying(answer) as url:
        await _unavailable(ldap(slapd, url, timeout=1))


def _saying(answer: bytes) -> AbstractAsyncContextManager[str]:
    """A server that gives each client one answer, whatever it says."""

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await reader.read()

    return serving(told)


async def test_nothing_secret_shows(slapd: Slapd, ldap: Making) -> None:
    """The account's password is in no representation of the module."""
    module = ldap(slapd)
    await login(module)
    told = repr(vars(module))
    assert SERVICE_DN not in repr(module)
    assert "service-password" not in told
